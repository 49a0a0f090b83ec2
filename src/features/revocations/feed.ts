import { createHash } from 'node:crypto';
import { CompactSign } from 'jose';
import type { Kernel } from '../../kernel.ts';
import type { Keys } from '../keys/index.ts';
import { lastRevocation, listRevocations } from './store.ts';

/** What a message of the feed says, as a JWS (RFC 7515) of `typ` revocations+jwt. */
export interface FeedMessage {
  iss: string;
  /** Seconds since the epoch. */
  iat: number;
  /** The message holds what came after this; 0 is everything that matters. */
  since: number;
  /** Up to where it goes: the `cursor` of the next question. */
  cursor: number;
  /** Sessions that ended, and when the last access token of each has expired (seconds since the epoch). */
  revoked: { sid: string; exp: number }[];
  /** The published keys, so that a verifier learns at once of one that was withdrawn. */
  kids: string[];
}

/** A signed message, and the numbers between which it tells everything. */
export interface SignedMessage {
  readonly jws: string;
  readonly since: number;
  readonly cursor: number;
  /** Tells apart what is said, whenever and with whatever key it was signed. */
  readonly digest: string;
}

/** Makes the signed message of what came after `since`. A number that was never given out starts from the beginning. */
export async function createMessage(kernel: Kernel, keys: Keys, since: number): Promise<SignedMessage> {
  const { db, clock, settings } = kernel;
  const now = clock.now();
  const last = await lastRevocation(db.read);
  // After a restore the count is behind what a verifier has seen.
  const from = since > last ? 0 : since;
  const rows = await listRevocations(db.read, from, now.toISOString());
  const message: FeedMessage = {
    iss: settings.ISSUER,
    iat: Math.floor(now.getTime() / 1000),
    since: from,
    cursor: rows.at(-1)?.id ?? Math.max(last, from),
    revoked: rows.map(({ sid, expires_at }) => ({ sid, exp: Math.ceil(Date.parse(expires_at) / 1000) })),
    kids: keys.jwks().keys.map(({ kid }) => kid ?? ''),
  };
  const { signing } = keys.current();
  const jws = await new CompactSign(new TextEncoder().encode(JSON.stringify(message)))
    .setProtectedHeader({
      alg: signing.algorithm,
      typ: 'revocations+jwt',
      ...(signing.kid === undefined ? {} : { kid: signing.kid }),
    })
    .sign(signing.key);
  const { cursor, revoked, kids } = message;
  const digest = createHash('sha256')
    .update(JSON.stringify([from, cursor, revoked, kids]))
    .digest('base64url');
  return { jws, since: from, cursor, digest };
}

/** How soon an instance sees what another one revoked. */
const pollIntervalMs = 200;
/** A message, if only an empty one, comes this often, so that a verifier knows that it hears everything. */
const heartbeatIntervalMs = 10_000;

/** Somebody who follows the feed. Told a message whose `since` is above what it has heard, it asks for what is between. */
export type Follower = (message: SignedMessage) => void;

/** Tells followers of revocations as they come. What there is to tell is read and signed once for all of them. */
export interface Broadcast {
  follow(follower: Follower): () => void;
  stop(): void;
}

export function createBroadcast(kernel: Kernel, keys: Keys): Broadcast {
  const followers = new Set<Follower>();
  let timer: NodeJS.Timeout | undefined;
  /** What the followers were told up to; unknown while there are none. */
  let cursor: number | undefined;
  let toldAt = 0;
  let toldKeys = keys.current();
  let isLooking = false;

  async function look(): Promise<void> {
    const last = await lastRevocation(kernel.db.read);
    const isDue = performance.now() - toldAt >= heartbeatIntervalMs;
    const ring = keys.current();
    if (last === cursor && ring === toldKeys && !isDue) return;
    const message = await createMessage(kernel, keys, cursor ?? last);
    cursor = message.cursor;
    toldKeys = ring;
    toldAt = performance.now();
    for (const follower of followers) follower(message);
  }

  function tick(): void {
    if (isLooking) return;
    isLooking = true;
    look()
      .catch((error) => kernel.log.warn({ err: error }, 'the revocation feed could not be read'))
      .finally(() => {
        isLooking = false;
      });
  }

  return {
    follow(follower) {
      followers.add(follower);
      timer ??= setInterval(tick, pollIntervalMs).unref();
      return () => {
        followers.delete(follower);
        if (followers.size > 0) return;
        clearInterval(timer);
        timer = undefined;
        cursor = undefined;
      };
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
      followers.clear();
    },
  };
}
