import { removeInBatches } from '../../database/batches.ts';
import type { Transaction } from '../../database/database.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { requireEmailAddress } from '../accounts/index.ts';
import type { InvitationFeatures } from './index.ts';
import { deleteInvitation, findInvitation, findInvitationTo, listOver, markSettled } from './store.ts';

/** How long an invitation that is over can still be seen. */
const keptMs = 30 * 86_400_000;
const deleteBatchSize = 100;

/** Removes an invitation with its link and its mails. False when another request was first. */
export async function removeInvitation(
  { mailLinks, outbox }: Pick<InvitationFeatures, 'mailLinks' | 'outbox'>,
  tx: Transaction,
  { id, email }: { id: number; email: string },
): Promise<boolean> {
  if (!(await deleteInvitation(tx, id))) return false;
  await mailLinks.voidInvitation(tx, id);
  await outbox.discard(tx, 'invitation', email);
  return true;
}

/** Takes an invitation back; its link is void at once. @throws DoorwardError `invitation_not_found`. */
export async function withdrawInvitation(
  { db, audit }: Kernel,
  features: InvitationFeatures,
  id: number,
): Promise<void> {
  await db.transaction(async (tx) => {
    const invitation = await findInvitation(tx, id);
    const isThere = invitation !== undefined && invitation.settled_at === null;
    if (!isThere || !(await removeInvitation(features, tx, invitation)))
      throw new DoorwardError('invitation_not_found');
    const detail = { invitation: id, reason: 'withdrawn' };
    await audit.record(tx, { kind: 'invitation.withdrawn', user_id: null, detail });
  });
}

/**
 * An invitation to an address that an account has for good by now has no purpose left, and gives that account nothing. Its
 * link goes on saying why, for as long as it would have worked.
 */
export async function settleInvitation(
  { clock, audit }: Kernel,
  { outbox }: Pick<InvitationFeatures, 'outbox'>,
  tx: Transaction,
  user: { id: number; email: string },
): Promise<void> {
  const invitation = await findInvitationTo(tx, requireEmailAddress(user.email).email_key);
  if (invitation === undefined || invitation.settled_at !== null) return;
  if (!(await markSettled(tx, invitation.id, clock.now().toISOString()))) return;
  await outbox.discard(tx, 'invitation', invitation.email);
  const detail = { invitation: invitation.id, reason: 'registered' };
  await audit.record(tx, { kind: 'invitation.withdrawn', user_id: user.id, detail });
}

/** Nothing is left of a settled invitation once the account has the address no more. */
export async function forgetSettled(
  features: InvitationFeatures,
  tx: Transaction,
  email: string,
): Promise<void> {
  const invitation = await findInvitationTo(tx, requireEmailAddress(email).email_key);
  if (invitation !== undefined && invitation.settled_at !== null)
    await removeInvitation(features, tx, invitation);
}

/** Removes invitations that were over long ago, a batch a transaction. */
export async function deleteOverInvitations(
  { db, clock }: Kernel,
  features: InvitationFeatures,
): Promise<void> {
  const before = new Date(clock.now().getTime() - keptMs).toISOString();
  await removeInBatches(db, async (tx) => {
    const over = await listOver(tx, before, deleteBatchSize);
    for (const invitation of over) await removeInvitation(features, tx, invitation);
    return over.length === deleteBatchSize;
  });
}
