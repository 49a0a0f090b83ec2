import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  main,
  type Outcome,
  programEnv,
  runCommand,
  type ServeProcess,
  startServe,
  testSettings,
} from './support/command.ts';
import { onEachDatabase } from './support/databases.ts';

const password = 'Zq7!correct-horse';
const setupTokenLine = /setup token: (\S+)/g;

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'doorward-process-'));
});
after(() => rm(root, { recursive: true, force: true }));
const emptyFolder = () => mkdtemp(join(root, 'cwd-'));

async function stop(server: ServeProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  server.signal(signal);
  assert.equal(await server.ended, 0, server.output.stderr);
}

async function post(url: string, body: object): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify(body),
  });
}

/** A log-in of which only a part has been sent. */
function beginLogin(url: string): {
  sending: ClientRequest;
  answer: Promise<IncomingMessage>;
  finish: () => void;
} {
  const body = JSON.stringify({ username: 'ann@example.com', password });
  const sending = request(`${url}/auth/login`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      expect: '100-continue',
    },
    agent: new Agent({ keepAlive: true }),
  });
  const answer = once(sending, 'response').then(([response]): IncomingMessage => response);
  sending.flushHeaders();
  sending.write(body.slice(0, 10));
  return { sending, answer, finish: () => sending.end(body.slice(10)) };
}

/** Resolves when nobody can connect any more. */
async function untilRefused(url: string): Promise<void> {
  for (;;) {
    try {
      await fetch(`${url}/health/live`, { headers: { connection: 'close' } });
    } catch {
      return;
    }
    await sleep(10);
  }
}

onEachDatabase(({ createUrl }) => {
  test('a first start tells of the setup token, a start with an admin does not, and no secret is logged', async () => {
    const options = {
      cwd: await emptyFolder(),
      env: { DATABASE_URL: await createUrl(), LOG_LEVEL: 'debug' },
    };
    const first = await startServe(options);
    const ready = await fetch(`${first.url}/health/ready`);
    assert.equal(ready.status, 200);
    const token = (await waitForSetupToken(first)) ?? '';

    const made = await post(`${first.url}/auth/setup`, {
      token,
      email: 'ann@example.com',
      password,
      name: 'Ann',
    });
    assert.equal(made.status, 201);
    const login = await post(`${first.url}/auth/login?password=${password}`, {
      username: 'ann@example.com',
      password,
    });
    assert.equal(login.status, 200);
    const { access_token, refresh_token } = (await login.json()) as Record<string, string>;
    const me = await fetch(`${first.url}/auth/me`, { headers: { authorization: `Bearer ${access_token}` } });
    assert.equal(me.status, 200);
    await post(`${first.url}/auth/login`, { username: 'ann@example.com', password: `${password}-wrong` });
    await stop(first, 'SIGINT');

    const lines = first.output.stdout.trim().split('\n');
    assert.deepEqual(
      lines.filter((line) => !line.startsWith('{')),
      [
        `Doorward listens on ${first.url}, documentation at ${first.url}/docs`,
        `No admin yet. Make the first one: ${first.url}/console/setup#token=${token}`,
        `Without a browser, with this setup token: ${token}`,
      ],
    );
    const entries = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
    assert.ok(entries.some(({ path, status }) => path === '/auth/login' && status === 200));
    const log = JSON.stringify(entries) + first.output.stderr;
    for (const secret of [password, token, access_token, refresh_token, access_token?.split('.')[2]]) {
      assert.ok(secret);
      assert.ok(!log.includes(secret));
    }

    const second = await startServe(options);
    assert.equal((await fetch(`${second.url}/health/ready`)).status, 200);
    await stop(second);
    assert.doesNotMatch(second.output.stdout, /setup token/);
  });

  test('SIGTERM: what is under way is finished, nothing new is accepted, the exit code is 0', async () => {
    const options = { cwd: await emptyFolder(), env: { DATABASE_URL: await createUrl() } };
    const create = ['users', 'create', '--email', 'ann@example.com', '--name', 'Ann', '--password-stdin'];
    assert.equal((await runCommand(create, { ...options, input: password })).code, 0);
    const server = await startServe(options);
    const login = beginLogin(server.url);
    await once(login.sending, 'continue');
    server.signal('SIGTERM');
    await untilRefused(server.url);
    login.finish();
    const answer = await login.answer;
    assert.equal(answer.statusCode, 200);
    answer.resume();
    assert.equal(await server.ended, 0);
    assert.doesNotMatch(server.output.stdout, /cut off/);
    login.sending.destroy();
  });

  const count = process.env.DOORWARD_THOROUGH === '1' ? 10 : 5;
  test(`${count} servers that start at once on an empty database all serve, with one setup token`, async () => {
    const options = { cwd: await emptyFolder(), env: { DATABASE_URL: await createUrl() } };
    const servers = await Promise.all(Array.from({ length: count }, () => startServe(options)));
    const tokens = await Promise.all(servers.map(waitForSetupToken));
    assert.equal(new Set(tokens).size, 1);
    for (const { url } of servers) assert.equal((await fetch(`${url}/health/ready`)).status, 200);
    const made = await post(`${servers[0]?.url}/auth/signup`, {
      email: 'ann@example.com',
      password,
      name: 'Ann',
    });
    assert.equal(made.status, 201);
    const login = await post(`${servers[count - 1]?.url}/auth/login`, {
      username: 'ann@example.com',
      password,
    });
    const { access_token } = (await login.json()) as Record<string, string>;
    for (const { url } of servers) {
      const me = await fetch(`${url}/auth/me`, { headers: { authorization: `Bearer ${access_token}` } });
      assert.equal(me.status, 200);
    }
    await Promise.all(servers.map((server) => stop(server)));
  });

  test('the command line works beside a running server, and the server sees it at once', async () => {
    const options = { cwd: await emptyFolder(), env: { DATABASE_URL: await createUrl() } };
    const server = await startServe(options);
    const create = [
      'users',
      'create',
      '--email',
      'ann@example.com',
      '--name',
      'Ann',
      '--password-stdin',
      '--admin',
    ];
    assert.equal((await runCommand(create, { ...options, input: password })).code, 0);
    const login = await post(`${server.url}/auth/login`, { username: 'ann@example.com', password });
    const { access_token } = (await login.json()) as Record<string, string>;
    const headers = { authorization: `Bearer ${access_token}` };
    assert.equal((await fetch(`${server.url}/auth/users`, { headers })).status, 200);

    const setPassword = ['users', 'set-password', 'ann@example.com', '--password-stdin'];
    assert.equal((await runCommand(setPassword, { ...options, input: `${password}-2` })).code, 0);
    assert.equal((await fetch(`${server.url}/auth/me`, { headers })).status, 401);
    const old = await post(`${server.url}/auth/login`, { username: 'ann@example.com', password });
    assert.equal(old.status, 401);
    await stop(server);
  });

  test('another SECRET_KEY than the one that the database was made with stops the start', async () => {
    const options = { cwd: await emptyFolder(), env: { DATABASE_URL: await createUrl() } };
    await stop(await startServe(options));
    const env = { ...options.env, SECRET_KEY: 'another-key-of-more-than-32-bytes-0123456789' };
    const { code, stdout, stderr } = await runCommand(['serve'], { ...options, env });
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /^doorward: .*SECRET_KEY.*\n$/);
    assert.doesNotMatch(stderr, /another-key/);
  });
});

async function waitForSetupToken(server: ServeProcess): Promise<string | undefined> {
  for (;;) {
    const found = [...server.output.stdout.matchAll(setupTokenLine)];
    assert.ok(found.length <= 1);
    if (found[0] !== undefined) return found[0][1];
    await sleep(10);
  }
}

describe('a start that is refused', () => {
  const scenarios: {
    name: string;
    env: Record<string, string>;
    code: number;
    stderr: RegExp;
    never?: RegExp;
  }[] = [
    {
      name: 'bad settings, a line each',
      env: { PORT: '70000', SECRET_KEY: 'too-short', PASSWORD_POLICY: 'lax' },
      code: 2,
      stderr:
        /^doorward: PORT must be a whole number from 0 to 65535\ndoorward: SECRET_KEY must be at least 32 bytes.*\ndoorward: PASSWORD_POLICY must be one of composition, nist\n$/,
      never: /70000|too-short|lax/,
    },
    {
      name: 'weak hashes',
      env: { ARGON2_MEMORY_KIB: '7168', ARGON2_PASSES: '1' },
      code: 2,
      stderr: /^doorward: ARGON2_MEMORY_KIB.*\n$/,
    },
    {
      name: 'a database that is away',
      env: { DATABASE_URL: 'postgres://doorward:hush-hush@127.0.0.1:1/doorward' },
      code: 1,
      stderr: /^doorward: Database is unavailable.*\n$/,
      never: /hush/,
    },
    {
      name: 'an address that is not of this machine',
      env: { HOST: '192.0.2.1', DATABASE_URL: 'sqlite::memory:' },
      code: 1,
      stderr: /^doorward: listen EADDRNOTAVAIL.*\n$/,
    },
  ];
  for (const { name, env, code, stderr, never } of scenarios) {
    test(name, async () => {
      const outcome = await runCommand(['serve'], { cwd: await emptyFolder(), env });
      assert.match(outcome.stderr, stderr);
      assert.equal(outcome.code, code);
      if (never) assert.doesNotMatch(outcome.stderr + outcome.stdout, never);
    });
  }

  test('a port in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = other.address();
    assert.ok(address !== null && typeof address === 'object');
    const env = { PORT: String(address.port), DATABASE_URL: 'sqlite::memory:' };
    const { code, stderr } = await runCommand(['serve'], { cwd: await emptyFolder(), env });
    other.close();
    assert.equal(code, 1);
    assert.match(stderr, /^doorward: listen EADDRINUSE.*\n$/);
  });
});

describe('signals', () => {
  const env = { DATABASE_URL: 'sqlite::memory:' };

  test('a request that never ends is cut off, and the exit code is still 0', async () => {
    const server = await startServe({ cwd: await emptyFolder(), env });
    const login = beginLogin(server.url);
    const cut = assert.rejects(login.answer, { code: 'ECONNRESET' });
    await once(login.sending, 'continue');
    server.signal('SIGTERM');
    await cut;
    assert.equal(await server.ended, 0);
    assert.match(server.output.stdout, /cut off/);
    // The end itself is in order: the last checkpoint is written, and the instance is on no list.
    assert.doesNotMatch(server.output.stdout, /was not written|stays on the list/);
  });

  test('a second signal ends at once, with 1; the same Ctrl-C told twice does not', async () => {
    const server = await startServe({ cwd: await emptyFolder(), env });
    const login = beginLogin(server.url);
    const cut = assert.rejects(login.answer, { code: 'ECONNRESET' });
    await once(login.sending, 'continue');
    server.signal('SIGINT');
    server.signal('SIGTERM');
    await untilRefused(server.url);
    await sleep(1000);
    server.signal('SIGINT');
    assert.equal(await server.ended, 1);
    await cut;
  });

  test('npm start: a signal to npm reaches the server, and npm waits for its end', async (t) => {
    const npm = spawn('npm', ['start'], {
      cwd: join(import.meta.dirname, '..'),
      env: { ...programEnv, ...testSettings, ...env, PORT: '0', HOME: await emptyFolder() },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => npm.kill('SIGKILL'));
    let output = '';
    for await (const chunk of npm.stdout.iterator({ destroyOnReturn: false })) {
      output += chunk;
      if (output.includes('listens on')) break;
    }
    npm.stdout.resume();
    npm.kill('SIGTERM');
    assert.deepEqual(await once(npm, 'exit'), [0, null]);
    const [, url = ''] = /listens on (\S+),/.exec(output) ?? [];
    await assert.rejects(fetch(url));
  });

  test('below an npm that was killed before the server could see it, it ends by itself', async () => {
    const killed = spawn('true');
    await once(killed, 'exit');
    const options = { cwd: await emptyFolder(), env: { ...env, PORT: '0' } };
    const outcome = await runCommand(['serve', `--end-with-parent=${killed.pid}`], options);
    assert.deepEqual([outcome.code, outcome.stderr], [0, '']);
  });

  test('below npm, whose shell keeps a signal to itself, it ends in order when that shell has ended', async (t) => {
    const shell = spawn(
      'sh',
      ['-c', '"$0" "$@" & echo "pid $!"; wait', process.execPath, main, 'serve', '--end-with-parent'],
      {
        cwd: await emptyFolder(),
        env: { ...programEnv, ...testSettings, ...env, PORT: '0' },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    t.after(() => shell.stdout.destroy());
    let output = '';
    for await (const chunk of shell.stdout.iterator({ destroyOnReturn: false })) {
      output += chunk;
      if (output.includes('listens on')) break;
    }
    const [, url = ''] = /listens on (\S+),/.exec(output) ?? [];
    const [, pid] = /pid (\d+)/.exec(output) ?? [];
    const login = beginLogin(url);
    await once(login.sending, 'continue');
    shell.kill('SIGTERM');
    await untilRefused(url);
    await sleep(1000);
    // The first signal, though it ends already.
    process.kill(Number(pid), 'SIGTERM');
    await sleep(100);
    login.finish();
    assert.equal((await login.answer).statusCode, 401);
    // Its end is the server's, which writes to the same pipe.
    await textOf(shell.stdout);
  });
});

describe('standard output on a full disk', { skip: !existsSync('/dev/full') }, () => {
  const start = (args: string[], env: Record<string, string>, cwd: string) =>
    spawn('sh', ['-c', 'exec "$0" "$@" > /dev/full', process.execPath, main, ...args], {
      cwd,
      env: { ...programEnv, ...testSettings, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });

  test('a server goes on, and ends when it is told to', async (t) => {
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const { port } = free.address() as AddressInfo;
    free.close();
    const env = { PORT: String(port), DATABASE_URL: 'sqlite::memory:' };
    const server = start(['serve'], env, await emptyFolder());
    t.after(() => server.kill('SIGKILL'));
    const ask = () => fetch(`http://127.0.0.1:${port}/health/live`, { headers: { connection: 'close' } });
    while ((await ask().catch(() => undefined)) === undefined) await sleep(20);
    for (let n = 0; n < 20; n++) assert.equal((await ask()).status, 200);
    server.kill('SIGTERM');
    assert.deepEqual(await once(server, 'exit'), [0, null]);
  });

  test('a command fails, and says so in one line', async () => {
    for (const args of [['config'], ['migrate', '--dry-run'], ['users', 'list']]) {
      const command = start(args, { DATABASE_URL: 'sqlite::memory:' }, await emptyFolder());
      const [text, [code]] = await Promise.all([textOf(command.stderr), once(command, 'exit')]);
      assert.deepEqual(
        [code, text],
        [1, 'doorward: standard output cannot be written (ENOSPC)\n'],
        `${args}`,
      );
    }
  });
});

test('what nobody caught is logged, and ends the process in order with 1', async () => {
  const onSignal = `process.on('SIGUSR2', () => Promise.reject(new Error('boom')))`;
  const env = {
    DATABASE_URL: 'sqlite::memory:',
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(onSignal)}`,
  };
  const server = await startServe({ cwd: await emptyFolder(), env });
  server.signal('SIGUSR2');
  assert.equal(await server.ended, 1);
  // Not the last line: the request that told of the start is logged when its connection has taken the answer.
  const lines = server.output.stdout.split('\n').filter((line) => line.startsWith('{'));
  const [entry, ...others] = lines.map((line) => JSON.parse(line)).filter(({ level }) => level === 'error');
  assert.equal(entry?.err.message, 'boom');
  assert.deepEqual(others, []);
  assert.equal(server.output.stderr, '');
});

test('the thread pool has a thread for every password hash and some for the rest, unless the operator says', async (t) => {
  if (process.platform !== 'linux') {
    t.diagnostic('counts threads in /proc, which only Linux has');
    return;
  }
  const poolThreads = async (pid: number) => {
    const names = (await readdir(`/proc/${pid}/task`)).map((id) =>
      readFile(`/proc/${pid}/task/${id}/comm`, 'utf8'),
    );
    return (await Promise.all(names)).filter((name) => name.startsWith('libuv-worker')).length;
  };
  for (const [env, threads] of [
    [{ HASH_CONCURRENCY: '7' }, 11],
    [{ HASH_CONCURRENCY: '7', UV_THREADPOOL_SIZE: '5' }, 5],
  ] as const) {
    const server = await startServe({
      cwd: await emptyFolder(),
      env: { DATABASE_URL: 'sqlite::memory:', ...env },
    });
    assert.equal(await poolThreads(server.pid), threads);
    await stop(server);
  }
});

test('password hashes go after the event loop, but are not left to what the machine has to spare', async (t) => {
  if (process.platform !== 'linux') {
    t.diagnostic('only on Linux threads have priorities of their own');
    return;
  }
  const server = await startServe({
    cwd: await emptyFolder(),
    env: { DATABASE_URL: 'sqlite::memory:' },
  });
  const nicenesses = new Map<string, Set<number>>();
  for (const thread of await readdir(`/proc/${server.pid}/task`)) {
    const [, name = '', rest = ''] =
      /\((.*)\) (.*)/.exec(await readFile(`/proc/${server.pid}/task/${thread}/stat`, 'utf8')) ?? [];
    // proc_pid_stat(5): nice is the 19th field; `rest` begins with the third.
    const niceness = Number(rest.split(' ')[16]) - getPriority();
    nicenesses.set(name, (nicenesses.get(name) ?? new Set()).add(niceness));
  }
  assert.deepEqual([...(nicenesses.get('libuv-worker') ?? [])], [10 - getPriority()]);
  assert.deepEqual([...(nicenesses.get('MainThread') ?? [])], [0]);
  await stop(server);
});

describe('.env', () => {
  const config = async (envFile: string | Buffer, env: Record<string, string> = {}): Promise<Outcome> => {
    const cwd = await emptyFolder();
    await writeFile(join(cwd, '.env'), envFile);
    return runCommand(['config', '--json'], { cwd, env });
  };

  test('gives settings; the environment wins; what is empty or no setting is not taken', async () => {
    const file = [
      '# comment',
      'PORT=9001',
      'export HOST = "0.0.0.0"',
      'ISSUER=',
      'LOG_LEVEL=warn',
      'OTHER=thing',
      '',
      'AUDIENCE="two',
      'lines"',
    ];
    const { code, stdout } = await config(file.join('\n'), { LOG_LEVEL: 'error', PORT: '' });
    assert.equal(code, 0);
    const { PORT, HOST, ISSUER, LOG_LEVEL, AUDIENCE, ...others } = JSON.parse(stdout);
    assert.deepEqual(PORT, { value: 9001, origin: '.env' });
    assert.deepEqual(HOST, { value: '0.0.0.0', origin: '.env' });
    assert.deepEqual(ISSUER, { value: 'http://0.0.0.0:9001', origin: 'default' });
    assert.deepEqual(LOG_LEVEL, { value: 'error', origin: 'environment' });
    assert.deepEqual(AUDIENCE, { value: 'two\nlines', origin: '.env' });
    assert.equal(others.OTHER, undefined);
    const marked = await config('\uFEFFPORT=9001\n');
    assert.deepEqual([marked.code, JSON.parse(marked.stdout).PORT.value], [0, 9001]);
  });

  test('one that is not a list of settings, or cannot be read, is told in one line', async () => {
    const bad = await config('PORT=9001\nHOST 0.0.0.0\n');
    assert.equal(bad.code, 2);
    assert.equal(bad.stderr, 'doorward: .env: line 2 is not NAME=value\n');

    const cwd = await emptyFolder();
    await mkdir(join(cwd, '.env'));
    const folder = await runCommand(['config'], { cwd });
    assert.equal(folder.code, 1);
    assert.equal(folder.stderr, 'doorward: .env cannot be read (EISDIR)\n');
  });

  test('secrets are masked', async () => {
    const secret = 'k3J9-this-is-a-secret-of-enough-bytes';
    const url = 'postgres://doorward:hush-hush@db.example/doorward?sslmode=require&password=hush-too';
    for (const args of [['config'], ['config', '--json']]) {
      const cwd = await emptyFolder();
      const { code, stdout } = await runCommand(args, {
        cwd,
        env: { SECRET_KEY: secret, DATABASE_URL: url },
      });
      assert.equal(code, 0);
      assert.match(stdout, /SECRET_KEY/);
      assert.match(stdout, /db\.example\/doorward\?sslmode=require/);
      assert.doesNotMatch(stdout, /hush|k3J9/);
    }
  });
});
