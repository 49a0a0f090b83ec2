import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startFlags } from './processes.ts';
import { median, type Row } from './report.ts';
import type { BenchDatabase } from './run.ts';

const command = join(import.meta.dirname, '../dist/cli/main.js');

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** The built program, from being started to the first ready answer, and its memory three seconds later. */
export async function start(database: BenchDatabase, rounds: number): Promise<Row[]> {
  if (!existsSync(command)) throw new Error('Run `npm run build` first');
  const empty: number[] = [];
  const existing: number[] = [];
  const memory: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const url = await database.createUrl();
    for (const seconds of [empty, existing]) {
      const port = await freePort();
      const env = {
        ...process.env,
        DATABASE_URL: url,
        PORT: String(port),
        SECRET_KEY: 'J3qG8vN1xR6tY0pL5sD9fK2hW7zB4mC-bench',
      };
      const startedAt = performance.now();
      const server = spawn(process.execPath, [...startFlags, command, 'serve'], { env, stdio: 'ignore' });
      const ended = once(server, 'exit');
      try {
        while (!(await isReady(port))) {
          if (server.exitCode !== null) throw new Error(`serve ended with code ${server.exitCode}`);
          await sleep(5);
        }
        seconds.push((performance.now() - startedAt) / 1000);
        await sleep(3000);
        memory.push(
          Number(execFileSync('ps', ['-o', 'rss=', '-p', String(server.pid)], { encoding: 'utf8' })) / 1000,
        );
      } finally {
        server.kill();
        await ended;
      }
    }
  }
  return [
    {
      what: 'built server, start to ready, new database',
      seen: median(empty),
      unit: 's',
      limit: { atMost: 1 },
    },
    {
      what: 'built server, start to ready, existing database',
      seen: median(existing),
      unit: 's',
      limit: { atMost: 1 },
    },
    { what: 'built server, idle memory', seen: median(memory), unit: 'MB', limit: { atMost: 120 } },
  ];
}

async function isReady(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/health/ready`).then(
    ({ status }) => status === 200,
    () => false,
  );
}
