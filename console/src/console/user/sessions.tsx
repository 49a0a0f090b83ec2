import { Badge, Button, Group, Stack, Table, Text } from '@mantine/core';
import { modals } from '@mantine/modals';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type Answer, ApiError, call } from '../../shared/api.ts';
import { describeFailure } from '../../shared/failures.ts';
import { t } from '../../shared/i18n.ts';
import { queryClient } from '../../shared/session.ts';
import { Empty, FormFailure, LoadFailure, Loading } from '../../shared/states.tsx';
import { Time } from '../../shared/time.tsx';
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
      <Table.ScrollContainer minWidth={440} type="native" w="100%">
        <Table verticalSpacing="sm">
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">{t('users:user.device')}</Table.Th>
              <Table.Th scope="col">{t('users:user.network')}</Table.Th>
              <Table.Th scope="col">{t('users:user.last_seen')}</Table.Th>
              <Table.Th scope="col" visibleFrom="lg">
                {t('users:user.since')}
              </Table.Th>
              <Table.Td />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {sessions.map((session) => (
              <SessionRow key={session.id} user={user} session={session} />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <Button variant="default" loading={endAll.isPending} onClick={ask}>
        {t('users:user.end_all')}
      </Button>
    </Stack>
  );
}

/** Goes at once, and comes back when the server refuses. */
function SessionRow({ user, session }: { user: User; session: Session }) {
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
    <Table.Tr>
      <Table.Th scope="row" fw={400}>
        <Group gap="xs">
          {session.device}
          {session.current && (
            <Badge variant="light" tt="none">
              {t('users:user.this_session')}
            </Badge>
          )}
        </Group>
      </Table.Th>
      <Table.Td>{session.network}</Table.Td>
      <Table.Td>
        <Time value={session.last_seen_at} />
      </Table.Td>
      <Table.Td visibleFrom="lg">
        <Time value={session.created_at} />
      </Table.Td>
      <Table.Td ta="end">
        <Button
          size="xs"
          variant="default"
          onClick={() => end.mutate()}
          aria-label={t('users:user.end_one', { device: session.device })}
        >
          {t('users:user.end')}
        </Button>
      </Table.Td>
    </Table.Tr>
  );
}
