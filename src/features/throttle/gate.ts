import { DoorwardError } from '../../errors.ts';

/** Lets so many through at once under one key. */
export interface Gate {
  /**
   * Runs `work` when fewer than `most` others of `key` run, in order of arrival.
   * @throws DoorwardError `overloaded` when as many wait as may, under whatever key.
   */
  run<T>(key: string, most: number, work: () => Promise<T>): Promise<T>;
}

/** A gate before which at most `limit` wait. */
export function createGate(limit: number): Gate {
  const keys = new Map<string, { running: number; waiters: (() => void)[] }>();
  let waiting = 0;

  return {
    async run(key, most, work) {
      const place = keys.get(key) ?? { running: 0, waiters: [] };
      keys.set(key, place);
      if (place.running < most) place.running += 1;
      else {
        if (waiting >= limit)
          throw new DoorwardError('overloaded', {
            reason: `${waiting} tries wait for those before them`,
            retryAfterSeconds: 1,
          });
        waiting += 1;
        await new Promise<void>((start) => place.waiters.push(start));
      }
      try {
        return await work();
      } finally {
        const next = place.waiters.shift();
        if (next !== undefined) {
          waiting -= 1;
          next();
        } else {
          place.running -= 1;
          if (place.running === 0) keys.delete(key);
        }
      }
    },
  };
}
