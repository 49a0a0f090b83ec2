import type { Transaction } from '../../database/database.ts';
import { activeAdminsLock, userLock } from '../../database/lock-names.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { CurrentPassword, Passwords } from '../passwords/index.ts';
import { deleteUser, findUser, hasOtherActiveAdmin } from './store.ts';

/**
 * Deletes an account with everything that hangs on it. `confirm` is asked in the same transaction, under the user's lock.
 * @throws DoorwardError `user_not_found`, `last_admin`.
 */
export async function deleteAccount(
  kernel: Kernel,
  userId: number,
  confirm?: (tx: Transaction) => Promise<void>,
): Promise<void> {
  const { db, events, audit } = kernel;
  await db.transaction(async (tx) => {
    await db.lock(tx, activeAdminsLock);
    await db.lock(tx, userLock(userId));
    const user = await findUser(tx, userId);
    if (user === undefined) throw new DoorwardError('user_not_found');
    await confirm?.(tx);
    if (user.is_admin && user.is_active && !(await hasOtherActiveAdmin(tx, userId))) {
      throw new DoorwardError('last_admin');
    }
    await events.emit(tx, 'user.deleted', { user_id: userId });
    await deleteUser(tx, userId);
    await audit.record(tx, { kind: 'user.deleted', user_id: userId });
  });
}

/**
 * Closes the account of whoever asks, after the password.
 * @throws DoorwardError `current_password_incorrect`, `last_admin`, `rate_limited`, `overloaded`.
 */
export function closeAccount(kernel: Kernel, passwords: Passwords, input: CurrentPassword): Promise<void> {
  return passwords.withCurrent(input, (confirm) => deleteAccount(kernel, input.user.id, confirm));
}
