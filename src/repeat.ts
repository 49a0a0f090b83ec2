import { briefly } from './errors.ts';
import type { Log } from './kernel.ts';

const quietMs = 60_000;

/** What fails over and over is told at once, then once a minute at most, and that it works again. */
export class RepeatedFailures {
  readonly #now: () => number;
  #toldAt = Number.NEGATIVE_INFINITY;
  #untold = 0;
  #isTold = false;

  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** Counts one; how many are to be told now, or 0. */
  failed(): number {
    this.#untold += 1;
    if (this.#now() - this.#toldAt < quietMs) return 0;
    const count = this.#untold;
    this.#toldAt = this.#now();
    this.#untold = 0;
    this.#isTold = true;
    return count;
  }

  /** Whether it is to be told that it works again. */
  worked(): boolean {
    const isNews = this.#isTold;
    this.#isTold = false;
    return isNews;
  }
}

interface Repetition {
  readonly intervalMs: number;
  /** What is done, for the log: `reloading the keys`. */
  readonly what: string;
  readonly log: Log;
  /** Milliseconds that only grow. */
  readonly now?: () => number;
}

/** Does the work again and again, once at a time, whether it fails or not. */
export function repeat(
  work: () => Promise<void>,
  { intervalMs, what, log, now }: Repetition,
): NodeJS.Timeout {
  const failures = new RepeatedFailures(now);
  let isRunning = false;
  const run = async () => {
    if (isRunning) return;
    isRunning = true;
    try {
      await work();
      if (failures.worked()) log.info({}, `${what} works again`);
    } catch (error) {
      const count = failures.failed();
      if (count > 0) log.warn({ ...briefly(error), failures: count }, `${what} failed`);
    } finally {
      isRunning = false;
    }
  };
  return setInterval(run, intervalMs).unref();
}
