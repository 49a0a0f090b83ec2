import type { Transaction } from '../../database/database.ts';
import { userLock } from '../../database/lock-names.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { currentOrigin } from '../../origin.ts';
import { requireEmailAddress, type User } from '../accounts/index.ts';
import type { EmailChangeFeatures } from './index.ts';
import { findReservation } from './store.ts';

/** Whoever changes their own account, by which session, in which browser. */
export interface Owner {
  user: User;
  session: { sid: string; created_at: string };
  /** `digestBrowser` of the browser's mark, where a page of ours asks. */
  browser_digest: string | null;
}

export interface OwnChanges {
  name?: string;
  email?: string;
  locale?: string;
  current_password?: string;
}

/**
 * Changes an own account. Another address is confirmed by a mail before it takes effect, where mails are sent; a respelling
 * of the present one takes effect at once, and takes back what waits for confirmation.
 * @throws DoorwardError `recent_login_required`, `current_password_incorrect`, `email_taken`, `rate_limited`, and what
 * `accounts.change` throws. Then nothing has changed.
 */
export async function changeOwn(
  kernel: Kernel,
  features: EmailChangeFeatures,
  owner: Owner,
  { current_password, ...changes }: OwnChanges,
): Promise<User> {
  const { db, clock, settings } = kernel;
  const { accounts, passwords, mailLinks } = features;
  const { user, session } = owner;
  const { email } = changes;
  if (email === undefined) return accounts.change(user.id, changes, 'owner');
  const address = requireEmailAddress(email);
  if (address.email_key === requireEmailAddress(user.email).email_key) {
    return db.transaction(async (tx) => {
      const changed = await accounts.apply(tx, user.id, { ...changes, pending_email: null }, 'owner');
      await mailLinks.voidLinks(tx, user.id, 'change_email');
      return changed;
    });
  }
  // With HIDE_REGISTERED_EMAILS it is confirmed in any case: what takes effect at once tells whether the address was free.
  if (settings.MAIL_URL === undefined && settings.HIDE_REGISTERED_EMAILS === 'off')
    return accounts.change(user.id, changes, 'owner');

  const ask = (confirm: (tx: Transaction) => Promise<void>) =>
    askForChange(kernel, features, owner, { ...changes, email }, confirm);
  if (current_password !== undefined) {
    let asked: User | undefined;
    await passwords.withCurrent({ user, sid: session.sid, current_password }, async (confirm) => {
      asked = await ask(confirm);
    });
    return asked ?? user;
  }
  const ageMs = clock.now().getTime() - Date.parse(session.created_at);
  if (ageMs >= settings.RECENT_LOGIN_MINUTES * 60_000) throw new DoorwardError('recent_login_required');
  return ask(async () => {});
}

/** Notes the address and has both told. `confirm` is asked in the same transaction. */
async function askForChange(
  kernel: Kernel,
  { accounts, throttle, mailLinks, outbox }: EmailChangeFeatures,
  { user: { id }, browser_digest }: Owner,
  { email, ...changes }: Omit<OwnChanges, 'current_password'> & { email: string },
  confirm: (tx: Transaction) => Promise<void>,
): Promise<User> {
  const { db, audit, settings } = kernel;
  const { network, languages } = currentOrigin();
  const new_email = requireEmailAddress(email).email;
  const attempt = await throttle.mail({ address: new_email, network });
  return attempt.within(
    async () => {
      await attempt.take();
      return db.transaction(async (tx) => {
        await db.lock(tx, userLock(id));
        await confirm(tx);
        const isTaken = await isSomebodyElses(kernel, { accounts }, tx, id, new_email);
        // With HIDE_REGISTERED_EMAILS the same as for a free one, as far as whoever asks can tell.
        if (isTaken && settings.HIDE_REGISTERED_EMAILS === 'off') throw new DoorwardError('email_taken');
        const changed = await accounts.apply(tx, id, { ...changes, pending_email: new_email }, 'owner');
        await mailLinks.voidLinks(tx, id, 'change_email');
        const locale = outbox.localeFor(changed.locale, languages);
        const mail = { user_id: id, locale, params: { new_email } };
        // Whoever made an account with a stranger's address could fill the mailbox by naming one address after the other.
        if (changed.email_verified || (await throttle.allowsMail(tx, changed.email)))
          await outbox.enqueue(tx, { ...mail, kind: 'email_change_asked', to: changed.email });
        const params = { new_email, browser_digest };
        await outbox.enqueue(tx, { ...mail, kind: 'change_email', to: new_email, params });
        await audit.record(tx, { kind: 'email_change.asked', user_id: id });
        return changed;
      });
    },
    // Or the answers would tell a list of addresses.
    (error) => error instanceof DoorwardError && error.code === 'email_taken',
  );
}

/** Whether an account other than `userId` has the address, or may get it back. */
export async function isSomebodyElses(
  { clock }: Pick<Kernel, 'clock'>,
  { accounts }: Pick<EmailChangeFeatures, 'accounts'>,
  tx: Transaction,
  userId: number,
  email: string,
): Promise<boolean> {
  // Both are asked, whatever the first one says: the time must not tell.
  const holder = await accounts.findByEmail(email, tx);
  const now = clock.now().toISOString();
  const reserved = await findReservation(tx, requireEmailAddress(email).email_key, now);
  return [holder?.id, reserved?.user_id].some((id) => id !== undefined && id !== userId);
}
