import { Badge, Table } from '@mantine/core';
import { callPage } from '../../shared/api.ts';
import { foreignText } from '../../shared/foreign-text.ts';
import { t } from '../../shared/i18n.ts';
import { PagedList } from '../../shared/paged-list.tsx';
import { Empty } from '../../shared/states.tsx';
import { Time } from '../../shared/time.tsx';
import { UserLink } from '../users-by-id.tsx';
import type { User } from './queries.ts';

/** What happened to the account, the newest first. */
export function ActivityTab({ user }: { user: User }) {
  return (
    <PagedList
      queryKey={['user', user.id, 'activity']}
      ask={(page, signal) =>
        callPage('GET /auth/audit-events', { query: { user_id: user.id, ...page }, signal })
      }
      empty={<Empty title={t('users:user.no_activity')} />}
    >
      {(events) => (
        <Table.ScrollContainer minWidth={640} type="native" w="100%">
          <Table verticalSpacing="sm">
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">{t('users:user.event')}</Table.Th>
                <Table.Th scope="col">{t('users:user.when')}</Table.Th>
                <Table.Th scope="col">{t('users:user.network')}</Table.Th>
                <Table.Th scope="col">{t('users:user.by')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {events.map(({ id, kind, result, time, network, actor }) => (
                <Table.Tr key={id}>
                  <Table.Th scope="row" fw={400}>
                    {t(`kinds.${kind}`)}{' '}
                    {result === 'failure' && (
                      <Badge variant="light" color="red" tt="none">
                        {t('users:user.failure')}
                      </Badge>
                    )}
                  </Table.Th>
                  <Table.Td>
                    <Time value={time} />
                  </Table.Td>
                  <Table.Td>{network}</Table.Td>
                  <Table.Td>
                    {actor === user.id && foreignText(user.name)}
                    {actor !== null && actor !== user.id && <UserLink id={actor} />}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </PagedList>
  );
}
