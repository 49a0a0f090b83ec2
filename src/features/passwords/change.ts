import { userLock } from '../../database/lock-names.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { PasswordOwner, Passwords } from './index.ts';

/**
 * Changes a user's own password. Every session of the user ends but the one that asks.
 * @throws DoorwardError `current_password_incorrect`, also when another change came first.
 * @throws ValidationError when the policy refuses the new password.
 */
export async function changePassword(
  kernel: Kernel,
  passwords: Passwords,
  input: {
    user: PasswordOwner & { id: number };
    sid: string;
    current_password: string;
    new_password: string;
  },
): Promise<void> {
  const { user, sid, current_password, new_password } = input;
  passwords.assertAllowed(new_password, user, ['body', 'new_password']);
  const checked = await passwords.check(user.id, current_password);
  if (checked === undefined) throw new DoorwardError('current_password_incorrect');
  const hash = await passwords.hash(new_password);
  await kernel.db.transaction(async (tx) => {
    await kernel.db.lock(tx, userLock(user.id));
    if (!(await passwords.confirm(tx, user.id, checked)))
      throw new DoorwardError('current_password_incorrect');
    await passwords.replace(tx, user.id, hash, sid);
  });
}
