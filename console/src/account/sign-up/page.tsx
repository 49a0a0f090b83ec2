import { Button, Stack } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { AccessPage } from '../../shared/access-page.tsx';
import { client } from '../../shared/api.ts';
import { config } from '../../shared/config.ts';
import { useApiForm } from '../../shared/forms.ts';
import { language, t } from '../../shared/i18n.ts';
import { NewAccountFields } from '../../shared/new-account-fields.tsx';
import { returnUrl } from '../../shared/session.ts';
import { FormFailure } from '../../shared/states.tsx';
import { useVisitor } from '../anybody.ts';
import { Done } from '../done.tsx';
import { AnchorLink } from '../links.tsx';
import { rememberReturn } from '../return-to.ts';
import { VerifyStep } from '../verify-step.tsx';

const route = getRouteApi('/sign-up');

/** Makes an account, where that is open to everybody, and has its address confirmed. */
export function SignUpPage() {
  const search = route.useSearch();
  const visitor = useVisitor();
  const [email, setEmail] = useState<string>();
  const [isVerified, setVerified] = useState(false);
  useEffect(() => {
    if (visitor) location.replace(returnUrl(search.return_to));
  }, [visitor, search.return_to]);
  const toLogin = (
    <>
      {t('access:sign_up.has_account')}{' '}
      <AnchorLink to="/login" search={search} inherit>
        {t('access:log_in.title')}
      </AnchorLink>
    </>
  );
  if (config.registration !== 'open') {
    return (
      <AccessPage
        title={t('access:sign_up.title')}
        intro={t(`access:sign_up.${config.registration}`)}
        footer={toLogin}
      />
    );
  }
  if (isVerified) {
    return (
      <Done title={t('access:verify.done')} return_to={search.return_to}>
        {t('access:sign_up.done')}
      </Done>
    );
  }
  if (email !== undefined)
    return <VerifyStep email={email} onVerified={() => setVerified(true)} footer={toLogin} />;
  return (
    <AccessPage title={t('access:sign_up.title')} footer={toLogin}>
      <SignUpForm
        onMade={(made) => {
          rememberReturn(search.return_to);
          setEmail(made);
        }}
      />
    </AccessPage>
  );
}

function SignUpForm({ onMade }: { onMade: (email: string) => void }) {
  const { form, failure, isSending, onSubmit } = useApiForm('POST /auth/signup', {
    initialValues: { name: '', email: '', password: '' },
    async send(account) {
      // In which mails come from now on.
      await client.signup({ ...account, locale: language });
      onMade(account.email.trim());
    },
  });
  return (
    <form onSubmit={onSubmit} noValidate>
      <Stack gap="md">
        <FormFailure failure={failure} />
        <NewAccountFields form={form} isOwn />
        <Button type="submit" loading={isSending} fullWidth>
          {t('access:sign_up.button')}
        </Button>
      </Stack>
    </form>
  );
}
