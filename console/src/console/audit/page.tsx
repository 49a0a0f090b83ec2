import { Anchor, Button, Group, Stack, Table } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { callPage, pathOf } from '../../shared/api.ts';
import { config } from '../../shared/config.ts';
import { t } from '../../shared/i18n.ts';
import { PageHead } from '../../shared/page-head.tsx';
import { PagedList } from '../../shared/paged-list.tsx';
import { Empty } from '../../shared/states.tsx';
import { Time } from '../../shared/time.tsx';
import { UserLink } from '../users-by-id.tsx';
import { EventDialog, ResultBadge } from './event.tsx';
import { AuditFilters } from './filters.tsx';
import type { AuditEvent, AuditSearch } from './search.ts';
import { useVerification, VerificationState, VerifyButton } from './verification.tsx';

const route = getRouteApi('/admin/audit');
const nothing: AuditSearch = {
  kind: undefined,
  result: undefined,
  user_id: undefined,
  actor: undefined,
  from: undefined,
  to: undefined,
};

/** Everything that happened, the newest first, and whether the log is as it was written. */
export function AuditPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const verification = useVerification();
  const [event, setEvent] = useState<AuditEvent>();
  const { from, to } = search;
  const isFiltered = Object.values(search).some((value) => value !== undefined);
  const change = (part: AuditSearch) =>
    navigate({ search: (before) => ({ ...before, ...part }), replace: true });
  return (
    <>
      <PageHead
        title={t('insight:audit.title')}
        intro={t('insight:audit.intro')}
        actions={
          <Group gap="sm">
            <Button
              component="a"
              variant="default"
              href={config.base + pathOf('GET /auth/audit-events/export', { query: { from, to } })}
              download={`audit-${new Date().toISOString().slice(0, 10)}.jsonl`}
              title={t('insight:audit.export_hint')}
              leftSection={<IconDownload size={16} aria-hidden />}
            >
              {t('insight:audit.export')}
            </Button>
            <VerifyButton {...verification} />
          </Group>
        }
      />
      <Stack gap="lg">
        <VerificationState {...verification} />
        <AuditFilters search={search} change={change} />
        <PagedList
          queryKey={['audit-events', search]}
          ask={(page, signal) =>
            callPage('GET /auth/audit-events', { query: { ...search, ...page }, signal })
          }
          empty={
            <Empty title={t('insight:audit.empty')}>
              {isFiltered && (
                <Button variant="default" onClick={() => change(nothing)}>
                  {t('insight:filters.clear')}
                </Button>
              )}
            </Empty>
          }
        >
          {(events) => <EventTable events={events} open={setEvent} />}
        </PagedList>
      </Stack>
      <EventDialog event={event} close={() => setEvent(undefined)} />
    </>
  );
}

function EventTable({ events, open }: { events: AuditEvent[]; open: (event: AuditEvent) => void }) {
  return (
    <Table.ScrollContainer minWidth={720} type="native" w="100%">
      <Table verticalSpacing="sm" aria-label={t('insight:audit.title')}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">{t('insight:audit.event')}</Table.Th>
            <Table.Th scope="col">{t('insight:audit.when')}</Table.Th>
            <Table.Th scope="col">{t('insight:audit.user')}</Table.Th>
            <Table.Th scope="col">{t('insight:audit.actor')}</Table.Th>
            <Table.Th scope="col">{t('insight:audit.network')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {events.map((event) => (
            <Table.Tr key={event.id}>
              <Table.Th scope="row" fw={400}>
                <Group gap="xs">
                  <Anchor component="button" size="sm" ta="start" onClick={() => open(event)}>
                    {t(`kinds.${event.kind}`)}
                  </Anchor>
                  {event.result === 'failure' && <ResultBadge result={event.result} />}
                </Group>
              </Table.Th>
              <Table.Td>
                <Time value={event.time} />
              </Table.Td>
              <Table.Td>{event.user_id !== null && <UserLink id={event.user_id} />}</Table.Td>
              <Table.Td>{event.actor !== null && <UserLink id={event.actor} />}</Table.Td>
              <Table.Td>{event.network}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
