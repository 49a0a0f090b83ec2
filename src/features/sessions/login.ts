import { userLock } from '../../database/lock-names.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { type Accounts, stateOf, type User } from '../accounts/index.ts';
import type { Keys } from '../keys/index.ts';
import type { Passwords } from '../passwords/index.ts';
import type { LoginAttempt, Throttle } from '../throttle/index.ts';
import { type Client, openSession } from './open.ts';
import { type IssuedTokens, issueTokens } from './tokens.ts';

/** The tokens of a new session, and what the device shows when it logs in again. */
export type LoggedIn = IssuedTokens & { device_token: string };

/**
 * Opens a session for the right password. An unknown address costs the time of a wrong password.
 * @throws DoorwardError `invalid_credentials`; `account_deactivated` and `email_not_verified`, after the right password
 * alone; `rate_limited`; `overloaded`.
 */
export async function logIn(
  kernel: Kernel,
  features: { accounts: Accounts; passwords: Passwords; throttle: Throttle; keys: Keys },
  input: { username: string; password: string; client: Client },
): Promise<LoggedIn> {
  const { db, audit, counters, events } = kernel;
  const { network, deviceToken } = input.client;
  const user = await features.accounts.findByEmail(input.username);
  const attempt = await features.throttle.logIn({
    address: input.username,
    userId: user?.id,
    network,
    deviceToken,
  });

  try {
    const opened = await attempt.within(
      () => checkAndOpen(kernel, features, { ...input, user, attempt }),
      (error) => codeOf(error) === 'invalid_credentials',
    );
    counters.count('logins', 'succeeded');
    return opened;
  } catch (error) {
    const refusal = refusals[codeOf(error) ?? ''];
    if (refusal !== undefined) {
      const reason =
        user === undefined ? 'unknown_address' : error instanceof Unverified ? 'unverified' : refusal.reason;
      await db.transaction(async (tx) => {
        // In the transaction that every refusal takes: one of its own would tell it from a wrong password.
        if (user !== undefined && error instanceof Unverified && stateOf(user) !== 'suspended')
          await events.emit(tx, 'user.unverified', { user_id: user.id });
        if (refusal.count === 'failed') await attempt.fail(tx, user?.id ?? null);
        await audit.record(tx, { kind: 'login.failed', user_id: user?.id ?? null, detail: { reason } });
      });
      counters.count('logins', refusal.count);
    }
    throw error;
  }
}

/** What a refusal is called in the audit log and in the counts. */
const refusals: Record<string, { reason: string; count: 'failed' | 'deactivated' | 'unverified' }> = {
  invalid_credentials: { reason: 'wrong_password', count: 'failed' },
  account_deactivated: { reason: 'deactivated', count: 'deactivated' },
  email_not_verified: { reason: 'unverified', count: 'unverified' },
};

const codeOf = (error: unknown) => (error instanceof DoorwardError ? error.code : undefined);

/** The right password of an account that waits for its address to be verified; with HIDE_REGISTERED_EMAILS a wrong one. */
class Unverified extends DoorwardError {
  constructor(isHidden: boolean) {
    super(isHidden ? 'invalid_credentials' : 'email_not_verified');
  }
}

async function checkAndOpen(
  kernel: Kernel,
  features: { accounts: Accounts; passwords: Passwords; keys: Keys },
  input: { password: string; client: Client; user: User | undefined; attempt: LoginAttempt },
): Promise<LoggedIn> {
  const { db, clock, settings, audit, counters } = kernel;
  const { passwords, keys } = features;
  const { password, client, user, attempt } = input;
  const checked = await passwords.check(user?.id, password, attempt);
  if (user === undefined || checked === undefined) throw new DoorwardError('invalid_credentials');
  if (settings.REQUIRE_VERIFIED_EMAIL === 'on' && !user.email_verified) {
    const isHidden = settings.HIDE_REGISTERED_EMAILS === 'on';
    if (isHidden || stateOf(user) !== 'suspended') throw new Unverified(isHidden);
  }

  const now = clock.now();
  const { session, device_token } = await db.transaction(async (tx) => {
    // What changed while the password was being checked counts: a session must not outlive the event that would have
    // ended it.
    await db.lock(tx, userLock(user.id));
    if (!(await passwords.confirm(tx, user.id, checked))) throw new DoorwardError('invalid_credentials');
    const opened = await openSession(kernel, features, tx, { userId: user.id, client, device: attempt, now });
    await attempt.succeed(tx);
    await audit.record(tx, {
      kind: 'login.succeeded',
      user_id: user.id,
      actor: user.id,
      detail: { known_device: attempt.isKnown },
    });
    return opened;
  });
  counters.noteActive(user.id);
  return { ...(await issueTokens(session, keys.current(), settings, now)), device_token };
}
