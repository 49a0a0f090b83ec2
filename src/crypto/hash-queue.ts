import { DoorwardError } from '../errors.ts';

/** Holds password hashing to a fixed share of the machine. */
export interface HashQueue {
  /**
   * Runs the job as soon as a slot is free, in order of arrival, those that go first before the others. `known` says who
   * goes first: a device, a session; a flood of strangers must not shut them out. The slot is the job's until the job
   * settles, whoever still waits for it.
   * @throws DoorwardError `overloaded`, with `retryAfterSeconds`, if as many jobs wait as may. One that goes first takes
   * the place of the newest of the others, which is refused in its stead.
   */
  run<T>(job: () => Promise<T>, known?: string): Promise<T>;
  readonly running: number;
  readonly waiting: number;
  /** Resolves when nothing runs or waits. */
  drain(): Promise<void>;
}

type HashPriority = 'first' | 'ordinary';

/** Whoever is known goes first with so many jobs at once, waiting or running, or one user shuts the others out. */
const mostFirst = 2;

interface Waiter {
  readonly start: () => void;
  readonly refuse: (error: DoorwardError) => void;
}

/** A queue that runs at most `concurrency` jobs at once and lets at most `limit` wait. */
export function createHashQueue({ concurrency, limit }: { concurrency: number; limit: number }): HashQueue {
  let running = 0;
  const waiters: Record<HashPriority, Waiter[]> = { first: [], ordinary: [] };
  const countWaiting = () => waiters.first.length + waiters.ordinary.length;
  let drained: (() => void)[] = [];
  /** How many jobs that go first each of the known has here, waiting or running. */
  const first = new Map<string, number>();
  /** Moving average over the latest jobs. */
  let secondsPerJob = 0;

  function overloaded(): DoorwardError {
    const waiting = countWaiting();
    // By then all that is here now is done.
    const seconds = (secondsPerJob * (running + waiting)) / concurrency;
    return new DoorwardError('overloaded', {
      reason: `hash queue is full: ${running} running, ${waiting} waiting`,
      retryAfterSeconds: Math.max(1, Math.ceil(seconds)),
    });
  }

  function wait(priority: HashPriority): Promise<void> {
    if (countWaiting() >= limit) {
      const displaced = priority === 'first' ? waiters.ordinary.pop() : undefined;
      if (displaced === undefined) throw overloaded();
      displaced.refuse(overloaded());
    }
    return new Promise((start, refuse) => waiters[priority].push({ start, refuse }));
  }

  /** Hands the slot to the next in line, so that no newcomer can take it in between. */
  function release(): void {
    const next = waiters.first.shift() ?? waiters.ordinary.shift();
    if (next) {
      next.start();
      return;
    }
    running -= 1;
    if (running > 0) return;
    for (const resolve of drained) resolve();
    drained = [];
  }

  async function runAs<T>(priority: HashPriority, job: () => Promise<T>): Promise<T> {
    if (running < concurrency) running += 1;
    else await wait(priority);
    const startedAt = performance.now();
    try {
      return await job();
    } finally {
      const seconds = (performance.now() - startedAt) / 1000;
      secondsPerJob = secondsPerJob === 0 ? seconds : secondsPerJob * 0.9 + seconds * 0.1;
      release();
    }
  }

  return {
    async run(job, known) {
      const others = known === undefined ? 0 : (first.get(known) ?? 0);
      if (known === undefined || others >= Math.min(mostFirst, concurrency)) return runAs('ordinary', job);
      first.set(known, others + 1);
      try {
        return await runAs('first', job);
      } finally {
        const left = (first.get(known) ?? 0) - 1;
        if (left > 0) first.set(known, left);
        else first.delete(known);
      }
    },
    get running() {
      return running;
    },
    get waiting() {
      return countWaiting();
    },
    drain() {
      return running === 0 ? Promise.resolve() : new Promise((resolve) => drained.push(resolve));
    },
  };
}
