import { userLock } from '../../database/lock-names.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { Accounts, User } from '../accounts/index.ts';
import type { MailLinks, SentProof } from '../mail-links/index.ts';

/**
 * Verifies the address that a link or a code was mailed to. A link of another account than the caller's does nothing: who
 * is signed in and follows one did not ask for it.
 * @throws DoorwardError `invalid_link`, `link_from_another_browser`, `invalid_code`, `rate_limited`.
 */
export async function confirmAddress(
  { db }: Kernel,
  { accounts, mailLinks }: { accounts: Accounts; mailLinks: MailLinks },
  { sent, caller }: { sent: SentProof; caller: { id: number; email: string } | undefined },
): Promise<User> {
  const { link, use } = await mailLinks.show('verify_email', await toProof());
  const { user_id } = link;
  if (user_id === null || ('token' in sent && caller !== undefined && caller.id !== user_id))
    throw new DoorwardError('invalid_link', { reason: 'the link is of another account' });
  return db.transaction(async (tx) => {
    await db.lock(tx, userLock(user_id));
    await use(tx);
    return accounts.apply(tx, user_id, { email_verified: true }, 'owner');
  });

  async function toProof() {
    if ('token' in sent) return sent;
    const { code, email } = sent;
    return { code, user: email === undefined ? caller : await accounts.findByEmail(email) };
  }
}
