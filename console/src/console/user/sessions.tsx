import { Badge, Button, Stack, Text } from '@mantine/core';
import { modals } from '@mantine/modals';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type Answer, ApiError, call } from '../../shared/api.ts';
import { describeFailure } from '../../shared/failures.ts';
import { t } from '../../shared/i18n.ts';
import { queryClient } from '../../shared/session.ts';
import { Empty, FormFailure, LoadFailure, Loading } from '../../shared/states.tsx';
import { Time } from '../../shared/time.tsx';
import { EntryCard, EntryList } from '../entry-card.tsx';
import { sessionsQuery, type User } from './queries.ts';

type Session = Answer<'GET /auth/users/{user_id}/sessions'>[number];

/** Where the user is signed in, and a button to end each. */
export function SessionsTab({ user }: { user: User }) {
  const { data: sessions, error, refetch } = useQuery(sessionsQuery(user.id));
  const endAll = useMutation({
    mutationFn: () => call('DELETE /auth/users/{user_id}/sessions', { params: { user_id: user.id } }),
    onSettled: () => refetch(),
  });
  const ask = () =>
    modals.openConfirmModal({
      title: t('users:user.end_all'),
      children: <Text size="sm">{t('users:consequences.end_sessions')}</Text>,
      labels: { confirm: t('users:user.end_all'), cancel: t('cancel') },
      closeButtonProps: { 'aria-label': t('close') },
      onConfirm: () => endAll.mutate(),
    });
  if (sessions === undefined) {
    return error === null ? <Loading /> : <LoadFailure error={error} retry={refetch} />;
  }
  if (sessions.length === 0) return <Empty title={t('users:user.no_sessions')} />;
  return (
    <Stack gap="md" align="flex-start">
      {endAll.isError && <FormFailure failure={describeFailure(endAll.error)} />}
      <EntryList>
        {sessions.map((session) => (
          <SessionCard key={session.id} user={user} session={session} />
        ))}
      </EntryList>
      <Button variant="default" loading={endAll.isPending} onClick={ask}>
        {t('users:user.end_all')}
      </Button>
    </Stack>
  );
}

/** Goes at once, and comes back when the server refuses. */
function SessionCard({ user, session }: { user: User; session: Session }) {
  const { queryKey } = sessionsQuery(user.id);
  const end = useMutation({
    mutationFn: () =>
      call('DELETE /auth/users/{user_id}/sessions/{sid}', { params: { user_id: user.id, sid: session.id } }),
    async onMutate() {
      await queryClient.cancelQueries({ queryKey });
      queryClient.setQueryData(queryKey, (before) => before?.filter(({ id }) => id !== session.id));
    },
    onError(error) {
      const hasEnded = error instanceof ApiError && error.code === 'session_not_found';
      if (!hasEnded) {
        modals.open({
          title: t('failed.title'),
          children: <Text size="sm">{describeFailure(error)}</Text>,
          closeButtonProps: { 'aria-label': t('close') },
        });
      }
    },
    onSettled: () => queryClient.invalidateQueries({ queryKey }),
  });
  return (
    <EntryCard
      title={
        <>
          <Text fw={600}>{session.device}</Text>
          {session.current && (
            <Badge variant="light" tt="none">
              {t('users:user.this_session')}
            </Badge>
          )}
        </>
      }
      details={
        <>
          {session.network} · {t('users:user.last_seen')} <Time value={session.last_seen_at} /> ·{' '}
          {t('users:user.since')} <Time value={session.created_at} />
        </>
      }
      actions={
        <Button
          size="xs"
          variant="default"
          onClick={() => end.mutate()}
          aria-label={t('users:user.end_one', { device: session.device })}
        >
          {t('users:user.end')}
        </Button>
      }
    />
  );
}
