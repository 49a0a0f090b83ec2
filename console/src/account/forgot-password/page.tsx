import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { AccessPage } from '../../shared/access-page.tsx';
import { call } from '../../shared/api.ts';
import { t } from '../../shared/i18n.ts';
import { AddressForm } from '../address-form.tsx';
import { BackToLogIn } from '../links.tsx';
import { PasswordReset, ResetForm } from '../reset-password/form.tsx';
import { rememberReturn } from '../return-to.ts';

const route = getRouteApi('/forgot-password');

/** Asks for the mail that resets a password. What it answers is the same whoever has an account. */
export function ForgotPasswordPage() {
  const search = route.useSearch();
  const [email, setEmail] = useState<string>();
  const [isReset, setReset] = useState(false);
  if (isReset) return <PasswordReset return_to={search.return_to} />;
  return (
    <AccessPage
      title={t('access:forgot.title')}
      intro={email === undefined ? t('access:forgot.intro') : t('access:mail.perhaps_sent', { email })}
      footer={<BackToLogIn return_to={search.return_to} />}
    >
      {email === undefined ? (
        <AddressForm
          route="POST /auth/forgot-password"
          label={t('access:mail.send')}
          send={async (address) => {
            await call('POST /auth/forgot-password', { body: { email: address } });
            rememberReturn(search.return_to);
            setEmail(address);
          }}
        />
      ) : (
        <ResetForm email={email} onReset={() => setReset(true)} />
      )}
    </AccessPage>
  );
}
