import { queryOptions } from '@tanstack/react-query';
import { type Answer, call } from '../../shared/api.ts';
import { queryClient, whileKnown } from '../../shared/session.ts';

export type User = Answer<'GET /auth/users/{user_id}'>;
export type LifeCycle = Answer<'GET /auth/users/{user_id}/life-cycle'>;

/** How soon the page notices what happens to the user elsewhere. */
const lookAgainMs = 10_000;

export const userQuery = (id: number) =>
  queryOptions({
    queryKey: ['user', id],
    queryFn: ({ signal }) => call('GET /auth/users/{user_id}', { params: { user_id: id }, signal }),
    refetchInterval: whileKnown(lookAgainMs),
  });

/** What may be done about the user's state just now. */
export const lifeQuery = (id: number) =>
  queryOptions({
    queryKey: ['user', id, 'life-cycle'],
    queryFn: ({ signal }) =>
      call('GET /auth/users/{user_id}/life-cycle', { params: { user_id: id }, signal }),
    refetchInterval: whileKnown(lookAgainMs),
  });

export const sessionsQuery = (id: number) =>
  queryOptions({
    queryKey: ['user', id, 'sessions'],
    queryFn: ({ signal }) => call('GET /auth/users/{user_id}/sessions', { params: { user_id: id }, signal }),
    refetchInterval: whileKnown(lookAgainMs),
  });

/** Shows a user as the server answered, and looks anew at all that hangs on it. */
export async function noteUser(user: User): Promise<void> {
  queryClient.setQueryData(userQuery(user.id).queryKey, user);
  await Promise.all([
    queryClient.invalidateQueries({ queryKey: ['user', user.id] }),
    queryClient.invalidateQueries({ queryKey: ['users'] }),
  ]);
}
