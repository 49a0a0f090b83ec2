import { DoorwardError } from '../errors.ts';

interface Waiter {
  readonly start: () => void;
  readonly patience: NodeJS.Timeout | undefined;
}

/** How long work that never waits may hold the event loop before others have their turn, in milliseconds. */
export const TURN_MS = 1;

/**
 * Gives its holders their turn in the order in which they asked. Those whose work does not wait follow each other at once,
 * so that their commits share a sync, until they have held the event loop long enough.
 */
export class Mutex {
  #held = false;
  /** When the event loop last turned, as far as is known here, on the clock of `performance.now()`. */
  #turnBegan = 0;
  readonly #waiting: Waiter[] = [];

  /** Resolves when it is the caller's turn; DoorwardError `database_unavailable` after `waitMs`, where that is given. */
  async acquire(waitMs?: number): Promise<void> {
    if (!this.#held) {
      this.#held = true;
      this.#turnBegan = performance.now();
      return;
    }
    await new Promise<void>((start, reject) => {
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(new DoorwardError('database_unavailable', { reason: 'waited too long for a connection' }));
      };
      const patience = waitMs === undefined ? undefined : setTimeout(giveUp, waitMs);
      const waiter = { start, patience };
      this.#waiting.push(waiter);
    });
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) {
      this.#held = false;
      return;
    }
    // Now, not when it starts: a turn given to one whose patience ends in between would never be given back.
    clearTimeout(next.patience);
    if (performance.now() - this.#turnBegan < TURN_MS) next.start();
    else
      setImmediate(() => {
        this.#turnBegan = performance.now();
        next.start();
      });
  }
}
