import { lchownSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** What root makes belongs to whom the server runs as. */
export function giveTo({ uid, gid }: Owner, file: string): void {
  // Whoever may write in the folder could put a link in its place, and be given what that leads to.
  if (isRoot()) lchownSync(file, uid, gid);
}

/**
 * The same, to whom the first of `paths` belongs that is there. Where root may give nothing away, as on some network
 * disks, the file stays root's.
 */
export function giveToOwnerOf(paths: readonly string[], file: string): void {
  if (!isRoot()) return;
  try {
    const [owner] = paths.flatMap((path) => statSync(path, { throwIfNoEntry: false }) ?? []);
    if (owner !== undefined) giveTo(owner, file);
  } catch {}
}

/** Makes the folders that lead to `path` and are not there, for their owner alone: to whom the one belongs that they are in. */
export function makeFolderOf(path: string): void {
  const missing: string[] = [];
  let parent = resolve(dirname(path));
  for (; !isThere(parent); parent = dirname(parent)) missing.unshift(parent);
  // One by one: where none can be made, as in /proc, Node 24 would try for ever to make them all.
  for (const folder of missing) {
    try {
      mkdirSync(folder, { mode: 0o700 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue;
      throw error;
    }
    giveToOwnerOf([parent], folder);
  }
}

const isThere = (path: string) => statSync(path, { throwIfNoEntry: false }) !== undefined;

const isRoot = () => process.getuid?.() === 0;
