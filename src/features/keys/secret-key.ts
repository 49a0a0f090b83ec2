import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder of the secret made at first start: beside a SQLite file, in ./data otherwise. */
function dataFolder(databaseUrl: string): string | undefined {
  if (databaseUrl === 'sqlite::memory:') return undefined;
  return databaseUrl.startsWith('sqlite:') ? dirname(databaseUrl.slice('sqlite:'.length)) : 'data';
}

function readSecret(file: string): string | undefined {
  try {
    const secret = readFileSync(file, 'utf8').trim();
    if (Buffer.byteLength(secret) < 32) throw new Error(`${file} is damaged: it holds fewer than 32 bytes`);
    return secret;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * SECRET_KEY as given, or else the one in `secret.key`, which is made (mode 0600) when it is not there. An in-memory
 * database gets one that dies with the process.
 */
export function resolveSecretKey(given: string | undefined, databaseUrl: string): string {
  if (given !== undefined) return given;
  const made = randomBytes(48).toString('base64url');
  const folder = dataFolder(databaseUrl);
  if (folder === undefined) return made;
  const file = join(folder, 'secret.key');
  const existing = readSecret(file);
  if (existing !== undefined) return existing;

  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // Written whole under another name and then linked: of several processes that start together one secret wins, and
  // nobody reads half of one.
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(draft, `${made}\n`, { mode: 0o600, flag: 'wx', flush: true });
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    unlinkSync(draft);
  }
  return readSecret(file) ?? made;
}
