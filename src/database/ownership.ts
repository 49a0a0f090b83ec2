import { lchownSync, statSync } from 'node:fs';

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

const isRoot = () => process.getuid?.() === 0;
