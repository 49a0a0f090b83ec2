import type { Transaction } from '../../database/database.ts';
import type { Kernel } from '../../kernel.ts';
import { markEnded, type SessionEnd, type SessionSelection } from './store.ts';

/**
 * Ends live sessions of a user, in the transaction of what ends them, and announces it. The next request with one of
 * their tokens is refused, on every instance. Returns how many there were.
 */
export async function endSessions(
  kernel: Kernel,
  tx: Transaction,
  userId: number,
  end: { reason: SessionEnd; network?: string } & SessionSelection,
): Promise<number> {
  const sessions = await markEnded(tx, userId, { ...end, now: kernel.clock.now().toISOString() });
  if (sessions.length > 0) {
    await kernel.events.emit(tx, 'sessions.ended', { user_id: userId, sessions });
    const detail = { reason: end.reason, count: sessions.length };
    await kernel.audit.record(tx, { kind: 'session.ended', user_id: userId, detail });
  }
  return sessions.length;
}
