import { Divider, Group, Stack, Text } from '@mantine/core';
import { IconCircleCheck, IconCircleX } from '@tabler/icons-react';
import { type Answer, callPage } from '../../shared/api.ts';
import { t } from '../../shared/i18n.ts';
import { PageHead } from '../../shared/page-head.tsx';
import { PagedList } from '../../shared/paged-list.tsx';
import { Empty } from '../../shared/states.tsx';
import { Time } from '../../shared/time.tsx';
import { useMe } from '../me.ts';

type Event = Answer<'GET /auth/me/activity'>[number];

/** What happened to the account, the newest first. */
export function ActivityPage() {
  return (
    <>
      <PageHead title={t('account:activity.title')} intro={t('account:activity.intro')} />
      <PagedList
        queryKey={['activity']}
        ask={(page, signal) => callPage('GET /auth/me/activity', { query: { ...page }, signal })}
        empty={<Empty title={t('account:activity.empty')} />}
      >
        {(events) => (
          <Stack component="ol" p={0} m={0} gap="sm" w="100%" style={{ listStyle: 'none' }}>
            {events.map((event, index) => (
              <li key={event.id}>
                {index > 0 && <Divider mb="sm" aria-hidden />}
                <EventLine event={event} />
              </li>
            ))}
          </Stack>
        )}
      </PagedList>
    </>
  );
}

function EventLine({ event: { kind, result, time, network, actor } }: { event: Event }) {
  const me = useMe();
  const isFailure = result === 'failure';
  const Icon = isFailure ? IconCircleX : IconCircleCheck;
  return (
    <Group wrap="nowrap" align="flex-start" gap="sm">
      <Icon
        size={20}
        aria-hidden
        color={isFailure ? 'var(--mantine-color-error)' : 'var(--mantine-color-green-7)'}
        style={{ flexShrink: 0 }}
      />
      <Stack gap={0}>
        <Text fw={500}>{t(`kinds.${kind}`)}</Text>
        <Text size="sm" c="dimmed">
          <Time value={time} />
          {network !== null && ` · ${t('account:sessions.from', { network })}`}
          {actor !== null && actor !== me.id && ` · ${t('account:activity.by_administrator')}`}
        </Text>
      </Stack>
    </Group>
  );
}
