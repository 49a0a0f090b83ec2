/** The thread of a `Checkpointer`. A pass writes what the log has when it begins; what is added meanwhile it does not see. */
import { parentPort, workerData } from 'node:worker_threads';
import BetterSqlite3 from 'better-sqlite3';

const handle = new BetterSqlite3(workerData as string, { fileMustExist: true });

parentPort?.on('message', (message: 'open' | 'pass' | 'close') => {
  if (message === 'open') handle.pragma('wal_checkpoint(noop)');
  else if (message === 'pass') handle.pragma('wal_checkpoint(passive)');
  else handle.close();
  parentPort?.postMessage('done');
  if (message === 'close') parentPort?.close();
});
