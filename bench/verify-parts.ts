/**
 * Placeholder until this branch has bench/processes.ts and bench/report.ts: then this file re-exports them.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export interface Row {
  what: string;
  seen: number;
  unit: 'x' | 'ms' | 'MB' | 's' | 'B';
  limit?: { atLeast: number } | { atMost: number };
  note?: string;
}

export interface BenchDatabase {
  readonly name: 'SQLite' | 'PostgreSQL';
  createUrl(): Promise<string>;
}

export interface Child {
  ask<Answer>(message: object): Promise<Answer>;
  /** A message that nobody asked for. */
  next<Message>(): Promise<Message>;
  stop(): Promise<void>;
}

export async function startChild(file: string, argument: object = {}): Promise<Child> {
  const child = fork(join(import.meta.dirname, file), [JSON.stringify(argument)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  await once(child, 'message');
  const next = async () => {
    const over = new AbortController();
    const ended = once(child, 'exit', { signal: over.signal }).then(() =>
      Promise.reject(new Error(`${file} ended`)),
    );
    ended.catch(() => {});
    try {
      const [message] = await Promise.race([once(child, 'message', { signal: over.signal }), ended]);
      return message;
    } finally {
      over.abort();
    }
  };
  return {
    next,
    ask(message) {
      child.send(message);
      return next();
    },
    async stop() {
      child.send('stop');
      await once(child, 'exit');
    },
  };
}

export function serveMessages<Message>(answer: (message: Message) => Promise<object>, stop = async () => {}) {
  process.on('message', (message: Message | 'stop') => {
    if (message === 'stop') stop().finally(() => process.exit(0));
    else answer(message).then((reply) => process.send?.(reply));
  });
  process.send?.('ready');
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? Number.NaN) + (sorted[sorted.length >> 1] ?? Number.NaN)) / 2;
}
