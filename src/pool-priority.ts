import { readdirSync, readFileSync } from 'node:fs';
import { setPriority } from 'node:os';

/**
 * Low enough that the event loop hardly waits for a hash; at 19 a log-in waits for seconds beside whatever else keeps the
 * machine busy (`docs/decisions/hashes-at-once.md`).
 */
const poolNiceness = 10;

/**
 * Lets the event loop go before password hashes where there are fewer cores than threads: on Linux, where threads have
 * priorities of their own, those of libuv's pool get a low one. Called when the pool has been made. Elsewhere, and where
 * it is not allowed, nothing happens.
 */
export function lowerPoolPriority(): void {
  try {
    for (const thread of readdirSync('/proc/self/task')) {
      const name = readFileSync(`/proc/self/task/${thread}/comm`, 'utf8').trim();
      if (name === 'libuv-worker') setPriority(Number(thread), poolNiceness);
    }
  } catch {
    // No such folder, a thread that ended meanwhile, or no leave to do it.
  }
}
