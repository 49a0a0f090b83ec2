import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { test } from 'node:test';
import { RaceServer } from './race-network.ts';

const children: ChildProcess[] = [];
subscribe('child_process', (message) => {
  children.push((message as { process: ChildProcess }).process);
});

test('a server whose process ended by itself is killed as any other, and comes back', async (t) => {
  const server = new RaceServer({
    DATABASE_URL: 'sqlite::memory:',
    SECRET_KEY: 'races-3f9c1b7e5a2d4860-not-a-sample-value',
    LOG_LEVEL: 'silent',
  });
  t.after(() => server.kill());
  await server.start(Date.now());
  const [child] = children;
  assert.ok(child);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await server.kill();
  await server.start(Date.now());
  assert.equal((await fetch(`${server.url}/health/live`)).status, 200);
});
