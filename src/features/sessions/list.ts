import type { Kernel } from '../../kernel.ts';
import { describeDevice } from './device.ts';
import { listLiveSessions } from './store.ts';

/** A session as its owner and administrators see it. */
export interface ListedSession {
  id: string;
  /** Browser and system in words, e.g. `Firefox on macOS`. */
  device: string;
  network: string;
  created_at: string;
  last_seen_at: string;
  /** When it ends if it is not refreshed before. */
  expires_at: string;
  /** Whether it is the one that asks. */
  current: boolean;
}

/** The live sessions of a user, the one seen last first. */
export async function listSessions(
  kernel: Kernel,
  userId: number,
  currentSid: string | undefined,
): Promise<ListedSession[]> {
  const { db, clock, settings } = kernel;
  const now = clock.now().toISOString();
  const idleMs = settings.REFRESH_TOKEN_EXPIRE_DAYS * 86_400_000;
  const sessions = await listLiveSessions(db.read, userId, now);
  return sessions
    .map((session) => {
      const idleEnd = new Date(Date.parse(session.generation_issued_at) + idleMs).toISOString();
      return {
        id: session.id,
        device: describeDevice(session.user_agent),
        network: session.network,
        created_at: session.created_at,
        last_seen_at: session.last_seen_at,
        expires_at: idleEnd < session.expires_at ? idleEnd : session.expires_at,
        current: session.id === currentSid,
      };
    })
    .filter((session) => session.current || session.expires_at > now);
}
