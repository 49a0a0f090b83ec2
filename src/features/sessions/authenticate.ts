import type { AccessTokenClaims } from '../../crypto/claims.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { stateOf, type User } from '../accounts/index.ts';
import type { Keys } from '../keys/index.ts';
import { noteGenerationUsed, noteLastSeen, prepareSessionLookup, type SessionLookup } from './store.ts';
import type { VerifyAccess } from './verify-access.ts';

/** Who asks, and by which session. */
export interface Authenticated {
  readonly user: User;
  readonly session: { readonly sid: string; readonly created_at: string; readonly expires_at: string };
}

/** A session's last-seen mark is this old at most while it is in use. */
const lastSeenIntervalMs = 60_000;

/** The end of the signature: a map of whole tokens would hash half a thousand characters at every request. */
const shortOf = (token: string) => token.slice(-24);

/** About 10 MB when full. */
const maxRememberedTokens = 10_000;

/**
 * Tells who an access token stands for. A verified token is remembered until it expires; the session and the user are
 * read each time, in one query, so that revocation holds from the next request on.
 * @throws DoorwardError `invalid_token`.
 */
export function createAuthenticate(
  kernel: Kernel,
  keys: Keys,
  verify: VerifyAccess,
): (token: string) => Promise<Authenticated> {
  const { db, clock, log } = kernel;
  const lookUp = prepareSessionLookup(db);
  const remembered = new Map<string, { token: string; claims: AccessTokenClaims }>();
  let ring = keys.current();

  function remember(token: string, claims: AccessTokenClaims): void {
    if (remembered.size >= maxRememberedTokens) {
      const [oldest] = remembered.keys();
      if (oldest !== undefined) remembered.delete(oldest);
    }
    remembered.set(shortOf(token), { token, claims });
  }

  function recall(token: string, now: Date): AccessTokenClaims | undefined {
    const found = remembered.get(shortOf(token));
    if (found === undefined || found.token !== token) return undefined;
    if (found.claims.exp > Math.floor(now.getTime() / 1000)) return found.claims;
    remembered.delete(shortOf(token));
    return undefined;
  }

  const beingSeen = new Set<string>();

  /** The mark is for people to read: a request neither waits for it nor fails with it. */
  function markSeen(sid: string, now: Date): void {
    if (beingSeen.has(sid)) return;
    beingSeen.add(sid);
    db.write((one) => noteLastSeen(one, sid, now.toISOString()))
      .catch((error) => log.warn({ err: error }, 'a last-seen mark was not written'))
      .finally(() => beingSeen.delete(sid));
  }

  function admit(claims: AccessTokenClaims, row: SessionLookup | undefined, now: Date) {
    const authenticated = judge(claims, row);
    if (row === undefined || row.ended_at !== null) return authenticated;
    if (row.generation_used_at === null && claims.gen === row.generation) {
      // Durable before the request is answered: from now on the parent's days are counted.
      return db
        .write((one) => noteGenerationUsed(one, claims.sid, claims.gen, now.toISOString()))
        .then(() => authenticated);
    }
    if (now.getTime() - Date.parse(row.last_seen_at) >= lastSeenIntervalMs) markSeen(claims.sid, now);
    return authenticated;
  }

  return async (token) => {
    const now = clock.now();
    if (ring !== keys.current()) {
      // A key was withdrawn, perhaps: what it verified is to be verified anew.
      ring = keys.current();
      remembered.clear();
    }
    // Where types are not checked, a host may hand on what a client did not send.
    if (typeof token !== 'string') throw new DoorwardError('invalid_token', { reason: 'no text' });
    let claims = recall(token, now);
    if (claims === undefined) {
      const verifiedBy = ring;
      claims = await verify(token, now);
      if (verifiedBy === keys.current()) remember(token, claims);
    }
    return admit(claims, await lookUp(claims.sid), now);
  };
}

function judge(claims: AccessTokenClaims, row: SessionLookup | undefined): Authenticated {
  if (row === undefined) throw new DoorwardError('invalid_token', { reason: 'no such session' });
  if (String(row.user_id) !== claims.sub || claims.gen > row.generation) {
    throw new DoorwardError('invalid_token', { reason: 'the token and the session disagree' });
  }
  // The tokens of a deactivated user say so while the user is deactivated (403 by the guard), and are dead afterwards.
  const endedByDeactivation = row.end_reason === 'user_deactivated' && stateOf(row) === 'suspended';
  if (row.ended_at !== null && !endedByDeactivation) {
    throw new DoorwardError('invalid_token', { reason: `the session has ended: ${row.end_reason}` });
  }
  const { user_id: id, email, name, is_active, is_admin, created_at } = row;
  const { email_verified, pending_email, locale, delete_after } = row;
  return {
    user: {
      id,
      email,
      name,
      is_active,
      is_admin,
      created_at,
      email_verified,
      pending_email,
      locale,
      delete_after,
    },
    session: { sid: row.lookup_key, created_at: row.session_created_at, expires_at: row.session_expires_at },
  };
}
