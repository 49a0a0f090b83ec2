import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { requireEmailAddress, requireLocale } from '../accounts/index.ts';
import type { InvitationFeatures } from './index.ts';
import { isLive, isSettled, type ReadInvitation, toRead } from './invitation.ts';
import { mailInvitation } from './prepare.ts';
import { findInvitation, findInvitationTo, insertInvitation } from './store.ts';
import { removeInvitation } from './withdraw.ts';

const dayMs = 86_400_000;

export interface NewInvitation {
  email: string;
  name?: string | undefined;
  is_admin?: boolean | undefined;
  /** A language tag (BCP 47). */
  locale?: string | undefined;
}

export const termOf = ({ clock, settings }: Pick<Kernel, 'clock' | 'settings'>) =>
  new Date(clock.now().getTime() + settings.INVITATION_EXPIRE_DAYS * dayMs).toISOString();

/**
 * Invites somebody. An invitation to the same address that cannot be accepted any more is replaced.
 * @throws DoorwardError `email_registered` where an account has the address for good, `already_invited`, `rate_limited`.
 * @throws ValidationError for what is no address or no language.
 */
export async function createInvitation(
  kernel: Kernel,
  features: InvitationFeatures,
  input: NewInvitation,
  actorId: number | null,
): Promise<ReadInvitation> {
  const { clock, audit } = kernel;
  const { accounts, throttle } = features;
  const address = requireEmailAddress(input.email);
  const locale = input.locale === undefined ? null : requireLocale(input.locale);
  const { name = null, is_admin = false } = input;
  // What an address is sent counts; one administrator's network may invite many.
  const attempt = await throttle.mail({ address: address.email, network: null });
  return attempt.within(
    async () => {
      await attempt.take();
      return accounts.withHolder(address.email, async (tx, user) => {
        const now = clock.now();
        if (user !== undefined && isSettled(user)) throw new DoorwardError('email_registered');
        const former = await findInvitationTo(tx, address.email_key);
        if (former !== undefined && isLive(former, now)) throw new DoorwardError('already_invited');
        if (former !== undefined) await removeInvitation(features, tx, former);
        const id = await insertInvitation(tx, {
          ...address,
          name,
          is_admin,
          locale,
          invited_by: actorId,
          created_at: now.toISOString(),
          expires_at: termOf(kernel),
        });
        const made = id === undefined ? undefined : await findInvitation(tx, id);
        if (made === undefined) throw new DoorwardError('already_invited');
        await mailInvitation(features, tx, made);
        await audit.record(tx, {
          kind: 'invitation.created',
          user_id: null,
          detail: { invitation: made.id, is_admin },
        });
        return toRead(made, now);
      });
    },
    () => false,
  );
}
