import { Worker } from 'node:worker_threads';

/** Compiled or not, the file of a thread stands beside this one. */
const extension = /\.\w+$/.exec(import.meta.url)?.[0];

/**
 * A thread that is asked one question after another, and starts with the first. The process waits for an answer, but not for a
 * thread that has nothing to do. What is asked fails when the thread could not start or has ended; the next question starts
 * another one.
 */
export class Thread<Question, Answer> {
  readonly #file: URL;
  readonly #workerData: () => unknown;
  #worker: Worker | undefined;
  #answer: PromiseWithResolvers<Answer> | undefined;

  /** `name` is that of its file, without the extension. */
  constructor(name: string, workerData: () => unknown) {
    this.#file = new URL(`${name}${extension}`, import.meta.url);
    this.#workerData = workerData;
  }

  get hasStarted(): boolean {
    return this.#worker !== undefined;
  }

  /** Whoever asks waits for the answer before anybody asks again. */
  ask(question: Question): Promise<Answer> {
    return this.#post(question);
  }

  /** Has it close what it has open, and waits until it has ended. */
  async end(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    await this.#post('close');
    worker.ref();
    await ended;
  }

  async #post(message: Question | 'close'): Promise<Answer> {
    this.#worker ??= this.#start();
    const answer = Promise.withResolvers<Answer>();
    this.#answer = answer;
    this.#worker.ref();
    this.#worker.postMessage(message);
    return answer.promise;
  }

  #start(): Worker {
    const worker = new Worker(this.#file, { workerData: this.#workerData(), execArgv: [] });
    worker.on('message', (answer: Answer) => {
      worker.unref();
      this.#answer?.resolve(answer);
    });
    const fail = (error: unknown) => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#answer?.reject(error);
    };
    worker.on('error', fail);
    worker.on('exit', () => fail(new Error('The thread has ended')));
    return worker;
  }
}
