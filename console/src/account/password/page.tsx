import { Alert, Button, PasswordInput, Stack } from '@mantine/core';
import { IconCheck } from '@tabler/icons-react';
import { useState } from 'react';
import { call } from '../../shared/api.ts';
import { useApiForm } from '../../shared/forms.ts';
import { t } from '../../shared/i18n.ts';
import { NewPassword } from '../../shared/new-password.tsx';
import { PageHead } from '../../shared/page-head.tsx';
import { FormFailure } from '../../shared/states.tsx';
import { useMe } from '../me.ts';

/** A new password, which ends all other sessions. */
export function PasswordPage() {
  const me = useMe();
  const [isChanged, setChanged] = useState(false);
  const { form, failure, isSending, onSubmit } = useApiForm('POST /auth/me/password', {
    initialValues: { current_password: '', new_password: '' },
    async send(body) {
      setChanged(false);
      await call('POST /auth/me/password', { body });
      form.reset();
      setChanged(true);
    },
  });
  return (
    <>
      <PageHead title={t('account:password.title')} intro={t('account:password.intro')} />
      <form onSubmit={onSubmit} noValidate>
        <Stack maw={480} gap="md">
          <FormFailure failure={failure} />
          {isChanged && (
            <Alert color="green" icon={<IconCheck />} role="status">
              {t('account:password.changed')}
            </Alert>
          )}
          {/* Tells password managers whose password this is. */}
          <input type="hidden" name="username" autoComplete="username" value={me.email} readOnly />
          <PasswordInput
            label={t('account:current_password')}
            autoComplete="current-password"
            key={form.key('current_password')}
            {...form.getInputProps('current_password')}
          />
          <NewPassword
            label={t('account:password.new')}
            key={form.key('new_password')}
            {...form.getInputProps('new_password')}
          />
          <Button type="submit" loading={isSending} style={{ alignSelf: 'flex-start' }}>
            {t('account:password.change')}
          </Button>
        </Stack>
      </form>
    </>
  );
}
