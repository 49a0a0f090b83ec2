import type { Transaction } from '../../database/database.ts';
import type { Kernel } from '../../kernel.ts';
import type { MailKind, MailParams } from '../../mail/index.ts';
import { currentOrigin } from '../../origin.ts';
import type { Accounts } from '../accounts/index.ts';
import type { Outbox } from '../outbox/index.ts';
import { readDevice } from '../sessions/index.ts';
import type { Throttle } from '../throttle/index.ts';

/** Notices of one kind to one user are at least so far apart where somebody else decides how many there are. */
const dayMs = 86_400_000;

/**
 * Tells people by mail what happened to their account: what they did themselves, so that they learn of it when they did
 * not, and what others did to it. Each notice is written in the transaction of what it tells.
 */
export function createNotices(
  { clock, events }: Kernel,
  { accounts, outbox, throttle }: { accounts: Accounts; outbox: Outbox; throttle: Throttle },
): void {
  const now = () => clock.now().toISOString();

  /** `isRare`: somebody who is not signed in can cause it, and must not be able to fill a mailbox with it. */
  async function notify(
    tx: Transaction,
    userId: number,
    kind: MailKind,
    params: MailParams,
    { isRare = false } = {},
  ): Promise<void> {
    const user = await accounts.find(userId, tx);
    if (user === undefined) return;
    const dayAgo = new Date(clock.now().getTime() - dayMs).toISOString();
    // Nobody knows yet whether the address is that of whoever made the account, and who may make it again and again.
    const isStranger = !user.email_verified;
    if ((isRare || isStranger) && (await outbox.hasRecent(tx, userId, kind, dayAgo))) return;
    if (isStranger && !(await throttle.allowsMail(tx, user.email))) return;
    const { id, actor, languages } = { id: userId, ...currentOrigin() };
    const locale = outbox.localeFor(user.locale, actor === id ? languages : null);
    await outbox.enqueue(tx, { kind, to: user.email, user_id: userId, locale, params });
  }

  const whereFrom = ({ network, user_agent }: { network: string; user_agent: string }) => {
    const { browser = null, system = null } = readDevice(user_agent) ?? {};
    return { device: browser, system, network, time: now() };
  };

  events.on('session.opened', async (tx, { user_id, isNewDevice, ...client }) => {
    if (isNewDevice) await notify(tx, user_id, 'new_device', whereFrom(client));
  });
  events.on('session.reused', (tx, { user_id, ...client }) =>
    notify(tx, user_id, 'session_reused', whereFrom(client), { isRare: true }),
  );
  events.on('account.attacked', (tx, { user_id }) =>
    notify(tx, user_id, 'account_attacked', { time: now() }, { isRare: true }),
  );
  events.on('password.changed', async (tx, { user_id, by }) => {
    if (by === 'owner') await notify(tx, user_id, 'password_changed', { time: now() });
  });
  events.on('user.administered', async (tx, { user_id, what }) => {
    // A new address is told to the former one, below: whoever has the new one knows.
    for (const each of what.filter((one) => one !== 'email_changed'))
      await notify(tx, user_id, 'changed_by_administrator', { what: each, time: now() });
  });
  events.on('user.readdressed', async (tx, { user_id, from, mover }) => {
    if (mover !== 'administrator') return;
    const user = await accounts.find(user_id, tx);
    const params = { what: 'email_changed', time: now() };
    const locale = outbox.localeFor(user?.locale ?? null);
    await outbox.enqueue(tx, { kind: 'changed_by_administrator', to: from, user_id, locale, params });
  });
}
