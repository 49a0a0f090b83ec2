import { DoorwardError } from '../errors.ts';

/** Gives its holders their turn in the order in which they asked. */
export class Mutex {
  #held = false;
  readonly #waiting: (() => void)[] = [];

  /** Resolves when it is the caller's turn; DoorwardError `database_unavailable` after `waitMs`. */
  async acquire(waitMs: number): Promise<void> {
    if (!this.#held) {
      this.#held = true;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(turn), 1);
        reject(new DoorwardError('database_unavailable', { reason: 'waited too long for a connection' }));
      }, waitMs);
      const turn = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiting.push(turn);
    });
  }

  release(): void {
    const next = this.#waiting.shift();
    // A queue of synchronous transactions must not keep the event loop from turning.
    if (next) setImmediate(next);
    else this.#held = false;
  }
}
