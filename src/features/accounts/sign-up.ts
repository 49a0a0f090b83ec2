import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { currentOrigin } from '../../origin.ts';
import type { Passwords } from '../passwords/index.ts';
import type { Throttle } from '../throttle/index.ts';
import { createAccount, type NewAccount } from './create.ts';
import type { User } from './store.ts';

/**
 * Makes an account for whoever asks, where REGISTRATION is open.
 * @throws DoorwardError `registration_closed`, `rate_limited`, `email_registered`, `overloaded`.
 * @throws ValidationError when the policy refuses the password.
 */
export async function signUp(
  kernel: Kernel,
  features: { passwords: Passwords; throttle: Throttle },
  { email, password, name, locale }: NewAccount,
): Promise<User> {
  if (kernel.settings.REGISTRATION !== 'open') throw new DoorwardError('registration_closed');
  const attempt = await features.throttle.signUp(currentOrigin().network);
  return attempt.within(
    () =>
      createAccount(
        kernel,
        features.passwords,
        { email, password, name, locale },
        { kind: 'user.signed_up', admit: () => attempt.take() },
      ),
    // Or the answers would tell a list of addresses.
    (error) => error instanceof DoorwardError && error.code === 'email_registered',
  );
}
