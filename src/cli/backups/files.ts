import {
  closeSync,
  createReadStream,
  createWriteStream,
  existsSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import { Decrypter, Encrypter } from 'age-encryption';
import { CommandError } from '../failures.ts';

/** What a file is by how it begins: an SQLite database, or a text that age encrypted. */
export function recognise(file: string): 'sqlite' | 'age' | 'empty' | 'other' {
  const start = Buffer.alloc(32);
  const descriptor = openSync(file, 'r');
  const length = readSync(descriptor, start, 0, start.length, 0);
  closeSync(descriptor);
  const text = start.toString('latin1', 0, length);
  if (text.startsWith('SQLite format 3\0')) return 'sqlite';
  if (text.startsWith('age-encryption.org/v1\n')) return 'age';
  return length === 0 ? 'empty' : 'other';
}

/** Writes content into a new file, encrypted as `age --passphrase` does. A part at a time is in memory. */
export async function encryptStream(content: Readable, output: string, passphrase: string): Promise<void> {
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  const plain = Readable.toWeb(content) as ReadableStream<Uint8Array>;
  await write(await encrypter.encrypt(plain), output);
}

/** @throws CommandError for a wrong passphrase, and for a file that was changed or cut off. */
export async function decryptFile(file: string, output: string, passphrase: string): Promise<void> {
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  const cipher = Readable.toWeb(createReadStream(file)) as ReadableStream<Uint8Array>;
  const plain = await decrypter.decrypt(cipher).catch(() => {
    throw new CommandError('the passphrase is wrong, or the file is damaged');
  });
  await write(plain, output).catch((error: NodeJS.ErrnoException) => {
    // Each part is authenticated before it is written, and the last one as the last.
    throw error.code === undefined ? new CommandError('the file is damaged, or was changed') : error;
  });
}

export async function copyFile(file: string, output: string): Promise<void> {
  await pipeline(createReadStream(file), createNew(output));
}

async function write(content: ReadableStream<Uint8Array>, output: string): Promise<void> {
  await pipeline(Readable.fromWeb(content as NodeReadableStream), createNew(output));
}

function createNew(path: string) {
  return createWriteStream(path, { flags: 'wx', mode: 0o600, flush: true });
}

const unfinished = new Set<string>();

/**
 * Removes what was not finished when the process ends, also by Ctrl-C: it may hold every password hash. What is returned
 * does so at once.
 */
export function removeAtExit(...paths: readonly string[]): () => void {
  // What the system refused to make, as for its name, it refuses to remove even by force.
  const remove = (path: string) => existsSync(path) && rmSync(path, { recursive: true, force: true });
  if (unfinished.size === 0) {
    process.once('exit', () => unfinished.forEach(remove));
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.once(signal, () => process.exit(1));
  }
  for (const path of paths) unfinished.add(path);
  return () => paths.forEach(remove);
}

/**
 * Where a path leads, also when there is nothing: SQLite keeps its log beside the file itself, and a link is to stay one.
 */
export function followLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink();
  if (isLink) return followLinks(resolve(realpathSync(dirname(path)), readlinkSync(path)));
  return existsSync(dirname(path)) ? join(realpathSync(dirname(path)), basename(path)) : path;
}
