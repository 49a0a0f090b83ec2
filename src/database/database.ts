import type {
  CompiledQuery,
  Expression,
  Kysely,
  Transaction as KyselyTransaction,
  RawBuilder,
  Selectable,
  SqlBool,
} from 'kysely';

/**
 * The tables of all features. Each feature adds its own beside its store:
 * `declare module '../../database/database.ts' { interface Tables { sessions: SessionsTable } }`.
 */
// biome-ignore lint/suspicious/noEmptyInterface: features add their tables by declaration merging
export interface Tables {}

/** A transaction under way. Everything that writes gets one; there is no other way to write. */
export type Transaction = KyselyTransaction<Tables>;

/** Column types and indexes as the database in use spells them. Migrations are written with these words. */
export interface Ddl {
  /** An integer primary key that the database assigns and never assigns twice. */
  readonly identity: string;
  /** An integer that refers to an `identity`. */
  readonly integer: string;
  readonly boolean: string;
  /** Text compared by code point, so that order and uniqueness are the same on every database. */
  readonly text: string;
  /** A point in time: RFC 3339 in UTC with milliseconds and `Z` on both databases' reading side. */
  readonly timestamp: string;
  /** The present time, as a value of a `timestamp`. */
  readonly now: string;
  /** Ends the definition of a table that is looked up by a text key: its rows lie in the order of the key where that is possible. */
  readonly clustered: string;
  /**
   * The statements that make `column` of `table` (key `id`) searchable for any substring of 3 or more code points. It is found
   * quickly by its letters and digits; by punctuation only on SQLite.
   */
  substringIndex(table: string, column: string): readonly string[];
  /** The statements that divide a `substringIndex` into parts which are read at the same time, where that is quicker. */
  substringIndexInParts(table: string, column: string): readonly string[];
}

/** One step of the schema's history. A released step is never changed; its id sorts it among all features' steps. */
export interface Migration {
  /** e.g. `0001-users`. */
  readonly id: string;
  readonly statements: (ddl: Ddl) => readonly string[];
}

/** A step that a start or `doorward migrate` applies, for printing. */
export interface PendingMigration {
  readonly id: string;
  readonly statements: readonly string[];
}

/** The rows that are `matching`. */
export interface Matches {
  /** How many there are, from a sample of them or of the table. 0 only when there are none. */
  readonly about: number;
  /**
   * Selections that together have each of them once, worth reading at the same time, each by a `longRead` of its own. None where
   * `matching` is as quick.
   */
  readonly parts: readonly RawBuilder<unknown>[];
}

/** Connections to a database. */
export interface PoolUse {
  readonly total: number;
  readonly idle: number;
  /** Those who wait for one. */
  readonly waiting: number;
}

/**
 * An open database. Booleans are `true`/`false`, timestamps are RFC 3339 texts (`2026-11-23T12:00:00.000Z`) and
 * identities are numbers, on both databases, in parameters and in rows.
 *
 * Every method fails with DoorwardError `database_unavailable` when the database is away, locked, full or read-only.
 */
export interface Database {
  /** Reading outside a transaction. On SQLite this connection refuses to write. */
  readonly read: Kysely<Tables>;

  /**
   * The same for what looks through many rows: on SQLite threads do it, so that the event loop goes on, and several reads run at
   * the same time. A thread costs memory and a start, so that a short read is better done by `read`.
   */
  readonly longRead: Kysely<Tables>;

  /**
   * Runs `work` in one transaction and commits it durably before it returns. `work` may be run again when the
   * database asks for it (deadlock, serialization failure, a lock that another process holds), so it must do nothing
   * but query: no hashing, no mail, no network. A connection lost during COMMIT is not retried.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;

  /**
   * The same for a single statement, which is a transaction by itself: on PostgreSQL one round trip instead of three.
   */
  write<T>(statement: (db: Kysely<Tables>) => Promise<T>): Promise<T>;

  /** Makes transactions that name the same lock run one after the other, across processes, until they end. */
  lock(tx: Transaction, name: string): Promise<void>;

  /**
   * Locks one row of `table` whose `column` has one of `values`, any that nobody else holds, until the transaction ends, and
   * returns it as it is by then. When all are held it waits for one. For what many writers keep in several places, so that
   * they need not queue.
   */
  lockAnyRow<Name extends keyof Tables & string>(
    tx: Transaction,
    table: Name,
    column: keyof Tables[Name] & string,
    values: readonly number[],
  ): Promise<Selectable<Tables[Name]> | undefined>;

  /**
   * Prepares writes that do not build on each other, for what nearly every transaction does: one round trip where that is
   * possible. What is returned runs them, each with its own parameters.
   */
  preparedWrites(
    writes: readonly CompiledQuery[],
  ): (tx: Transaction, parameters: readonly (readonly unknown[])[]) => Promise<void>;

  /**
   * A prepared read by one text key, for what every authenticated request and every refresh reads. `query` is a SELECT
   * with `key_placeholder` where the key stands, as `... where sessions.id = key_placeholder`, and must return the
   * key as column `lookup_key`. The lookups that arrive in one turn of the event loop are carried out together.
   */
  keyedRead<Row>(query: string): (key: string) => Promise<Row | undefined>;

  /**
   * The first `length` rows of several selections, each of which an index yields in `order`: merged without reading more
   * of any than it takes.
   */
  mergeRanges<Row>(
    ranges: readonly Expression<Row>[],
    order: Expression<unknown>,
    length: number,
  ): RawBuilder<Row>;

  /**
   * The rows of `table` whose `column` contains `text` (3 or more code points, compared as it is), by the substringIndex.
   * Like what is `fenced`, it is read by this condition, whatever order or filter is put on top of it.
   */
  matching(table: string, column: string, text: string): RawBuilder<unknown>;

  /** The same with a first look at how many there are. */
  findMatches(table: string, column: string, text: string): Promise<Matches>;

  /** Whether `matching` yields rows by their id, up or down, so that a page in this order reads no more than it takes. */
  readonly matchesById: boolean;

  /** Whether a row matches, as a condition. For walking the table in some order, where a match comes soon. */
  contains(table: string, column: string, text: string): Expression<SqlBool>;

  /** A selection that is read by its own conditions, whatever order or filter is put on top of it. */
  fenced<Row>(selection: Expression<Row>): RawBuilder<Row>;

  /**
   * About how many rows a selection has, more cheaply than it is read: as the planner estimates it, or, where it does not,
   * counted up to `most`. 0 only when there are none.
   */
  estimateRows(selection: Expression<unknown>, most: number): Promise<number>;

  /** How the connections are used just now; undefined on SQLite, which has no pool of them. */
  readonly pool: PoolUse | undefined;

  /**
   * Notes in `tx` that what it deletes is to be unreadable in the database's own files as well. Once it is over, SQLite's
   * log of writes is emptied in the background, as soon as nobody reads what was there before; `tidy` does the rest.
   * PostgreSQL's vacuum comes by itself.
   */
  scrub(tx: Transaction): Promise<void>;

  /** Finishes what `scrub` noted, as far as that does not hold up others. To be called now and then. */
  tidy(): Promise<void>;

  /** The present time by the database's clock, as a value of a `timestamp`. */
  readonly now: RawBuilder<string>;

  /** Answers when the database answers. */
  ping(): Promise<void>;

  /** Makes the ids that `table` gives from now on greater than `id`; they never become smaller. */
  raiseIdentity(tx: Transaction, table: string, id: number): Promise<void>;

  /** Applies what is missing, once, however many processes start together. Refuses a database that a newer version made. */
  migrate(migrations: readonly Migration[]): Promise<readonly PendingMigration[]>;

  /** What `migrate` would apply. Writes nothing. */
  pendingMigrations(migrations: readonly Migration[]): Promise<readonly PendingMigration[]>;

  close(): Promise<void>;
}
