import type { Database, PendingMigration } from '../database/database.ts';
import { type Core, createCore, migrations } from '../doorward.ts';
import { DoorwardError } from '../errors.ts';
import type { User } from '../features/accounts/index.ts';
import { beginsAuditLog } from '../features/audit/index.ts';
import type { Log } from '../kernel.ts';
import { type Origin, withOrigin } from '../origin.ts';
import type { GivenSettings } from '../settings.ts';
import { readEnvironment } from './environment.ts';
import { warn } from './output.ts';

/** Standard output is the command's answer, so only what an operator must know is told, on standard error. */
export const log: Log = {
  debug: () => {},
  info: () => {},
  warn: (_fields, message) => warn(message),
  error: (_fields, message) => warn(message),
};

/** On whose behalf commands run. */
export const commandLine: Origin = { via: 'command_line', actor: null, network: null, request_id: null };

/** Opens the features on the database that the environment names, with some settings changed, for the time of `work`. */
export async function withCore<T>(work: (core: Core) => Promise<T>, changes: GivenSettings = {}): Promise<T> {
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
  await withCore(async () => {});
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
