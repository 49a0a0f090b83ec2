import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import BetterSqlite3 from 'better-sqlite3';
import { runCommand, type ServeProcess, startServe } from '../support/command.ts';
import { type Client, createClient, type RawAnswer } from '../support/fault-client.ts';
import { assertWhole, query } from '../support/fault-inspect.ts';
import { startPostgres } from '../support/postgres.ts';

const run = promisify(execFile);
const password = 'Zq7!correct-horse';
const ann = { email: 'ann@example.com', name: 'Ann', password };

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'doorward-lost-'));
});
after(() => rm(root, { recursive: true, force: true }));

interface Served {
  readonly server: ServeProcess;
  readonly client: Client;
  readonly token: string;
  readonly id: number;
}

/** A server with an admin, who is logged in. */
async function serve(t: TestContext, databaseUrl: string): Promise<Served> {
  const command = { cwd: await mkdtemp(join(root, 'cwd-')), env: { DATABASE_URL: databaseUrl } };
  const args = ['users', 'create', '--email', ann.email, '--name', ann.name, '--admin', '--password-stdin'];
  assert.equal((await runCommand(args, { ...command, input: password })).code, 0);
  const server = await startServe(command);
  t.after(() => server.signal('SIGKILL'));
  const client = createClient(server.url);
  t.after(() => client.close());
  const login = await client.ask('POST', '/auth/login', { json: { username: ann.email, password } });
  assert.equal(login.status, 200, login.text);
  const { access_token: token } = login.body;
  const { body } = await client.ask('GET', '/auth/me', { token });
  return { server, client, token, id: body.id };
}

function assertUnavailable({ status, headers, body, text }: RawAnswer, asked: string): void {
  assert.equal(status, 503, `${asked}: ${text}`);
  assert.deepEqual(body, { detail: 'Database is unavailable', code: 'database_unavailable' }, asked);
  assert.match(headers['retry-after'] ?? '', /^[1-9]\d*$/, asked);
}

let count = 0;
const signUp = (client: Client) =>
  client.ask('POST', '/auth/signup', { json: { ...ann, email: `user${++count}@example.com` } });
const rename = ({ client, token }: Served) =>
  client.ask('PATCH', '/auth/me', { json: { name: `Ann ${++count}` }, token });

async function assertReads({ client, token }: Served): Promise<void> {
  for (const path of ['/auth/me', '/auth/users', '/health/ready', '/health/live']) {
    const answer = await client.ask('GET', path, { token });
    assert.equal(answer.status, 200, `${path}: ${answer.text}`);
  }
}

async function stopInOrder({ server }: Served): Promise<void> {
  server.signal('SIGTERM');
  assert.equal(await server.ended, 0);
  assert.doesNotMatch(server.output.stdout, /"level":"error"|"status":500/);
  assert.equal(server.output.stderr, '');
}

describe('a lost database', { concurrency: true }, () => {
  test('PostgreSQL away: 503 everywhere, and by itself all is well again', async (t) => {
    const postgres = await startPostgres();
    t.after(() => postgres.stop());
    const databaseUrl = await postgres.createDatabase();
    const served = await serve(t, databaseUrl);
    const { client, token, id } = served;
    for (const end of [() => postgres.kill(), () => postgres.restart().then(() => postgres.kill())]) {
      await assertReads(served);
      await end();
      const asked: [method: string, path: string, json?: object][] = [
        ['GET', '/auth/me'],
        ['PATCH', '/auth/me', { name: 'Other' }],
        ['POST', '/auth/me/password', { current_password: password, new_password: `${password}2` }],
        ['DELETE', '/auth/me', { current_password: password }],
        ['POST', '/auth/login', { username: ann.email, password }],
        ['POST', '/auth/login', { username: 'nobody@example.com', password }],
        ['POST', '/auth/signup', { ...ann, email: 'new@example.com' }],
        ['POST', '/auth/setup', { ...ann, token: 'x' }],
        ['GET', '/auth/users'],
        ['GET', '/auth/users?q=example&count=true'],
        ['GET', `/auth/users/${id}`],
        ['DELETE', `/auth/users/${id + 1}`],
        ['POST', `/auth/users/${id + 1}/deactivate`],
        ['GET', '/health/ready'],
      ];
      await Promise.all(
        asked.map(async ([method, path, json]) => {
          const answer = await client.ask(method, path, { token, ...(json ? { json } : {}) });
          assertUnavailable(answer, `${method} ${path}`);
        }),
      );
      assert.equal((await client.ask('GET', '/health/live')).status, 200);
      assert.equal((await client.ask('GET', '/.well-known/jwks.json')).status, 200);
      assert.equal((await client.ask('GET', '/auth/me', { token: 'nonsense' })).status, 401);
      assert.equal((await client.ask('POST', '/auth/signup', { json: {} })).status, 422);

      await postgres.restart();
      while ((await client.ask('GET', '/health/ready')).status !== 200) await sleep(20);
      // Not one of many at once meets a connection that died.
      const all = await Promise.all(
        Array.from({ length: 40 }, () => client.ask('GET', '/auth/me', { token })),
      );
      assert.deepEqual([...new Set(all.map(({ status }) => status))], [200]);
      assert.equal((await rename(served)).status, 200);
    }
    await assertWhole(databaseUrl);
    await stopInOrder(served);
  });

  test('SQLite locked by another process: reads go on, writes wait, for five seconds at most', async (t) => {
    const path = join(root, 'locked.db');
    const served = await serve(t, `sqlite:${path}`);
    const holder = new BetterSqlite3(path);
    holder.exec('begin immediate');
    const waiting = [signUp(served.client), rename(served), signUp(served.client)];
    let isAnswered = false;
    for (const write of waiting) write.then(() => (isAnswered = true));
    for (let reads = 0; reads < 10; reads++) {
      await assertReads(served);
      await sleep(100);
    }
    assert.ok(!isAnswered, 'a write went past the lock');
    holder.exec('rollback');
    assert.deepEqual(
      (await Promise.all(waiting)).map(({ status }) => status),
      [201, 200, 201],
    );

    holder.exec('begin immediate');
    const login = () => served.client.ask('POST', '/auth/login', { json: { username: ann.email, password } });
    const refused = Promise.all([signUp(served.client), rename(served), login()]);
    await assertReads(served);
    for (const answer of await refused) assertUnavailable(answer, 'a write');
    await assertReads(served);
    holder.exec('rollback');
    holder.close();
    assert.equal((await signUp(served.client)).status, 201);
    assert.equal((await query(`sqlite:${path}`, 'select * from users')).length, 4);
    await assertWhole(`sqlite:${path}`);
    await stopInOrder(served);
  });

  /** Ways to have no room left, by what the machine allows. Each gives back how to fill up and how to make room. */
  const fullDisks = {
    async 'a full file system'(t: TestContext) {
      const folder = await mkdtemp(join(root, 'disk-'));
      const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder]).then(
        () => true,
        () => false,
      );
      if (!mounted) return undefined;
      t.after(() => run('umount', ['-l', folder]));
      const ballast = join(folder, 'ballast');
      return {
        folder,
        async fill() {
          const { bavail, bsize } = await statfs(folder);
          await writeFile(ballast, Buffer.alloc(bavail * bsize));
        },
        makeRoom: () => rm(ballast),
      };
    },
    async 'files that may not grow'() {
      const folder = join(root, 'limited');
      await mkdir(folder);
      const limit = (pid: number, size: string) => run('prlimit', ['--pid', String(pid), `--fsize${size}`]);
      if (
        !(await limit(process.pid, '').then(
          () => true,
          () => false,
        ))
      )
        return undefined;
      return {
        folder,
        fill: ({ server }: Served) => limit(server.pid, '=4096:'),
        makeRoom: ({ server }: Served) => limit(server.pid, '=unlimited:'),
      };
    },
  };
  for (const [name, prepare] of Object.entries(fullDisks)) {
    test(`SQLite on ${name}: writes are 503, reads go on, and with room all is well again`, async (t) => {
      const disk = await prepare(t);
      if (disk === undefined) {
        t.diagnostic('this machine does not allow to make one');
        return;
      }
      const databaseUrl = `sqlite:${join(disk.folder, 'doorward.db')}`;
      const served = await serve(t, databaseUrl);
      for (let round = 1; round <= 2; round++) {
        const acknowledged = (await query(databaseUrl, 'select * from users')).length;
        await disk.fill(served);
        let made = 0;
        let refused = 0;
        for (let attempt = 0; attempt < 200 && refused < 3; attempt++) {
          const answer = await signUp(served.client);
          if (answer.status === 201) made++;
          else {
            assertUnavailable(answer, 'sign-up');
            refused++;
          }
        }
        assert.equal(refused, 3, 'the disk never was full');
        assertUnavailable(await rename(served), 'a change');
        await assertReads(served);
        await disk.makeRoom(served);
        assert.equal((await signUp(served.client)).status, 201);
        assert.equal((await rename(served)).status, 200);
        assert.equal((await query(databaseUrl, 'select * from users')).length, acknowledged + made + 1);
        await assertWhole(databaseUrl);
      }
      await stopInOrder(served);
    });
  }
});
