import type { Kernel } from '../../kernel.ts';
import { dayOf } from './days.ts';
import { insertActive } from './store.ts';

/** Gathers who is active and writes it down now and then, once a user and day: nobody waits for it, and no row is hot. */
export interface ActiveUsers {
  /** Writes what was gathered. To be called now and then: what was not written a crash loses. */
  flush(): Promise<void>;
}

/** Users of one statement. */
const batchSize = 500;

export function gatherActiveUsers({
  db,
  clock,
  counters,
}: Pick<Kernel, 'db' | 'clock' | 'counters'>): ActiveUsers {
  const gathered = new Map<string, { written: Set<number>; pending: Set<number> }>();

  counters.watchActive((userId) => {
    const day = dayOf(clock.now());
    let users = gathered.get(day);
    if (users === undefined) {
      users = { written: new Set(), pending: new Set() };
      gathered.set(day, users);
    }
    if (!users.written.has(userId)) users.pending.add(userId);
  });

  return {
    async flush() {
      const today = dayOf(clock.now());
      for (const [day, { written, pending }] of gathered) {
        while (pending.size > 0) {
          const batch = [...pending].slice(0, batchSize);
          await db.transaction((tx) => insertActive(tx, day, batch));
          for (const userId of batch) {
            written.add(userId);
            pending.delete(userId);
          }
        }
        if (day !== today) gathered.delete(day);
      }
    },
  };
}
