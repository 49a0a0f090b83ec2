import type { Transaction } from '../../database/database.ts';
import type { Kernel } from '../../kernel.ts';
import type { Preparer } from '../outbox/index.ts';
import type { InvitationFeatures } from './index.ts';
import { isLive } from './invitation.ts';
import { findInvitation, type Invitation } from './store.ts';

/** Writes the mail of an invitation down. */
export function mailInvitation(
  { outbox }: Pick<InvitationFeatures, 'outbox'>,
  tx: Transaction,
  { id, email, locale }: Invitation,
): Promise<void> {
  return outbox.enqueue(tx, {
    kind: 'invitation',
    to: email,
    user_id: null,
    locale: outbox.localeFor(locale),
    params: { invitation_id: id },
  });
}

/** Makes the link, which works as long as the invitation does, in whatever browser. */
export function prepareInvitation(
  { clock }: Kernel,
  { mailLinks }: Pick<InvitationFeatures, 'mailLinks'>,
): Preparer {
  return async (tx, { user_id, locale, params }) => {
    const invitation = await findInvitation(tx, Number(params.invitation_id));
    const now = clock.now();
    if (invitation === undefined || !isLive(invitation, now)) return undefined;
    const { id, email, email_key, inviter_name } = invitation;
    const { link, expires_at } = await mailLinks.mint(tx, {
      purpose: 'invitation',
      user_id: null,
      invitation_id: id,
      email_key,
      ttlSeconds: (Date.parse(invitation.expires_at) - now.getTime()) / 1000,
      withCode: false,
      browser_digest: null,
    });
    return {
      to: email,
      user_id,
      locale,
      params: { invitation_id: id, inviter: inviter_name },
      secret: { link, code: null },
      expires_at,
    };
  };
}
