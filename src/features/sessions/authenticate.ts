import { type AccessTokenClaims, verifyAccessToken } from '../../crypto/tokens.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { User } from '../accounts/index.ts';
import type { Keys } from '../keys/index.ts';
import { prepareSessionLookup, type SessionLookup } from './store.ts';
import { tokenParties } from './tokens.ts';

/** Who asks, and by which session. */
export interface Authenticated {
  readonly user: User;
  readonly session: { readonly sid: string; readonly created_at: string; readonly expires_at: string };
}

/** About 10 MB when full. */
const maxRememberedTokens = 10_000;

/**
 * Tells who an access token stands for. A verified token is remembered until it expires; the session and the user are
 * read each time, in one query, so that revocation holds from the next request on. Answers at once where it can.
 * @throws DoorwardError `invalid_token`.
 */
export function createAuthenticate(
  kernel: Kernel,
  keys: Keys,
): (token: string) => Authenticated | Promise<Authenticated> {
  const { db, clock, settings } = kernel;
  const lookUp = prepareSessionLookup(db);
  const parties = tokenParties(settings);
  const remembered = new Map<string, AccessTokenClaims>();

  function remember(token: string, claims: AccessTokenClaims): void {
    if (remembered.size >= maxRememberedTokens) {
      const [oldest] = remembered.keys();
      if (oldest !== undefined) remembered.delete(oldest);
    }
    remembered.set(token, claims);
  }

  function recall(token: string, now: Date): AccessTokenClaims | undefined {
    const claims = remembered.get(token);
    if (claims === undefined || claims.exp > Math.floor(now.getTime() / 1000)) return claims;
    remembered.delete(token);
    return undefined;
  }

  function readSession(claims: AccessTokenClaims): Authenticated | Promise<Authenticated> {
    const found = lookUp(claims.sid);
    return found instanceof Promise ? found.then((row) => judge(claims, row)) : judge(claims, found);
  }

  return (token) => {
    const now = clock.now();
    const claims = recall(token, now);
    if (claims !== undefined) return readSession(claims);
    return verifyAccessToken(token, keys.current(), parties, now).then((verified) => {
      remember(token, verified);
      return readSession(verified);
    });
  };
}

function judge(claims: AccessTokenClaims, row: SessionLookup | undefined): Authenticated {
  if (row === undefined) throw new DoorwardError('invalid_token', { reason: 'no such session' });
  if (String(row.user_id) !== claims.sub || claims.gen > row.generation) {
    throw new DoorwardError('invalid_token', { reason: 'the token and the session disagree' });
  }
  // The tokens of a deactivated user say so while the user is deactivated (403 by the guard), and are dead afterwards.
  const endedByDeactivation = row.end_reason === 'user_deactivated' && !row.is_active;
  if (row.ended_at !== null && !endedByDeactivation) {
    throw new DoorwardError('invalid_token', { reason: `the session has ended: ${row.end_reason}` });
  }
  const { user_id: id, email, name, is_active, is_admin, created_at } = row;
  return {
    user: { id, email, name, is_active, is_admin, created_at },
    session: { sid: row.lookup_key, created_at: row.session_created_at, expires_at: row.session_expires_at },
  };
}
