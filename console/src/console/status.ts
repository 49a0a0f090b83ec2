import { queryOptions } from '@tanstack/react-query';
import { call } from '../shared/api.ts';
import { whileKnown } from '../shared/session.ts';

const lookAgainMs = 15_000;

/** How the service is doing. */
export const statusQuery = queryOptions({
  queryKey: ['status'],
  queryFn: ({ signal }) => call('GET /auth/status', { signal }),
  refetchInterval: whileKnown(lookAgainMs),
});
