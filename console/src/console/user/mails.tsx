import { Anchor, Button, Stack, Table, Text } from '@mantine/core';
import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type Answer, call, callPage } from '../../shared/api.ts';
import { describeFailure } from '../../shared/failures.ts';
import { t } from '../../shared/i18n.ts';
import { queryClient } from '../../shared/session.ts';
import { Empty, LoadFailure, Loading } from '../../shared/states.tsx';
import { Time } from '../../shared/time.tsx';
import { MailStateBadge } from '../mail-state.tsx';
import type { User } from './queries.ts';

type Mail = Answer<'GET /auth/outbox'>[number];

const pageSize = 50;

/** Mails about the account, the newest first. */
export function MailsTab({ user }: { user: User }) {
  const queryKey = ['user', user.id, 'mails'];
  const { data, error, refetch, fetchNextPage, hasNextPage, isFetchingNextPage } = useInfiniteQuery({
    queryKey,
    queryFn: ({ pageParam, signal }) =>
      callPage('GET /auth/outbox', {
        query: { user_id: user.id, limit: pageSize, cursor: pageParam },
        signal,
      }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next,
  });
  if (data === undefined) {
    return error === null ? <Loading /> : <LoadFailure error={error} retry={refetch} />;
  }
  const mails = data.pages.flatMap(({ items }) => items);
  if (mails.length === 0) return <Empty title={t('users:user.no_mails')} />;
  return (
    <Stack gap="md" align="flex-start">
      <Table.ScrollContainer minWidth={640} type="native" w="100%">
        <Table verticalSpacing="sm">
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">{t('users:user.mail')}</Table.Th>
              <Table.Th scope="col">{t('users:user.to')}</Table.Th>
              <Table.Th scope="col">{t('users:columns.state')}</Table.Th>
              <Table.Th scope="col">{t('users:user.when')}</Table.Th>
              <Table.Td />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {mails.map((mail) => (
              <MailRow key={mail.id} mail={mail} queryKey={queryKey} />
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

function MailRow({ mail, queryKey }: { mail: Mail; queryKey: unknown[] }) {
  const resend = useMutation({
    mutationFn: () => call('POST /auth/outbox/{id}/resend', { params: { id: mail.id } }),
    onSuccess: () => queryClient.invalidateQueries({ queryKey }),
  });
  const failure = resend.isError ? describeFailure(resend.error) : mail.last_error;
  const kind = t(`mail_kinds.${mail.kind}`);
  return (
    <Table.Tr>
      <Table.Th scope="row" fw={400}>
        <Anchor component={Link} to={`/outbox/${mail.id}`} size="sm">
          {kind}
        </Anchor>
      </Table.Th>
      <Table.Td style={{ overflowWrap: 'anywhere' }}>{mail.to}</Table.Td>
      <Table.Td>
        <MailStateBadge state={mail.state} />
        {failure !== null && (
          <Text size="sm" c="var(--mantine-color-error)">
            {failure}
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        <Time value={mail.sent_at ?? mail.created_at} />
      </Table.Td>
      <Table.Td ta="end">
        <Button
          size="xs"
          variant="default"
          loading={resend.isPending}
          onClick={() => resend.mutate()}
          aria-label={t('users:user.resend_one', { mail: kind })}
        >
          {t('users:user.resend')}
        </Button>
      </Table.Td>
    </Table.Tr>
  );
}
