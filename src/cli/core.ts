import { statSync } from 'node:fs';
import type { Database, PendingMigration } from '../database/database.ts';
import { databaseLocation } from '../database/open.ts';
import { type Core, createCore, migrations } from '../doorward.ts';
import { DoorwardError } from '../errors.ts';
import type { User } from '../features/accounts/index.ts';
import { beginsAuditLog } from '../features/audit/index.ts';
import type { Log } from '../kernel.ts';
import { type Origin, withOrigin } from '../origin.ts';
import { type GivenSettings, readSettings } from '../settings.ts';
import { readEnvironment } from './environment.ts';
import { CommandError, describeCause } from './failures.ts';
import { warn } from './output.ts';

/** Standard output is the command's answer, so only what an operator must know is told, on standard error. */
export const log: Log = {
  debug: () => {},
  info: () => {},
  warn: tell,
  error: tell,
};

function tell(fields: object, message: string): void {
  warn('err' in fields ? `${message} (${describeCause(fields.err)})` : message);
}

/** On whose behalf commands run. */
export const commandLine: Origin = { via: 'command_line', actor: null, network: null, request_id: null };

/**
 * A mistyped path would otherwise pass for a database without users, and one be made there.
 * @throws CommandError where there is no SQLite file, and the error of the system where it does not tell.
 */
export function assertDatabaseIsThere(location: ReturnType<typeof databaseLocation>): void {
  if (typeof location === 'string') return;
  if (statSync(location.path, { throwIfNoEntry: false }) === undefined)
    throw new CommandError(`there is no database at ${location.path}`);
}

/**
 * Opens the features on the database that the environment names, with some settings changed, for the time of `work`.
 * @throws CommandError where there is no such database yet.
 */
export async function withCore<T>(work: (core: Core) => Promise<T>, changes: GivenSettings = {}): Promise<T> {
  const { DATABASE_URL } = readSettings({ ...readEnvironment().given, ...changes });
  assertDatabaseIsThere(databaseLocation(DATABASE_URL));
  return withNewCore(work, changes);
}

/** The same, and makes the database where there is none: for what a new one may begin with. */
export async function withNewCore<T>(
  work: (core: Core) => Promise<T>,
  changes: GivenSettings = {},
): Promise<T> {
  const core = await createCore({ ...readEnvironment().given, ...changes }, { log });
  try {
    return await withOrigin(commandLine, () => work(core));
  } finally {
    await core.close();
  }
}

/** Applies the missing migrations. Where the audit log begins by them, a start does it, as it takes SECRET_KEY. */
export async function bringUpToDate(db: Database): Promise<readonly PendingMigration[]> {
  if (!(await beginsAuditLog(db, migrations))) return db.migrate(migrations);
  const steps = await db.pendingMigrations(migrations);
  await withNewCore(async () => {});
  return steps;
}

/** The user that an argument names: by id when it is a number, by email otherwise. @throws DoorwardError `user_not_found`. */
export async function findUser({ accounts }: Core, idOrEmail: string): Promise<User> {
  const user = /^\d+$/.test(idOrEmail)
    ? await accounts.find(Number(idOrEmail))
    : await accounts.findByEmail(idOrEmail);
  if (user === undefined) throw new DoorwardError('user_not_found');
  return user;
}
