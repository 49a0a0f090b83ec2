import { Alert, Anchor, Button, Stack, Table, Text } from '@mantine/core';
import { IconMailOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { callPage } from '../../shared/api.ts';
import { t } from '../../shared/i18n.ts';
import { PageHead } from '../../shared/page-head.tsx';
import { PagedList } from '../../shared/paged-list.tsx';
import { Empty } from '../../shared/states.tsx';
import { Time } from '../../shared/time.tsx';
import { type Mail, MailStateBadge } from '../mail-state.tsx';
import { statusQuery } from '../status.ts';
import { OutboxFilters } from './filters.tsx';
import type { OutboxSearch } from './search.ts';

const route = getRouteApi('/admin/outbox');
const nothing: OutboxSearch = { state: undefined, kind: undefined, user_id: undefined, to: undefined };

/** Mails that were sent and are to be sent, the newest first. */
export function OutboxPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const { data: status } = useQuery(statusQuery);
  const isFiltered = Object.values(search).some((value) => value !== undefined);
  const change = (part: OutboxSearch) =>
    navigate({ search: (before) => ({ ...before, ...part }), replace: true });
  return (
    <>
      <PageHead title={t('insight:outbox.title')} intro={t('insight:outbox.intro')} />
      <Stack gap="lg">
        {status?.mail.is_configured === false && (
          <Alert icon={<IconMailOff />} color="yellow" title={t('insight:outbox.unsent.title')}>
            {t('insight:outbox.unsent.text')}
          </Alert>
        )}
        <OutboxFilters search={search} change={change} />
        <PagedList
          queryKey={['outbox', 'list', search]}
          ask={(page, signal) => callPage('GET /auth/outbox', { query: { ...search, ...page }, signal })}
          empty={
            <Empty title={t(isFiltered ? 'insight:outbox.none_found' : 'insight:outbox.empty')}>
              {isFiltered && (
                <Button variant="default" onClick={() => change(nothing)}>
                  {t('insight:filters.clear')}
                </Button>
              )}
            </Empty>
          }
        >
          {(mails) => <MailTable mails={mails} />}
        </PagedList>
      </Stack>
    </>
  );
}

function MailTable({ mails }: { mails: Mail[] }) {
  return (
    <Table.ScrollContainer minWidth={640} type="native" w="100%">
      <Table verticalSpacing="sm" aria-label={t('insight:outbox.title')}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">{t('insight:outbox.mail')}</Table.Th>
            <Table.Th scope="col">{t('insight:outbox.to')}</Table.Th>
            <Table.Th scope="col">{t('insight:outbox.state')}</Table.Th>
            <Table.Th scope="col">{t('insight:outbox.created')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {mails.map((mail) => (
            <Table.Tr key={mail.id}>
              <Table.Th scope="row" fw={400}>
                <Anchor component={Link} to={`/outbox/${mail.id}`} size="sm">
                  {t(`mail_kinds.${mail.kind}`)}
                </Anchor>
              </Table.Th>
              <Table.Td style={{ overflowWrap: 'anywhere' }}>{mail.to}</Table.Td>
              <Table.Td>
                <MailStateBadge state={mail.state} />
                {mail.last_error !== null && (
                  <Text size="sm" c="var(--mantine-color-error)">
                    {mail.last_error}
                  </Text>
                )}
              </Table.Td>
              <Table.Td>
                <Time value={mail.created_at} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
