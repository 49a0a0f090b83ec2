import { Anchor, Button, Table, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { call, callPage } from '../../shared/api.ts';
import { describeFailure } from '../../shared/failures.ts';
import { t } from '../../shared/i18n.ts';
import { PagedList } from '../../shared/paged-list.tsx';
import { queryClient } from '../../shared/session.ts';
import { Empty } from '../../shared/states.tsx';
import { Time } from '../../shared/time.tsx';
import { type Mail, MailStateBadge } from '../mail-state.tsx';
import type { User } from './queries.ts';

/** Mails about the account, the newest first. */
export function MailsTab({ user }: { user: User }) {
  const queryKey = ['user', user.id, 'mails'];
  return (
    <PagedList
      queryKey={queryKey}
      ask={(page, signal) => callPage('GET /auth/outbox', { query: { user_id: user.id, ...page }, signal })}
      empty={<Empty title={t('users:user.no_mails')} />}
    >
      {(mails) => (
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
      )}
    </PagedList>
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
