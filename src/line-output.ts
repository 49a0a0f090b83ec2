import { write, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** How much waits, in characters, before more is lost. */
const maxWaiting = 1_000_000;
/** When to try again: a reader that is slow reads on soon, a full disk has room when somebody makes some. */
const slowReaderMs = 10;
const failedMs = 1_000;
/** How often a slow reader is tried at the end of the process. */
const lastTries = 20;

/** Where lines go to. */
export interface LineOutput {
  /** Takes lines, each with its line break. Never throws, and never waits. */
  write(lines: string): void;
  /** Resolves when all is written. It may never be. */
  idle(): Promise<void>;
}

/**
 * Writes lines to a file descriptor, in batches and beside the event loop. A slow reader, one that has gone and a full disk
 * hold nobody up and end nothing: lines wait for them, up to a bound, and how many were lost beyond it is told by the line
 * `tellLost`. What still waits at the end of the process is tried once more.
 */
export function createLineOutput(fd: number, tellLost: (lines: number) => string): LineOutput {
  let waiting = '';
  let lost = 0;
  let batch = Buffer.alloc(0);
  let isWriting = false;
  let retry: NodeJS.Timeout | undefined;

  /** What is to be written next: what was not written, or else all that waits. */
  function nextBatch(): Buffer {
    if (batch.length > 0) return batch;
    if (lost > 0) waiting += tellLost(lost);
    batch = Buffer.from(waiting);
    waiting = '';
    lost = 0;
    return batch;
  }

  function tryAgainIn(ms: number): void {
    retry = setTimeout(() => {
      retry = undefined;
      flush();
    }, ms).unref();
  }

  function flush(): void {
    if (isWriting || retry !== undefined || nextBatch().length === 0) return;
    isWriting = true;
    write(fd, batch, (error, written) => {
      isWriting = false;
      if (error !== null) return tryAgainIn(error.code === 'EAGAIN' ? slowReaderMs : failedMs);
      batch = batch.subarray(written);
      flush();
    });
  }

  process.on('exit', () => {
    // A thread writes it, for better or worse; what follows begins a line.
    if (isWriting) batch = Buffer.alloc(0);
    if (isWriting && waiting !== '') waiting = `\n${waiting}`;
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (let tries = 0; tries < lastTries && nextBatch().length > 0; ) {
      try {
        batch = batch.subarray(writeSync(fd, batch));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
        tries++;
        Atomics.wait(pause, 0, 0, slowReaderMs);
      }
    }
  });

  return {
    write(lines) {
      if (waiting.length >= maxWaiting) {
        lost++;
        return;
      }
      waiting += lines;
      flush();
    },
    async idle() {
      while (isWriting || batch.length > 0 || waiting !== '')
        await sleep(slowReaderMs, undefined, { ref: false });
    },
  };
}
