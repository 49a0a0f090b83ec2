/** A thread of `ReadThreads`: reads on a connection of its own. */
import { parentPort, workerData } from 'node:worker_threads';
import type { ReadAnswer, ReadQuestion } from './read-threads.ts';
import { openReader, SqliteStatements } from './sqlite-statements.ts';

const handle = openReader(workerData as string);
const statements = new SqliteStatements(handle, true);

function answer(question: ReadQuestion | 'close'): ReadAnswer {
  if (question === 'close') {
    handle.close();
    return { rows: [] };
  }
  try {
    return { rows: statements.all(question.text, question.parameters) };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // Of an error that is sent to another thread the code gets lost.
    return { error: { message: error.message, code: (error as NodeJS.ErrnoException).code } };
  }
}

parentPort?.on('message', (question: ReadQuestion | 'close') => {
  parentPort?.postMessage(answer(question));
  if (question === 'close') parentPort?.close();
});
