import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type HeldDatabase, holdSqlite, leaveWal, putInPlace, setLogsAside } from '../../database/backup.ts';
import { openDatabase } from '../../database/open.ts';
import { giveTo } from '../../database/ownership.ts';
import { migrations } from '../../doorward.ts';
import { createHeadFile, verifyLog } from '../../features/audit/index.ts';
import { findSecretKey, SecretKeyMismatchError } from '../../features/keys/index.ts';
import {
  compareRestored,
  type Previous,
  type Revived,
  type Settled,
  settleRestored,
  type UserChange,
} from '../../features/restore/index.ts';
import type { Settings } from '../../settings.ts';
import { withCore } from '../core.ts';
import { CommandError, describeCause } from '../failures.ts';
import { count, printable } from '../output.ts';
import { copyFile, decryptFile, followLinks, recognise, removeAtExit } from './files.ts';
import { failureOfFile, isSameFile, tablesOfEveryVersion, verifyCopy } from './write.ts';

type Confirm = (question: string) => Promise<void>;

type RestoreSettings = Pick<Settings, 'DATABASE_URL' | 'SECRET_KEY' | 'AUDIT_HEAD_FILE'>;

/** How long commands that are about to end are waited for. */
const patienceMs = 2000;

/** For a database that came back without `restoreBackup`, so that nothing is known of the one before. */
export async function finishRestore(url: string, confirm: Confirm): Promise<string> {
  const db = await openDatabase({ url });
  // Opening the features makes a database where there is none, and a mistyped URL would pass for a restored one.
  const missing = await db.pendingMigrations(migrations).finally(() => db.close());
  if (missing.length === migrations.length)
    throw new CommandError('there is no database of Doorward at DATABASE_URL');
  return withCore(async ({ kernel, accounts, audit, outbox }) => {
    // Mails that wait in what came back may have been sent since.
    await outbox.stop();
    await confirm('End all sessions?');
    const { ended } = await settleRestored({ kernel, accounts }, undefined, { from: 'other means' });
    await audit.acceptRestored();
    return `Ended ${count(ended, 'session')}.`;
  });
}

/**
 * Puts the backup `file` in the place of the SQLite database at `location`. All that can fail is done on a copy: whenever it
 * is cut off, the one database or the other is there, whole. Returns what to tell of it.
 */
export async function restoreBackup(
  location: string,
  file: string,
  settings: RestoreSettings,
  options: {
    /** Whether a file that is not encrypted is refused. */
    isEncrypted: boolean;
    passphraseReader: () => () => Promise<string>;
    confirmation: () => Confirm;
  },
): Promise<string[]> {
  const path = followLinks(location);
  const given = statSync(file, { throwIfNoEntry: false });
  if (given === undefined) throw new CommandError(`there is no file ${file}`);
  const kind = given.isFile() ? recognise(file) : 'other';
  if (kind !== 'sqlite' && kind !== 'age') throw new CommandError(`${file} is no backup`);
  if (isSameFile(file, path)) throw new CommandError(`${file} is the database itself`);
  if (options.isEncrypted && kind !== 'age') throw new CommandError(`${file} is not encrypted`);
  if (existsSync(`${file}-wal`)) throw new CommandError(`${file} lacks what is in ${file}-wal`);
  const present = statSync(path, { throwIfNoEntry: false });
  const isReplaced = present !== undefined && present.size > 0;
  const readPassphrase = kind === 'age' ? options.passphraseReader() : undefined;
  const confirm = isReplaced ? options.confirmation() : undefined;
  if (!existsSync(dirname(path))) throw new CommandError(`there is no folder ${dirname(path)}`);
  const passphrase = await readPassphrase?.();
  await confirm?.(`Replace the database ${path}?`);

  const held = present === undefined ? undefined : await holdSqlite(path, patienceMs);
  if (held !== undefined) removeLeftovers(path);
  const folder = mkdtempSync(`${path}.restoring-`);
  const forget = removeAtExit(folder);
  try {
    const copy = join(folder, basename(path));
    if (passphrase === undefined) await copyFile(file, copy);
    else await decryptFile(file, copy, passphrase);
    if (recognise(copy) !== 'sqlite') throw new CommandError(`${file} is no backup`);
    await verifyCopy(copy, file);
    const { settled, revived, findings } = await settle(file, copy, held, settings);
    leaveWal(copy);
    giveTo(present ?? statSync(dirname(path)), copy);
    const time = new Date().toISOString();
    const keptAs = `${path}.before-restore-${time.replaceAll(/[-:.]/g, '')}`;
    // The head of the audit log goes before its database and comes after it: where it is missing, the next start writes it.
    const head = createHeadFile(settings);
    let putHeadBack: (() => void) | undefined;
    const setHeadAside = () => {
      putHeadBack = head?.setAside(time);
    };
    let leftBehind: string[] = [];
    try {
      if (held === undefined) {
        setHeadAside();
        leftBehind = setLogsAside(path, keptAs);
        putInPlace(copy, path, { replace: false });
      } else {
        await held.replaceBy(copy, keptAs, setHeadAside);
      }
    } catch (error) {
      putHeadBack?.();
      throw error;
    }
    const checkpoint = await createHeadFile(settingsOf(copy))?.read();
    let headFailure: string[] = [];
    if (checkpoint !== undefined) {
      // The database is the restored one whatever becomes of the file.
      await head?.write(checkpoint).catch((error) => {
        headFailure = [
          `AUDIT_HEAD_FILE was not written (${describeCause(error)}): the next start writes it.`,
        ];
      });
    }
    const goOn = count(settled.kept, 'session goes on', 'sessions go on');
    const ended = count(settled.ended + settled.lost, 'has ended', 'have ended');
    return [
      `Restored ${path} from ${file}. ${goOn}, ${ended}.`,
      ...(settled.erased > 0 ? [describeErased(settled.erased)] : []),
      ...(findings > 0 ? [changedLog] : []),
      ...headFailure,
      ...(isReplaced ? [`What was there is kept as ${keptAs}.`] : []),
      ...leftBehind.map((name) => `What the database left behind is kept as ${name}.`),
      ...(revived === undefined ? describeLoss(isReplaced) : describeRevived(revived)),
    ];
  } catch (error) {
    throw failureOfFile(error, `${path} was not restored`, { path, copy: path });
  } finally {
    held?.release();
    forget();
  }
}

/** Removes what a restore left that was killed. No other one is at work, because the database is held. */
function removeLeftovers(path: string): void {
  for (const name of readdirSync(dirname(path))) {
    if (!name.startsWith(`${basename(path)}.restoring-`)) continue;
    rmSync(join(dirname(path), name), { recursive: true });
  }
}

/** Brings the copy up to date, and takes from it what must not come back. */
async function settle(
  file: string,
  copy: string,
  held: HeldDatabase | undefined,
  settings: RestoreSettings,
): Promise<{ settled: Settled; revived: Revived | undefined; findings: number }> {
  const { DATABASE_URL } = settingsOf(copy);
  const db = await openDatabase({ url: DATABASE_URL });
  let SECRET_KEY: string;
  let findings: readonly unknown[] = [];
  try {
    SECRET_KEY = await findSecretKey(db, settings.SECRET_KEY, settings.DATABASE_URL).catch((error) => {
      if (!(error instanceof SecretKeyMismatchError)) throw error;
      throw new CommandError(`${file} takes the SECRET_KEY of its time: ${error.message}`);
    });
    // Before anything is written to it. What an older version made may have no such log yet.
    if ((await db.pendingMigrations(migrations)).length === 0) {
      const noFile = { AUDIT_HEAD_FILE: undefined, DATABASE_URL };
      ({ findings } = await verifyLog({ db, settings: noFile }, SECRET_KEY));
    }
  } finally {
    await db.close();
  }
  const previous = isOurs(held) ? held : undefined;
  return withCore(
    async ({ kernel, accounts, audit, outbox }) => {
      await outbox.stop();
      const settled = await settleRestored({ kernel, accounts }, previous, { from: 'a backup' });
      await audit.acceptRestored();
      const revived = previous === undefined ? undefined : await compareRestored(kernel.db.read, previous);
      return { settled, revived, findings: findings.length };
    },
    { ...settingsOf(copy), SECRET_KEY },
  );
}

const settingsOf = (copy: string) => ({
  DATABASE_URL: `sqlite:${copy}`,
  AUDIT_HEAD_FILE: `${copy}.audit-head`,
});

function isOurs(held: HeldDatabase | undefined): held is HeldDatabase & Previous {
  return held?.read !== undefined && tablesOfEveryVersion.every((table) => held.has(table));
}

const undoneInWords: Record<UserChange['undone'][number], string> = {
  deleted: 'was deleted since, and is back',
  deactivated: 'was deactivated since, and is active',
  demoted: 'was demoted since, and is an admin',
  password_changed: 'has the password of that time',
};

const describeErased = (users: number) =>
  users === 1
    ? '1 user who was erased since is erased again.'
    : `${users} users who were erased since are erased again.`;

/** Not refused: it may be the only backup that there is. */
const changedLog =
  'Its audit log is not as it was written, so whoever changed that may have changed more; "doorward audit verify" tells what.';

function describeRevived({ users, services }: Revived): string[] {
  return [
    ...users.map(({ id, email, undone }) => {
      const what = undone.map((each) => undoneInWords[each]).join('; ');
      return `user ${id}, ${printable(email)}: ${what}`;
    }),
    ...services.map((name) => `service ${printable(name)}: was deleted since, and is back`),
    'What the audit log told since the backup is in the database that was kept.',
  ];
}

function describeLoss(isReplaced: boolean): string[] {
  return [
    ...(isReplaced ? ['It could not be read.'] : []),
    'Services that verify access tokens by themselves may accept those of sessions begun since the backup until they ' +
      'expire; "doorward keys rotate --now" and "doorward keys retire" end that.',
  ];
}
