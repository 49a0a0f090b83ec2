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
  const made = mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (made === undefined) return;
  const first = resolve(made);
  for (let folder = resolve(dirname(path)); folder.length >= first.length; folder = dirname(folder))
    giveToOwnerOf([dirname(first)], folder);
}

const isRoot = () => process.getuid?.() === 0;
