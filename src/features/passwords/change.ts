import { userLock } from '../../database/lock-names.ts';
import type { Kernel } from '../../kernel.ts';
import type { Throttle } from '../throttle/index.ts';
import { type CurrentPassword, withCurrentPassword } from './current.ts';
import type { PasswordOwner, Passwords } from './index.ts';

/**
 * Changes a user's own password. Every session of the user ends but the one that asks.
 * @throws DoorwardError as `withCurrentPassword` does.
 * @throws ValidationError when the policy refuses the new password.
 */
export async function changePassword(
  kernel: Kernel,
  features: { passwords: Passwords; throttle: Throttle },
  input: CurrentPassword & { user: PasswordOwner; new_password: string },
): Promise<void> {
  const { db, audit } = kernel;
  const { passwords } = features;
  const { user, sid, new_password } = input;
  passwords.assertAllowed(new_password, user, ['body', 'new_password']);
  await withCurrentPassword(kernel, features, input, async (confirm) => {
    const hash = await passwords.hash(new_password, String(user.id));
    await db.transaction(async (tx) => {
      await db.lock(tx, userLock(user.id));
      await confirm(tx);
      await passwords.replace(tx, user.id, hash, sid);
      await audit.record(tx, { kind: 'password.changed', user_id: user.id });
    });
  });
}
