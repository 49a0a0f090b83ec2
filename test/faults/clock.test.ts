import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startServe } from '../support/command.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createClient } from '../support/fault-client.ts';
import type { Tokens } from '../support/fault-intruder.ts';
import { createWallClock } from '../support/fault-wall-clock.ts';

const hourMs = 3_600_000;
const account = { email: 'ann@example.com', name: 'Ann', password: 'Zq7!correct-horse' };

onEachDatabase(({ createReadyUrl }) => {
  test('a wall clock that jumps an hour signs nobody out and lets nobody in', async (t) => {
    const cwd = await mkdtemp(join(tmpdir(), 'doorward-clock-'));
    t.after(() => rm(cwd, { recursive: true, force: true }));
    const clock = createWallClock(cwd);
    const env = { DATABASE_URL: await createReadyUrl(), RATE_LIMITS: 'off', ...clock.env };
    const server = await startServe({ cwd, env });
    t.after(() => server.signal('SIGKILL'));
    const client = createClient(server.url);
    t.after(() => client.close());
    const post = (path: string, json: object) => client.ask('POST', path, { json });
    const logIn = async (): Promise<Tokens> => {
      const { status, body } = await post('/auth/login', {
        username: account.email,
        password: account.password,
      });
      assert.equal(status, 200);
      return body;
    };
    const statusOf = async ({ access_token: token }: Tokens) =>
      (await client.ask('GET', '/auth/me', { token })).status;
    const refresh = async ({ refresh_token }: Tokens): Promise<Tokens> => {
      const { status, body, text } = await post('/auth/refresh', { refresh_token });
      assert.equal(status, 200, text);
      assert.equal(await statusOf(body), 200);
      return body;
    };
    assert.equal((await post('/auth/signup', account)).status, 201);
    const ended = await logIn();
    await client.ask('POST', '/auth/logout', { token: ended.access_token });
    let sessions = [await logIn()];

    for (const hours of [1, 0, -1, 0, -1, 1, 0]) {
      await clock.set(hours * hourMs);
      // Access tokens may have expired, which a refresh makes good; those from the future are as good as others.
      for (const session of sessions) assert.ok([200, 401].includes(await statusOf(session)));
      sessions = await Promise.all(sessions.map(refresh));
      assert.equal(await statusOf(ended), 401);
      assert.equal((await post('/auth/refresh', { refresh_token: ended.refresh_token })).status, 401);
      sessions.push(await logIn());
    }
    client.close();
    server.signal('SIGTERM');
    assert.equal(await server.ended, 0);
    assert.doesNotMatch(server.output.stdout, /"level":"(warn|error)"/);
    assert.equal(server.output.stderr, '');
  });
});
