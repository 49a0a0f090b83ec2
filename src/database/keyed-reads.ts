import { DoorwardError } from '../errors.ts';
import { mayBeOfOneRow } from './database-errors.ts';

/** How often a read that failed is made again, in parts: enough to find some rows among 500 that cannot be read. */
const READS_OF_PARTS = 60;

/** Keys in one read at most, and reads at once at most, so that those who wait gather. */
const KEYS_PER_READ = 500;
const KEYED_READS_AT_ONCE = 2;

/**
 * Turns a read of many keys into a read of one: keys asked for before one begins share it. A key asked for while one is under
 * way waits for the next, so that nobody is given what was read before they asked; for `waitMs` at most, as for a
 * connection. PostgreSQL saves round trips; SQLite answers each key several times as fast when nothing comes between.
 * A key whose row cannot be read fails alone.
 */
export function shareReads<Row>(waitMs: number, readAll: (keys: string[]) => Promise<Map<string, Row>>) {
  interface Lookup {
    /** Until when its turn must have come, on the clock of `performance.now()`. */
    readonly until: number;
    readonly result: Promise<Row | undefined>;
    readonly resolve: (row: Row | undefined) => void;
    readonly reject: (error: unknown) => void;
  }
  let waiting = new Map<string, Lookup>();
  let underWay = 0;
  let scheduled = false;
  let isWatched = false;

  const schedule = () => {
    if (scheduled || waiting.size === 0) return;
    if (underWay >= KEYED_READS_AT_ONCE) {
      // What reads keeps the process going, not who waits for it.
      if (!isWatched) setTimeout(giveUp, waitMs).unref();
      isWatched = true;
      return;
    }
    scheduled = true;
    setImmediate(flush);
  };

  /** Fails those whose turn has not come; the others have asked later. */
  const giveUp = () => {
    isWatched = false;
    const now = performance.now();
    for (const [key, lookup] of waiting) {
      if (lookup.until > now) {
        setTimeout(giveUp, lookup.until - now).unref();
        isWatched = true;
        return;
      }
      waiting.delete(key);
      lookup.reject(
        new DoorwardError('database_unavailable', { reason: 'waited too long for a connection' }),
      );
    }
  };

  const takeBatch = () => {
    if (waiting.size <= KEYS_PER_READ) {
      // The usual case, which every request pays for.
      const all = waiting;
      waiting = new Map();
      return all;
    }
    const batch = new Map([...waiting].slice(0, KEYS_PER_READ));
    for (const key of batch.keys()) waiting.delete(key);
    return batch;
  };

  const flush = async () => {
    scheduled = false;
    const batch = takeBatch();
    underWay++;
    schedule();
    await answer([...batch], { left: READS_OF_PARTS });
    underWay--;
    schedule();
  };

  const answer = async (batch: (readonly [string, Lookup])[], again: { left: number }): Promise<void> => {
    try {
      const rows = await readAll(batch.map(([key]) => key));
      for (const [key, lookup] of batch) lookup.resolve(rows.get(key));
    } catch (error) {
      if (batch.length === 1 || !mayBeOfOneRow(error) || again.left <= 0) {
        for (const [, lookup] of batch) lookup.reject(error);
        return;
      }
      again.left -= 2;
      const half = Math.ceil(batch.length / 2);
      await answer(batch.slice(0, half), again);
      await answer(batch.slice(half), again);
    }
  };

  return (key: string): Promise<Row | undefined> => {
    let lookup = waiting.get(key);
    if (lookup === undefined) {
      const { promise: result, resolve, reject } = Promise.withResolvers<Row | undefined>();
      lookup = { until: performance.now() + waitMs, result, resolve, reject };
      waiting.set(key, lookup);
      schedule();
    }
    return lookup.result;
  };
}
