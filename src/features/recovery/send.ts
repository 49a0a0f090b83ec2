import { userLock } from '../../database/lock-names.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { type Accounts, stateOf } from '../accounts/index.ts';
import type { Outbox } from '../outbox/index.ts';

/**
 * Mails a user the link that resets the password, because an administrator wants it: no budget of mails holds that up. The
 * link works in any browser.
 * @throws DoorwardError `user_not_found`; `account_suspended`, because no reset lets in who is locked out.
 */
export async function sendReset(
  { db, audit }: Kernel,
  { accounts, outbox }: { accounts: Accounts; outbox: Outbox },
  userId: number,
): Promise<void> {
  await db.transaction(async (tx) => {
    await db.lock(tx, userLock(userId));
    const user = await accounts.find(userId, tx);
    if (user === undefined) throw new DoorwardError('user_not_found');
    if (stateOf(user) === 'suspended') throw new DoorwardError('account_suspended');
    await outbox.enqueue(tx, {
      kind: 'reset_password',
      to: user.email,
      user_id: userId,
      locale: outbox.localeFor(user.locale),
      params: { browser_digest: null },
    });
    await audit.record(tx, { kind: 'password.reset_sent', user_id: userId });
  });
}
