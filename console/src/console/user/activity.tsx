import { Anchor, Badge, Button, Stack, Table } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { callPage } from '../../shared/api.ts';
import { foreignText } from '../../shared/foreign-text.ts';
import { t } from '../../shared/i18n.ts';
import { Empty, LoadFailure, Loading } from '../../shared/states.tsx';
import { Time } from '../../shared/time.tsx';
import type { User } from './queries.ts';

const pageSize = 50;

/** What happened to the account, the newest first. */
export function ActivityTab({ user }: { user: User }) {
  const { data, error, refetch, fetchNextPage, hasNextPage, isFetchingNextPage } = useInfiniteQuery({
    queryKey: ['user', user.id, 'activity'],
    queryFn: ({ pageParam, signal }) =>
      callPage('GET /auth/audit-events', {
        query: { user_id: user.id, limit: pageSize, cursor: pageParam },
        signal,
      }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next,
  });
  if (data === undefined) {
    return error === null ? <Loading /> : <LoadFailure error={error} retry={refetch} />;
  }
  const events = data.pages.flatMap(({ items }) => items);
  if (events.length === 0) return <Empty title={t('users:user.no_activity')} />;
  return (
    <Stack gap="md" align="flex-start">
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
                  {actor !== null && actor !== user.id && (
                    <Anchor component={Link} to={`/users/${actor}`} size="sm">
                      {t('users:user.numbered', { id: actor })}
                    </Anchor>
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {hasNextPage && (
        <Button variant="default" loading={isFetchingNextPage} onClick={() => fetchNextPage()}>
          {t('more')}
        </Button>
      )}
    </Stack>
  );
}
