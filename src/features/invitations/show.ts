import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { InvitationFeatures } from './index.ts';
import { isLive, isSettled } from './invitation.ts';
import { findInvitation } from './store.ts';

/** What whoever holds the link is told of the invitation. */
export interface ShownInvitation {
  email: string;
  name: string | null;
  is_admin: boolean;
  expires_at: string;
}

/** The invitation that a link is of, and what uses the link up. @throws DoorwardError `invalid_link`, `rate_limited`. */
export async function findByLink({ db }: Kernel, { mailLinks }: InvitationFeatures, token: string) {
  const { link, use } = await mailLinks.show('invitation', { token, browser: null });
  const invitation = await findInvitation(db.read, link.invitation_id ?? 0);
  if (invitation === undefined) throw new DoorwardError('invalid_link');
  return { invitation, use };
}

/**
 * Tells what a link invites to, and leaves it as it is.
 * @throws DoorwardError `invalid_link`; `email_registered` where an account has the address for good; `rate_limited`.
 */
export async function showInvitation(
  kernel: Kernel,
  features: InvitationFeatures,
  token: string,
): Promise<ShownInvitation> {
  const { invitation } = await findByLink(kernel, features, token);
  const { email, name, is_admin, expires_at } = invitation;
  const holder = await features.accounts.findByEmail(email);
  if (holder !== undefined && isSettled(holder)) throw new DoorwardError('email_registered');
  if (!isLive(invitation, kernel.clock.now()))
    throw new DoorwardError('invalid_link', { reason: 'the invitation is over' });
  return { email, name, is_admin, expires_at };
}
