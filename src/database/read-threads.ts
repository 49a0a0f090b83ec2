import type { CompiledQuery, DatabaseConnection, Driver, QueryResult } from 'kysely';
import { Mutex } from './mutex.ts';
import { sqliteValues, untilUnlocked } from './sqlite-connection.ts';
import type { Row } from './sqlite-statements.ts';
import { Thread } from './thread.ts';

/** As many cores as one search is worth. Each takes some 15 MB of memory and 50 ms to start, so that it stays for a while. */
const THREADS = 2;
const IDLE_MS = 600_000;
/** How long reading is done without threads after one has failed. */
const WITHOUT_MS = 60_000;

export interface ReadQuestion {
  readonly text: string;
  readonly parameters: readonly unknown[];
}
export type ReadAnswer =
  | { readonly rows: Row[] }
  | { readonly error: { readonly message: string; readonly code: string | undefined } };

interface ReadThreadsOptions {
  /** The database's file, links resolved. Only known when it is open. */
  readonly file: () => string;
  /** The connection that reads on the event loop, for when there are no threads. */
  readonly open: () => Promise<DatabaseConnection>;
  readonly waitMs: number;
  readonly onError: (error: unknown) => void;
}

interface ReadingThread {
  readonly thread: Thread<ReadQuestion, ReadAnswer>;
  readonly turns: Mutex;
  /** Queries under way and waiting. */
  queries: number;
  idle: NodeJS.Timeout | undefined;
}

/**
 * Reads on threads, each with a connection of its own, so that the event loop goes on during what takes many milliseconds, and two
 * halves of it run at the same time. Each query sees what was committed when it begins.
 */
export class ReadThreads implements Driver {
  readonly #options: ReadThreadsOptions;
  readonly #threads: readonly ReadingThread[];
  /** Until when to do without, on the clock of `performance.now()`. */
  #withoutUntil = 0;
  #closed = false;

  constructor(options: ReadThreadsOptions) {
    this.#options = options;
    this.#threads = Array.from({ length: THREADS }, () => ({
      thread: new Thread<ReadQuestion, ReadAnswer>('read-thread', options.file),
      turns: new Mutex(),
      queries: 0,
      idle: undefined,
    }));
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    const connection = await this.#options.open();
    return {
      executeQuery: <R>(query: CompiledQuery) => this.#execute<R>(query, connection),
      streamQuery: connection.streamQuery,
    };
  }

  async #execute<R>(query: CompiledQuery, connection: DatabaseConnection): Promise<QueryResult<R>> {
    const { waitMs, onError } = this.#options;
    if (this.#closed || this.#isWithout) return connection.executeQuery(query);
    const question = { text: query.sql, parameters: sqliteValues(query.parameters) };
    const reading = this.#threads.reduce((least, other) => (other.queries < least.queries ? other : least));
    reading.queries++;
    try {
      await reading.turns.acquire(waitMs);
      try {
        // Somebody else may have met with a failure meanwhile.
        if (this.#isWithout) return await connection.executeQuery(query);
        const rows = await untilUnlocked(performance.now() + waitMs, () => read(reading.thread, question));
        return { rows: rows as R[] };
      } finally {
        clearTimeout(reading.idle);
        if (!this.#closed) reading.idle = setTimeout(() => this.#end(reading), IDLE_MS).unref();
        reading.turns.release();
      }
    } catch (error) {
      if (!(error instanceof ThreadFailure)) throw error;
      // Threads may not be allowed here.
      this.#withoutUntil = performance.now() + WITHOUT_MS;
      onError(error.cause);
      return connection.executeQuery(query);
    } finally {
      reading.queries--;
    }
  }

  get #isWithout(): boolean {
    return performance.now() < this.#withoutUntil;
  }

  /**
   * Runs the work while none of the threads reads: it waits for those who asked before, however long they take, and who asks
   * after it waits for it. When reads never stop, the log of writes can be emptied in no other way.
   */
  async pause<T>(work: () => Promise<T>): Promise<T> {
    await Promise.all(this.#threads.map(({ turns }) => turns.acquire()));
    try {
      return await work();
    } finally {
      for (const { turns } of this.#threads) turns.release();
    }
  }

  async #end({ thread, turns }: ReadingThread): Promise<void> {
    await turns.acquire();
    try {
      await thread.end();
    } catch (error) {
      this.#options.onError(error);
    } finally {
      turns.release();
    }
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { idle } of this.#threads) clearTimeout(idle);
    await Promise.all(this.#threads.map((reading) => this.#end(reading)));
  }

  beginTransaction = refuse;
  commitTransaction = refuse;
  rollbackTransaction = refuse;

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {}
}

/** The thread failed, not what it was asked. */
class ThreadFailure extends Error {}

async function read(thread: Thread<ReadQuestion, ReadAnswer>, question: ReadQuestion): Promise<Row[]> {
  const answer = await thread.ask(question).catch((cause) => {
    throw new ThreadFailure('A thread that reads has failed', { cause });
  });
  if ('error' in answer) throw Object.assign(new Error(answer.error.message), { code: answer.error.code });
  return answer.rows;
}

async function refuse(): Promise<never> {
  throw new Error('Nothing but single reads is done on threads');
}
