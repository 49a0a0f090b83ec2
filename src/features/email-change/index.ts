import { removeInBatches } from '../../database/batches.ts';
import type { Transaction } from '../../database/database.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { type Accounts, requireEmailAddress, type User } from '../accounts/index.ts';
import type { MailLinks } from '../mail-links/index.ts';
import type { Outbox } from '../outbox/index.ts';
import type { Passwords } from '../passwords/index.ts';
import type { Sessions } from '../sessions/index.ts';
import type { Throttle } from '../throttle/index.ts';
import { changeOwn, type OwnChanges, type Owner } from './ask.ts';
import { confirmChange } from './confirm.ts';
import { prepareConfirmation, prepareUndo } from './prepare.ts';
import {
  deleteExpiredReservations,
  findReservation,
  listReservations,
  type ReservedAddress,
  release,
} from './store.ts';
import { undoChange } from './undo.ts';

export { emailChangeMigrations } from './migrations.ts';
export { emailChangeRoutes } from './routes.ts';

/** How an account gets another address, and gets its former one back. */
export interface EmailChange {
  /** See `ask.ts`. */
  changeOwn(owner: Owner, changes: OwnChanges): Promise<User>;
  /** See `confirm.ts`. */
  confirm(input: Parameters<typeof confirmChange>[2]): Promise<User>;
  /** See `undo.ts`. */
  undo(token: string): Promise<User>;
  /** The former addresses that a user may get back. */
  listReserved(userId: number): Promise<ReservedAddress[]>;
  /** Frees addresses whose change cannot be undone any more, a batch a transaction. */
  deleteExpired(): Promise<void>;
}

export interface EmailChangeFeatures {
  accounts: Accounts;
  passwords: Passwords;
  sessions: Sessions;
  throttle: Throttle;
  mailLinks: MailLinks;
  outbox: Outbox;
}

const deleteBatchSize = 500;

export function createEmailChange(kernel: Kernel, features: EmailChangeFeatures): EmailChange {
  const { db, clock, events } = kernel;
  const { accounts, mailLinks, outbox } = features;
  const now = () => clock.now().toISOString();

  /** At the latest after the address was written: whoever frees it in another transaction has reserved it by then, or waits for us. */
  async function refuseReserved(
    tx: Transaction,
    userId: number | undefined,
    email: string,
    code: 'email_registered' | 'email_taken',
  ): Promise<void> {
    const reserved = await findReservation(tx, requireEmailAddress(email).email_key, now());
    if (reserved !== undefined && reserved.user_id !== userId)
      throw new DoorwardError(code, { reason: 'the address is kept for the account that had it' });
  }
  events.on('user.wanted', (tx, { email }) => refuseReserved(tx, undefined, email, 'email_registered'));
  events.on('user.created', (tx, { user_id, email }) =>
    refuseReserved(tx, user_id, email, 'email_registered'),
  );
  events.on('user.readdressed', async (tx, { user_id, to, mover }) => {
    await refuseReserved(tx, user_id, to, 'email_taken');
    // What an administrator settles is not undone by whoever had the account before.
    if (mover !== 'administrator') return;
    await release(tx, user_id, 0);
    await mailLinks.voidLinks(tx, user_id, 'undo_email_change');
  });
  // Its link is void: a mail that is sent later or anew must not make another.
  events.on('password.changed', async (tx, { user_id }) => {
    const user = await accounts.find(user_id, tx);
    if (user === undefined || user.pending_email === null) return;
    await accounts.apply(tx, user_id, { pending_email: null }, 'owner');
  });

  outbox.onPrepare('change_email', prepareConfirmation(kernel, features));
  outbox.onPrepare('email_change_asked', prepareUndo(kernel, features));
  outbox.onPrepare('email_changed', prepareUndo(kernel, features));

  return {
    changeOwn: (owner, changes) => changeOwn(kernel, features, owner, changes),
    confirm: (input) => confirmChange(kernel, features, input),
    undo: (token) => undoChange(kernel, features, token),
    listReserved: (userId) => listReservations(db.read, userId),
    async deleteExpired() {
      const time = now();
      await removeInBatches(db, (tx) => deleteExpiredReservations(tx, time, deleteBatchSize));
    },
  };
}
