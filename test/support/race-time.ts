import { setImmediate as turn } from 'node:timers/promises';

/** Choices that can be made again: mulberry32, by a seed. */
export class Choices {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** From 0 up to 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  between(least: number, most: number): number {
    return least + this.next() * (most - least);
  }

  pick<T>(values: readonly T[]): T {
    return values[Math.floor(this.next() * values.length)] as T;
  }

  /** Choices of its own for somebody, so that one's do not depend on when another made his. */
  fork(): Choices {
    return new Choices(Math.floor(this.next() * 2 ** 32));
  }
}

/** What happens within one of these happens at once. */
const tickMs = 100;

/**
 * Time that goes on only when nothing is left to happen at the present moment, requests under way included. However
 * slow the machine is, a second is a second.
 */
export class RaceTime {
  now = Date.UTC(2026, 0, 1, 12);
  #underWay = 0;
  #idle: PromiseWithResolvers<void> | undefined;
  readonly #events = new Map<number, (() => void)[]>();
  #ended = false;

  /** Lets `happen` happen in `milliseconds`, or at the present moment. */
  in(milliseconds: number, happen: () => void): void {
    const at = Math.max(this.now, Math.ceil((this.now + milliseconds) / tickMs) * tickMs);
    const together = this.#events.get(at);
    if (together) together.push(happen);
    else this.#events.set(at, [happen]);
  }

  sleep(milliseconds: number): Promise<void> {
    return new Promise((wake) => this.in(milliseconds, wake));
  }

  /** Time stands still until `work` is over. */
  async during<T>(work: Promise<T>): Promise<T> {
    this.#underWay++;
    try {
      return await work;
    } finally {
      this.#underWay--;
      if (this.#underWay === 0) this.#idle?.resolve();
    }
  }

  /** Goes on until `isOver`. `betweenTicks` is called while requests of a moment are under way. */
  async run(isOver: () => boolean, betweenTicks: () => void): Promise<void> {
    while (!isOver() && !this.#ended) {
      const next = Math.min(...this.#events.keys());
      if (next === Infinity) throw new Error('Nothing will ever happen again');
      this.now = next;
      const events = this.#events.get(next) ?? [];
      this.#events.delete(next);
      for (const happen of events) happen();
      betweenTicks();
      await this.#settle();
    }
  }

  async #settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      if (this.#underWay > 0) {
        this.#idle = Promise.withResolvers();
        await this.#idle.promise;
      }
      await turn();
      quiet = this.#underWay === 0 ? quiet + 1 : 0;
    }
  }
}
