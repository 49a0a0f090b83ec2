import { DoorwardError } from '../../errors.ts';
import type { User } from './store.ts';

/**
 * The states of an account's life. Somebody `invited` has an invitation and no account yet; of an `erased` one nothing is
 * left but what the audit log proves, without the person in it.
 */
export type AccountState = 'invited' | 'pending' | 'active' | 'suspended' | 'deletion_scheduled' | 'erased';

/** Those of an account that exists. */
export type LivingState = Exclude<AccountState, 'invited' | 'erased'>;

/** Who moves an account on: its owner (who has a session, a password or the mailbox), an administrator, the clock. */
export type Mover = 'owner' | 'administrator' | 'system';

/**
 * Every step of an account's life, and who may make it. What is not here does not happen: `assertTransition` is asked in
 * the transaction of each change.
 */
export const transitions: Readonly<
  Record<AccountState, Readonly<Partial<Record<AccountState, readonly Mover[]>>>>
> = {
  // By accepting, by signing up without the invitation, by its withdrawal or its end.
  invited: { active: ['owner'], pending: ['owner'], erased: ['administrator', 'system'] },
  // By proving the address; an administrator vouches for one that they set.
  pending: {
    active: ['owner', 'administrator'],
    suspended: ['administrator'],
    deletion_scheduled: ['owner'],
    erased: ['owner', 'administrator', 'system'],
  },
  active: {
    // By an address that is not proved yet.
    pending: ['owner'],
    suspended: ['administrator'],
    deletion_scheduled: ['owner'],
    erased: ['owner', 'administrator'],
  },
  // Nothing that the owner does reactivates.
  suspended: { active: ['administrator'], pending: ['administrator'], erased: ['administrator'] },
  deletion_scheduled: {
    active: ['owner', 'administrator'],
    pending: ['owner', 'administrator'],
    suspended: ['administrator'],
    erased: ['administrator', 'system'],
  },
  erased: {},
};

/** The state of an account that exists. */
export function stateOf({
  is_active,
  email_verified,
  delete_after,
}: Pick<User, 'is_active' | 'email_verified' | 'delete_after'>): LivingState {
  if (delete_after !== null) return 'deletion_scheduled';
  if (!is_active) return 'suspended';
  return email_verified ? 'active' : 'pending';
}

/** Whether an account may go from one state to another by `mover`. Staying is no step. */
export function mayMove(from: AccountState, to: AccountState, mover: Mover): boolean {
  return from === to || transitions[from][to]?.includes(mover) === true;
}

/**
 * Refuses a step that is not in the table. An owner meets that when an administrator was faster; anything else is a fault of
 * ours, which must not be written.
 * @throws DoorwardError `inactive_user`.
 */
export function assertTransition(from: AccountState, to: AccountState, mover: Mover): void {
  if (mayMove(from, to, mover)) return;
  const reason = `an account does not go from ${from} to ${to} by ${mover}`;
  throw mover === 'owner' ? new DoorwardError('inactive_user', { reason }) : new Error(reason);
}
