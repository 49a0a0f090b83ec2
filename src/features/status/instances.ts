import { randomUUID } from 'node:crypto';
import type { Kernel } from '../../kernel.ts';
import { version } from '../../version.ts';
import { deleteInstance, deleteUnseen, type InstanceRow, listSeen, putInstance, readNow } from './store.ts';

/** An instance that was not seen for so long is gone. Several heartbeats, so that a slow one is not taken for that. */
const goneAfterMs = 60_000;

export interface ListedInstance extends InstanceRow {
  /** Whether it is the one that answers. */
  is_current: boolean;
}

/** The processes that serve on one database. All times are by the database's clock, whatever theirs say. */
export interface Instances {
  readonly id: string;
  /** From now on this one is seen: it serves requests. Others need not wait for the first turn of the timer. */
  join(): Promise<void>;
  /** Tells the others that this one runs, and removes those that are gone. To be called several times a minute. */
  beat(): Promise<void>;
  /** Takes this one off the list. */
  leave(): Promise<void>;
  /** This one, and all: the longest running first. */
  list(): Promise<{ current: InstanceRow; all: ListedInstance[] }>;
}

export function createInstances({ db }: Pick<Kernel, 'db'>): Instances {
  const id = randomUUID();
  const begunMs = performance.now();
  let state: 'outside' | 'joined' | 'left' = 'outside';
  /** The last of them, so that none puts this instance back on the list that it has left. */
  let lastBeat: Promise<unknown> = Promise.resolve();

  /** How this instance is at `now`. The time of its start is told once and then the same. */
  let startedAt: string | undefined;
  function describe(now: Date): InstanceRow {
    startedAt ??= new Date(now.getTime() - (performance.now() - begunMs)).toISOString();
    return { id, version, started_at: startedAt, last_seen_at: now.toISOString() };
  }
  /** A clock that was ahead, and is right again, leaves times that have not come yet. */
  const seenWithin = (now: Date): [since: string, until: string] => {
    const at = (ms: number) => new Date(now.getTime() + ms).toISOString();
    return [at(-goneAfterMs), at(goneAfterMs)];
  };

  async function beat(): Promise<void> {
    if (state !== 'joined') return;
    const done = db.transaction(async (tx) => {
      const now = await readNow(db, tx);
      await putInstance(tx, describe(now));
      await deleteUnseen(tx, ...seenWithin(now));
    });
    lastBeat = done.catch(() => {});
    await done;
  }

  return {
    id,
    join() {
      state = 'joined';
      return beat();
    },
    beat,
    async leave() {
      if (state !== 'joined') return;
      state = 'left';
      await lastBeat;
      await db.transaction((tx) => deleteInstance(tx, id));
    },
    async list() {
      const now = await readNow(db);
      const others = (await listSeen(db.read, ...seenWithin(now))).filter((row) => row.id !== id);
      const current = describe(now);
      const all = [current, ...others].map((row) => ({ ...row, is_current: row === current }));
      all.sort((a, b) => (a.started_at + a.id < b.started_at + b.id ? -1 : 1));
      return { current, all };
    },
  };
}
