import { randomBytes } from 'node:crypto';
import { userLock } from '../../database/lock-names.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { Accounts } from '../accounts/index.ts';
import type { Keys } from '../keys/index.ts';
import type { Passwords } from '../passwords/index.ts';
import { insertSession, type SessionRow } from './store.ts';
import { type IssuedTokens, issueTokens } from './tokens.ts';

const maxUserAgentLength = 512;

/** Where a request comes from, as far as it can be known. */
export interface Client {
  network: string;
  userAgent: string;
}

/**
 * Opens a session for the right password. An unknown address costs the time of a wrong password.
 * @throws DoorwardError `invalid_credentials`; `account_deactivated`, after the right password alone; `overloaded`.
 */
export async function logIn(
  kernel: Kernel,
  features: { accounts: Accounts; passwords: Passwords; keys: Keys },
  input: { username: string; password: string; client: Client },
): Promise<IssuedTokens> {
  const { db, clock, settings } = kernel;
  const { accounts, passwords, keys } = features;
  const user = await accounts.findByEmail(input.username);
  const checked = await passwords.check(user?.id, input.password);
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
    network: input.client.network,
    user_agent: input.client.userAgent.slice(0, maxUserAgentLength),
  };
  await db.transaction(async (tx) => {
    // What changed while the password was being checked counts: a session must not outlive the event that would have
    // ended it.
    await db.lock(tx, userLock(user.id));
    if (!(await passwords.confirm(tx, user.id, checked))) throw new DoorwardError('invalid_credentials');
    const current = await accounts.find(user.id, tx);
    if (!current?.is_active) throw new DoorwardError('account_deactivated');
    await insertSession(tx, session);
  });
  return issueTokens(session, keys.current(), settings, now);
}
