/** The thread of a `Checkpointer`. A pass is answered with whether the database has the whole log now. */
import { parentPort, workerData } from 'node:worker_threads';
import BetterSqlite3 from 'better-sqlite3';

const handle = new BetterSqlite3(workerData as string, { timeout: 0, fileMustExist: true });

parentPort?.on('message', (message: 'pass' | 'close') => {
  if (message === 'pass') {
    const [progress] = handle.pragma('wal_checkpoint(passive)') as { log: number; checkpointed: number }[];
    parentPort?.postMessage(progress?.log === progress?.checkpointed);
  } else {
    handle.close();
    parentPort?.postMessage(true);
    parentPort?.close();
  }
});
