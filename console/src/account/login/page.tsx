import { Anchor, Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useEffect } from 'react';
import { config } from '../../shared/config.ts';
import { useApiForm } from '../../shared/forms.ts';
import { t } from '../../shared/i18n.ts';
import { logIn, meQuery, returnUrl } from '../../shared/session.ts';
import { FormFailure } from '../../shared/states.tsx';
import { AccessPage } from '../access-page.tsx';

const route = getRouteApi('/login');

/** Signs in and goes to where the visitor wanted to be. Whoever is signed in goes there at once. */
export function LoginPage() {
  const { return_to } = route.useSearch();
  const { data: me } = useQuery(meQuery);
  const { form, failure, isSending, onSubmit } = useApiForm('POST /auth/login', {
    initialValues: { username: '', password: '' },
    send: ({ username, password }) => logIn(username, password),
  });
  useEffect(() => {
    if (me) location.replace(returnUrl(return_to));
  }, [me, return_to]);
  const canSignUp = config.registration === 'open';
  return (
    <AccessPage
      title={t('access:log_in.title')}
      footer={
        canSignUp && (
          <>
            {t('access:log_in.no_account')}{' '}
            <Anchor component={Link} to="/sign-up" inherit>
              {t('access:sign_up.title')}
            </Anchor>
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
          <Anchor component={Link} to="/forgot-password" size="sm">
            {t('access:log_in.forgot')}
          </Anchor>
        </Stack>
      </form>
    </AccessPage>
  );
}
