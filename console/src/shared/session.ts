import { QueryClient, queryOptions } from '@tanstack/react-query';
import { type Answer, ApiError, call, client, onSignedOut } from './api.ts';
import { config } from './config.ts';

export type Me = Answer<'GET /auth/me'>;

/** How soon a page notices that its session was ended elsewhere. */
const lookAgainMs = 5_000;
const retries = 2;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (count, error) =>
        count < retries && (!(error instanceof ApiError) || [429, 502, 503, 504].includes(error.status)),
      staleTime: 2_000,
    },
  },
});

/**
 * For `refetchInterval`: looks again so often, but not while there is nothing to renew. What could not be loaded says so, and
 * does not turn into a spinner and back.
 */
export function whileKnown(everyMs: number) {
  return ({ state }: { state: { data: unknown } }) => (state.data === undefined ? false : everyMs);
}

/** Who is signed in; null when nobody is. */
export const meQuery = queryOptions({
  queryKey: ['me'],
  queryFn: async ({ signal }): Promise<Me | null> => {
    try {
      return await call('GET /auth/me', { signal });
    } catch (error) {
      if (error instanceof ApiError && [401, 403].includes(error.status)) return null;
      throw error;
    }
  },
  refetchInterval: whileKnown(lookAgainMs),
  refetchOnWindowFocus: 'always',
});

onSignedOut(() => forgetSession());

/** Nothing that the former user saw stays in the page. */
export function forgetSession(): void {
  queryClient.setQueryData(meQuery.queryKey, null);
  queryClient.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== meQuery.queryKey[0] });
}

export async function logIn(email: string, password: string): Promise<void> {
  await client.login(email, password);
  await queryClient.invalidateQueries();
}

/** By the link or the code of a mail. */
export async function logInByMail(proof: Parameters<typeof client.loginByMail>[0]): Promise<void> {
  await client.loginByMail(proof);
  await queryClient.invalidateQueries();
}

export async function logOut(): Promise<void> {
  await client.logout();
  forgetSession();
}

/** Where a signed-out visitor of this page is sent. */
export function loginUrl(): string {
  const { pathname, search, hash } = location;
  return `${config.base}/account/login?${new URLSearchParams({ return_to: pathname + search + hash })}`;
}

/**
 * Where `return_to` leads: a page of this origin or of one that the server allows. Anything else is answered with the
 * start of the account, or a link to us would be a link to anywhere.
 */
export function returnUrl(returnTo: string | undefined): string {
  const home = `${config.base}/account`;
  if (returnTo === undefined || !URL.canParse(returnTo, location.origin)) return home;
  const url = new URL(returnTo, location.origin);
  // That of `blob:` has the origin of whoever made it, and is no page.
  const isPage = url.protocol === 'https:' || url.protocol === 'http:';
  const isAllowed = url.origin === location.origin || config.return_origins.includes(url.origin);
  return isPage && isAllowed ? url.href : home;
}
