import { close, fdatasync, open } from 'node:fs';
import { promisify } from 'node:util';

/**
 * Makes commits durable beside the event loop. With `synchronous = full` SQLite waits for the disk within COMMIT, and every
 * request of the process with it. With `normal`, and a log of writes (WAL), it leaves out that one wait and no other, and we
 * do it before a commit is answered. What commits while one sync is under way shares the next.
 */
export class WalSync {
  readonly #path: string;
  readonly #checkpoint: () => Promise<void>;
  #file: number | undefined;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #hasFailed = false;

  /**
   * @param path the log's. It stands there from the first write to the last close.
   * @param checkpoint writes the log into the database, durably, and empties it.
   */
  constructor(path: string, checkpoint: () => Promise<void>) {
    this.#path = path;
    this.#checkpoint = checkpoint;
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
    // After a failed sync the next one succeeds, though what was to be written is lost (Rebello and others, "Can Applications
    // Recover from fsync Failures?", 2020), and a gap in the log ends it. The database is written from memory, not from there.
    if (this.#hasFailed) await this.#checkpoint();
    this.#hasFailed = true;
    this.#file ??= await promisify(open)(this.#path, 'r+');
    await promisify(fdatasync)(this.#file);
    this.#hasFailed = false;
  }
}
