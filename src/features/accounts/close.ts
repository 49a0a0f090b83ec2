import type { Transaction } from '../../database/database.ts';
import { activeAdminsLock, userLock } from '../../database/lock-names.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { CurrentPassword, Passwords } from '../passwords/index.ts';
import { applyChanges } from './change.ts';
import { assertTransition, type Mover, stateOf } from './life-cycle.ts';
import { deleteUser, findUser, hasOtherActiveAdmin, type User } from './store.ts';

/**
 * Erases an account in `tx` with everything that hangs on it; in the audit log the person is made unreadable.
 * @throws DoorwardError `user_not_found`, `last_admin`.
 */
export async function eraseAccount(
  kernel: Kernel,
  tx: Transaction,
  userId: number,
  mover: Mover,
): Promise<void> {
  const { db } = kernel;
  await db.lock(tx, activeAdminsLock);
  await db.lock(tx, userLock(userId));
  const user = await findUser(tx, userId);
  if (user === undefined) throw new DoorwardError('user_not_found');
  assertTransition(stateOf(user), 'erased', mover);
  if (user.is_admin && user.is_active && !(await hasOtherActiveAdmin(tx, userId))) {
    throw new DoorwardError('last_admin');
  }
  await eraseUser(kernel, tx, user, mover);
}

async function eraseUser(
  { db, events, audit }: Kernel,
  tx: Transaction,
  { id: user_id, email, locale }: User,
  mover: Mover,
): Promise<void> {
  await events.emit(tx, 'user.deleted', { user_id, email, locale, mover });
  await deleteUser(tx, user_id);
  await audit.record(tx, { kind: 'user.deleted', user_id });
  await audit.erase(tx, user_id);
  await db.scrub(tx);
}

/**
 * Erases in `tx` somebody who was erased before and whom a backup brought back: whatever the state, and also the last
 * administrator.
 */
export async function eraseAgain(kernel: Kernel, tx: Transaction, userId: number): Promise<void> {
  await kernel.db.lock(tx, activeAdminsLock);
  await kernel.db.lock(tx, userLock(userId));
  const user = await findUser(tx, userId);
  if (user !== undefined) await eraseUser(kernel, tx, user, 'system');
}

/** Erases an account by an administrator. @throws DoorwardError as `eraseAccount` does. */
export async function deleteAccount(kernel: Kernel, userId: number): Promise<void> {
  await kernel.db.transaction((tx) => eraseAccount(kernel, tx, userId, 'administrator'));
}

/**
 * Closes the account of whoever asks, after the password: at once, or with DELETION_GRACE_DAYS by scheduling its erasure,
 * which a login takes back.
 * @throws DoorwardError `current_password_incorrect`, `last_admin`, `rate_limited`, `overloaded`.
 */
export async function closeAccount(
  kernel: Kernel,
  passwords: Passwords,
  input: CurrentPassword,
): Promise<void> {
  const { db, clock, settings } = kernel;
  const graceMs = settings.DELETION_GRACE_DAYS * 86_400_000;
  const { id } = input.user;
  await passwords.withCurrent(input, (confirm) =>
    db.transaction(async (tx) => {
      await db.lock(tx, activeAdminsLock);
      await db.lock(tx, userLock(id));
      await confirm(tx);
      if (graceMs === 0) return eraseAccount(kernel, tx, id, 'owner');
      const delete_after = new Date(clock.now().getTime() + graceMs).toISOString();
      await applyChanges(kernel, tx, id, { delete_after }, 'owner');
    }),
  );
}
