import { once } from 'node:events';
import {
  closeSync,
  createWriteStream,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import BetterSqlite3 from 'better-sqlite3';
import type { Kysely } from 'kysely';
import pg from 'pg';
import type { Tables } from './database.ts';
import { databaseError, isLocked } from './database-errors.ts';
import { giveTo, type Owner } from './ownership.ts';
import { readThrough } from './sqlite.ts';

/** Large enough to be quick, small enough for Ctrl-C to be heard. */
const pagesPerStep = 2000;
const bytesPerPart = 1024 * 1024;

/**
 * Copies the SQLite database at `path`, as it is at one moment, into the empty file `copy`, while others read and write
 * it. The copy is whole in itself: nothing of it is in a second file.
 */
export async function copySqlite(path: string, copy: string): Promise<void> {
  const source = new BetterSqlite3(path, { fileMustExist: true, timeout: 5000 });
  try {
    // One snapshot for all steps. Without it every write of the server would begin the copy anew.
    source.exec('begin');
    source.prepare('select 1 from sqlite_schema').get();
    await source.backup(copy, { progress: () => pagesPerStep });
  } catch (error) {
    throw databaseError(error);
  } finally {
    source.close();
  }
  leaveWal(copy);
}

/** Moves what the write-ahead log of a database holds into its file, so that the file alone is the database. */
export function leaveWal(path: string): void {
  const handle = new BetterSqlite3(path, { fileMustExist: true });
  try {
    handle.pragma('journal_mode = delete');
  } finally {
    handle.close();
  }
}

/** What is damaged in the SQLite file at `path`, in a few words; undefined when nothing is. */
export function findDamage(path: string): string | undefined {
  let handle: BetterSqlite3.Database | undefined;
  try {
    handle = new BetterSqlite3(path, { fileMustExist: true });
    return damageIn(handle);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    handle?.close();
  }
}

function damageIn(handle: BetterSqlite3.Database): string | undefined {
  const found = handle.pragma('integrity_check(1)', { simple: true });
  if (found !== 'ok') return String(found);
  const [orphan] = handle.pragma('foreign_key_check') as { table: string }[];
  return orphan === undefined ? undefined : `a row of ${orphan.table} refers to nothing`;
}

/** An SQLite database that nobody else can open as long as it is held. */
export interface HeldDatabase {
  /** What it holds; undefined when it is damaged. */
  readonly read: Kysely<Tables> | undefined;
  has(table: string): boolean;
  /** The highest id that a table ever gave. */
  lastIdentity(table: string): number;
  /**
   * Puts the SQLite file `replacement` in its place and keeps what was there as `keptAs`, a new file. Whenever that is cut off, there
   * is either the one or the other at its path, whole. `prepare` is called directly before.
   */
  replaceBy(replacement: string, keptAs: string, prepare?: () => void): Promise<void>;
  release(): void;
}

/** Somebody else has the database open. */
export class DatabaseInUseError extends Error {
  override readonly name = 'DatabaseInUseError';
}

/**
 * Takes the SQLite database at `path` for this process alone.
 * @throws DatabaseInUseError when another process has it open, also after `waitMs`, or has replaced it.
 */
export async function holdSqlite(path: string, waitMs: number): Promise<HeldDatabase> {
  const deadline = performance.now() + waitMs;
  // Opened before the lock is taken and closed when it is not needed any more: closing any descriptor of the file drops
  // the locks of this process on it (SQLite, "How To Corrupt", 2.2).
  const descriptor = openSync(path, 'r+');
  const handle = new BetterSqlite3(path, { fileMustExist: true, timeout: 0 });
  let isReleased = false;
  const release = () => {
    if (isReleased) return;
    isReleased = true;
    handle.close();
    closeSync(descriptor);
  };
  // Another restore may have put another file there meanwhile.
  const assertInPlace = () => {
    if (fstatSync(descriptor).ino !== statSync(path, { throwIfNoEntry: false })?.ino)
      throw new DatabaseInUseError('The database is in use: another command has just replaced it');
  };
  try {
    const isLockedOut = await lockOut(handle, deadline);
    assertInPlace();
    const isSound = isLockedOut && isReadable(handle);
    return {
      read: isSound ? readThrough(handle, { waitMs, onError: () => {} }) : undefined,
      has: (table) =>
        isSound && handle.prepare(`select 1 from sqlite_schema where name = ?`).get(table) !== undefined,
      lastIdentity(table) {
        if (!isSound) return 0;
        const row = handle
          .prepare<string, { seq: number }>('select seq from sqlite_sequence where name = ?')
          .get(table);
        return row?.seq ?? 0;
      },
      async replaceBy(replacement, keptAs, prepare) {
        await keep(descriptor, keptAs, `${replacement}.former`, fstatSync(descriptor));
        // One that is damaged keeps nobody out.
        assertInPlace();
        try {
          prepare?.();
        } catch (error) {
          // A second copy of what stays where it is.
          rmSync(keptAs, { force: true });
          throw error;
        }
        setLogsAside(path, keptAs);
        putInPlace(replacement, path, { replace: true });
        // Somebody may have opened the file that was replaced and wait for its lock: to them it is no database.
        writeSync(descriptor, Buffer.alloc(100), 0, 100, 0);
      },
      release,
    };
  } catch (error) {
    release();
    throw error;
  }
}

/**
 * Locks everybody else out. In WAL mode a connection that is open is one that holds a lock which leaving that mode waits
 * for. False when the file is no database, or so damaged that nobody can open it.
 */
async function lockOut(handle: BetterSqlite3.Database, deadline: number): Promise<boolean> {
  for (;;) {
    try {
      handle.pragma('journal_mode = delete');
      handle.exec('begin exclusive');
      if (handle.pragma('journal_mode', { simple: true }) === 'delete') return true;
      // Somebody came in between the two, and went.
      handle.exec('rollback');
    } catch (error) {
      if (!isLocked(error)) return false;
      if (performance.now() >= deadline) {
        throw new DatabaseInUseError(
          'The database is in use: stop every server and command that has it open',
        );
      }
    }
    await sleep(20);
  }
}

function isReadable(handle: BetterSqlite3.Database): boolean {
  try {
    return damageIn(handle) === undefined;
  } catch {
    return false;
  }
}

/**
 * Renames what lies beside the SQLite file at `path`, or where it was, to lie beside `keptAs`: SQLite would write it into
 * whatever is put in place there. Returns the new names.
 */
export function setLogsAside(path: string, keptAs: string): string[] {
  const found = ['-wal', '-journal', '-shm'].filter((suffix) => existsSync(path + suffix));
  for (const suffix of found) renameSync(path + suffix, keptAs + suffix);
  if (found.length > 0) sync(dirname(path));
  return found.map((suffix) => keptAs + suffix);
}

/**
 * Whether the SQLite file at `path` is what `leaveWal` left, has these tables, and nobody has it open. A database that a
 * server was started on is in WAL mode from then on.
 */
export function isCopyAtRest(path: string, tables: readonly string[]): boolean {
  if (existsSync(`${path}-wal`) || existsSync(`${path}-journal`)) return false;
  // Read from the file, because opening a database in that mode makes files beside it.
  if (readWriteVersion(path) !== 1) return false;
  let handle: BetterSqlite3.Database | undefined;
  try {
    handle = new BetterSqlite3(path, { fileMustExist: true, timeout: 0 });
    handle.exec('begin exclusive');
    const table = handle.prepare(`select 1 from sqlite_schema where type = 'table' and name = ?`);
    return tables.every((name) => table.get(name) !== undefined);
  } catch {
    return false;
  } finally {
    handle?.close();
  }
}

/** SQLite, "Database File Format", 1.3.3: 1 with a rollback journal, 2 in WAL mode. */
function readWriteVersion(path: string): number | undefined {
  const header = Buffer.alloc(20);
  const descriptor = openSync(path, 'r');
  readSync(descriptor, header, 0, header.length, 0);
  closeSync(descriptor);
  return header[18];
}

/**
 * Copies an open file under a new name, to which it comes whole. Until then it is `draft`.
 * @throws the error EEXIST where something has the name, as by a clock that was put back.
 */
async function keep(descriptor: number, name: string, draft: string, owner: Owner): Promise<void> {
  const output = createWriteStream(draft, { flags: 'wx', mode: 0o600, flush: true });
  try {
    await pipeline(partsOf(descriptor), output);
    if (!output.closed) await once(output, 'close');
    giveTo(owner, draft);
    putInPlace(draft, name, { replace: false });
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

/** Not a stream: one that fails closes the descriptor, with `autoClose: false` too, and so drops the locks. */
function* partsOf(descriptor: number): Generator<Buffer> {
  for (let position = 0; ; ) {
    const part = Buffer.alloc(bytesPerPart);
    const length = readSync(descriptor, part, 0, part.length, position);
    if (length === 0) return;
    position += length;
    yield part.subarray(0, length);
  }
}

/**
 * Renames a file, so that it survives a crash of the machine: over what is there, or only to where nothing is.
 * @throws the error EEXIST where something is that is not to be replaced.
 */
export function putInPlace(file: string, path: string, { replace }: { replace: boolean }): void {
  sync(file);
  if (!replace) {
    try {
      linkSync(file, path);
    } catch (error) {
      // A file system without links; nobody else is expected to make the same file in this moment.
      if (existsSync(path)) throw error;
    }
  }
  if (replace || !existsSync(path)) renameSync(file, path);
  else unlinkSync(file);
  try {
    sync(dirname(path));
  } catch (error) {
    // A folder that may be written and not read; it is there all the same.
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
  }
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}

/** What a PostgreSQL says of itself that matters for backups. */
export interface PostgresBackupState {
  /** The major version. */
  readonly version: number;
  readonly database: string;
  readonly wal_level: string;
  readonly archive_mode: string;
  readonly is_standby: boolean;
  /** When a segment of the log was archived last, RFC 3339; null when none ever was. */
  readonly last_archived: string | null;
  /** Whether the last attempt to archive one failed. */
  readonly is_failing: boolean;
}

/** Asks a PostgreSQL how it is backed up. */
export async function inspectPostgres(url: string): Promise<PostgresBackupState> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 5000,
    query_timeout: 10_000,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query<PostgresBackupState>(`
      select current_setting('server_version_num')::int / 10000 as version, current_database() as database,
        current_setting('wal_level') as wal_level, current_setting('archive_mode') as archive_mode,
        pg_is_in_recovery() as is_standby, to_char(last_archived_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
          as last_archived,
        coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) as is_failing
      from pg_stat_archiver`);
    if (rows[0] === undefined) throw new Error('pg_stat_archiver is empty');
    return rows[0];
  } catch (error) {
    throw databaseError(error);
  } finally {
    await client.end().catch(() => {});
  }
}
