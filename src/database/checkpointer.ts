import type { CheckpointProgress, SqliteConnection } from './sqlite-connection.ts';
import { Thread } from './thread.ts';

/** How long the log of writes may grow before it is written into the database: SQLite's own figure. */
const CHECKPOINT_PAGES = 1000;
/** How often a commit looks how long it is, and how soon after a checkpoint that failed or that somebody who reads held up. */
const LOOK_MS = 100;
const LOOK_AGAIN_MS = 1000;

interface CheckpointerOptions {
  /** The database's file, links resolved. */
  readonly file: () => string;
  /** How long the log is by now, and how much of it the database has. */
  readonly readProgress: () => Promise<CheckpointProgress>;
  /** Runs the work while nobody of this process writes or reads. */
  readonly whileQuiet: <T>(work: (writer: SqliteConnection) => T | Promise<T>) => Promise<T>;
  /** Whether the log can have no gap: a checkpoint that is cut off by a crash is finished from it. */
  readonly isLogWhole: () => boolean;
  readonly onError: (error: unknown) => void;
}

/**
 * Writes the log of writes (WAL) into the database on a thread of its own, which starts with the first time. It copies a
 * thousand pages and waits for the disk twice; within a commit, where SQLite does it, everybody would wait.
 */
export class Checkpointer {
  readonly #options: CheckpointerOptions;
  #running: Promise<void> | undefined;
  /** When to look next, on the clock of `performance.now()`. */
  #nextLook = 0;
  #closed = false;
  readonly #thread: Thread<'open' | 'pass', 'done'>;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
    this.#thread = new Thread('checkpoint-thread', options.file);
  }

  /** Begins if the log is long. To be called when all that was committed is on disk. */
  consider(): void {
    if (this.#closed || this.#running !== undefined || performance.now() < this.#nextLook) return;
    this.#running = this.#run()
      .catch((error) => {
        this.#options.onError(error);
        return false;
      })
      .then((isDone) => {
        this.#running = undefined;
        this.#nextLook = performance.now() + (isDone ? LOOK_MS : LOOK_AGAIN_MS);
      });
  }

  /** Waits for what is under way, and begins no more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    await this.#thread.end().catch(this.#options.onError);
  }

  /** Resolves to whether there is nothing left to do. */
  async #run(): Promise<boolean> {
    const { readProgress, whileQuiet, isLogWhole, onError } = this.#options;
    const isWritten = async () => {
      const { log, checkpointed } = await readProgress();
      return log === checkpointed;
    };
    if ((await readProgress()).log < CHECKPOINT_PAGES) return true;
    let hasThread = true;
    try {
      await this.#started();
      if (!isLogWhole()) return false;
      await this.#thread.ask('pass');
      if (await isWritten()) return true;
    } catch (error) {
      // Threads may not be allowed here.
      hasThread = false;
      onError(error);
    }
    // What was added meanwhile is little, and while nobody writes it is all: the next to write begins at the log's start.
    return whileQuiet(async (writer) => {
      if (!isLogWhole()) return false;
      if (!hasThread) writer.writeLogBack();
      // Other processes write, too.
      else await writer.alone(() => this.#thread.ask('pass'));
      return isWritten();
    });
  }

  /**
   * Resolves when the thread has the log open: of a sync that fails from then on it is told by the system as well, and then
   * writes nothing into the database.
   */
  async #started(): Promise<void> {
    if (!this.#thread.hasStarted) await this.#thread.ask('open');
  }
}
