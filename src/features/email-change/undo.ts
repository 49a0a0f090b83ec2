import { userLock } from '../../database/lock-names.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { currentOrigin } from '../../origin.ts';
import { requireEmailAddress, type User } from '../accounts/index.ts';
import type { EmailChangeFeatures } from './index.ts';
import { findReservation, listReservations, release } from './store.ts';

/**
 * Takes a change of the address back, by a link that was mailed to the address it was changed from: before it was confirmed
 * it never happens; afterwards that address is the account's again, what was changed since is void, a deletion that was
 * scheduled included, and nothing that opened the account does so any more: whoever changed it is not the owner, and has
 * had the password or a mail to set one. The owner sets another by mail.
 * @throws DoorwardError `invalid_link`, `rate_limited`, `email_taken` when the address is somebody else's after all.
 */
export async function undoChange(
  kernel: Kernel,
  { accounts, passwords, sessions, mailLinks, outbox }: EmailChangeFeatures,
  token: string,
): Promise<User> {
  const { db, clock, audit } = kernel;
  const { link, use } = await mailLinks.show('undo_email_change', { token, browser: null });
  const userId = link.user_id ?? 0;
  return db.transaction(async (tx) => {
    await db.lock(tx, userLock(userId));
    await use(tx);
    const user = await accounts.find(userId, tx);
    const email = link.detail;
    if (user === undefined || email === null)
      throw new DoorwardError('invalid_link', { reason: 'there is no account to restore' });
    await mailLinks.voidLinks(tx, userId, 'change_email');
    if (requireEmailAddress(user.email).email_key === link.email_key) {
      const kept = await accounts.apply(tx, userId, { pending_email: null }, 'owner');
      if (user.pending_email !== null)
        await audit.record(tx, { kind: 'email_change.undone', user_id: userId, actor: userId });
      return kept;
    }
    const reserved = await findReservation(tx, link.email_key, clock.now().toISOString());
    if (reserved?.user_id !== userId)
      throw new DoorwardError('invalid_link', { reason: 'the address is not kept for the account' });
    const restored = await accounts.apply(
      tx,
      userId,
      {
        email,
        email_verified: true,
        pending_email: null,
        is_active: user.delete_after === null ? undefined : true,
      },
      'owner',
    );
    await release(tx, userId, reserved.step);
    const earlier = (await listReservations(tx, userId)).map(({ email_key }) => email_key);
    await mailLinks.voidLinks(tx, userId, 'undo_email_change', earlier);
    await sessions.endAll(tx, userId, 'email_restored');
    // Forgets known devices as well.
    await passwords.remove(tx, userId);
    await outbox.enqueue(tx, {
      kind: 'email_restored',
      to: email,
      user_id: userId,
      locale: outbox.localeFor(user.locale, currentOrigin().languages),
      params: { email },
    });
    await audit.record(tx, { kind: 'email_change.undone', user_id: userId, actor: userId });
    return restored;
  });
}
