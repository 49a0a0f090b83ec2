import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type BetterSqlite3 from 'better-sqlite3';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import type { Tables } from './database.ts';
import { databaseError, isLocked } from './database-errors.ts';
import { type Mutex, TURN_MS } from './mutex.ts';
import { needsTransaction, restoreBooleans, SqliteStatements } from './sqlite-statements.ts';

export interface SqliteOptions {
  readonly waitMs: number;
  readonly onError: (error: unknown) => void;
}

/**
 * The file's `user_version`: whether something deleted may still be readable in it. `secure_delete` overwrites what is
 * deleted, and pages that become free, but not the copies that SQLite leaves in the gaps of a page when it divides one; nor
 * what was deleted before it was on. Only rewriting the file does.
 */
export const fileStates = { toRewrite: 0, rewritten: 1 };

/** What `pragma wal_checkpoint` answers: whether somebody was in its way, pages in the log, and how many the database has. */
export interface CheckpointProgress {
  readonly busy: number;
  readonly log: number;
  readonly checkpointed: number;
}

/** A statement that meets a lock was not run. It is tried again from a timer, so that the event loop goes on. */
export async function untilUnlocked<T>(deadline: number, attempt: () => T | Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!isLocked(error) || performance.now() >= deadline) throw databaseError(error);
    }
    await sleep(1 + Math.random() * 9);
  }
}

/** One connection with its prepared statements. */
export class SqliteConnection implements DatabaseConnection {
  readonly #handle: BetterSqlite3.Database;
  readonly #readOnly: boolean;
  readonly #waitMs: number;
  readonly #statements: SqliteStatements;
  /** Counts transactions. */
  #transaction = 0;
  /** When the present turn of a transaction began, on the clock of `performance.now()`. */
  #turnBegan = 0;

  constructor(handle: BetterSqlite3.Database, readOnly: boolean, waitMs: number) {
    this.#handle = handle;
    this.#readOnly = readOnly;
    this.#waitMs = waitMs;
    this.#statements = new SqliteStatements(handle, readOnly);
  }

  get inTransaction(): boolean {
    return this.#handle.inTransaction;
  }

  async begin(deadline: number): Promise<void> {
    await untilUnlocked(deadline, () => this.#statements.prepare('begin immediate').statement.run());
    this.#transaction++;
    this.#turnBegan = performance.now();
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (!this.#readOnly && this.inTransaction) await this.#takeTurn();
    const parameters = sqliteValues(query.parameters);
    return untilUnlocked(performance.now() + this.#waitMs, () => {
      const { statement } = this.#statements.prepare(query.sql);
      if (!statement.readonly && !this.inTransaction) throw new Error(needsTransaction);
      if (!statement.reader)
        return { rows: [], numAffectedRows: BigInt(statement.run(...parameters).changes) };
      return { rows: this.#statements.all(query.sql, parameters) as R[] };
    });
  }

  /**
   * Gives way where the transaction has held the event loop long enough: SQLite answers at once, so that it would be a single
   * turn, however many statements it has. A statement that nobody waited for is not run in somebody else's transaction.
   */
  async #takeTurn(): Promise<void> {
    if (performance.now() - this.#turnBegan <= TURN_MS) return;
    const transaction = this.#transaction;
    await nextTurn();
    if (this.#transaction !== transaction) throw new Error('The transaction is over');
    this.#turnBegan = performance.now();
  }

  /** The first row for each key that has one. */
  getEach<Found>(text: string, keys: readonly string[]): Promise<Map<string, Found>> {
    return untilUnlocked(performance.now() + this.#waitMs, () => {
      const { statement, booleans } = this.#statements.prepare(text);
      const found = new Map<string, Found>();
      for (const key of keys) {
        const row = statement.get(key);
        if (row === undefined) continue;
        restoreBooleans(row, booleans);
        found.set(key, row as Found);
      }
      return found;
    });
  }

  // biome-ignore lint/correctness/useYield: an iterator that is never had
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new Error('Streaming would hold the connection of all readers');
  }

  /** The file's path, links resolved. */
  get file(): string {
    const [main] = this.#handle.pragma('database_list') as { file: string }[];
    return main?.file ?? '';
  }

  /** Runs the work while no other connection writes, of any process. */
  async alone<T>(work: () => T | Promise<T>): Promise<T> {
    await untilUnlocked(performance.now() + this.#waitMs, () => this.#handle.exec('begin immediate'));
    try {
      return await work();
    } finally {
      this.#handle.exec('rollback');
    }
  }

  /** How far the log of writes was written into the database. Its pages count until it begins anew. */
  get progress(): CheckpointProgress {
    return this.#checkpoint('noop');
  }

  /** Writes what the log of writes has into the database, as far as nobody reads what was before. */
  writeLogBack(): void {
    this.#checkpoint('passive');
  }

  /** Writes the log into the database and empties it. False while somebody reads from it. */
  emptyLog(): boolean {
    return this.#checkpoint('truncate').busy === 0;
  }

  #checkpoint(mode: 'noop' | 'passive' | 'truncate'): CheckpointProgress {
    const [progress] = this.#handle.pragma(`wal_checkpoint(${mode})`) as CheckpointProgress[];
    return progress ?? { busy: 1, log: 0, checkpointed: 0 };
  }

  get fileState(): number {
    return this.#handle.pragma('user_version', { simple: true }) as number;
  }

  noteState(state: number): void {
    this.#handle.pragma(`user_version = ${state}`);
  }

  /** Writes the whole database anew, without what was deleted. */
  rewrite(): void {
    this.#handle.exec('vacuum');
    this.noteState(fileStates.rewritten);
    this.emptyLog();
  }

  close(): void {
    this.#handle.close();
  }
}

/** SQLite has no booleans, but numbers in their place. */
export function sqliteValues(parameters: readonly unknown[]): unknown[] {
  return parameters.map((value) => (typeof value === 'boolean' ? Number(value) : value));
}

interface SqliteDriverOptions extends SqliteOptions {
  readonly open: () => Promise<SqliteConnection>;
  /** Whoever shares the connection takes turns. Without it queries of several callers mix, one statement each. */
  readonly turns?: Mutex;
}

export function createKysely(driver: Driver): Kysely<Tables> {
  return new Kysely<Tables>({
    dialect: {
      createDriver: () => driver,
      createAdapter: () => new UnqueuedSqliteAdapter(),
      createQueryCompiler: () => new SqliteQueryCompiler(),
      createIntrospector: (db) => new SqliteIntrospector(db),
    },
  });
}

/** Kysely's own queue has no time limit; the driver's has. */
class UnqueuedSqliteAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

export class SqliteDriver implements Driver {
  readonly #options: SqliteDriverOptions;
  #connection: SqliteConnection | undefined;
  /** Until when whoever has the turn may wait, counted from when they asked for it. */
  #deadline = 0;

  constructor(options: SqliteDriverOptions) {
    this.#options = options;
  }

  async init(): Promise<void> {
    this.#connection = await this.#options.open();
  }

  async acquireConnection(): Promise<SqliteConnection> {
    const deadline = performance.now() + this.#options.waitMs;
    await this.#options.turns?.acquire(this.#options.waitMs);
    this.#deadline = deadline;
    if (this.#connection === undefined) throw new Error('The driver is not initialised');
    return this.#connection;
  }

  async beginTransaction(connection: SqliteConnection): Promise<void> {
    // One that could not be rolled back may still be open.
    await this.rollbackTransaction(connection);
    await connection.begin(this.#deadline);
  }

  async commitTransaction(connection: SqliteConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'));
  }

  async rollbackTransaction(connection: SqliteConnection): Promise<void> {
    try {
      // SQLite has already rolled back after some errors (disk full, input/output).
      if (connection.inTransaction) await connection.executeQuery(CompiledQuery.raw('rollback'));
    } catch (error) {
      // The caller is to learn the first error, not this one.
      this.#options.onError(error);
    }
  }

  async releaseConnection(): Promise<void> {
    this.#options.turns?.release();
  }

  async destroy(): Promise<void> {}
}
