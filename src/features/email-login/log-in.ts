import type { Transaction } from '../../database/database.ts';
import { userLock } from '../../database/lock-names.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { stateOf, type User } from '../accounts/index.ts';
import type { Proof } from '../mail-links/index.ts';
import type { Client, LoggedIn } from '../sessions/index.ts';
import type { EmailLoginFeatures } from './index.ts';

/** Whether a mail lets the user in: also back into an account whose deletion is scheduled. */
export const mayLogIn = (user: User) => stateOf(user) !== 'suspended';

/**
 * Opens a session for whoever got the mail. That proves the address: where it was not verified yet, whoever made the account
 * may be somebody else, and loses its sessions, tokens and password.
 * @throws DoorwardError `invalid_link`, `link_from_another_browser`, `invalid_code`, `rate_limited`; `account_deactivated`
 * when the user was suspended while this was under way.
 */
export async function logInByMail(
  kernel: Kernel,
  features: EmailLoginFeatures,
  { proof, client }: { proof: Proof; client: Client },
): Promise<LoggedIn> {
  const { db, clock, counters, audit } = kernel;
  const { mailLinks, sessions, throttle } = features;
  let userId: number | null = null;
  try {
    const { link, use } = await mailLinks.show('email_login', proof);
    userId = link.user_id;
    const id = link.user_id ?? 0;
    const { network, deviceToken } = client;
    const device = await throttle.recognise({ userId: id, network, deviceToken });
    const now = clock.now();
    const opened = await db.transaction(async (tx) => {
      await db.lock(tx, userLock(id));
      await assertMayLogIn(features, tx, id);
      await use(tx);
      await proveAddress(features, tx, id);
      const session = await sessions.open(tx, { userId: id, client, device, now });
      const detail = { method: 'email', known_device: device.isKnown };
      await audit.record(tx, { kind: 'login.succeeded', user_id: id, actor: id, detail });
      return session;
    });
    const tokens = await sessions.issue(opened, now);
    counters.count('logins', 'succeeded');
    return tokens;
  } catch (error) {
    const code = error instanceof DoorwardError ? error.code : undefined;
    if (code === 'account_deactivated') {
      const detail = { method: 'email', reason: 'deactivated' };
      await db.transaction((tx) => audit.record(tx, { kind: 'login.failed', user_id: userId, detail }));
      counters.count('logins', 'deactivated');
    } else if (code === 'invalid_link' || code === 'invalid_code') counters.count('logins', 'failed');
    throw error;
  }
}

async function assertMayLogIn(
  { accounts }: Pick<EmailLoginFeatures, 'accounts'>,
  tx: Transaction,
  userId: number,
): Promise<void> {
  const user = await accounts.find(userId, tx);
  if (user === undefined || !mayLogIn(user)) throw new DoorwardError('account_deactivated');
}

async function proveAddress(
  { accounts, passwords, mailLinks }: EmailLoginFeatures,
  tx: Transaction,
  userId: number,
): Promise<void> {
  const user = await accounts.find(userId, tx);
  if (user === undefined || user.email_verified) return;
  // Ends all sessions, forgets devices and voids links.
  await passwords.remove(tx, userId);
  await mailLinks.voidLinks(tx, userId, 'undo_email_change');
  await accounts.apply(tx, userId, { email_verified: true, pending_email: null }, 'owner');
}
