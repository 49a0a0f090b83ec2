import { stateOf, type User } from '../accounts/index.ts';
import type { Invitation } from './store.ts';

/** An invitation as administrators see it. */
export interface ReadInvitation {
  id: number;
  email: string;
  name: string | null;
  is_admin: boolean;
  invited_by: number | null;
  created_at: string;
  expires_at: string;
  state: 'pending' | 'expired';
}

/**
 * Whether it can be accepted. Nobody is made an administrator by the word of somebody who is none any more; the command line
 * answers for itself.
 */
export function isLive(invitation: Invitation, now: Date): boolean {
  const { is_admin, invited_by, inviter_is_active, inviter_is_admin, expires_at, settled_at } = invitation;
  const isVouchedFor = invited_by === null || (inviter_is_active === true && inviter_is_admin === true);
  return settled_at === null && Date.parse(expires_at) > now.getTime() && (!is_admin || isVouchedFor);
}

/** Whether an account has its address for good: somebody proved it, or an administrator locked the account out. */
export function isSettled(user: User): boolean {
  return user.email_verified || stateOf(user) === 'suspended';
}

export function toRead(invitation: Invitation, now: Date): ReadInvitation {
  const { id, email, name, is_admin, invited_by, created_at, expires_at } = invitation;
  const state = isLive(invitation, now) ? 'pending' : 'expired';
  return { id, email, name, is_admin, invited_by, created_at, expires_at, state };
}
