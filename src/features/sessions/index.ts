import type { Kernel } from '../../kernel.ts';
import type { Accounts } from '../accounts/index.ts';
import type { Keys } from '../keys/index.ts';
import type { Passwords } from '../passwords/index.ts';
import { type Authenticated, createAuthenticate } from './authenticate.ts';
import { type Client, logIn } from './login.ts';
import { deleteExpiredSessions, endSessions } from './store.ts';
import type { TokenResponse } from './tokens.ts';

export type { Authenticated } from './authenticate.ts';
export { sessionMigrations } from './migrations.ts';
export { sessionRoutes } from './routes.ts';
export { type TokenResponse, tokenParties } from './tokens.ts';

export interface Sessions {
  /** See `login.ts`. */
  logIn(input: { username: string; password: string; client: Client }): Promise<TokenResponse>;
  /** See `authenticate.ts`. */
  authenticate(token: string): Authenticated | Promise<Authenticated>;
  /** Removes sessions past their absolute end, a batch a transaction. */
  deleteExpired(): Promise<void>;
}

/** Rows of one clean-up transaction: short enough that nobody waits for it. */
const deleteBatchSize = 500;

export function createSessions(
  kernel: Kernel,
  features: { accounts: Accounts; passwords: Passwords; keys: Keys },
): Sessions {
  const { db, clock, events } = kernel;
  const now = () => clock.now().toISOString();
  events.on('password.changed', (tx, { user_id, sid }) =>
    endSessions(tx, user_id, { reason: 'password_changed', now: now(), exceptSid: sid }),
  );
  events.on('user.deactivated', (tx, { user_id }) =>
    endSessions(tx, user_id, { reason: 'user_deactivated', now: now() }),
  );
  return {
    logIn: (input) => logIn(kernel, features, input),
    authenticate: createAuthenticate(kernel, features.keys),
    async deleteExpired() {
      while (await db.transaction((tx) => deleteExpiredSessions(tx, now(), deleteBatchSize)));
    },
  };
}
