import { TextInput } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { t } from './i18n.ts';
import { NewPassword } from './new-password.tsx';

interface NewAccount {
  name: string;
  email: string;
  password: string;
}

/** Name, address and password of an account that is made: one's own, or somebody else's. */
export function NewAccountFields({
  form,
  isOwn,
}: {
  form: Pick<UseFormReturnType<NewAccount>, 'key' | 'getInputProps'>;
  /** Whether browsers may fill in who sits before them. */
  isOwn: boolean;
}) {
  return (
    <>
      <TextInput
        {...(isOwn ? {} : { 'data-autofocus': true })}
        label={t('access:name')}
        autoComplete={isOwn ? 'name' : 'off'}
        required
        withAsterisk={false}
        key={form.key('name')}
        {...form.getInputProps('name')}
      />
      <TextInput
        label={t('access:email')}
        type="email"
        autoComplete={isOwn ? 'username' : 'off'}
        required
        withAsterisk={false}
        key={form.key('email')}
        {...form.getInputProps('email')}
      />
      <NewPassword
        label={t('access:password')}
        key={form.key('password')}
        {...form.getInputProps('password')}
      />
    </>
  );
}
