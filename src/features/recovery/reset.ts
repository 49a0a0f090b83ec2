import { userLock } from '../../database/lock-names.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { Accounts } from '../accounts/index.ts';
import type { MailLinks, SentProof } from '../mail-links/index.ts';
import type { Passwords } from '../passwords/index.ts';

/**
 * Sets a new password for whoever shows a link or a code that was mailed to the address, which is verified by that. Every
 * session ends. The state stays as it is: a reset neither restores nor reactivates an account.
 * @throws DoorwardError `invalid_link`, `link_from_another_browser`, `invalid_code`, `rate_limited`, `overloaded`.
 * @throws ValidationError when the policy refuses the password; the link is then as good as before.
 */
export async function resetPassword(
  { db }: Kernel,
  { accounts, passwords, mailLinks }: { accounts: Accounts; passwords: Passwords; mailLinks: MailLinks },
  { sent, new_password }: { sent: SentProof; new_password: string },
): Promise<void> {
  const { link, use } = await mailLinks.show(
    'reset_password',
    'token' in sent ? sent : { code: sent.code, user: await accounts.findByEmail(sent.email ?? '') },
  );
  const user = link.user_id === null ? undefined : await accounts.find(link.user_id);
  if (user === undefined)
    throw new DoorwardError('token' in sent ? 'invalid_link' : 'invalid_code', {
      reason: 'the account is gone',
    });
  passwords.assertAllowed(new_password, user, ['body', 'new_password']);
  const hash = await passwords.hash(new_password);
  await db.transaction(async (tx) => {
    await db.lock(tx, userLock(user.id));
    await use(tx);
    // Whoever made the account without proving the address could take it back by the address it had before.
    const present = await accounts.find(user.id, tx);
    if (present?.email_verified === false) await mailLinks.voidLinks(tx, user.id, 'undo_email_change');
    await passwords.replace(tx, user.id, hash, null);
    await accounts.apply(tx, user.id, { email_verified: true, pending_email: null }, 'owner');
  });
}
