import { Button, Stack, TextInput } from '@mantine/core';
import { useApiForm } from '../shared/forms.ts';
import { t } from '../shared/i18n.ts';
import { FormFailure } from '../shared/states.tsx';

/** Asks for the address to send a mail to. */
export function AddressForm({
  route,
  label,
  send,
}: {
  route: 'POST /auth/forgot-password' | 'POST /auth/login/email';
  label: string;
  send: (email: string) => Promise<void>;
}) {
  const { form, failure, isSending, onSubmit } = useApiForm(route, {
    initialValues: { email: '' },
    send: ({ email }) => send(email.trim()),
  });
  return (
    <form onSubmit={onSubmit} noValidate>
      <Stack gap="md">
        <FormFailure failure={failure} />
        <TextInput
          label={t('access:email')}
          type="email"
          autoComplete="username"
          required
          withAsterisk={false}
          key={form.key('email')}
          {...form.getInputProps('email')}
        />
        <Button type="submit" loading={isSending} fullWidth>
          {label}
        </Button>
      </Stack>
    </form>
  );
}
