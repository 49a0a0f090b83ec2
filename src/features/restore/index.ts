import type { Kysely } from 'kysely';
import type { Tables, Transaction } from '../../database/database.ts';
import { revocationsLock, signingKeysLock } from '../../database/lock-names.ts';
import type { Kernel } from '../../kernel.ts';
import type { Accounts } from '../accounts/index.ts';
import { lastRevocation } from '../revocations/index.ts';
import {
  copyRotations,
  describeAuditHeads,
  findChanges,
  findRescheduled,
  findRevived,
  findUnknownSids,
  insertErased,
  insertMissingKeys,
  type LiveSession,
  listErased,
  listLive,
  listLiveAmong,
  listServiceNames,
  listUnexpiredRevocations,
  markRestored,
  putOffErasures,
  putOffUnverified,
  reschedule,
  takeThrottle,
  type UserChange,
  voidMails,
  withdrawMissingKeys,
} from './store.ts';

export type { UserChange } from './store.ts';

/** The database as it was until a backup took its place, as far as it can be read. */
export interface Previous {
  readonly read: Kysely<Tables>;
  /** Whether it has a table; an older version did not have all. */
  has(table: string): boolean;
  /** The highest id that a table ever gave. */
  lastIdentity(table: string): number;
}

/** What a restored database brings back, and what of it is undone at once. */
export interface Settled {
  /** Sessions that were live before and are known to the backup. */
  readonly kept: number;
  /** Sessions that the backup knows as live, and that were not any more. */
  readonly ended: number;
  /** Sessions that were live before and are unknown to the backup. */
  readonly lost: number;
  /** Users who had been erased since the backup, and are again. */
  readonly erased: number;
}

const dayMs = 86_400_000;
/** How long at least somebody whose account was to be erased has to come back, where nobody knows whether they had. */
const leastGraceDays = 7;

const batchSize = 500;

/**
 * Takes from a restored database what would undo a decision made since its backup: a session that ended, a signing key
 * that was withdrawn, a number that was given. Sessions that were live until now go on, from the generation that they
 * had reached. Without `previous` every session ends. Who was erased is erased again, links of mails are void and mails that
 * waited are not sent.
 */
export async function settleRestored(
  { kernel, accounts }: { kernel: Kernel; accounts: Accounts },
  previous: Previous | undefined,
  detail: Readonly<Record<string, string>>,
): Promise<Settled> {
  const { db } = kernel;
  const now = kernel.clock.now();
  return db.transaction(async (tx) => {
    await db.lock(tx, signingKeysLock);
    await db.lock(tx, revocationsLock);
    for (const table of ['users', 'services']) {
      if (previous !== undefined) await db.raiseIdentity(tx, table, previous.lastIdentity(table));
    }
    // Followers of the feed may have read further than the backup goes, nobody knows how far when nothing is left to
    // ask. Revocations come slower than milliseconds, so that no number from here on was ever given.
    const lastGiven = Math.max(await lastRevocation(tx), previous?.lastIdentity('revocations') ?? 0);
    await db.raiseIdentity(tx, 'revocations', Math.max(lastGiven, now.getTime()));
    if (previous !== undefined) {
      await takeRevocations(tx, previous, now);
      await withdrawMissingKeys(tx, previous.read);
      await insertMissingKeys(tx, previous.read);
      if (previous.has('throttle_counters')) await takeThrottle(tx, previous.read);
    }
    await putOffUnverified(tx, now.toISOString());
    if (previous?.has('erased_users')) await takeSchedules(tx, previous.read);
    else await putOffErasures(tx, new Date(now.getTime() + graceDays(kernel) * dayMs).toISOString());
    const { kept, ended } = await settleSessions(kernel, tx, previous, now);
    const lost = previous === undefined ? 0 : await announceLost(kernel, tx, previous, now);
    const erased = previous?.has('erased_users') ? await eraseAgain(accounts, tx, previous.read) : 0;
    await voidMails(tx);
    const heads = previous?.has('audit_chains') ? await describeAuditHeads(previous.read) : [];
    await kernel.audit.record(tx, {
      kind: 'database.restored',
      user_id: null,
      // What the audit log told after the backup is gone; this says how far it had come.
      detail: {
        ...detail,
        sessions_kept: kept,
        sessions_ended: ended + lost,
        users_erased: erased,
        previous_heads: heads,
      },
    });
    return { kept, ended, lost, erased };
  });
}

const graceDays = ({ settings }: Kernel) => Math.max(settings.DELETION_GRACE_DAYS, leastGraceDays);

/** Erases whom the database before knew as erased, and keeps that it did. */
async function eraseAgain(accounts: Accounts, tx: Transaction, previous: Kysely<Tables>): Promise<number> {
  let count = 0;
  for (let after = 0; ; ) {
    const erased = await listErased(previous, after, batchSize);
    const last = erased.at(-1);
    if (last === undefined) return count;
    after = last.user_id;
    for (const id of await findRevived(tx, erased)) {
      await accounts.eraseAgain(tx, id);
      count += 1;
    }
    await insertErased(tx, erased);
  }
}

/** Closed since, or taken back since: as it was decided last. */
async function takeSchedules(tx: Transaction, previous: Kysely<Tables>): Promise<void> {
  for (let after = 0; ; ) {
    const { changed, last } = await findRescheduled(tx, previous, after, batchSize);
    for (const user of changed) await reschedule(tx, user);
    if (last === undefined) return;
    after = last;
  }
}

/** Sessions that ended since the backup and of which access tokens may be unexpired. */
async function takeRevocations(tx: Transaction, previous: Previous, now: Date): Promise<void> {
  for (let after = 0; ; ) {
    const rows = await listUnexpiredRevocations(previous.read, after, now.toISOString(), batchSize);
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last.id;
    await tx
      .insertInto('revocations')
      .values(rows.map(({ sid, expires_at }) => ({ sid, expires_at })))
      .execute();
  }
}

async function settleSessions(kernel: Kernel, tx: Transaction, previous: Previous | undefined, now: Date) {
  let kept = 0;
  let ended = 0;
  for await (const sessions of batches(tx, now)) {
    const sids = sessions.map(({ id }) => id);
    const live = previous === undefined ? [] : await listLiveAmong(previous.read, sids, now.toISOString());
    const isLive = new Set(live.map(({ id }) => id));
    // A refresh token that was spent since the backup stays spent, and who was given a later one goes on with it.
    await copyRotations(tx, live);
    kept += live.length;
    const over = sessions.filter(({ id }) => !isLive.has(id));
    ended += over.length;
    await markRestored(
      tx,
      over.map(({ id }) => id),
      now.toISOString(),
    );
    await announce(kernel, tx, over);
  }
  return { kept, ended };
}

async function announceLost(kernel: Kernel, tx: Transaction, previous: Previous, now: Date): Promise<number> {
  let lost = 0;
  for await (const sessions of batches(previous.read, now)) {
    const unknown = await findUnknownSids(
      tx,
      sessions.map(({ id }) => id),
    );
    lost += unknown.size;
    await announce(
      kernel,
      tx,
      sessions.filter(({ id }) => unknown.has(id)),
    );
  }
  return lost;
}

async function announce(kernel: Kernel, tx: Transaction, sessions: readonly LiveSession[]): Promise<void> {
  for (const [user_id, ended] of Map.groupBy(sessions, (session) => session.user_id)) {
    await kernel.events.emit(tx, 'sessions.ended', { user_id, sessions: ended });
  }
}

/** All live sessions, in the order of their ids. */
async function* batches(db: Kysely<Tables>, now: Date): AsyncGenerator<LiveSession[]> {
  for (let after = ''; ; ) {
    const sessions = await listLive(db, after, now.toISOString(), batchSize);
    const last = sessions.at(-1);
    if (last === undefined) return;
    after = last.id;
    yield sessions;
  }
}

/** What was decided about users and services since the backup and does not hold any more. */
export interface Revived {
  readonly users: UserChange[];
  /** Names of services whose credential works again. */
  readonly services: string[];
}

/** Compares a restored database with the one before. */
export async function compareRestored(restored: Kysely<Tables>, previous: Previous): Promise<Revived> {
  const users: UserChange[] = [];
  for (let after = 0; ; ) {
    const { changes, last } = await findChanges(restored, previous.read, after, batchSize);
    users.push(...changes);
    if (last === undefined) break;
    after = last;
  }
  const before = new Set(await listServiceNames(previous.read));
  const services = (await listServiceNames(restored)).filter((name) => !before.has(name));
  return { users, services };
}
