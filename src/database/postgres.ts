import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AbortedTransactionError,
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  type Expression,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
  type RawBuilder,
  type Selectable,
  type SqlBool,
  sql,
} from 'kysely';
import type pg from 'pg';
import { DoorwardError } from '../errors.ts';
import type {
  Database,
  Ddl,
  Matches,
  Migration,
  PendingMigration,
  PoolUse,
  Tables,
  Transaction,
} from './database.ts';
import { databaseError, isMerelyRefused, isRetryable, isStalePlan } from './database-errors.ts';
import { shareReads } from './keyed-reads.ts';
import { applyMigrations, type MigrationDialect, missingMigrations } from './migrate.ts';
import { PreparedStatements } from './prepared-statements.ts';

export interface PostgresOptions {
  readonly poolSize: number;
  readonly waitMs: number;
  readonly onError: (error: unknown) => void;
}

const STATEMENT_TIMEOUT_MS = 10_000;
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000;
const TRANSACTION_ATTEMPTS = 5;

/** By this the rows are in one part of a substringIndex or the other: every other run of so many, which lie apart in the table. */
const PART_OF_ID = '(id & 4096)';
const PARTS = [`${PART_OF_ID} = 0`, `${PART_OF_ID} <> 0`];

const likePattern = (text: string) => `%${text.replaceAll(/[\\%_]/g, '\\$&')}%`;

const ddl: Ddl = {
  identity: 'bigint generated always as identity primary key',
  integer: 'bigint',
  boolean: 'boolean',
  text: 'text collate "C"',
  timestamp: 'timestamptz',
  now: "date_trunc('milliseconds', now())",
  clustered: '',
  substringIndex: (table, column) => [
    'create extension if not exists pg_trgm',
    // fastupdate would leave new rows in a list that every search must scan, and make one sign-up pay for thousands.
    `create index ${table}_${column}_substring on ${table} using gin ` +
      `(${column} gin_trgm_ops) with (fastupdate = off)`,
    // How common a text is, is estimated from a sample. Of the default one 3 % is three rows, give or take two.
    `alter table ${table} alter column ${column} set statistics 2000`,
  ],
  substringIndexInParts: (table, column) => [
    `drop index ${table}_${column}_substring`,
    ...PARTS.map(
      (condition, index) =>
        `create index ${table}_${column}_substring_${index} on ${table} using gin ` +
        `(${column} gin_trgm_ops) with (fastupdate = off) where ${condition}`,
    ),
    // Or the planner would take a part for half a percent of the table.
    `create statistics ${table}_${column}_part on ${PART_OF_ID} from ${table}`,
  ],
};

const migrationDialect: MigrationDialect = {
  ddl,
  countMigrationTables: sql`select count(*) as tables from pg_catalog.pg_class where oid = to_regclass('migrations')`,
  lock: (tx) => lock(tx, 'migrations'),
  explain(error, statement) {
    if (!statement.startsWith('create extension') || databaseError(error) !== error) return error;
    const reason = error instanceof Error ? error.message : String(error);
    return new Error(
      `The extension pg_trgm could not be created (${reason}). As a superuser run CREATE EXTENSION pg_trgm; in this ` +
        'database (package postgresql-contrib has it), then start again',
      { cause: error },
    );
  },
};

/** Opens the PostgreSQL database that `url` names. */
export function openPostgres(url: string, options: PostgresOptions): Database {
  return new PostgresDatabase(url, options);
}

class PostgresDatabase implements Database {
  readonly read: Kysely<Tables>;
  readonly longRead: Kysely<Tables>;
  readonly now = sql.raw<string>(ddl.now);
  readonly #url: string;
  readonly #options: PostgresOptions;
  readonly #pool: pg.Pool;
  readonly #prepared = new PreparedStatements();
  #closing: Promise<void> | undefined;

  constructor(url: string, options: PostgresOptions) {
    this.#url = url;
    this.#options = options;
    this.#pool = createPool(url, STATEMENT_TIMEOUT_MS, options);
    this.read = createKysely(this.#pool, this.#prepared, options.onError);
    this.longRead = this.read;
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#untilDecided(() => this.read.transaction().execute(work));
  }

  write<T>(statement: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    return this.#untilDecided(() => statement(this.read));
  }

  /** Runs it again when the database asks for that, having undone it. */
  async #untilDecided<T>(run: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await run();
      } catch (error) {
        if (!isRetryable(error)) throw error;
        if (attempt === TRANSACTION_ATTEMPTS)
          throw new DoorwardError('database_unavailable', { cause: error });
      }
      await sleep(Math.random() * 10 * 2 ** attempt);
    }
  }

  lock(tx: Transaction, name: string): Promise<void> {
    return lock(tx, name);
  }

  async lockAnyRow<Name extends keyof Tables & string>(
    tx: Transaction,
    table: Name,
    column: keyof Tables[Name] & string,
    values: readonly number[],
  ) {
    const any = `select * from "${table}" where "${column}" = any($1) order by random() limit 1 for update`;
    for (const text of [`${any} skip locked`, any]) {
      // A row that changed since the statement began is returned as it has become (READ COMMITTED).
      const { rows } = await tx.executeQuery<Selectable<Tables[Name]>>(
        CompiledQuery.raw(text, [[...values]]),
      );
      if (rows[0] !== undefined) return rows[0];
    }
    return undefined;
  }

  preparedWrites(writes: readonly CompiledQuery[]) {
    let count = 0;
    const texts = writes.map(({ sql, parameters }) => {
      const before = count;
      count += parameters.length;
      return sql.replaceAll(/\$(\d+)/g, (_, number) => `$${before + Number(number)}`);
    });
    const last = texts.pop();
    const others = texts.map((text, index) => `write_${index} as (${text})`);
    const text = others.length === 0 ? String(last) : `with ${others.join(', ')} ${last}`;
    return async (tx: Transaction, parameters: readonly (readonly unknown[])[]) => {
      await tx.executeQuery(CompiledQuery.raw(text, parameters.flat()));
    };
  }

  keyedRead<Row>(query: string): (key: string) => Promise<Row | undefined> {
    const text = query.replace(/=\s*key_placeholder/, '= any($1)');
    if (text === query) throw new Error('A keyed read needs `= key_placeholder`');
    const readOnce = async (keys: string[]): Promise<Map<string, Row>> => {
      const client = await connect(this.#pool);
      const name = this.#prepared.nameOf(text);
      try {
        const { rows } = await client.query({ name, text, values: [keys] });
        client.release();
        return new Map(rows.map((row) => [row.lookup_key, row]));
      } catch (error) {
        client.release(!isMerelyRefused(error));
        if (isStalePlan(error)) this.#prepared.forget(name);
        throw databaseError(error);
      }
    };
    return shareReads(this.#options.waitMs, (keys) => this.#untilDecided(() => readOnce(keys)));
  }

  mergeRanges<Row>(ranges: readonly Expression<Row>[], order: Expression<unknown>, length: number) {
    // With a limit of its own each range is read in order; without, the planner would rather sort them all.
    const union = sql.join(
      ranges.map((range) => sql`(select * from (${range}) as range order by ${order} limit ${length})`),
      sql` union all `,
    );
    return sql<Row>`(select * from (${union}) as ranges order by ${order} limit ${length})`;
  }

  matching(table: string, column: string, text: string): RawBuilder<unknown> {
    return this.fenced(sql.join(this.#partsOfMatches(table, column, text), sql` union all `));
  }

  #partsOfMatches(table: string, column: string, text: string): RawBuilder<unknown>[] {
    // What has no trigram is found by reading the table, which the first part does and no other. The planner works that out
    // beforehand, so that what is left is the condition of the index.
    const hasTrigram = sql`show_trgm(${text}) <> '{}'`;
    return PARTS.map((part, index) => {
      const condition = sql.raw(part);
      const isIn =
        index === 0 ? sql`(${condition} or not ${hasTrigram})` : sql`${condition} and ${hasTrigram}`;
      return sql`select * from ${sql.table(table)} where ${isIn} and ${this.contains(table, column, text)}`;
    });
  }

  readonly matchesById = false;

  async findMatches(table: string, column: string, text: string): Promise<Matches> {
    const about = await this.estimateRows(
      sql`select id from ${sql.table(table)} where ${this.contains(table, column, text)}`,
    );
    const parts = this.#partsOfMatches(table, column, text).map((part) => this.fenced(part));
    return { about, parts };
  }

  contains(table: string, column: string, text: string): Expression<SqlBool> {
    return sql`${sql.ref(`${table}.${column}`)} like ${likePattern(text)}`;
  }

  fenced<Row>(selection: Expression<Row>): RawBuilder<Row> {
    // What has an offset is not merged into what is around it. A materialized CTE would copy every row besides.
    return sql<Row>`(select * from (${selection}) as selection offset 0)`;
  }

  async estimateRows(selection: Expression<unknown>): Promise<number> {
    const { rows } = await sql<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>`
      explain (format json) ${selection}`.execute(this.read);
    return rows[0]?.['QUERY PLAN'][0].Plan['Plan Rows'] ?? 0;
  }

  get pool(): PoolUse {
    const { totalCount: total, idleCount: idle, waitingCount: waiting } = this.#pool;
    return { total, idle, waiting };
  }

  async scrub(): Promise<void> {}

  async tidy(): Promise<void> {}

  async ping(): Promise<void> {
    await sql`select 1`.execute(this.read);
  }

  async raiseIdentity(tx: Transaction, table: string, id: number): Promise<void> {
    const sequence = sql`pg_get_serial_sequence(${table}, 'id')`;
    await sql`select setval(${sequence}, ${id}) where coalesce(pg_sequence_last_value(${sequence}), 0) < ${id}`.execute(
      tx,
    );
  }

  async migrate(migrations: readonly Migration[]): Promise<readonly PendingMigration[]> {
    await assertEncoding(this.read);
    // The usual start has nothing to do, and does not wait without a limit for a server that does not answer.
    if ((await this.pendingMigrations(migrations)).length === 0) return [];
    // Indexing a large table takes longer than a request may, and so does waiting for another process that does it.
    const pool = createPool(this.#url, 0, { ...this.#options, poolSize: 1 });
    try {
      return await applyMigrations(
        createKysely(pool, new PreparedStatements(), this.#options.onError),
        migrationDialect,
        migrations,
      );
    } finally {
      await pool.end();
    }
  }

  pendingMigrations(migrations: readonly Migration[]): Promise<readonly PendingMigration[]> {
    return missingMigrations(this.read, migrationDialect, migrations);
  }

  close(): Promise<void> {
    this.#closing ??= this.#pool.end();
    return this.#closing;
  }
}

/**
 * In another encoding most of the world's names cannot be kept, which would be found out by who has one. SQL_ASCII keeps octets
 * as they are.
 */
async function assertEncoding(db: Kysely<Tables>): Promise<void> {
  const { rows } = await sql<{ server_encoding: string }>`show server_encoding`.execute(db);
  const encoding = rows[0]?.server_encoding;
  if (encoding === 'UTF8' || encoding === 'SQL_ASCII') return;
  throw new Error(
    `The database has the encoding ${encoding}: make one with ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8' TEMPLATE template0`,
  );
}

async function lock(tx: Transaction, name: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${name}, 0))`.execute(tx);
}

function createPool(
  url: string,
  statementTimeoutMs: number,
  { poolSize, waitMs, onError }: PostgresOptions,
): pg.Pool {
  // Here, and not when this file is loaded: who has SQLite need not have the driver in memory.
  const { Pool, types } = createRequire(import.meta.url)('pg') as typeof pg;
  const pool = new Pool({
    connectionString: url,
    max: poolSize,
    connectionTimeoutMillis: waitMs,
    keepAlive: true,
    application_name: 'doorward',
    types: createTypeParsers(types),
    // A server that is gone without a word answers nothing, not even that the statement took too long.
    ...(statementTimeoutMs > 0 ? { query_timeout: statementTimeoutMs + 1000 } : {}),
    onConnect: async (client) => {
      // Statements rather than start-up options: those collide with options in the URL, and poolers refuse them.
      const text =
        `set timezone = 'UTC'; set datestyle = 'ISO'; set statement_timeout = ${statementTimeoutMs}; ` +
        `set idle_in_transaction_session_timeout = ${statementTimeoutMs > 0 ? IDLE_IN_TRANSACTION_TIMEOUT_MS : 0}; ` +
        // With it off, a crash of PostgreSQL takes back what was acknowledged, and gives ids a second time.
        `select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'`;
      // Part of connecting, which the pool does not watch any more.
      const statement = { text, query_timeout: waitMs };
      await client.query(statement);
    },
  });
  // An error event that nobody hears ends the process. Each client has one listener for when it is idle and for when
  // it is in use between two queries; the pool drops it and repeats its error.
  pool.on('connect', (client) => client.on('error', onError));
  pool.on('error', () => {});
  return pool;
}

async function connect(pool: pg.Pool): Promise<pg.PoolClient> {
  try {
    return await pool.connect();
  } catch (error) {
    const classified = databaseError(error);
    if (classified !== error || !(error instanceof Error)) throw classified;
    // A database that was dropped, a role whose password was changed: whoever cannot connect cannot serve.
    throw new DoorwardError('database_unavailable', { reason: error.message, cause: error });
  }
}

function createTypeParsers(types: typeof pg.types): Pick<typeof pg.types, 'getTypeParser'> {
  const textParsers = new Map<number, (value: string) => unknown>([
    [types.builtins.INT8, Number],
    [types.builtins.TIMESTAMPTZ, toRfc3339],
  ]);
  return {
    getTypeParser: (oid: number, format?: 'text' | 'binary') =>
      (format !== 'binary' && textParsers.get(oid)) || types.getTypeParser(oid, format),
  };
}

/** `2026-11-23 12:00:00.123456+00` as `2026-11-23T12:00:00.123Z`; what has no such form (`infinity`) as it is. */
function toRfc3339(value: string): string {
  if (!/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00$/.test(value)) return value;
  return `${value.slice(0, 10)}T${value.slice(11, 19)}.${value.slice(20, -3).padEnd(3, '0').slice(0, 3)}Z`;
}

function createKysely(
  pool: pg.Pool,
  prepared: PreparedStatements,
  onError: (error: unknown) => void,
): Kysely<Tables> {
  return new Kysely<Tables>({
    dialect: {
      createDriver: () => new PostgresDriver(pool, prepared, onError),
      createAdapter: () => new PostgresAdapter(),
      createQueryCompiler: () => new PostgresQueryCompiler(),
      createIntrospector: (db) => new PostgresIntrospector(db),
    },
  });
}

class PostgresDriver implements Driver {
  readonly #pool: pg.Pool;
  readonly #prepared: PreparedStatements;
  readonly #onError: (error: unknown) => void;

  constructor(pool: pg.Pool, prepared: PreparedStatements, onError: (error: unknown) => void) {
    this.#pool = pool;
    this.#prepared = prepared;
    this.#onError = onError;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<PostgresConnection> {
    return new PostgresConnection(await connect(this.#pool), this.#prepared);
  }

  async beginTransaction(connection: PostgresConnection): Promise<void> {
    await connection.begin();
  }

  async commitTransaction(connection: PostgresConnection): Promise<void> {
    // PostgreSQL answers COMMIT with ROLLBACK when a statement failed and `work` went on as if it had not.
    if ((await connection.end('commit')).command === 'ROLLBACK') {
      throw new AbortedTransactionError();
    }
  }

  async rollbackTransaction(connection: PostgresConnection): Promise<void> {
    // Dropped, it is rolled back by PostgreSQL; one that does not answer would be waited for once more.
    if (connection.broken) return;
    try {
      await connection.end('rollback');
    } catch (error) {
      // The caller is to learn the first error, not this one.
      connection.broken = true;
      this.#onError(error);
    }
  }

  async releaseConnection(connection: PostgresConnection): Promise<void> {
    connection.release();
  }

  async destroy(): Promise<void> {}
}

class PostgresConnection implements DatabaseConnection {
  readonly #client: pg.PoolClient;
  readonly #prepared: PreparedStatements;
  /** Whether the pool is to drop the connection rather than to give it to the next one. */
  broken = false;
  /** Whether what was done on it is over, after which a statement that nobody waited for must not be run. */
  #isOver = false;
  #inTransaction = false;

  constructor(client: pg.PoolClient, prepared: PreparedStatements) {
    this.#client = client;
    this.#prepared = prepared;
  }

  async begin(): Promise<void> {
    await this.#query('begin isolation level read committed');
    this.#inTransaction = true;
  }

  /** Ends the transaction. */
  end(statement: 'commit' | 'rollback'): Promise<pg.QueryResult> {
    this.#isOver = true;
    return this.#query(statement);
  }

  async #query(text: string, values?: unknown[]): Promise<pg.QueryResult> {
    // What is read outside of transactions are also searches, which are planned best for what is searched for.
    const isOften = values !== undefined && (this.#inTransaction || /^(insert|update|delete) /.test(text));
    const name = isOften ? this.#prepared.count(text) : undefined;
    try {
      return await this.#client.query({ text, ...(values && { values }), ...(name && { name }) });
    } catch (error) {
      if (isStalePlan(error)) this.#prepared.forget(name);
      const classified = databaseError(error);
      if (classified !== error && !isMerelyRefused(error)) this.broken = true;
      throw classified;
    }
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.#isOver) throw new Error('The transaction is over');
    const { command, rowCount, rows } = await this.#query(query.sql, [...query.parameters]);
    const writes =
      command === 'INSERT' || command === 'UPDATE' || command === 'DELETE' || command === 'MERGE';
    return writes ? { rows, numAffectedRows: BigInt(rowCount ?? 0) } : { rows };
  }

  // biome-ignore lint/correctness/useYield: an iterator that is never had
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new Error('Streaming is not offered, because SQLite cannot');
  }

  release(): void {
    this.#isOver = true;
    this.#client.release(this.broken);
  }
}
