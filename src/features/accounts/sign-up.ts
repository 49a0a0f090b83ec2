import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { Passwords } from '../passwords/index.ts';
import { createAccount } from './create.ts';
import type { User } from './store.ts';

/**
 * Makes an account for whoever asks, where REGISTRATION is open.
 * @throws DoorwardError `registration_closed`, `email_registered`.
 * @throws ValidationError when the policy refuses the password.
 */
export async function signUp(
  kernel: Kernel,
  passwords: Passwords,
  input: { email: string; password: string; name: string },
): Promise<User> {
  if (kernel.settings.REGISTRATION !== 'open') throw new DoorwardError('registration_closed');
  const { email, password, name } = input;
  return createAccount(kernel, passwords, { email, password, name });
}
