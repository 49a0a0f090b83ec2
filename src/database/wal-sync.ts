import { close, fdatasync, fdatasyncSync, open, readSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';

const CHUNK_BYTES = 1024 * 1024;

/**
 * Makes commits durable beside the event loop. With `synchronous = full` SQLite waits for the disk within COMMIT, and every
 * request of the process with it. With `normal`, and a log of writes (WAL), it leaves out that one wait and no other, and we
 * do it before a commit is answered. What commits while one sync is under way shares the next.
 */
export class WalSync {
  readonly #findPath: () => Promise<string>;
  readonly #whileNobodyWrites: (work: () => void) => Promise<void>;
  #file: number | undefined;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #hasFailed = false;

  /**
   * @param findPath the log's path. It stands there from the first write to the last close.
   * @param whileNobodyWrites runs the work while nothing is added to the log, by nobody.
   */
  constructor(findPath: () => Promise<string>, whileNobodyWrites: (work: () => void) => Promise<void>) {
    this.#findPath = findPath;
    this.#whileNobodyWrites = whileNobodyWrites;
  }

  /** Whether a sync failed and none has succeeded since: what the log has may not be on disk, and must not be built on. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Resolves when all is on disk that was committed before the call. Whoever is refused does not know whether it is. */
  settle(): Promise<void> {
    if (this.#next !== undefined) return this.#next;
    if (this.#running === undefined) {
      this.#running = this.#sync().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    // The one under way may have begun before the commit.
    this.#next = this.#running
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.settle();
      });
    return this.#next;
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    await (this.#next ?? this.#running)?.catch(() => {});
    if (this.#file !== undefined) await promisify(close)(this.#file);
    this.#file = undefined;
  }

  async #sync(): Promise<void> {
    this.#file ??= await promisify(open)(await this.#findPath(), 'r+');
    const file = this.#file;
    try {
      if (this.#hasFailed) await this.#whileNobodyWrites(() => writeAnew(file));
      else await promisify(fdatasync)(file);
      this.#hasFailed = false;
    } catch (error) {
      this.#hasFailed = true;
      throw error;
    }
  }
}

/**
 * After a failed sync the kernel holds to be written what was not, so that the next sync succeeds over a gap (Rebello and
 * others, "Can Applications Recover from fsync Failures?", 2020). So each octet is written once more, and then synced.
 */
function writeAnew(file: number): void {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  for (let position = 0; ; ) {
    const length = readSync(file, chunk, 0, CHUNK_BYTES, position);
    if (length === 0) break;
    for (let written = 0; written < length; )
      written += writeSync(file, chunk, written, length - written, position + written);
    position += length;
  }
  fdatasyncSync(file);
}
