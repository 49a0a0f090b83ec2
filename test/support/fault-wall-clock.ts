import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The wall clock of a server process, which can be set wrong while it runs. */
export interface WallClock {
  /** What the process is to be started with. */
  readonly env: Record<string, string>;
  /** Sets the clock wrong by so many milliseconds; resolves when the process goes by it. */
  set(offsetMs: number): Promise<void>;
}

/** `folder` is where the test and the process meet. */
export function createWallClock(folder: string): WallClock {
  const file = join(folder, 'clock');
  const write = (offsetMs: number) => writeFileSync(file, String(offsetMs).padEnd(20));
  write(0);
  return {
    env: { NODE_OPTIONS: `--import=${new URL('./fault-clock.ts', import.meta.url)}`, FAULT_CLOCK: file },
    async set(offsetMs) {
      write(offsetMs);
      while (Number(readFileSync(`${file}.set`, 'utf8')) !== offsetMs) await sleep(20);
    },
  };
}
