import { useQuery } from '@tanstack/react-query';
import { type Answer, ApiError, call, type Input, type Route } from '../shared/api.ts';
import { type Me, meQuery } from '../shared/session.ts';

/** Who is signed in, if anybody is; undefined until that is known. A page that needs nobody does not keep asking. */
export function useVisitor(): Me | null | undefined {
  return useQuery({ ...meQuery, refetchInterval: false }).data;
}

/** Asks as whoever is signed in, and as nobody where that session turns out to be over. @throws as `call`. */
export async function callAsAnybody<R extends Route>(route: R, input: Input<R>): Promise<Answer<R>> {
  try {
    return await call(route, input);
  } catch (error) {
    // By now the session is forgotten.
    if (error instanceof ApiError && error.code === 'invalid_token') return call(route, input);
    throw error;
  }
}
