import { Badge, Button, Card, Group, Stack, Text } from '@mantine/core';
import { IconDeviceDesktop } from '@tabler/icons-react';
import { queryOptions, useMutation, useQuery } from '@tanstack/react-query';
import { type Answer, call } from '../../shared/api.ts';
import { describeFailure } from '../../shared/failures.ts';
import { t } from '../../shared/i18n.ts';
import { PageHead } from '../../shared/page-head.tsx';
import { logOut, queryClient } from '../../shared/session.ts';
import { FormFailure, LoadFailure, Loading } from '../../shared/states.tsx';
import { Time } from '../../shared/time.tsx';

type Session = Answer<'GET /auth/me/sessions'>[number];

const sessionsQuery = queryOptions({
  queryKey: ['sessions'],
  queryFn: ({ signal }) => call('GET /auth/me/sessions', { signal }),
});

const lookAgain = () => queryClient.invalidateQueries({ queryKey: sessionsQuery.queryKey });

/** Where the user is signed in, and a button to end each. */
export function SessionsPage() {
  const { data: sessions, error, refetch } = useQuery(sessionsQuery);
  const endOthers = useMutation({
    mutationFn: () => call('DELETE /auth/me/sessions'),
    onSettled: lookAgain,
  });
  return (
    <>
      <PageHead
        title={t('account:sessions.title')}
        intro={t('account:sessions.intro')}
        actions={
          sessions !== undefined &&
          sessions.length > 1 && (
            <Button variant="default" loading={endOthers.isPending} onClick={() => endOthers.mutate()}>
              {t('account:sessions.end_others')}
            </Button>
          )
        }
      />
      {endOthers.isError && <FormFailure failure={describeFailure(endOthers.error)} />}
      {sessions === undefined && error !== null && <LoadFailure error={error} retry={refetch} />}
      {sessions === undefined && error === null && <Loading />}
      <Stack component="ul" p={0} m={0} gap="sm" style={{ listStyle: 'none' }}>
        {sessions?.map((session) => (
          <li key={session.id}>
            <SessionCard session={session} />
          </li>
        ))}
      </Stack>
    </>
  );
}

function SessionCard({ session }: { session: Session }) {
  const { id, device, network, current, last_seen_at, created_at } = session;
  const end = useMutation({
    mutationFn: () => (current ? logOut() : call('DELETE /auth/me/sessions/{sid}', { params: { sid: id } })),
    onSettled: lookAgain,
  });
  return (
    <Card withBorder>
      <Group justify="space-between" gap="sm">
        <Group gap="md" wrap="nowrap" miw={0}>
          <IconDeviceDesktop size={24} stroke={1.5} aria-hidden />
          <Stack gap={2} miw={0}>
            <Group gap="xs">
              <Text fw={600}>{device}</Text>
              {current && <Badge variant="light">{t('account:sessions.current')}</Badge>}
            </Group>
            <Text size="sm" c="dimmed">
              {t('account:sessions.from', { network })}
              {' · '}
              {t('account:sessions.seen')} <Time value={last_seen_at} />
              {' · '}
              {t('account:sessions.since')} <Time value={created_at} />
            </Text>
            {end.isError && (
              <Text size="sm" c="var(--mantine-color-error)" role="alert">
                {describeFailure(end.error)}
              </Text>
            )}
          </Stack>
        </Group>
        <Button
          variant="default"
          size="xs"
          loading={end.isPending}
          onClick={() => end.mutate()}
          aria-label={t(current ? 'account:sessions.end_current' : 'account:sessions.end_one', { device })}
        >
          {t(current ? 'log_out' : 'account:sessions.end')}
        </Button>
      </Group>
    </Card>
  );
}
