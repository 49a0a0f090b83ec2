import type { Transaction } from '../../database/database.ts';
import type { Kernel } from '../../kernel.ts';
import { currentOrigin } from '../../origin.ts';
import type { Accounts } from '../accounts/index.ts';
import type { Outbox } from '../outbox/index.ts';

/** To an address that was never proved each of them goes once in that time. */
const dayMs = 86_400_000;

/** Tells people that their account is going, is back or is gone. */
export function mailLeaving(
  { clock, events }: Kernel,
  { accounts, outbox }: { accounts: Accounts; outbox: Outbox },
): void {
  async function tell(
    tx: Transaction,
    user_id: number,
    kind: 'deletion_scheduled' | 'account_restored',
    params: Record<string, string>,
  ): Promise<void> {
    const user = await accounts.find(user_id, tx);
    if (user === undefined) return;
    const dayAgo = new Date(clock.now().getTime() - dayMs).toISOString();
    if (!user.email_verified && (await outbox.hasRecent(tx, user_id, kind, dayAgo))) return;
    const locale = outbox.localeFor(user.locale, currentOrigin().languages);
    await outbox.enqueue(tx, { kind, to: user.email, user_id, locale, params });
  }

  events.on('user.closed', (tx, { user_id, delete_after }) =>
    tell(tx, user_id, 'deletion_scheduled', { delete_after }),
  );
  events.on('user.restored', async (tx, { user_id, mover }) => {
    // What an administrator did is told as such.
    if (mover === 'owner') await tell(tx, user_id, 'account_restored', {});
  });
  events.on('user.deleted', async (tx, { user_id, email, locale, mover }) => {
    const user = await accounts.find(user_id, tx);
    // Or somebody who signs up with the address of another and closes the account could have mails sent there for ever.
    if (!user?.email_verified && mover !== 'administrator') return;
    await outbox.enqueue(tx, {
      kind: 'account_deleted',
      to: email,
      // The mail outlives the account until it is sent.
      user_id: null,
      locale: outbox.localeFor(locale, mover === 'owner' ? currentOrigin().languages : null),
      params: { by_administrator: mover === 'administrator' },
    });
  });
}
