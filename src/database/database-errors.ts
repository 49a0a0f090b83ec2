import { DoorwardError } from '../errors.ts';

/** SQLSTATE classes and codes of a PostgreSQL that cannot serve now, whatever it is asked. */
const unavailableSqlStates = [
  /^08/, // connection exception
  /^53/, // insufficient resources: disk full, out of memory, too many connections
  /^57P0[1-5]$/, // shutting down, crashed, starting up, database dropped, idle session ended
  /^57014$/, // statement_timeout
  /^25006$/, // read-only: a standby, or a primary that lost its role
  /^25P0[34]$/, // idle_in_transaction_session_timeout, transaction_timeout
  /^55P03$/, // lock_timeout
  /^58/, // a file of its own that it cannot open, read or write
  /^XX00[12]$/, // damaged data
];
/** Sources of PostgreSQL that open, read and write its files: their codes are those of rights and limits of Doorward, too. */
const storageSource = /^(md|fd|bufmgr|xlog\w*|slru|relmapper|varsup)\.c$/;
const unavailableSqliteCode =
  /^SQLITE_(BUSY|LOCKED|PROTOCOL|FULL|IOERR|READONLY|CANTOPEN|CORRUPT|NOTADB|NOMEM)(_|$)/;
const unavailableNetworkCode =
  /^(ECONN(REFUSED|RESET|ABORTED)|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENETDOWN|EMFILE)$/;
/** What pg, pg-pool and better-sqlite3 say of lost, late and closed connections; these errors carry no code. */
const unavailableMessage =
  /Connection terminated|Client has encountered a connection error|Client was closed|timeout exceeded when trying to connect|Query read timeout|after calling end on the pool|database connection is not open/;

/** The error as it is, or DoorwardError `database_unavailable` around it if the database cannot serve now. */
export function databaseError(error: unknown): unknown {
  if (error instanceof DoorwardError || !(error instanceof Error)) return error;
  if (!isUnavailable(error) && !isStalePlan(error)) return error;
  // SQLite says "disk I/O error" of a full disk as well as of a broken one.
  const code = codeOf(error);
  const reason = code.startsWith('SQLITE_IOERR_') ? `${error.message} (${code.slice(7)})` : error.message;
  const isFull = /^SQLITE_IOERR_(SHMSIZE|WRITE)$/.test(code);
  return new DoorwardError('database_unavailable', {
    reason: isFull ? `${reason}, as on a full disk` : reason,
    cause: error,
  });
}

/** Whether PostgreSQL refused a statement on a connection that is as good as before. */
export function isMerelyRefused(error: unknown): boolean {
  // The word is in the server's language; in another one than English the connection is taken for broken.
  if (!(error instanceof Error) || severityOf(error) !== 'ERROR' || isStalePlan(error)) return false;
  // Read-only: a new connection may lead to the server that is the primary by now.
  return !/^(08|25006$)/.test(codeOf(error));
}

/** Whether a table could not be made because there is one of that name. */
export function isExistingTable(error: unknown): boolean {
  if (codeOf(error) === '42P07') return true;
  return error instanceof Error && /^table \S+ already exists$/.test(error.message);
}

/** Whether a read of several rows may have failed for one of them, with the others as good as before: damage, say. */
export function mayBeOfOneRow(error: unknown): boolean {
  if (!(error instanceof DoorwardError)) return true;
  return /^(58|XX00[12]$|SQLITE_(CORRUPT|IOERR)(_|$))/.test(codeOf(error.cause));
}

/** Whether another process holds what an SQLite statement needs, so that it was not run and may be tried again. */
export function isLocked(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED|PROTOCOL)(_|$)/.test(codeOf(error));
}

/** Whether PostgreSQL undid a transaction only because of others: serialization failure, deadlock, a table that changed. */
export function isRetryable(error: unknown): boolean {
  return codeOf(error) === '40001' || codeOf(error) === '40P01' || isStalePlan(error);
}

/**
 * Whether a connection had prepared the statement before a newer version of Doorward changed the table. Also of what
 * `databaseError` made of that.
 */
export function isStalePlan(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // By the place in PostgreSQL: the code (0A000) says too little, and the message may be in any language.
  return ('routine' in error && error.routine === 'RevalidateCachedQuery') || isStalePlan(error.cause);
}

/**
 * Whether a statement failed because `column` of `table` must be unique. The constraint or unique index behind it
 * must be named `<table>_<column>_key`, which is what PostgreSQL calls a column declared `unique`.
 */
export function isUniqueViolation(error: unknown, table: string, column: string): boolean {
  if (!(error instanceof Error)) return false;
  if (codeOf(error) === '23505')
    return 'constraint' in error && error.constraint === `${table}_${column}_key`;
  return (
    codeOf(error) === 'SQLITE_CONSTRAINT_UNIQUE' &&
    (error.message === `UNIQUE constraint failed: ${table}.${column}` ||
      error.message === `UNIQUE constraint failed: index '${table}_${column}_key'`)
  );
}

function isUnavailable(error: Error): boolean {
  const code = codeOf(error);
  if (unavailableNetworkCode.test(code) || unavailableSqliteCode.test(code)) return true;
  if (unavailableSqlStates.some((pattern) => pattern.test(code))) return true;
  if ('file' in error && storageSource.test(String(error.file))) return true;
  // PostgreSQL has ended the connection.
  if (/^(FATAL|PANIC)$/.test(severityOf(error))) return true;
  if (error instanceof AggregateError)
    return error.errors.some((each) => each instanceof Error && isUnavailable(each));
  return unavailableMessage.test(error.message);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function severityOf(error: Error): string {
  return 'severity' in error ? String(error.severity) : '';
}
