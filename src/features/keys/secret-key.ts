import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { giveToOwnerOf, makeFolderOf } from '../../database/ownership.ts';

/** The folder of the secret made at first start: beside a SQLite file, in ./data otherwise. */
function dataFolder(databaseUrl: string): string | undefined {
  if (databaseUrl === 'sqlite::memory:') return undefined;
  return databaseUrl.startsWith('sqlite:') ? dirname(databaseUrl.slice('sqlite:'.length)) : 'data';
}

/**
 * Writes a secret beside `file`, under a name of its own, where only whom the database belongs to can read it. Into what has the
 * name already nothing is written: whoever owns the folder could have put a link there for root to follow.
 */
function writeDraft(file: string, secret: string, databaseUrl: string): string {
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const database = databaseUrl.startsWith('sqlite:') ? [databaseUrl.slice('sqlite:'.length)] : [];
  try {
    writeFileSync(draft, `${secret}\n`, { mode: 0o600, flag: 'wx', flush: true });
    giveToOwnerOf([...database, dirname(file)], draft);
  } catch (cause) {
    rmSync(draft, { force: true });
    const reason = cause instanceof Error && 'code' in cause ? cause.code : cause;
    throw new Error(`${file} cannot be written (${reason})`, { cause });
  }
  return draft;
}

/** What was named in the folder of `file` is found there after a power cut as well, before a database needs it that lies elsewhere. */
function keepNames(file: string): void {
  let folder: number;
  try {
    folder = openSync(dirname(file), 'r');
  } catch {
    // One that may be written and not read.
    return;
  }
  try {
    fsyncSync(folder);
  } catch (error) {
    // Not every file system does that for folders.
    if ((error as NodeJS.ErrnoException).code === 'EIO') throw error;
  } finally {
    closeSync(folder);
  }
}

const draftName = /^secret\.key\.\d+\.[0-9a-f]{8}$/;
/** A process that still writes one takes moments. */
const abandonedAfterMs = 60_000;

/** Removes what processes left that were killed: the secret itself, perhaps, under a name that nobody knows. */
export function removeAbandonedDrafts(databaseUrl: string): void {
  const file = secretKeyFile(databaseUrl);
  if (file === undefined) return;
  try {
    for (const name of readdirSync(dirname(file)).filter((each) => draftName.test(each))) {
      const draft = join(dirname(file), name);
      const stats = statSync(draft, { throwIfNoEntry: false });
      if (stats !== undefined && Date.now() - stats.mtimeMs > abandonedAfterMs)
        rmSync(draft, { force: true });
    }
  } catch {
    // A folder that may not be listed, or somebody else's file: no reason not to start.
  }
}

/** The file that holds SECRET_KEY when it is not a setting; undefined for a database in memory. */
function secretKeyFile(databaseUrl: string): string | undefined {
  const folder = dataFolder(databaseUrl);
  return folder === undefined ? undefined : join(folder, 'secret.key');
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function readSecret(file: string): string | undefined {
  const secret = readIfThere(file);
  if (secret !== undefined && Buffer.byteLength(secret) < 32)
    throw new Error(`${file} is damaged: it holds fewer than 32 bytes`);
  return secret;
}

/** The secret in `secret.key`; undefined when it is not there. */
export function readSecretKey(databaseUrl: string): string | undefined {
  const file = secretKeyFile(databaseUrl);
  return file === undefined ? undefined : readSecret(file);
}

/**
 * Makes `secret.key` (mode 0600), unless another process does. `remove` takes it away again, if it was made here. A database in
 * memory gets a secret that dies with the process.
 */
export function makeSecretKeyFile(databaseUrl: string): { secretKey: string; remove(): void } {
  const made = makeSecretKey();
  const file = secretKeyFile(databaseUrl);
  if (file === undefined) return { secretKey: made, remove() {} };
  makeFolderOf(file);
  // Written whole under another name and then linked: of several processes that start together one secret wins, and
  // nobody reads half of one.
  const draft = writeDraft(file, made, databaseUrl);
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    unlinkSync(draft);
  }
  keepNames(file);
  const secretKey = readSecret(file) ?? made;
  return {
    secretKey,
    remove() {
      if (secretKey === made) unlinkSync(file);
    },
  };
}

/** The secrets in `secret.key` and in the file of a change that was not finished, those that are there. */
export function readSecretKeys(databaseUrl: string): string[] {
  const file = secretKeyFile(databaseUrl);
  if (file === undefined) return [];
  return [readSecret(file), readIfThere(`${file}.new`)].filter((secret) => secret !== undefined);
}

/** A SECRET_KEY, as one is made at first start. */
export function makeSecretKey(): string {
  return randomBytes(48).toString('base64url');
}

/**
 * A new secret that is to take the place of the one in `secret.key`. It is written beside it first, then the database
 * is changed, then it is put in place: whatever happens in between, one of the two files opens the database.
 */
export interface PendingSecretKey {
  readonly secretKey: string;
  /** The former one stays beside it: backups that were made before need it. */
  putInPlace(): void;
}

/** Whoever calls this, or puts in place what it wrote, has the lock of the signing keys. */
export function writePendingSecretKey(databaseUrl: string, secretKey: string): void {
  const file = secretKeyFile(databaseUrl);
  if (file === undefined) return;
  renameSync(writeDraft(file, secretKey, databaseUrl), `${file}.new`);
  keepNames(file);
}

/** Under which the former `file` is kept: by a clock that stands or was put back, of a time that no other one has. */
function nameOfFormer(file: string): string {
  for (let time = Date.now(); ; time++) {
    const name = `${file}.until-${new Date(time).toISOString().replaceAll(/[-:.]/g, '')}`;
    if (lstatSync(name, { throwIfNoEntry: false }) === undefined) return name;
  }
}

/** The secret of a change that was begun and perhaps not finished; half of one opens no database, and harms nothing. */
export function readPendingSecretKey(databaseUrl: string): PendingSecretKey | undefined {
  const file = secretKeyFile(databaseUrl);
  const secretKey = file === undefined ? undefined : readIfThere(`${file}.new`);
  if (file === undefined || secretKey === undefined) return undefined;
  return {
    secretKey,
    putInPlace() {
      try {
        renameSync(file, nameOfFormer(file));
      } catch (error) {
        // Cut off before the next step, the time before.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
      renameSync(`${file}.new`, file);
    },
  };
}
