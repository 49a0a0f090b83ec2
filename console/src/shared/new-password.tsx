import { PasswordInput, type PasswordInputProps } from '@mantine/core';
import { config } from './config.ts';
import { t } from './i18n.ts';

/** A password that is being chosen, with what the policy asks of it. */
export function NewPassword(props: PasswordInputProps) {
  return (
    <PasswordInput
      description={t(`account:password.policy.${config.password_policy}`)}
      autoComplete="new-password"
      required
      withAsterisk={false}
      {...props}
    />
  );
}
