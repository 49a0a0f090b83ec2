import { DoorwardError } from '../errors.ts';

interface Waiter {
  readonly start: () => void;
  readonly patience: NodeJS.Timeout;
}

/** Gives its holders their turn in the order in which they asked. */
export class Mutex {
  #held = false;
  readonly #waiting: Waiter[] = [];

  /** Resolves when it is the caller's turn; DoorwardError `database_unavailable` after `waitMs`. */
  async acquire(waitMs: number): Promise<void> {
    if (!this.#held) {
      this.#held = true;
      return;
    }
    await new Promise<void>((start, reject) => {
      const patience = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(new DoorwardError('database_unavailable', { reason: 'waited too long for a connection' }));
      }, waitMs);
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
    // A queue of synchronous transactions must not keep the event loop from turning.
    setImmediate(next.start);
  }
}
