import { removeInBatches } from '../../database/batches.ts';
import { revocationsLock } from '../../database/lock-names.ts';
import type { EndedSession, Kernel } from '../../kernel.ts';
import { maxAccessTokenMinutes } from '../../settings.ts';
import type { Keys } from '../keys/index.ts';
import { createBroadcast, createMessage, type Follower, type SignedMessage } from './feed.ts';
import { deleteExpiredRevocations, insertRevocations } from './store.ts';

export type { FeedMessage, SignedMessage } from './feed.ts';
export { revocationMigrations } from './migrations.ts';
export { revocationRoutes } from './routes.ts';
export { lastRevocation } from './store.ts';

/** Tells services that verify access tokens by themselves which sessions have ended. */
export interface Revocations {
  /** The signed message of what came after `cursor`; 0 is everything that matters. */
  since(cursor: number): Promise<SignedMessage>;
  /** Calls `follower` with what comes, and with a sign of life in between. Returns how to stop. */
  follow(follower: Follower): () => void;
  /** Removes what no longer matters, a batch a transaction. */
  deleteExpired(): Promise<void>;
  stop(): void;
}

/** Access tokens outlive their setting by no more: what an instance with other settings issued, clocks that differ. */
const marginSeconds = 300;
const deleteBatchSize = 500;

export function createRevocations(kernel: Kernel, features: { keys: Keys }): Revocations {
  const { db, clock, events, settings } = kernel;
  const broadcast = createBroadcast(kernel, features.keys);
  const isOn = settings.REVOCATION_FEED === 'on';
  const startedAt = clock.now().getTime();
  const { ACCESS_TOKEN_EXPIRE_MINUTES, REFRESH_GRACE_SECONDS } = settings;

  /** When the last access token of a session that ends now has expired. */
  function expiryOf({ generation_given_at }: EndedSession): Date {
    const issuedAt = Date.parse(generation_given_at);
    const expiresAt = clock.now().getTime() + ACCESS_TOKEN_EXPIRE_MINUTES * 60_000;
    // Who issued it before this start may have had another setting.
    const longest = issuedAt + REFRESH_GRACE_SECONDS * 1000 + maxAccessTokenMinutes * 60_000;
    const isKnown = issuedAt >= startedAt;
    return new Date((isKnown ? expiresAt : Math.max(expiresAt, longest)) + marginSeconds * 1000);
  }

  events.on('sessions.ended', async (tx, { sessions }) => {
    if (!isOn) return;
    await db.lock(tx, revocationsLock);
    await insertRevocations(
      tx,
      sessions.map((session) => ({ sid: session.id, expires_at: expiryOf(session).toISOString() })),
    );
  });
  return {
    since: (cursor) => createMessage(kernel, features.keys, cursor),
    follow: broadcast.follow,
    stop: broadcast.stop,
    async deleteExpired() {
      const now = clock.now().toISOString();
      await removeInBatches(db, (tx) => deleteExpiredRevocations(tx, now, deleteBatchSize));
    },
  };
}
