import type { Kernel } from '../../kernel.ts';
import type { Accounts } from '../accounts/index.ts';
import type { Outbox } from '../outbox/index.ts';
import { eraseDue, eraseUnverified, sweepTraces } from './erase.ts';
import { mailLeaving } from './mails.ts';
import { noteErased } from './store.ts';

export { leavingMigrations } from './migrations.ts';
export type { ErasedUser } from './store.ts';

/** How accounts end that nobody ends by hand, and what there is to tell of an end. */
export interface Leaving {
  /** Erases the accounts whose grace is over. */
  eraseDue(): Promise<void>;
  /** Erases the accounts that nobody proved or uses. */
  eraseUnverified(): Promise<void>;
  /** See `sweepTraces` in `erase.ts`. */
  sweepTraces(): Promise<void>;
}

export function createLeaving(kernel: Kernel, features: { accounts: Accounts; outbox: Outbox }): Leaving {
  const { clock, events } = kernel;
  mailLeaving(kernel, features);
  events.on('user.deleted', (tx, { user_id }) => noteErased(tx, user_id, clock.now().toISOString()));
  return {
    eraseDue: () => eraseDue(kernel, features),
    eraseUnverified: () => eraseUnverified(kernel, features),
    sweepTraces: () => sweepTraces(kernel),
  };
}
