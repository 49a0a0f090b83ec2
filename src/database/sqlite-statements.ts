import BetterSqlite3 from 'better-sqlite3';

export type Row = Record<string, unknown>;

interface Prepared {
  readonly statement: BetterSqlite3.Statement<unknown[], Row>;
  /** The columns that SQLite gives as 0 and 1. */
  readonly booleans: readonly string[];
}

const STATEMENTS_KEPT = 200;
export const needsTransaction = 'Writing takes a transaction';

/** The prepared statements of a connection. */
export class SqliteStatements {
  readonly #handle: BetterSqlite3.Database;
  readonly #readOnly: boolean;
  readonly #prepared = new Map<string, Prepared>();

  constructor(handle: BetterSqlite3.Database, readOnly: boolean) {
    this.#handle = handle;
    this.#readOnly = readOnly;
  }

  prepare(text: string): Prepared {
    let prepared = this.#prepared.get(text);
    if (prepared === undefined) {
      const statement = this.#handle.prepare<unknown[], Row>(text);
      if (this.#readOnly && !statement.readonly) throw new Error(needsTransaction);
      const columns = statement.reader ? statement.columns() : [];
      const booleans = columns
        .filter(({ type }) => type?.toLowerCase() === 'boolean')
        .map(({ name }) => name);
      prepared = { statement, booleans };
      const [oldest] = this.#prepared.keys();
      if (oldest !== undefined && this.#prepared.size >= STATEMENTS_KEPT) this.#prepared.delete(oldest);
      this.#prepared.set(text, prepared);
    }
    return prepared;
  }

  /** Every row. */
  all(text: string, parameters: readonly unknown[]): Row[] {
    const { statement, booleans } = this.prepare(text);
    const rows = statement.all(...parameters);
    if (booleans.length > 0) for (const row of rows) restoreBooleans(row, booleans);
    return rows;
  }
}

export function restoreBooleans(row: Row, booleans: readonly string[]): void {
  for (const name of booleans) if (row[name] !== null) row[name] = row[name] === 1;
}

/** A connection to the file that can only read. */
export function openReader(file: string): BetterSqlite3.Database {
  // better-sqlite3 waits synchronously, so SQLite itself must not wait for locks: `untilUnlocked` does.
  const reader = new BetterSqlite3(file, { timeout: 0, readonly: true });
  reader.pragma('trusted_schema = off');
  // A search reads tens of thousands of rows that lie apart; a system call for each would double its time.
  reader.pragma('mmap_size = 1073741824');
  return reader;
}
