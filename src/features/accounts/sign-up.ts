import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { currentOrigin } from '../../origin.ts';
import type { Passwords } from '../passwords/index.ts';
import type { Throttle } from '../throttle/index.ts';
import { createAccount, type NewAccount } from './create.ts';
import { signUpUnseen } from './sign-up-unseen.ts';
import type { User } from './store.ts';

/**
 * Makes an account for whoever asks, where REGISTRATION is open. With HIDE_REGISTERED_EMAILS nobody is told whether there
 * was one already, and it is undefined either way.
 * @throws DoorwardError `registration_closed`, `rate_limited`, `email_registered`, `overloaded`.
 * @throws ValidationError when the policy refuses the password.
 */
export async function signUp(
  kernel: Kernel,
  features: { passwords: Passwords; throttle: Throttle },
  { email, password, name, locale }: NewAccount,
): Promise<User | undefined> {
  if (kernel.settings.REGISTRATION !== 'open') throw new DoorwardError('registration_closed');
  const attempt = await features.throttle.signUp(currentOrigin().network);
  const account = { email, password, name, locale };
  const creation = { kind: 'user.signed_up', admit: () => attempt.take() } as const;
  return attempt.within(
    () =>
      kernel.settings.HIDE_REGISTERED_EMAILS === 'on'
        ? signUpUnseen(kernel, features.passwords, account, creation)
        : createAccount(kernel, features.passwords, account, creation),
    // Or the answers would tell a list of addresses.
    (error) => error instanceof DoorwardError && error.code === 'email_registered',
  );
}
