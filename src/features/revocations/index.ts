import { removeInBatches } from '../../database/batches.ts';
import { revocationsLock } from '../../database/lock-names.ts';
import type { Kernel } from '../../kernel.ts';
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
  events.on('sessions.ended', async (tx, { sids }) => {
    if (!isOn) return;
    const lifetimeMs = (settings.ACCESS_TOKEN_EXPIRE_MINUTES * 60 + marginSeconds) * 1000;
    await db.lock(tx, revocationsLock);
    await insertRevocations(tx, sids, new Date(clock.now().getTime() + lifetimeMs).toISOString());
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
