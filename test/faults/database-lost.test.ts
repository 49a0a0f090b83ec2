import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import BetterSqlite3 from 'better-sqlite3';
import { runCommand, type ServeProcess, startServe } from '../support/command.ts';
import { type Client, createClient, type RawAnswer, type RawRequest } from '../support/fault-client.ts';
import { assertWhole, query } from '../support/fault-inspect.ts';
import { startDatabaseProxy } from '../support/fault-proxy.ts';
import { administrate, startPostgres } from '../support/postgres.ts';

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
  readonly refreshToken: string;
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
  const { access_token: token, refresh_token: refreshToken } = login.body;
  const { body } = await client.ask('GET', '/auth/me', { token });
  return { server, client, token, refreshToken, id: body.id };
}

function assertUnavailable({ status, headers, body, text }: RawAnswer, asked: string): void {
  assert.equal(status, 503, `${asked}: ${text}`);
  assert.deepEqual(body, { detail: 'Database is unavailable', code: 'database_unavailable' }, asked);
  assert.match(headers['retry-after'] ?? '', /^[1-9]\d*$/, asked);
}

/** Bodies that the schemas take, so that a request comes as far as the database. */
const bodies: Record<string, object> = {
  'POST /auth/signup': { ...ann, email: 'new@example.com' },
  'POST /auth/login': { username: 'nobody@example.com', password },
  'POST /auth/refresh': {},
  'POST /auth/setup': { ...ann, token: 'x' },
  'PUT /auth/me': { name: 'Other' },
  'PATCH /auth/me': { email: 'other@example.com' },
  'DELETE /auth/me': { current_password: password },
  'POST /auth/me/password': { current_password: password, new_password: `${password}2` },
  'POST /auth/users': { ...ann, email: 'made@example.com' },
  'PATCH /auth/users/{user_id}': { is_active: false },
  'POST /auth/users/import': { dry_run: false, rows: [{ email: 'imported@example.com', name: 'Ann' }] },
  'POST /auth/introspect': { token: 'x' },
  'POST /auth/revoke': { token: 'x' },
  'POST /auth/change-email': { token: 'x' },
  'POST /auth/change-email/undo': { token: 'x' },
  'POST /auth/verify-email': { token: 'x' },
  'POST /auth/verify-email/request': { email: 'ann@example.com' },
  'POST /auth/forgot-password': { email: 'ann@example.com' },
  'POST /auth/reset-password': { token: 'x', new_password: `${password}2` },
  'POST /auth/invitations': { email: 'invited@example.com' },
  'POST /auth/invitations/show': { token: 'x' },
  'POST /auth/invitations/accept': { token: 'x', password, name: 'Ann' },
};
/** What is answered from memory. */
const needNoDatabase = ['GET /health/live', 'GET /health/ready', 'GET /.well-known/jwks.json'];

/** A request for every operation of the OpenAPI document, each by somebody who may. */
async function everyOperation({ client, token, refreshToken, id }: Served): Promise<RawRequest[]> {
  interface Operation {
    readonly requestBody?: object;
    readonly security?: readonly Record<string, unknown>[];
  }
  const { body } = await client.ask('GET', '/openapi.json');
  const paths = Object.entries(body.paths as Record<string, Record<string, Operation>>);
  const operations = paths.flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      ...operation,
    })),
  );
  assert.ok(operations.length > 25);
  return operations
    .filter(({ name }) => !needNoDatabase.includes(name))
    .map(({ name, requestBody, security }) => {
      const [method = '', path = ''] = name.split(' ');
      const isForService = security?.some((scheme) => 'ServiceCredential' in scheme) === true;
      const credential = isForService
        ? `Basic ${Buffer.from('billing:x').toString('base64')}`
        : `Bearer ${token}`;
      const json = name === 'POST /auth/refresh' ? { refresh_token: refreshToken } : bodies[name];
      assert.equal(json !== undefined, requestBody !== undefined, `${name} has no body in this test`);
      return {
        method,
        path: path.replace('{user_id}', String(id + 1)).replace(/\{\w+\}/, 'x'),
        headers: [
          'authorization',
          credential,
          ...(json === undefined ? [] : ['content-type', 'application/json']),
        ],
        ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      };
    });
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
    const { client, token } = served;
    const name = new URL(databaseUrl).pathname.slice(1);
    const onServer = (statement: string) => administrate(postgres.url('postgres'), statement);
    const lockOut = async () => {
      await onServer(`alter database ${name} allow_connections false`);
      await onServer(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`);
    };
    const ways = {
      'the server is down': { end: () => postgres.kill(), begin: () => postgres.restart() },
      'and once more': { end: () => postgres.kill(), begin: () => postgres.restart() },
      'it lets nobody in': {
        end: lockOut,
        begin: () => onServer(`alter database ${name} allow_connections true`),
      },
      'it has gone': {
        async end() {
          await lockOut();
          await onServer(`alter database ${name} rename to elsewhere`);
        },
        async begin() {
          await onServer(`alter database elsewhere rename to ${name}`);
          await onServer(`alter database ${name} allow_connections true`);
        },
      },
    };
    for (const [way, { end, begin }] of Object.entries(ways)) {
      t.diagnostic(way);
      await assertReads(served);
      await end();
      await Promise.all(
        (await everyOperation(served)).map(async (asked) => {
          assertUnavailable(await client.send(asked), `${asked.method} ${asked.path}`);
        }),
      );
      const { status, body } = await client.ask('GET', '/health/ready');
      assert.deepEqual(
        [status, body.code, body.checks],
        [
          503,
          'database_unavailable',
          { process: 'ok', database: 'unavailable', migrations: 'unknown', keys: 'unknown' },
        ],
      );
      assert.equal((await client.ask('GET', '/health/live')).status, 200);
      assert.equal((await client.ask('GET', '/.well-known/jwks.json')).status, 200);
      assert.equal((await client.ask('GET', '/auth/me', { token: 'nonsense' })).status, 401);
      assert.equal((await client.ask('POST', '/auth/signup', { json: {} })).status, 422);

      await begin();
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

  test('PostgreSQL that stops answering without a word: 503 everywhere, and by itself all is well again', async (t) => {
    const postgres = await startPostgres();
    t.after(() => postgres.stop());
    const databaseUrl = await postgres.createDatabase();
    const proxy = await startDatabaseProxy(databaseUrl);
    t.after(() => proxy.stop());
    const served = await serve(t, `${proxy.url}?query_timeout=2000`);
    const { token, server } = served;
    // As many as ask, so that nobody waits for anything but the database.
    const client = createClient(server.url, { connections: 100 });
    t.after(() => client.close());
    const operations = await everyOperation(served);
    await assertReads(served);
    proxy.hangAt('');
    const began = performance.now();
    await Promise.all([
      ...operations.map(async (asked) => {
        assertUnavailable(await client.send(asked), `${asked.method} ${asked.path}`);
      }),
      client.ask('GET', '/health/ready').then(({ status }) => assert.equal(status, 503)),
      client.ask('GET', '/health/live').then(({ status }) => assert.equal(status, 200)),
    ]);
    // For a connection and for an answer, each once.
    const seconds = (performance.now() - began) / 1000;
    assert.ok(seconds < 5 + 2 + 5, `${seconds} s`);
    proxy.heal();
    while ((await client.ask('GET', '/health/ready')).status !== 200) await sleep(20);
    assert.equal((await client.ask('GET', '/auth/me', { token })).status, 200);
    assert.equal((await rename(served)).status, 200);
    await assertWhole(databaseUrl);
    await stopInOrder(served);
  });

  test('SQLite whose file was overwritten: 503, never 401 or 500, and all is well with the file put back', async (t) => {
    const path = join(root, 'overwritten.db');
    const served = await serve(t, `sqlite:${path}`);
    const holder = new BetterSqlite3(path);
    holder.pragma('wal_checkpoint(truncate)');
    const whole = await readFile(path);
    await writeFile(path, Buffer.alloc(whole.length, 0xff), { flag: 'r+' });
    let refused = 0;
    for (const asked of await everyOperation(served)) {
      const { status, text } = await served.client.send(asked);
      // What was read before may still be remembered.
      assert.ok(![401, 500].includes(status), `${asked.method} ${asked.path}: ${status} ${text}`);
      if (status === 503) refused++;
    }
    assert.ok(refused > 0);
    assert.equal((await served.client.ask('GET', '/health/live')).status, 200);
    await stopInOrder(served);
    holder.close();
    await rm(`${path}-wal`, { force: true });
    await rm(`${path}-shm`, { force: true });
    await writeFile(path, whole);

    const again = await startServe({ cwd: root, env: { DATABASE_URL: `sqlite:${path}` } });
    t.after(() => again.signal('SIGKILL'));
    const client = createClient(again.url);
    t.after(() => client.close());
    await assertReads({ ...served, client });
    await stopInOrder({ ...served, server: again });
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

  test('SQLite on a file system that is read-only: the start is refused in one line, and changes nothing', async (t) => {
    const cwd = await mkdtemp(join(root, 'read-only-'));
    const env = { DATABASE_URL: `sqlite:${join(cwd, 'data/doorward.db')}` };
    const args = ['users', 'create', '--email', ann.email, '--name', ann.name, '--password-stdin'];
    assert.equal((await runCommand(args, { cwd, env, input: password })).code, 0);
    const data = join(cwd, 'data');
    const isMounted = await run('mount', ['--bind', data, data]).then(
      () => true,
      () => false,
    );
    if (!isMounted) return t.diagnostic('this machine does not allow to make one');
    t.after(() => run('umount', ['-l', data]));
    await run('mount', ['-o', 'remount,ro,bind', data]);
    for (const command of [['serve'], ['backup', join(cwd, 'copy.db')]]) {
      const { code, stdout, stderr } = await runCommand(command, { cwd, env });
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, /^doorward: Database is unavailable: [^\n]+\n$/);
    }
    await run('mount', ['-o', 'remount,rw,bind', data]);
    assert.match((await runCommand(['users', 'list'], { cwd, env })).stdout, /ann@example\.com/);
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
          // The server writes as well: there may be less left by now.
          await writeFile(ballast, Buffer.alloc(bavail * bsize)).catch((error) => {
            if (error.code !== 'ENOSPC') throw error;
          });
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
