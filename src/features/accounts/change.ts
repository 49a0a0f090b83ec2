import type { Transaction } from '../../database/database.ts';
import { isUniqueViolation } from '../../database/database-errors.ts';
import { activeAdminsLock, addressLock, userLock } from '../../database/lock-names.ts';
import { DoorwardError } from '../../errors.ts';
import type { Administered, Kernel, NewAuditEvent } from '../../kernel.ts';
import { currentOrigin } from '../../origin.ts';
import { requireEmailAddress, requireLocale } from './create.ts';
import { type Mover, stateOf } from './life-cycle.ts';
import { findUser, hasOtherActiveAdmin, type User, updateUser } from './store.ts';

/** What owners and administrators change. */
export interface AccountChanges {
  email?: string | undefined;
  name?: string | undefined;
  locale?: string | undefined;
  is_active?: boolean | undefined;
  is_admin?: boolean | undefined;
}

/** What features change besides, in transactions of their own. */
export interface AccountSteps extends AccountChanges {
  email_verified?: boolean | undefined;
  pending_email?: string | null | undefined;
  /** A point in time schedules the deletion; `is_active: true` takes it back. */
  delete_after?: string | undefined;
}

/**
 * Changes an account in a transaction of its own. See `applyChanges`.
 */
export function changeAccount(
  kernel: Kernel,
  userId: number,
  changes: AccountChanges,
  mover: Mover,
): Promise<User> {
  return kernel.db.transaction((tx) => applyChanges(kernel, tx, userId, changes, mover));
}

/**
 * Changes an account and announces what that means, all in `tx`. An address that its owner sets is not verified, one that
 * an administrator sets is. A deactivated user's sessions end.
 * @throws DoorwardError `user_not_found`, `email_taken`, `last_admin`.
 * @throws ValidationError for what is no address or no language.
 */
export async function applyChanges(
  kernel: Kernel,
  tx: Transaction,
  userId: number,
  changes: AccountSteps,
  mover: Mover,
): Promise<User> {
  const { db, clock, audit } = kernel;
  const { name, is_admin, delete_after } = changes;
  const email = changes.email === undefined ? undefined : requireEmailAddress(changes.email);
  const locale = changes.locale === undefined ? undefined : requireLocale(changes.locale);
  const is_active = delete_after === undefined ? changes.is_active : false;
  const mayRemoveAdmin = is_active === false || is_admin === false;
  if (mayRemoveAdmin) await db.lock(tx, activeAdminsLock);
  await db.lock(tx, userLock(userId));
  const user = await findUser(tx, userId);
  if (user === undefined) throw new DoorwardError('user_not_found');
  if (mayRemoveAdmin && user.is_admin && user.is_active && !(await hasOtherActiveAdmin(tx, userId))) {
    throw new DoorwardError('last_admin');
  }
  const isReaddressed = email !== undefined && email.email_key !== requireEmailAddress(user.email).email_key;
  if (isReaddressed) await db.lock(tx, addressLock(email.email_key));
  const steps = {
    email,
    name,
    locale,
    is_active,
    is_admin,
    email_verified: changes.email_verified ?? (isReaddressed ? mover === 'administrator' : undefined),
    // Its link is void.
    pending_email: isReaddressed || is_active === false ? null : changes.pending_email,
    // Whoever is let in or locked out is not to be erased.
    delete_after: is_active === undefined ? undefined : (delete_after ?? null),
  };
  const changed = await updateUser(tx, user, steps, { now: clock.now().toISOString(), mover }).catch(
    (error) => {
      if (isUniqueViolation(error, 'users', 'email_key'))
        throw new DoorwardError('email_taken', { cause: error });
      throw error;
    },
  );
  await announce(kernel, tx, user, changed, mover);
  for (const event of eventsOf(user, changed)) await audit.record(tx, { ...event, user_id: userId });
  return changed;
}

async function announce(
  { events }: Kernel,
  tx: Transaction,
  before: User,
  after: User,
  mover: Mover,
): Promise<void> {
  const { id: user_id } = after;
  if (before.email !== after.email) {
    const { email_verified } = after;
    await events.emit(tx, 'user.readdressed', {
      user_id,
      from: before.email,
      to: after.email,
      email_verified,
      mover,
    });
  }
  if (!before.email_verified && after.email_verified) await events.emit(tx, 'user.verified', { user_id });
  const { delete_after } = after;
  if (!isSuspended(before) && isSuspended(after)) await events.emit(tx, 'user.deactivated', { user_id });
  if (before.is_active && delete_after !== null)
    await events.emit(tx, 'user.closed', { user_id, delete_after });
  if (before.delete_after !== null && after.is_active)
    await events.emit(tx, 'user.restored', { user_id, mover });
  const what = administered(before, after);
  if (mover === 'administrator' && currentOrigin().actor !== user_id && what.length > 0)
    await events.emit(tx, 'user.administered', { user_id, what });
}

const isSuspended = (user: User) => stateOf(user) === 'suspended';

function administered(before: User, after: User): Administered[] {
  const what: Administered[] = [];
  if (before.is_admin !== after.is_admin) what.push(after.is_admin ? 'promoted' : 'demoted');
  if (!isSuspended(before) && isSuspended(after)) what.push('suspended');
  if (!before.is_active && after.is_active) what.push('reactivated');
  if (before.email !== after.email) what.push('email_changed');
  if (before.name !== after.name) what.push('name_changed');
  return what;
}

/** What the audit log tells of a change; nothing of what stayed as it was. */
function eventsOf(before: User, after: User): Pick<NewAuditEvent, 'kind' | 'detail'>[] {
  const fields = (['email', 'name', 'locale'] as const).filter((field) => before[field] !== after[field]);
  const events: Pick<NewAuditEvent, 'kind' | 'detail'>[] = [];
  if (fields.length > 0) events.push({ kind: 'user.updated', detail: { fields } });
  if (!before.email_verified && after.email_verified) events.push({ kind: 'user.verified' });
  if (before.is_admin !== after.is_admin)
    events.push({ kind: after.is_admin ? 'user.promoted' : 'user.demoted' });
  if (before.delete_after === null && after.delete_after !== null) events.push({ kind: 'user.closed' });
  else if (before.delete_after !== null && after.delete_after === null)
    events.push({ kind: after.is_active ? 'user.restored' : 'user.deactivated' });
  else if (before.is_active !== after.is_active)
    events.push({ kind: after.is_active ? 'user.activated' : 'user.deactivated' });
  return events;
}
