import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import manifest from '../package.json' with { type: 'json' };

/** A child process that answers messages, each with one message. */
export interface Child {
  /** Sends a message and resolves to the answer. */
  ask<Answer>(message: object): Promise<Answer>;
  /** The next message, which nobody asked for. */
  next<Message>(): Promise<Message>;
  readonly pid: number;
  stop(): Promise<void>;
}

/** How `npm start` runs Node. */
const startWords = manifest.scripts.start.replace(/^exec node /, '').split(' ');
export const startFlags = startWords.slice(
  0,
  startWords.findIndex((word) => !word.startsWith('-')),
);

/** Starts a file of this folder. Its log goes nowhere, but is written. */
export async function startChild(file: string, argument: object = {}): Promise<Child> {
  const child: ChildProcess = fork(join(import.meta.dirname, file), [JSON.stringify(argument)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: file.startsWith('doorward-') ? startFlags : [],
  });
  const next = async () => {
    const stop = new AbortController();
    const { signal } = stop;
    const ended = once(child, 'exit', { signal }).then(([code]) => {
      throw new Error(`${file} ended with code ${code}`);
    });
    try {
      const [answer] = await Promise.race([once(child, 'message', { signal }), ended]);
      return answer;
    } finally {
      ended.catch(() => {});
      stop.abort();
    }
  };
  await next();
  return {
    pid: child.pid ?? 0,
    next,
    async ask(message) {
      child.send(message);
      return next();
    },
    async stop() {
      if (child.exitCode !== null) return;
      const ended = once(child, 'exit');
      child.send('stop');
      await ended;
    },
  };
}

/** The other side: announces that it is ready, then answers each message with what `answer` makes of it. */
export function serveMessages<Message>(
  answer: (message: Message) => Promise<object>,
  stop = async () => {},
): void {
  process.on('message', (message: Message | 'stop') => {
    if (message === 'stop') {
      stop().finally(() => process.exit(0));
      return;
    }
    answer(message).then(
      (reply) => process.send?.(reply),
      (error) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  // The run was broken off.
  process.on('disconnect', () => process.exit(1));
  process.send?.('ready');
}
