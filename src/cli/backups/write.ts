import { randomBytes } from 'node:crypto';
import { closeSync, createReadStream, lstatSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { getSystemErrorMessage } from 'node:util';
import { copySqlite, findDamage, isCopyAtRest, leaveWal, putInPlace } from '../../database/backup.ts';
import { openDatabase } from '../../database/open.ts';
import { giveTo } from '../../database/ownership.ts';
import { migrations } from '../../doorward.ts';
import { DoorwardError } from '../../errors.ts';
import { assertDatabaseIsThere } from '../core.ts';
import { CommandError } from '../failures.ts';
import { count } from '../output.ts';
import { encryptStream, followLinks, recognise, removeAtExit } from './files.ts';

const leastPassphraseLength = 12;

/** What is written until it is whole has a name that nobody gives to a backup. */
const draftSuffix = () => `.unfinished-backup-${randomBytes(4).toString('hex')}`;
const draftName = /\.unfinished-backup-[0-9a-f]{8}(-wal|-shm|-journal)?$/;
/** Nothing is written while a copy is verified, which takes minutes, and an hour where it is very large. */
const abandonedAfterMs = 12 * 3_600_000;

/** By which a database is known to be one of Doorward. */
export const tablesOfEveryVersion = [
  'users',
  'passwords',
  'sessions',
  'signing_keys',
  'revocations',
  'services',
];

/**
 * Writes a backup of the SQLite database at `path`: to `file` comes a whole and verified one, or nothing. Returns what to
 * tell of it.
 */
export async function writeBackup(
  path: string,
  file: string,
  options: { replace: boolean; readPassphrase: (() => Promise<string>) | undefined },
): Promise<string> {
  assertDatabaseIsThere({ path });
  const target = followLinks(resolve(file));
  if (!isThere(dirname(target))) throw new CommandError(`there is no folder ${dirname(target)}`);
  assertReplaceable();
  const passphrase = await options.readPassphrase?.();
  if (passphrase !== undefined && [...passphrase].length < leastPassphraseLength)
    throw new CommandError(`the passphrase must have at least ${leastPassphraseLength} characters`);

  // What is not encrypted yet lies where the database does, and not where the backups go.
  for (const folder of new Set([dirname(path), dirname(target)])) removeAbandoned(folder);
  const suffix = draftSuffix();
  const draft = target + suffix;
  const copy = passphrase === undefined ? draft : path + suffix;
  const forget = removeAtExit(draft, copy, `${copy}-wal`, `${copy}-shm`, `${copy}-journal`);
  try {
    closeSync(openSync(copy, 'wx', 0o600));
    await copySqlite(path, copy);
    const { users, schema } = await verifyCopy(copy, 'the database');
    leaveWal(copy);
    if (passphrase !== undefined) await encryptAway(copy, draft, passphrase);
    giveTo(statSync(path), draft);
    const { size } = statSync(draft);
    // Again, because what is there may have come or been taken into use meanwhile.
    assertReplaceable();
    putInPlace(draft, target, options);
    const how = passphrase === undefined ? '' : ', encrypted';
    return `Backed up ${count(users, 'user')} to ${file} (${size} bytes, schema ${schema}${how}), verified.`;
  } catch (error) {
    throw failureOfFile(error, `${file} was not written`, { path, copy });
  } finally {
    forget();
  }

  function assertReplaceable(): void {
    const stats = statSync(target, { throwIfNoEntry: false });
    if (stats === undefined) return;
    if (stats.isDirectory()) throw new CommandError(`${file} is a folder`);
    if (!options.replace) throw new CommandError(`${file} is there already; --force replaces it`);
    if (isSameFile(target, path) || !stats.isFile() || !looksLikeBackup(target))
      throw new CommandError(`${file} is no backup, or is in use, and is not replaced`);
  }
}

/** Removes what backups left that were killed: it may hold every password hash. */
function removeAbandoned(folder: string): void {
  for (const name of readdirSync(folder)) {
    const file = join(folder, name);
    const stats = draftName.test(name) ? lstatSync(file, { throwIfNoEntry: false }) : undefined;
    if (stats === undefined || Date.now() - stats.mtimeMs < abandonedAfterMs) continue;
    try {
      rmSync(file, { force: true });
    } catch {
      // Somebody else's, who backs up into the same folder.
    }
  }
}

/** What is encrypted is known by its beginning alone. */
function looksLikeBackup(file: string): boolean {
  const kind = recognise(file);
  return kind === 'sqlite' ? isCopyAtRest(file, tablesOfEveryVersion) : kind !== 'other';
}

/** Says what was not done to the file that was asked for, instead of naming the draft that the system refused. */
export function failureOfFile(
  error: unknown,
  undone: string,
  { path, copy }: { path: string; copy: string },
): unknown {
  const { code = '' } = ((error instanceof DoorwardError ? error.cause : error) ??
    {}) as NodeJS.ErrnoException;
  // Of the two databases only the copy grows; beside the other one there is what its connections share.
  if (/^SQLITE_(FULL|IOERR_WRITE)$/.test(code))
    return new CommandError(`${undone}: no space is left in ${dirname(copy)}`);
  if (code === 'SQLITE_IOERR_SHMSIZE')
    return new CommandError(`${undone}: no space is left in ${dirname(path)}`);
  const { errno, path: refused } = error as NodeJS.ErrnoException;
  if (errno === undefined) return error;
  const where = refused === undefined ? '' : ` in ${dirname(refused)}`;
  return new CommandError(`${undone}: ${getSystemErrorMessage(errno)}${where}`);
}

async function encryptAway(copy: string, draft: string, passphrase: string): Promise<void> {
  // A stream that is destroyed closes its descriptor, with autoClose: false too; nobody else may.
  const plain = createReadStream('', { fd: openSync(copy, 'r') });
  try {
    // From here on not even a crash leaves it behind.
    rmSync(copy);
    await encryptStream(plain, draft, passphrase);
  } finally {
    plain.destroy();
  }
}

/** @throws the error of the system where it does not tell, as for a folder that may not be looked into. */
function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Whether two paths lead to one file. */
export function isSameFile(a: string, b: string): boolean {
  const [one, other] = [a, b].map((path) => statSync(path, { throwIfNoEntry: false }));
  return one !== undefined && one.ino === other?.ino && one.dev === other.dev;
}

/** Makes sure that a copy of what is named is a sound database of Doorward which this version can open. */
export async function verifyCopy(copy: string, named: string): Promise<{ users: number; schema: string }> {
  const damage = findDamage(copy);
  if (damage !== undefined) throw new CommandError(`${named} is damaged: ${damage}`);
  const db = await openDatabase({ url: `sqlite:${copy}` });
  try {
    const missing = new Set((await db.pendingMigrations(migrations)).map(({ id }) => id));
    const ids = migrations.map(({ id }) => id).sort();
    const schema = ids.findLast((id) => !missing.has(id));
    if (schema === undefined) throw new CommandError(`${named} is no database of Doorward`);
    const { users } = await db.read
      .selectFrom('users')
      .select((eb) => eb.fn.countAll<number>().as('users'))
      .executeTakeFirstOrThrow();
    return { users, schema };
  } finally {
    await db.close();
  }
}
