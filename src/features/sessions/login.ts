import { randomBytes } from 'node:crypto';
import { userLock } from '../../database/lock-names.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { Accounts, User } from '../accounts/index.ts';
import type { Keys } from '../keys/index.ts';
import type { Passwords } from '../passwords/index.ts';
import type { LoginAttempt, Throttle } from '../throttle/index.ts';
import { insertSession, type SessionRow } from './store.ts';
import { type IssuedTokens, issueTokens } from './tokens.ts';

const maxUserAgentLength = 512;

/** Where a request comes from, as far as it can be known. */
export interface Client {
  network: string;
  userAgent: string;
  /** What the device was given when the user last logged in from it. */
  deviceToken?: string | undefined;
}

/** The tokens of a new session, and what the device shows when it logs in again. */
export type LoggedIn = IssuedTokens & { device_token: string };

/**
 * Opens a session for the right password. An unknown address costs the time of a wrong password.
 * @throws DoorwardError `invalid_credentials`; `account_deactivated`, after the right password alone; `rate_limited`;
 * `overloaded`.
 */
export async function logIn(
  kernel: Kernel,
  features: { accounts: Accounts; passwords: Passwords; throttle: Throttle; keys: Keys },
  input: { username: string; password: string; client: Client },
): Promise<LoggedIn> {
  const { db, audit, counters } = kernel;
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
      () => openSession(kernel, features, { ...input, user, attempt }),
      (error) => codeOf(error) === 'invalid_credentials',
    );
    counters.count('logins', 'succeeded');
    return opened;
  } catch (error) {
    const refusal = refusals[codeOf(error) ?? ''];
    if (refusal !== undefined) {
      const reason = user === undefined ? 'unknown_address' : refusal.reason;
      await db.transaction(async (tx) => {
        if (refusal.count === 'failed') await attempt.fail(tx, user?.id ?? null);
        await audit.record(tx, { kind: 'login.failed', user_id: user?.id ?? null, detail: { reason } });
      });
      counters.count('logins', refusal.count);
    }
    throw error;
  }
}

/** What a refusal is called in the audit log and in the counts. */
const refusals: Record<string, { reason: string; count: 'failed' | 'deactivated' }> = {
  invalid_credentials: { reason: 'wrong_password', count: 'failed' },
  account_deactivated: { reason: 'deactivated', count: 'deactivated' },
};

const codeOf = (error: unknown) => (error instanceof DoorwardError ? error.code : undefined);

async function openSession(
  kernel: Kernel,
  features: { accounts: Accounts; passwords: Passwords; keys: Keys },
  input: { password: string; client: Client; user: User | undefined; attempt: LoginAttempt },
): Promise<LoggedIn> {
  const { db, clock, settings, audit } = kernel;
  const { accounts, passwords, keys } = features;
  const { password, client, user, attempt } = input;
  const checked = await passwords.check(user?.id, password, attempt);
  if (user === undefined || checked === undefined) throw new DoorwardError('invalid_credentials');
  if (!user.is_active) throw new DoorwardError('account_deactivated');

  const now = clock.now();
  const time = now.toISOString();
  const session: SessionRow = {
    id: randomBytes(16).toString('base64url'),
    user_id: user.id,
    generation: 1,
    generation_issued_at: time,
    generation_given_at: time,
    generation_used_at: null,
    created_at: time,
    last_seen_at: time,
    expires_at: new Date(now.getTime() + settings.SESSION_EXPIRE_DAYS * 86_400_000).toISOString(),
    ended_at: null,
    end_reason: null,
    end_network: null,
    network: client.network,
    user_agent: client.userAgent.slice(0, maxUserAgentLength),
  };
  const device_token = await db.transaction(async (tx) => {
    // What changed while the password was being checked counts: a session must not outlive the event that would have
    // ended it.
    await db.lock(tx, userLock(user.id));
    if (!(await passwords.confirm(tx, user.id, checked))) throw new DoorwardError('invalid_credentials');
    const current = await accounts.find(user.id, tx);
    if (!current?.is_active) throw new DoorwardError('account_deactivated');
    await insertSession(tx, session);
    const token = await attempt.issueDeviceToken(tx, user.id);
    await attempt.succeed(tx);
    await audit.record(tx, {
      kind: 'login.succeeded',
      user_id: user.id,
      actor: user.id,
      detail: { known_device: attempt.isKnown },
    });
    return token;
  });
  return { ...(await issueTokens(session, keys.current(), settings, now)), device_token };
}
