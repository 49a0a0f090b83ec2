import { Anchor, Button, Stack } from '@mantine/core';
import { useLocation, useNavigate } from '@tanstack/react-router';
import { AccessPage } from '../../shared/access-page.tsx';
import { call } from '../../shared/api.ts';
import { config } from '../../shared/config.ts';
import { useApiForm } from '../../shared/forms.ts';
import { t } from '../../shared/i18n.ts';
import { NewAccountFields } from '../../shared/new-account-fields.tsx';
import { logIn } from '../../shared/session.ts';
import { FormFailure } from '../../shared/states.tsx';

/** Makes the first administrator with the token in the link that the server prints at its start. */
export function SetupPage() {
  const { hash } = useLocation();
  const token = new URLSearchParams(hash).get('token');
  return (
    <AccessPage
      title={t('users:setup.title')}
      intro={t(token === null ? 'users:setup.no_token' : 'users:setup.intro')}
      footer={
        <>
          {t('users:setup.has_account')}{' '}
          <Anchor href={`${config.base}/console`}>{t('access:log_in.title')}</Anchor>
        </>
      }
    >
      {token !== null && <SetupForm token={token} />}
    </AccessPage>
  );
}

function SetupForm({ token }: { token: string }) {
  const navigate = useNavigate();
  const { form, failure, isSending, onSubmit } = useApiForm('POST /auth/setup', {
    initialValues: { name: '', email: '', password: '' },
    async send(account) {
      await call('POST /auth/setup', { body: { token, ...account } });
      await logIn(account.email, account.password);
      await navigate({ to: '/', replace: true });
    },
  });
  return (
    <form onSubmit={onSubmit} noValidate>
      <Stack gap="md">
        <FormFailure failure={failure} />
        <NewAccountFields form={form} isOwn />
        <Button type="submit" loading={isSending} fullWidth>
          {t('users:setup.make')}
        </Button>
      </Stack>
    </form>
  );
}
