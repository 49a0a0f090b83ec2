import { createHash, randomBytes } from 'node:crypto';

/** What all random choices of a run derive from. `DOORWARD_SEED` replays a run. */
export const seed = process.env.DOORWARD_SEED ?? randomBytes(6).toString('hex');

/** Choices that look random and are the same for the same seed and name. */
export interface Random {
  /** From 0 up to, but not including, `limit`. */
  below(limit: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  pick<T>(choices: readonly T[]): T;
}

/** `name` tells apart those that draw side by side, so that none of them depends on how they interleave. */
export function createRandom(name: string): Random {
  let state = createHash('sha256').update(`${seed}/${name}`).digest().readUInt32LE();
  /** mulberry32 */
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  return {
    below,
    chance: (probability) => next() < probability,
    pick<T>(choices: readonly T[]): T {
      if (choices.length === 0) throw new Error('Nothing to pick from');
      return choices[below(choices.length)] as T;
    },
  };
}
