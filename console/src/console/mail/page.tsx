import { Alert, Anchor, Button, Code, Stack, Tabs } from '@mantine/core';
import { IconArrowLeft, IconCheck, IconMailForward } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { type Answer, ApiError, call, pathOf } from '../../shared/api.ts';
import { config } from '../../shared/config.ts';
import { describeFailure } from '../../shared/failures.ts';
import { t } from '../../shared/i18n.ts';
import { PageHead } from '../../shared/page-head.tsx';
import { Empty, FormFailure, LoadFailure, Loading } from '../../shared/states.tsx';
import { Time } from '../../shared/time.tsx';
import { Facts } from '../facts.tsx';
import { MailStateBadge, useResend } from '../mail-state.tsx';
import { UserLink } from '../users-by-id.tsx';
import classes from './mail.module.css';

const route = getRouteApi('/admin/outbox/$id');
/** While it is on its way. */
const lookAgainMs = 3_000;

/** A mail: what became of it, and what it says. */
export function MailPage() {
  const { id } = route.useParams();
  const {
    data: mail,
    error,
    refetch,
  } = useQuery({
    queryKey: ['outbox', 'mail', id],
    queryFn: ({ signal }) => call('GET /auth/outbox/{id}', { params: { id }, signal }),
    refetchInterval: ({ state: { data } }) =>
      data?.state === 'asked' || data?.state === 'queued' ? lookAgainMs : false,
  });
  const { resend, ask } = useResend(Number(id));
  // Or the link never was one of a mail.
  const isGone = error instanceof ApiError && [404, 422].includes(error.status);
  return (
    <Stack gap="md">
      <Anchor component={Link} to="/outbox" size="sm">
        <IconArrowLeft size={14} aria-hidden /> {t('insight:outbox.back')}
      </Anchor>
      {mail === undefined && isGone && <Empty isPage title={t('failures.mail_not_found')} />}
      {mail === undefined && error !== null && !isGone && <LoadFailure error={error} retry={refetch} />}
      {mail === undefined && error === null && <Loading />}
      {mail !== undefined && (
        <>
          <PageHead
            title={mail.subject}
            intro={t(`mail_kinds.${mail.kind}`)}
            actions={
              <Button
                leftSection={<IconMailForward size={16} aria-hidden />}
                loading={resend.isPending}
                onClick={ask}
              >
                {t('insight:outbox.resend.confirm')}
              </Button>
            }
          />
          {resend.isError && <FormFailure failure={describeFailure(resend.error)} />}
          {resend.isSuccess && (
            <Alert color="teal" icon={<IconCheck />} role="status">
              {t('insight:outbox.resend.done')}
            </Alert>
          )}
          <MailFacts mail={mail} />
          <MailContent mail={mail} />
        </>
      )}
    </Stack>
  );
}

type ReadMail = Answer<'GET /auth/outbox/{id}'>;

function MailFacts({ mail }: { mail: ReadMail }) {
  const time = (value: string | null) => value && <Time value={value} />;
  return (
    <Facts
      label={t('insight:outbox.mail')}
      facts={[
        [t('insight:outbox.to'), mail.to],
        [t('insight:outbox.state'), <MailStateBadge key="state" state={mail.state} />],
        [t('insight:outbox.last_error'), mail.last_error],
        [t('insight:outbox.user'), mail.user_id && <UserLink id={mail.user_id} />],
        [t('insight:outbox.created'), time(mail.created_at)],
        [t('insight:outbox.sent'), time(mail.sent_at)],
        [t('insight:outbox.attempts'), mail.attempts],
        [t('insight:outbox.next_attempt'), time(mail.next_attempt_at)],
        [t('insight:outbox.expires'), time(mail.expires_at)],
        [t('insight:outbox.language'), mail.locale],
        [t('insight:outbox.message_id'), <Code key="message_id">{mail.message_id}</Code>],
      ]}
    />
  );
}

/** As HTML, in a frame in which nothing runs, and as text. */
function MailContent({ mail }: { mail: ReadMail }) {
  const { id, subject, state, message_id } = mail;
  return (
    <Tabs defaultValue="html" keepMounted={false}>
      <Tabs.List>
        <Tabs.Tab value="html">{t('insight:outbox.preview')}</Tabs.Tab>
        <Tabs.Tab value="text">{t('insight:outbox.text')}</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="html" pt="md">
        {/* The server sends it with a policy that lets nothing run, wherever it is opened; this is the second lock. */}
        <iframe
          // What it says changes when it is sent.
          key={`${state} ${message_id}`}
          className={classes.preview}
          sandbox=""
          title={subject}
          src={config.base + pathOf('GET /auth/outbox/{id}/html', { params: { id } })}
        />
      </Tabs.Panel>
      <Tabs.Panel value="text" pt="md">
        <Code block className={classes.text}>
          {mail.text}
        </Code>
      </Tabs.Panel>
    </Tabs>
  );
}
