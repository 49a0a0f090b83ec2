import { removeInBatches } from '../../database/batches.ts';
import type { Transaction } from '../../database/database.ts';
import { userLock } from '../../database/lock-names.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { Accounts } from '../accounts/index.ts';
import type { Keys } from '../keys/index.ts';
import type { Passwords } from '../passwords/index.ts';
import type { Throttle } from '../throttle/index.ts';
import { type Authenticated, createAuthenticate } from './authenticate.ts';
import { endSessions } from './end.ts';
import { type Introspection, introspect, readToken } from './introspect.ts';
import { type ListedSession, listSessions } from './list.ts';
import { type LoggedIn, logIn } from './login.ts';
import { type Client, type OpenedSession, openSession } from './open.ts';
import { createRefresh } from './refresh.ts';
import {
  deleteExpiredSessions,
  listSessionsOf,
  type SessionEnd,
  type SessionRow,
  type SessionSelection,
} from './store.ts';
import { type IssuedTokens, issueTokens } from './tokens.ts';
import { createVerifyAccess } from './verify-access.ts';

export { readDevice } from './device.ts';
export type { LoggedIn } from './login.ts';
export { sessionMigrations } from './migrations.ts';
export type { Client } from './open.ts';
export { answerLogin, sessionRoutes, TokenAnswer, TransportQuery, userSessionRoutes } from './routes.ts';
export type { SessionRow } from './store.ts';
export { type TokenResponse, tokenParties } from './tokens.ts';

export interface Sessions {
  /** See `login.ts`. */
  logIn(input: { username: string; password: string; client: Client }): Promise<LoggedIn>;
  /** See `open.ts`. */
  open(tx: Transaction, input: Parameters<typeof openSession>[3]): Promise<OpenedSession>;
  /** The tokens of a session that was opened, once its transaction is over. */
  issue(opened: OpenedSession, now: Date): Promise<LoggedIn>;
  /** Ends a user's sessions in `tx`. Returns how many there were. */
  endAll(tx: Transaction, userId: number, reason: SessionEnd): Promise<number>;
  /** See `refresh.ts`. */
  refresh(input: { refresh_token: string; client: Client }): Promise<IssuedTokens>;
  /** See `authenticate.ts`. */
  authenticate(token: string): Promise<Authenticated>;
  /** See `list.ts`. */
  list(userId: number, currentSid?: string): Promise<ListedSession[]>;
  /** Every session of a user that is still remembered, also those that ended. */
  listAll(userId: number): Promise<SessionRow[]>;
  /**
   * Ends sessions of a user; the next request with one of their tokens is refused, on every instance.
   * @throws DoorwardError `session_not_found` when the one that is named is not a live session of the user.
   */
  end(userId: number, reason: SessionEnd, selection?: SessionSelection): Promise<void>;
  /** See `introspect.ts`. */
  introspect(token: string): Promise<Introspection>;
  /** Ends the session of a token of either kind (RFC 7009). One that is not valid has nothing to end. */
  revokeToken(token: string, reason?: SessionEnd): Promise<void>;
  /** Removes sessions past their absolute end, a batch a transaction. */
  deleteExpired(): Promise<void>;
}

/** Rows of one clean-up transaction: short enough that nobody waits for it. */
const deleteBatchSize = 500;

export function createSessions(
  kernel: Kernel,
  features: { accounts: Accounts; passwords: Passwords; throttle: Throttle; keys: Keys },
): Sessions {
  const { db, clock, events } = kernel;
  const now = () => clock.now().toISOString();
  const verify = createVerifyAccess(kernel, features.keys);
  const authenticate = createAuthenticate(kernel, features.keys, verify);
  events.on('password.changed', async (tx, { user_id, sid }) => {
    await endSessions(kernel, tx, user_id, { reason: 'password_changed', exceptSid: sid });
  });
  events.on('user.deactivated', async (tx, { user_id }) => {
    await endSessions(kernel, tx, user_id, { reason: 'user_deactivated' });
  });
  events.on('user.closed', async (tx, { user_id }) => {
    await endSessions(kernel, tx, user_id, { reason: 'user_closed' });
  });
  events.on('user.deleted', async (tx, { user_id }) => {
    await endSessions(kernel, tx, user_id, { reason: 'user_deleted' });
  });
  const sessions: Sessions = {
    logIn: (input) => logIn(kernel, features, input),
    open: (tx, input) => openSession(kernel, features, tx, input),
    async issue({ session, device_token }, at) {
      kernel.counters.noteActive(session.user_id);
      const tokens = await issueTokens(session, features.keys.current(), kernel.settings, at);
      return { ...tokens, device_token };
    },
    endAll: (tx, userId, reason) => endSessions(kernel, tx, userId, { reason }),
    refresh: createRefresh(kernel, features),
    authenticate,
    list: (userId, currentSid) => listSessions(kernel, userId, currentSid),
    listAll: (userId) => listSessionsOf(db.read, userId),
    async end(userId, reason, selection = {}) {
      const ended = await db.transaction(async (tx) => {
        // A login under way is over before this begins, or begins after it.
        await db.lock(tx, userLock(userId));
        return endSessions(kernel, tx, userId, { reason, ...selection });
      });
      if (selection.sid !== undefined && ended === 0) throw new DoorwardError('session_not_found');
    },
    introspect: (token) => introspect(kernel, features, { verify, authenticate }, token),
    async revokeToken(token, reason = 'revoked') {
      const claims = await readToken(kernel, features.keys, verify, token);
      if (claims === undefined) return;
      try {
        await sessions.end(Number(claims.sub), reason, { sid: claims.sid });
      } catch (error) {
        if (!(error instanceof DoorwardError && error.code === 'session_not_found')) throw error;
      }
    },
    async deleteExpired() {
      await removeInBatches(db, (tx) => deleteExpiredSessions(tx, now(), deleteBatchSize));
    },
  };
  return sessions;
}
