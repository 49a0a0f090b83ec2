import { DoorwardError } from '../errors.ts';

/** Holds password hashing to a fixed share of the machine. */
export interface HashQueue {
  /**
   * Runs the job as soon as a slot is free, in order of arrival. The slot is the job's until the job settles, whoever
   * still waits for it.
   * @throws DoorwardError `overloaded`, with `retryAfterSeconds`, if as many jobs wait as may.
   */
  run<T>(job: () => Promise<T>): Promise<T>;
  readonly running: number;
  readonly waiting: number;
  /** Resolves when nothing runs or waits. */
  drain(): Promise<void>;
}

interface Waiter {
  start: () => void;
  next: Waiter | undefined;
}

/** A queue that runs at most `concurrency` jobs at once and lets at most `limit` wait. */
export function createHashQueue({ concurrency, limit }: { concurrency: number; limit: number }): HashQueue {
  let running = 0;
  let waiting = 0;
  let first: Waiter | undefined;
  let last: Waiter | undefined;
  let drained: (() => void)[] = [];
  /** Moving average over the latest jobs. */
  let secondsPerJob = 0;

  function enqueue(start: () => void): void {
    const waiter: Waiter = { start, next: undefined };
    if (last) last.next = waiter;
    else first = waiter;
    last = waiter;
    waiting += 1;
  }

  function dequeue(): Waiter | undefined {
    const waiter = first;
    if (!waiter) return undefined;
    first = waiter.next;
    if (!first) last = undefined;
    waiting -= 1;
    return waiter;
  }

  /** Hands the slot to the next in line, so that no newcomer can take it in between. */
  function release(): void {
    const next = dequeue();
    if (next) {
      next.start();
      return;
    }
    running -= 1;
    if (running > 0) return;
    for (const resolve of drained) resolve();
    drained = [];
  }

  return {
    async run(job) {
      if (running < concurrency) {
        running += 1;
      } else if (waiting < limit) {
        await new Promise<void>(enqueue);
      } else {
        // By then all that is here now is done.
        const seconds = (secondsPerJob * (running + waiting)) / concurrency;
        throw new DoorwardError('overloaded', {
          reason: `hash queue is full: ${running} running, ${waiting} waiting`,
          retryAfterSeconds: Math.max(1, Math.ceil(seconds)),
        });
      }
      const startedAt = performance.now();
      try {
        return await job();
      } finally {
        const seconds = (performance.now() - startedAt) / 1000;
        secondsPerJob = secondsPerJob === 0 ? seconds : secondsPerJob * 0.9 + seconds * 0.1;
        release();
      }
    },
    get running() {
      return running;
    },
    get waiting() {
      return waiting;
    },
    drain() {
      return running === 0 ? Promise.resolve() : new Promise((resolve) => drained.push(resolve));
    },
  };
}
