import { Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { Suspense, useEffect, useState } from 'react';
import { AccessPage } from '../../shared/access-page.tsx';
import { ApiError } from '../../shared/api.ts';
import { config } from '../../shared/config.ts';
import { useApiForm } from '../../shared/forms.ts';
import { t } from '../../shared/i18n.ts';
import { lazyPage } from '../../shared/lazy-page.ts';
import { logIn, returnUrl } from '../../shared/session.ts';
import { FormFailure, Loading } from '../../shared/states.tsx';
import { useVisitor } from '../anybody.ts';
import { AnchorLink, ButtonLink } from '../links.tsx';
import { rememberReturn } from '../return-to.ts';

const route = getRouteApi('/login');
/** Few need it. */
const VerifyStep = lazyPage(() => import('../verify-step.tsx'), 'VerifyStep');

/**
 * Signs in and goes to where the visitor wanted to be. Whoever is signed in goes there at once; whose address has to be
 * confirmed first does that, and is then signed in.
 */
export function LoginPage() {
  const search = route.useSearch();
  const { return_to } = search;
  const me = useVisitor();
  const [unverified, setUnverified] = useState<{ email: string; password: string }>();
  const { form, failure, isSending, onSubmit } = useApiForm('POST /auth/login', {
    initialValues: { username: '', password: '' },
    async send({ username, password }) {
      try {
        await logIn(username, password);
      } catch (error) {
        if (!(error instanceof ApiError && error.code === 'email_not_verified')) throw error;
        // The server has sent the mail.
        rememberReturn(return_to);
        setUnverified({ email: username.trim(), password });
      }
    },
  });
  useEffect(() => {
    if (me) location.replace(returnUrl(return_to));
  }, [me, return_to]);
  if (unverified !== undefined) {
    const { email, password } = unverified;
    return (
      <Suspense fallback={<Loading />}>
        <VerifyStep email={email} onVerified={() => logIn(email, password)} />
      </Suspense>
    );
  }
  const canSignUp = config.registration === 'open';
  return (
    <AccessPage
      title={t('access:log_in.title')}
      footer={
        canSignUp && (
          <>
            {t('access:log_in.no_account')}{' '}
            <AnchorLink to="/sign-up" search={search} inherit>
              {t('access:sign_up.title')}
            </AnchorLink>
          </>
        )
      }
    >
      <form onSubmit={onSubmit} noValidate>
        <Stack gap="md">
          <FormFailure failure={failure} />
          <TextInput
            label={t('access:email')}
            type="email"
            autoComplete="username"
            required
            withAsterisk={false}
            key={form.key('username')}
            {...form.getInputProps('username')}
          />
          <PasswordInput
            label={t('access:password')}
            autoComplete="current-password"
            required
            withAsterisk={false}
            key={form.key('password')}
            {...form.getInputProps('password')}
          />
          <Button type="submit" loading={isSending} fullWidth>
            {t('access:log_in.title')}
          </Button>
          {config.email_login && (
            <ButtonLink to="/login/email" search={search} variant="default" fullWidth>
              {t('access:log_in.by_mail')}
            </ButtonLink>
          )}
          <AnchorLink to="/forgot-password" search={search} size="sm">
            {t('access:log_in.forgot')}
          </AnchorLink>
        </Stack>
      </form>
    </AccessPage>
  );
}
