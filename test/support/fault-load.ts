import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase } from '../../src/database/open.ts';
import { verifyLog } from '../../src/features/audit/index.ts';
import { readSettings } from '../../src/settings.ts';
import { type ServeProcess, startServe } from './command.ts';
import { type Client, createClient } from './fault-client.ts';
import { assertWhole, query } from './fault-inspect.ts';
import { type DatabaseProxy, startDatabaseProxy } from './fault-proxy.ts';
import { createRandom, type Random } from './fault-random.ts';
import { createWallClock } from './fault-wall-clock.ts';
import { Writers } from './fault-writers.ts';

const poolSize = 4;
const secretKey = 'load-8c1d5e0f7a3b4926-not-a-sample-secret';

/** This machine does not allow a fault to be brought about. */
export class NotPermittedError extends Error {
  override readonly name = 'NotPermittedError';
}

/** A server process under the load of writers, to which faults happen. */
export interface Load {
  readonly databaseUrl: string;
  /** Between the server and PostgreSQL; undefined on SQLite. */
  readonly proxy: DatabaseProxy | undefined;
  readonly server: ServeProcess;
  /** A client whose connections are there before a fault begins. */
  readonly client: Client;
  readonly writers: Writers;
  readonly random: Random;
  /** A live access token that is in use, of a user to whom nobody writes. */
  readonly token: string;
  /** Sets the server's wall clock wrong by so many milliseconds. */
  setClock(offsetMs: number): Promise<void>;
  /** Ends the server, as `signal` does, and starts it again at the same place. */
  restart(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  /**
   * Lets `fault` happen under the load; then everything must go on by itself, and be as it was acknowledged. Resolves to
   * the milliseconds until writes were acknowledged again. @throws NotPermittedError of the fault.
   */
  suffer(fault: (load: Load) => Promise<void>): Promise<number>;
  /** Ends the server in order. */
  end(): Promise<void>;
}

export interface LoadOptions {
  readonly writers: number;
  readonly pauseMs: number;
}

/** Starts a server on an empty database, and makes its admins. `name` tells apart loads side by side: letters alone. */
export async function startLoad(
  t: TestContext,
  databaseUrl: string,
  name: string,
  { writers: writersAtOnce, pauseMs }: LoadOptions,
): Promise<Load> {
  const folder = await mkdtemp(join(tmpdir(), 'doorward-load-'));
  const clock = createWallClock(folder);
  const proxy = databaseUrl.startsWith('sqlite:') ? undefined : await startDatabaseProxy(databaseUrl);
  const env: Record<string, string> = {
    DATABASE_URL: proxy?.url ?? databaseUrl,
    DATABASE_POOL_SIZE: String(poolSize),
    ISSUER: 'http://load.example',
    SECRET_KEY: secretKey,
    RATE_LIMITS: 'off',
    REFRESH_GRACE_SECONDS: '0.3',
    ACCESS_TOKEN_EXPIRE_MINUTES: '1440',
    ...clock.env,
  };
  const command = { cwd: folder, env };
  const random = createRandom(name);
  const writers = new Writers(databaseUrl, name);
  const crash = Promise.withResolvers<void>();
  crash.promise.catch(() => {});
  let isEndExpected = false;
  const start = async () => {
    isEndExpected = false;
    const started = await startServe(command);
    started.ended.then((code) => {
      if (!isEndExpected) crash.reject(new Error(`the server ended with ${code}: ${started.output.stderr}`));
    });
    return started;
  };
  let server = await start();
  env.PORT = new URL(server.url).port;
  let client = createClient(server.url);
  t.after(async () => {
    writers.stop();
    isEndExpected = true;
    server.signal('SIGKILL');
    await server.ended;
    client.close();
    proxy?.stop();
    await rm(folder, { recursive: true, force: true });
  });
  let openFiles = 0;
  await Writers.makeAdmin(client, await setupToken(server.output));
  await writers.prepare(client);
  const json = { email: 'admin-reader@example.com', name: 'Reader', password: 'Reader!Secret-77' };
  assert.equal((await client.ask('POST', '/auth/signup', { json })).status, 201);
  const login = await client.ask('POST', '/auth/login', {
    json: { username: json.email, password: json.password },
  });
  const { access_token: token } = login.body;
  // The first use of a token is a write: it notes that the token arrived.
  assert.equal((await client.ask('GET', '/auth/me', { token })).status, 200);

  /** What a fault may leave open: some files and connections, never more with every fault. */
  async function assertNoLeak(): Promise<void> {
    client.close();
    client = createClient(server.url);
    await client.ask('GET', '/health/live');
    let count = countOpenFiles(server.pid);
    openFiles ||= count;
    // Connections of clients that have gone are closed a moment later.
    for (let wait = 0; count > openFiles + poolSize + 8 && wait < 100; wait++) {
      await sleep(50);
      count = countOpenFiles(server.pid);
    }
    assert.ok(count <= openFiles + poolSize + 8, `${count} open files, ${openFiles} at first`);
    if (proxy === undefined) return;
    const others = `select count(*) as n from pg_stat_activity where datname = current_database()
      and application_name = 'doorward' and state <> 'idle'`;
    while (Number((await query(databaseUrl, others))[0]?.n) > 0) await sleep(20);
  }

  async function assertAuditLog(): Promise<void> {
    const db = await openDatabase({ url: databaseUrl });
    try {
      const { findings } = await verifyLog(
        { db, settings: readSettings({ DATABASE_URL: databaseUrl }) },
        secretKey,
      );
      assert.deepEqual(findings, []);
    } finally {
      await db.close();
    }
  }

  const load: Load = {
    databaseUrl,
    proxy,
    get server() {
      return server;
    },
    get client() {
      return client;
    },
    writers,
    random,
    token,
    setClock: clock.set,
    async restart(signal) {
      isEndExpected = true;
      server.signal(signal);
      assert.equal(await server.ended, signal === 'SIGTERM' ? 0 : null);
      client.close();
      server = await start();
      client = createClient(server.url);
      openFiles = 0;
    },
    async suffer(fault) {
      const writing = Promise.race([
        writers.run(server.url, writersAtOnce, { steadfast: true, pauseMs }),
        crash.promise,
      ]);
      // Told by the race below; not to be unhandled before.
      writing.catch(() => {});
      let recoveredMs = 0;
      let notPermitted: NotPermittedError | undefined;
      try {
        await Promise.race([writers.acknowledged(writersAtOnce), writing]);
        await Promise.race([fault(load), writing]);
        const begin = performance.now();
        await Promise.race([writers.acknowledged(2 * writersAtOnce), writing]);
        recoveredMs = performance.now() - begin;
      } catch (error) {
        if (!(error instanceof NotPermittedError)) throw error;
        notPermitted = error;
      } finally {
        writers.stop();
      }
      await writing;
      assert.equal((await client.ask('GET', '/health/ready')).status, 200);
      await assertWhole(databaseUrl);
      await assertAuditLog();
      await writers.verify(client);
      await assertNoLeak();
      await writers.prepare(client);
      const { stdout, stderr } = server.output;
      assert.doesNotMatch(stdout, /"level":"error"|"status":500/);
      assert.equal(stderr, '');
      if (notPermitted !== undefined) throw notPermitted;
      return recoveredMs;
    },
    async end() {
      client.close();
      isEndExpected = true;
      server.signal('SIGTERM');
      assert.equal(await server.ended, 0);
    },
  };
  return load;
}

async function setupToken(output: { readonly stdout: string }): Promise<string> {
  for (;;) {
    const found = /setup token: (\S+)\n/.exec(output.stdout);
    if (found?.[1]) return found[1];
    await sleep(5);
  }
}

/** 0 where the system does not tell. */
export function countOpenFiles(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

/** The memory of a process in MiB; 0 where the system does not tell. */
export function residentMib(pid: number): number {
  try {
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024);
  } catch {
    return 0;
  }
}
