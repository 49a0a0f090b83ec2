import type { Generated, Kysely, Selectable, Updateable } from 'kysely';
import type { Tables, Transaction } from '../../database/database.ts';
import type { MailKind } from '../../mail/index.ts';

/** `asked`: what it says is yet to be prepared. `queued`: to be sent. `dead`: given up. */
export const mailStates = ['asked', 'queued', 'sent', 'dead'] as const;
export type MailState = (typeof mailStates)[number];

interface OutboxTable {
  id: Generated<number>;
  kind: MailKind;
  /** Whose account it is about; the mail goes with it. */
  user_id: number | null;
  to_address: string;
  /** The same for every spelling of the address. */
  to_key: string;
  locale: string;
  /** JSON. */
  params: string;
  state: MailState;
  /** Link and code, sealed; null once it was sent or given up. */
  secret: string | null;
  /** When its link is worth nothing any more. */
  expires_at: string | null;
  attempts: number;
  next_attempt_at: string;
  /** Who sends it just now: no other does until `claimed_until`, and only they may say how it ended. */
  claim: string | null;
  claimed_until: string | null;
  /** A constant text and codes of SMTP. */
  last_error: string | null;
  message_id: string;
  created_at: string;
  /** When it was last asked for: at first, or again by an administrator. */
  asked_at: string;
  sent_at: string | null;
}

declare module '../../database/database.ts' {
  interface Tables {
    outbox: OutboxTable;
  }
}

/** A mail as it is stored. */
export type OutboxRow = Selectable<OutboxTable>;
export type NewOutboxRow = Omit<
  OutboxRow,
  'id' | 'secret' | 'expires_at' | 'claim' | 'claimed_until' | 'last_error' | 'sent_at'
>;
export type OutboxChange = Omit<Updateable<OutboxTable>, 'id'>;

export async function insertMail(tx: Transaction, row: NewOutboxRow): Promise<void> {
  await tx.insertInto('outbox').values(row).execute();
}

export async function hasMailSince(
  tx: Transaction,
  userId: number,
  kind: MailKind,
  since: string,
): Promise<boolean> {
  const found = await tx
    .selectFrom('outbox')
    .select('id')
    .where('user_id', '=', userId)
    .where('kind', '=', kind)
    .where('created_at', '>=', since)
    .limit(1)
    .executeTakeFirst();
  return found !== undefined;
}

export function findMail(db: Kysely<Tables>, id: number): Promise<OutboxRow | undefined> {
  return db.selectFrom('outbox').selectAll().where('id', '=', id).executeTakeFirst();
}

/** Mails in this state whose turn it is and that nobody has claimed, the longest due first. */
export async function listDue(
  db: Kysely<Tables>,
  state: 'asked' | 'queued',
  now: string,
  limit: number,
): Promise<number[]> {
  const rows = await db
    .selectFrom('outbox')
    .select('id')
    .where('state', '=', state)
    .where('next_attempt_at', '<=', now)
    .where((eb) => eb.or([eb('claimed_until', 'is', null), eb('claimed_until', '<=', now)]))
    .orderBy('next_attempt_at')
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}

/** Changes a mail that is still as it was asked for. False when another instance was first. */
export async function changeAsked(tx: Transaction, id: number, change: OutboxChange): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('outbox')
    .set(change)
    .where('id', '=', id)
    .where('state', '=', 'asked')
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Removes a mail that is still as it was asked for. */
export async function deleteAsked(tx: Transaction, id: number): Promise<void> {
  await tx.deleteFrom('outbox').where('id', '=', id).where('state', '=', 'asked').execute();
}

/** Takes a mail that is due, for one sender alone: whoever asks at the same time gets undefined. Counts the attempt. */
export function claimMail(
  tx: Transaction,
  id: number,
  { claim, claimed_until, now }: { claim: string; claimed_until: string; now: string },
): Promise<OutboxRow | undefined> {
  return tx
    .updateTable('outbox')
    .set((eb) => ({ claim, claimed_until, attempts: eb('attempts', '+', 1) }))
    .where('id', '=', id)
    .where('state', '=', 'queued')
    .where('next_attempt_at', '<=', now)
    .where((eb) => eb.or([eb('claimed_until', 'is', null), eb('claimed_until', '<=', now)]))
    .returningAll()
    .executeTakeFirst();
}

/** Says how a claimed mail ended, unless it is claimed by somebody else by now. */
export async function changeClaimed(
  tx: Transaction,
  { id, claim }: Pick<OutboxRow, 'id' | 'claim'>,
  change: OutboxChange,
): Promise<void> {
  await tx
    .updateTable('outbox')
    .set({ ...change, claim: null, claimed_until: null })
    .where('id', '=', id)
    .where('claim', '=', claim)
    .execute();
}

export async function deleteClaimed(
  tx: Transaction,
  { id, claim }: Pick<OutboxRow, 'id' | 'claim'>,
): Promise<void> {
  await tx.deleteFrom('outbox').where('id', '=', id).where('claim', '=', claim).execute();
}

/** Changes a mail that nobody sends just now. */
export function changeUnclaimed(
  tx: Transaction,
  id: number,
  now: string,
  change: OutboxChange,
): Promise<OutboxRow | undefined> {
  return tx
    .updateTable('outbox')
    .set(change)
    .where('id', '=', id)
    .where((eb) => eb.or([eb('claimed_until', 'is', null), eb('claimed_until', '<=', now)]))
    .returningAll()
    .executeTakeFirst();
}

export interface OutboxQuery {
  readonly state: MailState | undefined;
  readonly kind: MailKind | undefined;
  readonly user_id: number | undefined;
  readonly to_key: string | undefined;
  readonly belowId: number | undefined;
  readonly limit: number;
}

/** Mails, the newest first. */
export function listMails(db: Kysely<Tables>, query: OutboxQuery): Promise<OutboxRow[]> {
  let mails = db.selectFrom('outbox').selectAll();
  for (const column of ['state', 'kind', 'user_id', 'to_key'] as const) {
    const value = query[column];
    if (value !== undefined) mails = mails.where(column, '=', value);
  }
  if (query.belowId !== undefined) mails = mails.where('id', '<', query.belowId);
  return mails.orderBy('id', 'desc').limit(query.limit).execute();
}

/** How many mails are in each of these states, where there are any. */
export async function countMails(
  db: Kysely<Tables>,
  states: readonly MailState[],
): Promise<{ state: MailState; mails: number }[]> {
  const rows = await db
    .selectFrom('outbox')
    .select((eb) => ['state', eb.fn.countAll<number>().as('mails')])
    .where('state', 'in', [...states])
    .groupBy('state')
    .execute();
  return rows.map(({ state, mails }) => ({ state, mails: Number(mails) }));
}

/** Since when the mail has waited that has waited longest; undefined when none waits. */
export async function findLongestWaiting(db: Kysely<Tables>): Promise<string | undefined> {
  const times: string[] = [];
  for (const state of ['asked', 'queued'] as const) {
    const first = db.selectFrom('outbox').select('asked_at').where('state', '=', state).orderBy('asked_at');
    const row = await first.limit(1).executeTakeFirst();
    if (row !== undefined) times.push(row.asked_at);
  }
  return times.sort()[0];
}

/**
 * Removes mails that were last asked for before `before`, those that are not sent yet only if before `openBefore` as well.
 * Returns whether there may be more.
 */
export async function deleteOldMails(
  tx: Transaction,
  { before, openBefore, limit }: { before: string; openBefore: string; limit: number },
): Promise<boolean> {
  const old = tx
    .selectFrom('outbox')
    .select('id')
    .where('asked_at', '<', before)
    .where((eb) => eb.or([eb('state', 'in', ['sent', 'dead']), eb('asked_at', '<', openBefore)]))
    .orderBy('asked_at')
    .limit(limit);
  const result = await tx.deleteFrom('outbox').where('id', 'in', old).executeTakeFirst();
  return Number(result.numDeletedRows) === limit;
}

/** Removes mails to an address that belong to no account, but for those of some kinds. */
export async function deleteNobodysMails(
  tx: Transaction,
  to_key: string,
  kept: readonly MailKind[],
): Promise<void> {
  await tx
    .deleteFrom('outbox')
    .where('to_key', '=', to_key)
    .where('user_id', 'is', null)
    .where('kind', 'not in', [...kept])
    .execute();
}

/** Removes mails of one kind to an address that belong to no account. Returns whether one of them was not sent yet. */
export async function discardMails(tx: Transaction, kind: MailKind, to_key: string): Promise<boolean> {
  const discarded = await tx
    .deleteFrom('outbox')
    .where('to_key', '=', to_key)
    .where('user_id', 'is', null)
    .where('kind', '=', kind)
    .returning('state')
    .execute();
  return discarded.some(({ state }) => state === 'asked' || state === 'queued');
}
