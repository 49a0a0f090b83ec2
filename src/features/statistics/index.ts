import { removeInBatches } from '../../database/batches.ts';
import type { Kernel } from '../../kernel.ts';
import type { Audit } from '../audit/index.ts';
import { gatherActiveUsers } from './active-users.ts';
import { countDay, countTotals, type Totals } from './count.ts';
import { addDays, dayOf, daysBetween } from './days.ts';
import {
  type DailyCounts,
  deleteActiveBefore,
  findLastDay,
  listActiveDays,
  listDays,
  putDay,
} from './store.ts';

export { statisticsMigrations } from './migrations.ts';
export { statisticsRoutes } from './routes.ts';

export interface StatisticsRead {
  /** The oldest first; the last one is today so far. */
  readonly days: DailyCounts[];
  readonly totals: Totals;
  /** When today and the totals were counted. */
  readonly counted_at: string;
}

/** What happened on each day, and how many users there are. */
export interface Statistics {
  read(days: number): Promise<StatisticsRead>;
  /** On which of the days that are not counted yet a user was active. */
  listActiveDays(userId: number): Promise<string[]>;
  /** Writes down who was active. To be called now and then; what was not written a crash loses. */
  flush(): Promise<void>;
  /** Counts the days that are over, and forgets who was active on them. */
  countPastDays(): Promise<void>;
}

/** The most days that are looked back on. */
const mostDays = 365;
/** By then every transaction of the day is committed, and every instance has written who was active. */
const countAfterMs = 5 * 60_000;
/** How old the counts of today may be. */
const freshForMs = 15_000;
/** By more than clocks of instances differ: whoever is further ahead is wrong, and counted days that were not over. */
const clockMarginMs = 3_600_000;
const deleteBatchSize = 1_000;

export function createStatistics(kernel: Kernel, audit: Audit): Statistics {
  const { db, clock } = kernel;
  const activeUsers = gatherActiveUsers(kernel);
  /** The first day that is not to be counted for good yet. */
  const openDay = () => dayOf(new Date(clock.now().getTime() - countAfterMs));

  let counting: Promise<void> | undefined;
  async function countPastDays(): Promise<void> {
    const open = openDay();
    const now = clock.now().getTime();
    const times = {
      counted_at: new Date(now).toISOString(),
      latest: new Date(now + clockMarginMs).toISOString(),
    };
    const last = await findLastDay(db.read, times.latest);
    const oldest = last === undefined ? await audit.oldest() : undefined;
    const next =
      last === undefined ? dayOf(oldest === undefined ? clock.now() : new Date(oldest)) : addDays(last, 1);
    const earliest = addDays(open, -mostDays);
    for (const day of daysBetween(next < earliest ? earliest : next, open)) {
      const counts = await countDay(kernel, audit, day);
      await db.transaction((tx) => putDay(tx, counts, times));
    }
  }
  /** Whoever asks meanwhile waits for the same count. */
  function countPastDaysOnce(): Promise<void> {
    counting ??= countPastDays().finally(() => {
      counting = undefined;
    });
    return counting;
  }

  interface Present {
    /** Today, and yesterday for some minutes. */
    readonly days: DailyCounts[];
    readonly totals: Totals;
    readonly counted_at: string;
  }
  let present: Promise<Present> | undefined;
  let presentAt = 0;
  async function countPresent(): Promise<Present> {
    const counted_at = clock.now().toISOString();
    await activeUsers.flush();
    await countPastDaysOnce();
    const days: DailyCounts[] = [];
    for (const day of daysBetween(openDay(), addDays(dayOf(clock.now()), 1)))
      days.push(await countDay(kernel, audit, day));
    return { days, totals: await countTotals(kernel), counted_at };
  }
  /** However many ask, today is counted once in a while. */
  function readPresent(): Promise<Present> {
    const now = clock.now().getTime();
    // Either way: a clock may be set back.
    if (present === undefined || Math.abs(now - presentAt) >= freshForMs) {
      presentAt = now;
      const counted = countPresent();
      present = counted;
      counted.catch(() => {
        if (present === counted) present = undefined;
      });
    }
    return present;
  }

  return {
    flush: activeUsers.flush,
    async countPastDays() {
      await countPastDaysOnce();
      await removeInBatches(db, (tx) => deleteActiveBefore(tx, openDay(), deleteBatchSize));
    },
    listActiveDays: (userId) => listActiveDays(db.read, userId),
    async read(days) {
      const { days: open, totals, counted_at } = await readPresent();
      const today = counted_at.slice(0, 10);
      const from = addDays(today, 1 - days);
      const known = new Map((await listDays(db.read, from)).map((counts) => [counts.day, counts]));
      for (const counts of open) known.set(counts.day, counts);
      const nothing = { sign_ups: 0, logins: 0, failed_logins: 0, throttled: 0, active_users: 0 };
      return {
        days: daysBetween(from, addDays(today, 1)).map((day) => known.get(day) ?? { day, ...nothing }),
        totals,
        counted_at,
      };
    },
  };
}
