import { closeSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import {
  CompiledQuery,
  type Expression,
  type Kysely,
  type RawBuilder,
  type Selectable,
  type SqlBool,
  sql,
} from 'kysely';
import { DoorwardError } from '../errors.ts';
import { Checkpointer } from './checkpointer.ts';
import type { Database, Ddl, Matches, Migration, PendingMigration, Tables, Transaction } from './database.ts';
import { databaseError } from './database-errors.ts';
import { shareReads } from './keyed-reads.ts';
import { applyMigrations, type MigrationDialect, missingMigrations, spellOut } from './migrate.ts';
import { Mutex } from './mutex.ts';
import { giveToOwnerOf, makeFolderOf } from './ownership.ts';
import { ReadThreads } from './read-threads.ts';
import {
  createKysely,
  fileStates,
  SqliteConnection,
  SqliteDriver,
  type SqliteOptions,
  untilUnlocked,
} from './sqlite-connection.ts';
import { openReader } from './sqlite-statements.ts';
import { WalSync } from './wal-sync.ts';

/** A migration of a large table takes its time, and the processes that start beside it wait for it. */
const MIGRATION_WAIT_MS = 300_000;
/** How much of the disk an idle log of writes may keep. */
const LOG_MAX_BYTES = 64 * 1024 * 1024;
/** How soon the log of writes is emptied after an erasure, so that several share it, and how long between two tries. */
const SCRUB_DELAY_MS = 50;
const SCRUB_LONGEST_DELAY_MS = 60_000;
/** So many matches of a text are looked for before anything else. Where there are more, they tell how many there are about. */
const FIRST_MATCHES = 2_000;
const noMatches = { found: 0, first: 0, reach: 0, last: 0, ids: '[]' };
/**
 * In so many runs of ids more matches are gathered, by several threads at the same time: more than there are threads, because most of
 * them may be among the newest rows.
 */
const RUNS = 4;
/** A file up to this size is rewritten within some tenths of a second; writers wait for it. */
const REWRITE_MAX_BYTES = 16 * 1024 * 1024;

const ddl: Ddl = {
  identity: 'integer primary key autoincrement',
  integer: 'integer',
  boolean: 'boolean',
  text: 'text',
  timestamp: 'text',
  now: "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
  clustered: 'without rowid',
  substringIndex(table, column) {
    const index = substringIndexName(table, column);
    const forget = `insert into ${index} (${index}, rowid, ${column}) values ('delete', old.id, old.${column});`;
    const enter = `insert into ${index} (rowid, ${column}) values (new.id, new.${column});`;
    return [
      `create virtual table ${index} using fts5(${column}, content='${table}', content_rowid='id', ` +
        `tokenize='trigram case_sensitive 1', columnsize=0)`,
      // Without it a deleted text stays readable in the index until segments happen to be merged.
      `insert into ${index} (${index}, rank) values ('secure-delete', 1)`,
      `insert into ${index} (${index}) values ('rebuild')`,
      `create trigger ${index}_insert after insert on ${table} begin ${enter} end`,
      `create trigger ${index}_delete after delete on ${table} begin ${forget} end`,
      `create trigger ${index}_update after update of id, ${column} on ${table} ` +
        `when old.${column} is not new.${column} or old.id <> new.id begin ${forget} ${enter} end`,
    ];
  },
  // FTS5 finds the first match from some id on at once, so that one index can be read in runs of ids.
  substringIndexInParts: () => [],
};

const migrationDialect: MigrationDialect = {
  ddl,
  countMigrationTables: sql`select count(*) as tables from sqlite_schema where type = 'table' and name = 'migrations'`,
  // BEGIN IMMEDIATE already lets one writer in at a time.
  lock: async () => {},
  explain: (error) => error,
};

/** Opens the SQLite file at `path`, or a database in memory. */
export function openSqlite(path: string, options: SqliteOptions): Database {
  return new SqliteDatabase(path, options);
}

class SqliteDatabase implements Database {
  readonly pool = undefined;
  readonly now = sql.raw<string>(ddl.now);
  readonly read: Kysely<Tables>;
  readonly longRead: Kysely<Tables>;
  readonly #path: string;
  readonly #options: SqliteOptions;
  readonly #write: Kysely<Tables>;
  readonly #writing = new Mutex();
  readonly #wal: WalSync;
  readonly #checkpointer: Checkpointer;
  readonly #readThreads: ReadThreads;
  #opening: Promise<Connections> | undefined;
  #connections: Connections | undefined;
  #closed = false;
  #closing: Promise<void> | undefined;
  #scrubTimer: NodeJS.Timeout | undefined;

  constructor(path: string, options: SqliteOptions) {
    this.#path = path;
    this.#options = options;
    this.#write = this.#writeWithin(options.waitMs);
    this.#wal = new WalSync(
      // Beside the file that the path leads to, where that is a link.
      async () => `${(await this.#open()).writer.file}-wal`,
      (work) => this.#inTurn((writer) => writer.alone(work)),
    );
    const file = () => this.#connections?.writer.file ?? path;
    this.#checkpointer = new Checkpointer({
      file,
      readProgress: async () => (await this.#open()).reader.progress,
      whileQuiet: (work) => this.#whileQuiet(work),
      isLogWhole: () => !this.#wal.hasFailed,
      onError: options.onError,
    });
    const open = async () => (await this.#open()).reader;
    // One connection for all: a read that did not wait for its turn would see what is not committed.
    const turns = this.#inMemory ? { turns: this.#writing } : {};
    this.read = createKysely(new SqliteDriver({ open, ...turns, ...options }));
    this.#readThreads = new ReadThreads({ file, open, ...options });
    this.longRead = this.#inMemory ? this.read : createKysely(this.#readThreads);
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#commit(work);
  }

  write<T>(statement: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    return this.#commit(statement);
  }

  async #commit<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const result = await this.#write.transaction().execute(work);
    // By now others see it, and may build on it: what they commit stands behind it in the log, and is not durable before it.
    await this.#settle();
    return result;
  }

  async lock(): Promise<void> {
    // BEGIN IMMEDIATE already lets one writer in at a time.
  }

  async lockAnyRow<Name extends keyof Tables & string>(
    tx: Transaction,
    table: Name,
    column: keyof Tables[Name] & string,
    values: readonly number[],
  ) {
    const among = values.map(() => '?').join(', ');
    const { rows } = await tx.executeQuery<Selectable<Tables[Name]>>(
      CompiledQuery.raw(`select * from "${table}" where "${column}" in (${among}) limit 1`, [...values]),
    );
    return rows[0];
  }

  preparedWrites(writes: readonly CompiledQuery[]) {
    return async (tx: Transaction, parameters: readonly (readonly unknown[])[]) => {
      for (const [index, { sql }] of writes.entries()) {
        await tx.executeQuery(CompiledQuery.raw(sql, [...(parameters[index] ?? [])]));
      }
    };
  }

  keyedRead<Found>(query: string): (key: string) => Promise<Found | undefined> {
    // The planner looks at the value of a bare parameter in a join, and so prepares the statement again for each key;
    // at that of an expression it does not look.
    const text = query.replace('key_placeholder', '+?');
    if (this.#inMemory) {
      return async (key) => (await this.read.executeQuery<Found>(CompiledQuery.raw(text, [key]))).rows[0];
    }
    return shareReads(this.#options.waitMs, async (keys) => {
      const { reader } = await this.#open();
      return reader.getEach<Found>(text, keys);
    });
  }

  mergeRanges<Found>(ranges: readonly Expression<Found>[], order: Expression<unknown>, length: number) {
    const union = sql.join(
      ranges.map((range) => sql`select * from (${range})`),
      sql` union all `,
    );
    return sql<Found>`(select * from (${union}) order by ${order} limit ${length})`;
  }

  matching(table: string, column: string, text: string): RawBuilder<unknown> {
    return rowsOf(table, matchingIds(table, column, text));
  }

  readonly matchesById = true;

  async findMatches(table: string, column: string, text: string): Promise<Matches> {
    const { rows } = await sql<{ found: number; first: number; reach: number; last: number; ids: string }>`
      select count(*) as found, min(id) as first, max(id) as reach, json_group_array(id) as ids,
        (select max(id) from ${sql.table(table)}) as last
      from (${matchingIds(table, column, text)} order by id limit ${FIRST_MATCHES})`.execute(this.longRead);
    const { found, first, reach, last, ids } = rows[0] ?? noMatches;
    if (found === 0) return { about: 0, parts: [] };
    if (found < FIRST_MATCHES) {
      // Looking for them once more would take as long as it took.
      const known = sql`select * from ${rowsOf(table, sql`select value as id from json_each(${ids})`)}
        as ${sql.table(table)} where ${this.contains(table, column, text)}`;
      return { about: found, parts: [this.fenced(known)] };
    }
    const about = Math.round((found * (last - first + 1)) / (reach - first + 1));
    if (this.#inMemory) return { about, parts: [] };
    const parts = runsOf(first, last).map((run) => rowsOf(table, matchingIds(table, column, text, run)));
    return { about, parts };
  }

  contains(table: string, column: string, text: string): Expression<SqlBool> {
    return sql`instr(${sql.ref(`${table}.${column}`)}, ${text}) > 0`;
  }

  async scrub(tx: Transaction): Promise<void> {
    await sql`pragma user_version = ${sql.lit(fileStates.toRewrite)}`.execute(tx);
    this.#scrubIn(SCRUB_DELAY_MS);
  }

  async tidy(): Promise<void> {
    if (!this.#inMemory) await this.#rewrite(REWRITE_MAX_BYTES);
  }

  async #settle(): Promise<void> {
    if (this.#inMemory) return;
    try {
      await this.#wal.settle();
    } catch (cause) {
      const reason = 'what was committed may not be on disk';
      throw new DoorwardError('database_unavailable', { reason, cause });
    }
    this.#checkpointer.consider();
  }

  /** False while somebody reads from the log, and while it may have a gap. */
  #emptyLog(writer: SqliteConnection): boolean {
    return !this.#wal.hasFailed && writer.emptyLog();
  }

  #scrubIn(ms: number): void {
    if (this.#inMemory || this.#closing !== undefined || this.#scrubTimer !== undefined) return;
    const again = () => this.#scrubIn(Math.min(2 * ms, SCRUB_LONGEST_DELAY_MS));
    this.#scrubTimer = setTimeout(() => {
      this.#scrubTimer = undefined;
      this.#whileQuiet((writer) => this.#emptyLog(writer)).then(
        (isEmpty) => isEmpty || again(),
        (error) => {
          this.#options.onError(error);
          again();
        },
      );
    }, ms);
    this.#scrubTimer.unref();
  }

  /** Rewrites the file where that is asked for and it is not too large, and empties the log. */
  async #rewrite(maxBytes: number): Promise<void> {
    if ((await this.#open()).writer.fileState !== fileStates.toRewrite) return;
    await this.#whileQuiet((writer) => {
      if (this.#emptyLog(writer) && statSync(this.#path).size <= maxBytes) writer.rewrite();
    });
  }

  /** While nobody of this process writes or reads. */
  #whileQuiet<T>(work: (writer: SqliteConnection) => T | Promise<T>): Promise<T> {
    return this.#readThreads.pause(() => this.#inTurn(work));
  }

  /** While nobody of this process writes. */
  async #inTurn<T>(work: (writer: SqliteConnection) => T | Promise<T>): Promise<T> {
    const { writer } = await this.#open();
    await this.#writing.acquire(this.#options.waitMs);
    try {
      return await work(writer);
    } catch (error) {
      throw databaseError(error);
    } finally {
      this.#writing.release();
    }
  }

  fenced<Found>(selection: Expression<Found>): RawBuilder<Found> {
    // What has a limit is not merged into what is around it.
    return sql<Found>`(select * from (${selection}) limit -1)`;
  }

  async estimateRows(selection: Expression<unknown>, most: number): Promise<number> {
    const { rows } = await sql<{ found: number }>`select count(*) as found
      from (select 1 from (${selection}) limit ${most})`.execute(this.longRead);
    return rows[0]?.found ?? 0;
  }

  async ping(): Promise<void> {
    await sql`select 1 from sqlite_schema limit 1`.execute(this.read);
  }

  async raiseIdentity(tx: Transaction, table: string, id: number): Promise<void> {
    // A table that never had a row has none in sqlite_sequence either.
    await sql`insert into sqlite_sequence (name, seq) select ${table}, 0
      where not exists (select 1 from sqlite_sequence where name = ${table})`.execute(tx);
    await sql`update sqlite_sequence set seq = max(seq, cast(${id} as integer)) where name = ${table}`.execute(
      tx,
    );
  }

  async migrate(migrations: readonly Migration[]): Promise<readonly PendingMigration[]> {
    const isNew = (await this.pendingMigrations(migrations)).length === migrations.length;
    const applied = await applyMigrations(this.#writeWithin(MIGRATION_WAIT_MS), migrationDialect, migrations);
    if (this.#inMemory) return applied;
    await this.#settle();
    const note = () => this.#inTurn((writer) => writer.noteState(fileStates.rewritten));
    if (isNew) await note().catch(this.#options.onError);
    // An upgrade takes its time, and may be the first start that overwrites what it deletes.
    else if (applied.length > 0) await this.#rewrite(Number.POSITIVE_INFINITY).catch(this.#options.onError);
    // What a crash left of an erasure.
    else if ((await this.#open()).writer.fileState === fileStates.toRewrite) this.#scrubIn(SCRUB_DELAY_MS);
    return applied;
  }

  async pendingMigrations(migrations: readonly Migration[]): Promise<readonly PendingMigration[]> {
    // Other than `existsSync` it tells of a folder that may not be looked into.
    const isThere = this.#inMemory || statSync(this.#path, { throwIfNoEntry: false }) !== undefined;
    if (!isThere) return spellOut(migrations, ddl);
    return missingMigrations(this.read, migrationDialect, migrations);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#scrubTimer);
    if (!this.#inMemory) await this.#readThreads.close();
    await this.#checkpointer.close();
    if (this.#connections !== undefined) await this.tidy().catch(this.#options.onError);
    if (this.#wal.hasFailed) await this.#settle().catch(this.#options.onError);
    this.#closed = true;
    await this.#writing.acquire(this.#options.waitMs).catch(this.#options.onError);
    const connections = await this.#opening?.catch(() => undefined);
    await this.#wal.close().catch(this.#options.onError);
    connections?.reader.close();
    connections?.writer.close();
    // Whoever still waits for a turn learns at once that there is nothing left to wait for.
    this.#writing.release();
  }

  get #inMemory(): boolean {
    return this.#path === ':memory:';
  }

  #writeWithin(waitMs: number): Kysely<Tables> {
    const open = async () => (await this.#open()).writer;
    return createKysely(new SqliteDriver({ open, turns: this.#writing, ...this.#options, waitMs }));
  }

  #open(): Promise<Connections> {
    if (this.#closed)
      return Promise.reject(databaseError(new TypeError('The database connection is not open')));
    this.#opening ??= openConnections(this.#path, this.#options.waitMs).then(
      (connections) => {
        this.#connections = connections;
        return connections;
      },
      (error) => {
        this.#opening = undefined;
        throw error;
      },
    );
    return this.#opening;
  }
}

/** Reading over a connection that somebody else opened and closes. */
export function readThrough(handle: BetterSqlite3.Database, options: SqliteOptions): Kysely<Tables> {
  const connection = new SqliteConnection(handle, true, options.waitMs);
  return createKysely(new SqliteDriver({ open: async () => connection, ...options }));
}

interface Connections {
  readonly reader: SqliteConnection;
  readonly writer: SqliteConnection;
}

async function openConnections(path: string, waitMs: number): Promise<Connections> {
  const deadline = performance.now() + waitMs;
  if (path === ':memory:') {
    const handle = new BetterSqlite3(path);
    configure(handle);
    handle.pragma('secure_delete = on');
    return {
      reader: new SqliteConnection(handle, true, waitMs),
      writer: new SqliteConnection(handle, false, waitMs),
    };
  }
  return untilUnlocked(deadline, () => {
    try {
      makeFolderOf(path);
      createPrivately(path);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new DoorwardError('database_unavailable', { reason, cause });
    }
    // better-sqlite3 waits synchronously, so SQLite itself must not wait for locks: `untilUnlocked` does.
    const writer = new BetterSqlite3(path, { timeout: 0 });
    try {
      writer.pragma('journal_mode = wal');
      configure(writer);
      // What is deleted is overwritten, not only forgotten.
      writer.pragma('secure_delete = on');
      // The `Checkpointer` does it. What the log was longer for a while than it has to be is given back.
      writer.pragma('wal_autocheckpoint = 0');
      writer.pragma(`journal_size_limit = ${LOG_MAX_BYTES}`);
      return {
        reader: new SqliteConnection(openReader(path), true, waitMs),
        writer: new SqliteConnection(writer, false, waitMs),
      };
    } catch (error) {
      writer.close();
      throw error;
    }
  });
}

/**
 * Makes an empty file that only its owner can read, unless there is one. An existing one is not opened: closing it would
 * drop the locks that this process may hold on it through other connections (SQLite, "How To Corrupt", 2.2).
 */
function createPrivately(path: string): void {
  try {
    closeSync(openSync(path, 'ax', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return;
  }
  giveToOwnerOf([dirname(path)], path);
}

function configure(handle: BetterSqlite3.Database): void {
  // And `WalSync` syncs each commit, which makes it `full`.
  handle.pragma('synchronous = normal');
  handle.pragma('foreign_keys = on');
  handle.pragma('trusted_schema = off');
}

/** The rows with these ids, in their order. */
function rowsOf(table: string, ids: Expression<unknown>): RawBuilder<unknown> {
  // CROSS JOIN, or the planner would rather read the table in the order asked for and look each row up in the index. With
  // USING the id is that of the index, in whose order it is read.
  return sql`(select * from (${ids}) as matches cross join ${sql.table(table)} using (id))`;
}

/** The ids of matching rows, in their order, up or down. */
function matchingIds(table: string, column: string, text: string, run?: Run): RawBuilder<{ id: number }> {
  const index = sql.table(substringIndexName(table, column));
  const phrase = `"${text.replaceAll('"', '""')}"`;
  // FTS5 makes use of integers alone, which numbers in parameters are not.
  const isInRun =
    run && sql`and rowid between cast(${run.first} as integer) and cast(${run.last} as integer)`;
  return sql`select rowid as id from ${index} where ${index} match ${phrase} ${isInRun ?? sql``}`;
}

interface Run {
  readonly first: number;
  readonly last: number;
}

/** Divides ids from one on, up to another. */
function runsOf(first: number, last: number): Run[] {
  const length = Math.ceil((last - first + 1) / RUNS);
  return Array.from({ length: RUNS }, (_, index) => ({
    first: first + index * length,
    last: first + (index + 1) * length - 1,
  }));
}

function substringIndexName(table: string, column: string): string {
  return `${table}_${column}_substring`;
}
