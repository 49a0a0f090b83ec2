import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { termOf } from './create.ts';
import type { InvitationFeatures } from './index.ts';
import { type ReadInvitation, toRead } from './invitation.ts';
import { mailInvitation } from './prepare.ts';
import { findInvitation, renewInvitation } from './store.ts';

/**
 * Sends an invitation again, with a new link and a new term; the older link is void. Whoever has it sent answers for it from
 * then on.
 * @throws DoorwardError `invitation_not_found`, `rate_limited`.
 */
export async function resendInvitation(
  kernel: Kernel,
  features: InvitationFeatures,
  id: number,
  actorId: number | null,
): Promise<ReadInvitation> {
  const { db, clock, audit } = kernel;
  const { mailLinks, outbox, throttle } = features;
  const known = await findInvitation(db.read, id);
  if (known === undefined || known.settled_at !== null) throw new DoorwardError('invitation_not_found');
  const attempt = await throttle.mail({ address: known.email, network: null });
  return attempt.within(
    async () => {
      await attempt.take();
      return db.transaction(async (tx) => {
        const isThere = await renewInvitation(tx, id, { expires_at: termOf(kernel), invited_by: actorId });
        const renewed = isThere ? await findInvitation(tx, id) : undefined;
        if (renewed === undefined) throw new DoorwardError('invitation_not_found');
        await mailLinks.voidInvitation(tx, id);
        await outbox.discard(tx, 'invitation', renewed.email);
        await mailInvitation(features, tx, renewed);
        await audit.record(tx, {
          kind: 'invitation.resent',
          user_id: null,
          detail: { invitation: id, is_admin: renewed.is_admin },
        });
        return toRead(renewed, clock.now());
      });
    },
    () => false,
  );
}
