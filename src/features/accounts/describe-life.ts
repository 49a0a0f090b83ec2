import { DoorwardError, type FailureCode } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { type AccountState, type LivingState, stateOf, transitions } from './life-cycle.ts';
import { findUser, hasOtherActiveAdmin, type User } from './store.ts';

/** What an administrator asks for to make a step. `set_email`: another address, which the administrator vouches for. */
export const lifeCycleActions = ['activate', 'deactivate', 'set_email', 'delete'] as const;
export type LifeCycleAction = (typeof lifeCycleActions)[number];

/** Why a step is refused just now; null when it is not. */
export type Refusal = Extract<FailureCode, 'cannot_deactivate_self' | 'cannot_delete_self' | 'last_admin'>;

export interface LifeCycle {
  readonly state: LivingState;
  /** What the table lets an administrator do, refused or not. */
  readonly transitions: {
    to: Exclude<AccountState, 'invited'>;
    action: LifeCycleAction;
    refused_because: Refusal | null;
  }[];
  /** The same for taking the role of an administrator away. */
  readonly demotion_refused_because: Refusal | null;
}

/**
 * A user's state, and what an administrator may do about it: told before it is tried. Whether it is done is decided when it
 * is asked for.
 * @throws DoorwardError `user_not_found`.
 */
export async function describeLife(
  { db }: Pick<Kernel, 'db'>,
  userId: number,
  actorId: number | undefined,
): Promise<LifeCycle> {
  const user = await findUser(db.read, userId);
  if (user === undefined) throw new DoorwardError('user_not_found');
  const isLastAdmin = user.is_admin && user.is_active && !(await hasOtherActiveAdmin(db.read, userId));
  const lastAdmin = isLastAdmin ? 'last_admin' : null;
  const isSelf = userId === actorId;
  const refusals: Record<LifeCycleAction, Refusal | null> = {
    activate: null,
    set_email: null,
    deactivate: isSelf ? 'cannot_deactivate_self' : lastAdmin,
    delete: isSelf ? 'cannot_delete_self' : lastAdmin,
  };
  const state = stateOf(user);
  const steps = Object.entries(transitions[state]).flatMap(([key, movers]) => {
    const to = key as Exclude<AccountState, 'invited'>;
    const action = movers?.includes('administrator') ? actionTowards(to, user) : undefined;
    return action === undefined ? [] : [{ to, action, refused_because: refusals[action] }];
  });
  return { state, transitions: steps, demotion_refused_because: lastAdmin };
}

/** What leads a user to a state, if one thing does: who is let in again is `active` or `pending` as the address is proved. */
function actionTowards(to: AccountState, user: User): LifeCycleAction | undefined {
  if (to === 'erased') return 'delete';
  if (to === 'suspended') return 'deactivate';
  if (user.is_active) return to === 'active' ? 'set_email' : undefined;
  return to === (user.email_verified ? 'active' : 'pending') ? 'activate' : undefined;
}
