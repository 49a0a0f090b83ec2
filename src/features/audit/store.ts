import type { Kysely } from 'kysely';
import type { Database, Tables, Transaction } from '../../database/database.ts';
import { DoorwardError } from '../../errors.ts';
import { chainNumbers, type EventRow } from './event.ts';
import type { ChainRow, Head } from './seal.ts';

/** A checkpoint as it is stored. */
export interface CheckpointRow {
  number: number;
  time: string;
  /** A compact JWS. */
  statement: string;
}

declare module '../../database/database.ts' {
  interface Tables {
    audit_events: EventRow;
    audit_chains: ChainRow;
    audit_checkpoints: CheckpointRow;
  }
}

/** An event to prepare the statement with. Its fields are the columns that are written, in this order. */
const sample: EventRow = {
  id: '',
  chain: 0,
  position: 0,
  time: '',
  kind: 'login.failed',
  result: 'failure',
  actor: null,
  user_id: null,
  request_id: null,
  personal: null,
  salt: null,
  personal_hash: null,
  hash: '',
};
const eventColumns = Object.keys(sample) as (keyof EventRow)[];

/** Makes what adds an event to its chain and moves the chain's head. */
export function createAppend(
  db: Database,
): (tx: Transaction, event: EventRow, head: ChainRow) => Promise<void> {
  const write = db.preparedWrites([
    db.read.insertInto('audit_events').values(sample).compile(),
    db.read
      .updateTable('audit_chains')
      .set({ position: 0, hash: '', broken_at: 0, mac: '' })
      .where('chain', '=', 0)
      .compile(),
  ]);
  return (tx, event, { chain, position, hash, broken_at, mac }) =>
    write(tx, [eventColumns.map((column) => event[column]), [position, hash, broken_at, mac, chain]]);
}

/** Any of the chains that nobody else holds, locked until the transaction ends. A row of another number is none of ours. */
export async function claimChain(db: Database, tx: Transaction): Promise<ChainRow> {
  const row = await db.lockAnyRow(tx, 'audit_chains', 'chain', chainNumbers);
  if (row === undefined) throw new Error('the audit log has no chains: rows of audit_chains were removed');
  return row;
}

/** A certain chain, locked until the transaction ends. */
export function lockChain(tx: Transaction, chain: number): Promise<ChainRow | undefined> {
  // Changes nothing, and locks the row on every database.
  return tx
    .updateTable('audit_chains')
    .set({ chain })
    .where('chain', '=', chain)
    .returningAll()
    .executeTakeFirst();
}

export function listChains(db: Kysely<Tables>): Promise<ChainRow[]> {
  return db.selectFrom('audit_chains').selectAll().orderBy('chain').execute();
}

export function findChain(db: Kysely<Tables>, chain: number): Promise<ChainRow | undefined> {
  return db.selectFrom('audit_chains').selectAll().where('chain', '=', chain).executeTakeFirst();
}

export async function replaceChain(tx: Transaction, row: ChainRow): Promise<void> {
  const { chain, ...columns } = row;
  await tx.updateTable('audit_chains').set(columns).where('chain', '=', chain).execute();
}

/** Events of a chain in its order, after one position and up to another. */
export function listChainEvents(
  db: Kysely<Tables>,
  chain: number,
  { after, upTo, limit }: { after: number; upTo: number; limit: number },
): Promise<EventRow[]> {
  return db
    .selectFrom('audit_events')
    .selectAll()
    .where('chain', '=', chain)
    .where('position', '>', after)
    .where('position', '<=', upTo)
    .orderBy('position')
    .limit(limit)
    .execute();
}

/** The hash of the event at each of these places, where there is one. */
export async function listHashes(db: Kysely<Tables>, places: readonly Head[]): Promise<Head[]> {
  if (places.length === 0) return [];
  return db
    .selectFrom('audit_events')
    .select(['chain', 'position', 'hash'])
    .where((eb) =>
      eb.or(
        places.map(({ chain, position }) => eb.and([eb('chain', '=', chain), eb('position', '=', position)])),
      ),
    )
    .execute();
}

/** The first and the last event of a chain whose ids are in a range. */
export async function findRange(
  db: Kysely<Tables>,
  chain: number,
  { fromId, belowId, upTo }: { fromId: string | undefined; belowId: string | undefined; upTo: number },
): Promise<{ first: number | null; last: number | null }> {
  let events = db.selectFrom('audit_events').where('chain', '=', chain).where('position', '<=', upTo);
  if (fromId !== undefined) events = events.where('id', '>=', fromId);
  if (belowId !== undefined) events = events.where('id', '<', belowId);
  return events
    .select((eb) => [
      eb.fn.min<number | null>('position').as('first'),
      eb.fn.max<number | null>('position').as('last'),
    ])
    .executeTakeFirstOrThrow();
}

/** The outermost positions of a chain's events. */
export function findEnds(db: Kysely<Tables>, chain: number) {
  return findRange(db, chain, { fromId: undefined, belowId: undefined, upTo: Number.MAX_SAFE_INTEGER });
}

/** An event that is in none of the chains, found beside and between them by the index: whatever stands there as its chain. */
export function findStray(db: Kysely<Tables>): Promise<{ id: string } | undefined> {
  const edges = [undefined, ...chainNumbers, undefined];
  return db
    .selectFrom('audit_events')
    .select('id')
    .where((eb) =>
      eb.or(
        edges.slice(1).map((below, index) => {
          const above = edges[index];
          return eb.and([
            ...(above === undefined ? [] : [eb('chain', '>', above)]),
            ...(below === undefined ? [] : [eb('chain', '<', below)]),
          ]);
        }),
      ),
    )
    .limit(1)
    .executeTakeFirst();
}

/** The outermost event of a chain that is not up to `position`, whatever stands there as its position. */
export function findBeyond(
  db: Kysely<Tables>,
  chain: number,
  position: number,
): Promise<Pick<EventRow, 'id' | 'position'> | undefined> {
  return db
    .selectFrom('audit_events')
    .select(['id', 'position'])
    .where('chain', '=', chain)
    .where((eb) => eb.not(eb('position', '<=', position)))
    .orderBy('position', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** Whether there is an event whose id is below this one. */
export async function hasEventBelow(db: Kysely<Tables>, id: string): Promise<boolean> {
  const found = await db.selectFrom('audit_events').select('id').where('id', '<', id).limit(1).execute();
  return found.length > 0;
}

/** Whether there are neither events nor checkpoints. */
export async function isNothingTold(db: Kysely<Tables>): Promise<boolean> {
  const events = await db.selectFrom('audit_events').select('id').limit(1).execute();
  return events.length === 0 && (await findNewestCheckpoint(db)) === undefined;
}

export async function hasUsers(db: Kysely<Tables>): Promise<boolean> {
  return (await db.selectFrom('users').select('id').limit(1).execute()).length > 0;
}

/** The audit log's tables that are not there, or not with the columns that they were made with. */
export async function listUnreadable(db: Kysely<Tables>): Promise<string[]> {
  const reads = {
    audit_events: () => db.selectFrom('audit_events').select(eventColumns).limit(1).execute(),
    audit_chains: () =>
      db
        .selectFrom('audit_chains')
        .select(['chain', 'position', 'hash', 'base_position', 'base_hash', 'broken_at', 'mac'])
        .limit(1)
        .execute(),
    audit_checkpoints: () =>
      db.selectFrom('audit_checkpoints').select(['number', 'time', 'statement']).limit(1).execute(),
  };
  const unreadable: string[] = [];
  for (const [table, read] of Object.entries(reads)) {
    try {
      await read();
    } catch (error) {
      if (error instanceof DoorwardError) throw error;
      unreadable.push(table);
    }
  }
  return unreadable;
}

export async function deleteChainEvents(tx: Transaction, chain: number, upTo: number): Promise<void> {
  await tx.deleteFrom('audit_events').where('chain', '=', chain).where('position', '<=', upTo).execute();
}

export interface EventQuery {
  readonly user_id: number | undefined;
  readonly actor: number | undefined;
  readonly kind: EventRow['kind'] | undefined;
  readonly result: EventRow['result'] | undefined;
  /** Ids from this one on. */
  readonly fromId: string | undefined;
  /** Ids below this one. */
  readonly belowId: string | undefined;
  readonly limit: number;
}

/** Events, the newest first. */
export function listEvents(db: Kysely<Tables>, query: EventQuery): Promise<EventRow[]> {
  let events = db.selectFrom('audit_events').selectAll();
  for (const column of ['user_id', 'actor', 'kind', 'result'] as const) {
    const value = query[column];
    if (value !== undefined) events = events.where(column, '=', value);
  }
  if (query.fromId !== undefined) events = events.where('id', '>=', query.fromId);
  if (query.belowId !== undefined) events = events.where('id', '<', query.belowId);
  return events.orderBy('id', 'desc').limit(query.limit).execute();
}

/** Events of one kind in the order of their ids, as far as `limit`. */
interface NextEvents {
  readonly fromId: string;
  readonly belowId: string;
  /** Goes on behind this one. */
  readonly after: string | undefined;
  readonly limit: number;
}

function selectNext(
  db: Kysely<Tables>,
  kind: EventRow['kind'],
  { fromId, belowId, after, limit }: NextEvents,
) {
  const events = db.selectFrom('audit_events').where('kind', '=', kind).where('id', '<', belowId);
  const next = after === undefined ? events.where('id', '>=', fromId) : events.where('id', '>', after);
  return next.orderBy('id').limit(limit);
}

/** How many there are, and the last of them. */
export function countNext(
  db: Kysely<Tables>,
  kind: EventRow['kind'],
  next: NextEvents,
): Promise<{ events: number; last: string | null }> {
  return db
    .selectFrom(selectNext(db, kind, next).select('id').as('next'))
    .select((eb) => [eb.fn.countAll<number>().as('events'), eb.fn.max<string | null>('id').as('last')])
    .executeTakeFirstOrThrow();
}

export function listUsersNext(
  db: Kysely<Tables>,
  kind: EventRow['kind'],
  next: NextEvents,
): Promise<Pick<EventRow, 'id' | 'user_id'>[]> {
  return selectNext(db, kind, next).select(['id', 'user_id']).execute();
}

/** When the oldest event happened that there still is. */
export async function findOldestTime(db: Kysely<Tables>): Promise<string | undefined> {
  const oldest = await db.selectFrom('audit_events').select('time').orderBy('id').limit(1).executeTakeFirst();
  return oldest?.time;
}

/** The stored checkpoints in their order. */
export function listCheckpoints(db: Kysely<Tables>): Promise<CheckpointRow[]> {
  return db.selectFrom('audit_checkpoints').selectAll().orderBy('number').execute();
}

export function findNewestCheckpoint(db: Kysely<Tables>): Promise<CheckpointRow | undefined> {
  return db.selectFrom('audit_checkpoints').selectAll().orderBy('number', 'desc').limit(1).executeTakeFirst();
}

/** Stores a checkpoint and keeps that many. False when another instance was first. */
export async function insertCheckpoint(tx: Transaction, row: CheckpointRow, kept: number): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await tx
    .insertInto('audit_checkpoints')
    .values(row)
    .onConflict((conflict) => conflict.column('number').doNothing())
    .executeTakeFirstOrThrow();
  await tx
    .deleteFrom('audit_checkpoints')
    .where('number', '<=', row.number - kept)
    .execute();
  return numInsertedOrUpdatedRows === 1n;
}

/** Events not erased yet that a user caused, or that nobody signed in caused to the user. */
export function listEventsOfPerson(tx: Transaction, userId: number, limit: number): Promise<EventRow[]> {
  return tx
    .selectFrom('audit_events')
    .selectAll()
    .where('personal', 'is not', null)
    .where((eb) => eb.or([eb('actor', '=', userId), eb('user_id', '=', userId).and('actor', 'is', null)]))
    .limit(limit)
    .execute();
}

export async function eraseEvent(tx: Transaction, id: string, personal_hash: string | null): Promise<void> {
  await tx
    .updateTable('audit_events')
    .set({ personal: null, salt: null, personal_hash })
    .where('id', '=', id)
    .execute();
}
