import { randomBytes } from 'node:crypto';
import { renameSync } from 'node:fs';
import { access, constants, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { databaseLocation } from '../../database/open.ts';
import { giveToOwnerOf } from '../../database/ownership.ts';
import { type Settings, SettingsError } from '../../settings.ts';
import { readCheckpoint } from './seal.ts';

/**
 * The newest checkpoint outside the database (`AUDIT_HEAD_FILE`): who can write the database alone cannot take back what
 * it says.
 */
export interface HeadFile {
  /** The checkpoint in it; undefined when there is no file. @throws for a file that holds anything else. */
  read(): Promise<string | undefined>;
  write(statement: string): Promise<void>;
  /**
   * Keeps the file under another name, if there is one, so that a new one can be begun. What is returned puts it back. At once,
   * so that no signal comes between it and what it is done for.
   */
  setAside(time: string): () => void;
}

export type HeadFileSettings = Pick<Settings, 'AUDIT_HEAD_FILE' | 'DATABASE_URL'>;

/**
 * Before anything is made: a file that can never be written would leave the log without its protection, and only a warning
 * would tell. What fails later may pass, and stops nobody.
 * @throws SettingsError for a folder, and for a file in a folder that is not there or cannot be written.
 */
export async function assertHeadFile({
  AUDIT_HEAD_FILE: path,
  DATABASE_URL,
}: HeadFileSettings): Promise<void> {
  if (path === undefined) return;
  const stats = await stat(path).catch(() => undefined);
  if (stats?.isDirectory()) throw new SettingsError(['AUDIT_HEAD_FILE must be a file, and is a folder']);
  const folder = dirname(resolve(path));
  const location = databaseLocation(DATABASE_URL);
  // The start makes the folder of the database, or of secret.key, and says what is wrong with it.
  if (folder === (typeof location === 'object' ? dirname(location.path) : resolve('data'))) return;
  await access(`${folder}/.`, constants.W_OK | constants.X_OK).catch(({ code }) => {
    throw new SettingsError([
      `AUDIT_HEAD_FILE must be in a folder that is there and can be written (${code})`,
    ]);
  });
}

/** @returns undefined where no file is named. */
export function createHeadFile({
  AUDIT_HEAD_FILE: path,
  DATABASE_URL,
}: HeadFileSettings): HeadFile | undefined {
  if (path === undefined) return undefined;
  const location = databaseLocation(DATABASE_URL);
  const database = typeof location === 'object' ? [location.path] : [];
  return {
    async read() {
      const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      });
      const statement = text?.trim();
      // Not to be overwritten either: the setting may name the wrong file.
      if (statement !== undefined && readCheckpoint(statement) === undefined) {
        throw new Error(`${path} does not hold a checkpoint of the audit log`);
      }
      return statement;
    },
    async write(statement) {
      const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
      try {
        const file = await open(draft, 'wx', 0o600);
        try {
          await file.writeFile(`${statement}\n`);
          await file.sync();
        } finally {
          await file.close();
        }
        giveToOwnerOf([...database, path, dirname(path)], draft);
        await rename(draft, path);
      } catch (error) {
        await rm(draft, { force: true });
        throw error;
      }
    },
    setAside(time) {
      const aside = `${path}.until-${time.replaceAll(':', '')}`;
      moveIfThere(path, aside);
      return () => moveIfThere(aside, path);
    },
  };
}

function moveIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
