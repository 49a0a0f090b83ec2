import { isUniqueViolation } from '../../database/database-errors.ts';
import { activeAdminsLock, userLock } from '../../database/lock-names.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel, NewAuditEvent } from '../../kernel.ts';
import { requireEmailAddress } from './create.ts';
import { findUser, hasOtherActiveAdmin, type User, updateUser } from './store.ts';

export interface AccountChanges {
  email?: string | undefined;
  name?: string | undefined;
  is_active?: boolean | undefined;
  is_admin?: boolean | undefined;
}

/**
 * Changes an account: by its owner (email and name) or by an administrator (also state and role). Deactivation ends
 * the user's sessions in the same transaction.
 * @throws DoorwardError `user_not_found`, `email_taken`, `last_admin`.
 */
export async function changeAccount(kernel: Kernel, userId: number, changes: AccountChanges): Promise<User> {
  const { db, clock, events, audit } = kernel;
  const { name, is_active, is_admin } = changes;
  const email = changes.email === undefined ? undefined : requireEmailAddress(changes.email);
  const mayRemoveAdmin = is_active === false || is_admin === false;
  try {
    return await db.transaction(async (tx) => {
      if (mayRemoveAdmin) await db.lock(tx, activeAdminsLock);
      await db.lock(tx, userLock(userId));
      const user = await findUser(tx, userId);
      if (user === undefined) throw new DoorwardError('user_not_found');
      if (mayRemoveAdmin && user.is_admin && user.is_active && !(await hasOtherActiveAdmin(tx, userId))) {
        throw new DoorwardError('last_admin');
      }
      const changed = await updateUser(
        tx,
        user,
        { email, name, is_active, is_admin },
        clock.now().toISOString(),
      );
      if (user.email !== changed.email)
        await events.emit(tx, 'user.readdressed', { user_id: userId, from: user.email, to: changed.email });
      if (user.is_active && !changed.is_active)
        await events.emit(tx, 'user.deactivated', { user_id: userId });
      for (const event of eventsOf(user, changed)) await audit.record(tx, { ...event, user_id: userId });
      return changed;
    });
  } catch (error) {
    if (isUniqueViolation(error, 'users', 'email_key'))
      throw new DoorwardError('email_taken', { cause: error });
    throw error;
  }
}

/** What the audit log tells of a change; nothing of what stayed as it was. */
function eventsOf(before: User, after: User): Pick<NewAuditEvent, 'kind' | 'detail'>[] {
  const fields = (['email', 'name'] as const).filter((field) => before[field] !== after[field]);
  const events: Pick<NewAuditEvent, 'kind' | 'detail'>[] = [];
  if (fields.length > 0) events.push({ kind: 'user.updated', detail: { fields } });
  if (before.is_admin !== after.is_admin)
    events.push({ kind: after.is_admin ? 'user.promoted' : 'user.demoted' });
  if (before.is_active !== after.is_active)
    events.push({ kind: after.is_active ? 'user.activated' : 'user.deactivated' });
  return events;
}
