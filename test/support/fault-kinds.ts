import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import BetterSqlite3 from 'better-sqlite3';
import pg from 'pg';
import { createClient, NoAnswerError } from './fault-client.ts';
import { query } from './fault-inspect.ts';
import { type Load, NotPermittedError } from './fault-load.ts';

/** Something that happens to a server and passes. @throws NotPermittedError */
export type Fault = (load: Load) => Promise<void>;

const run = async (program: string, ...args: string[]): Promise<string> => {
  try {
    return (await promisify(execFile)(program, args)).stdout;
  } catch (error) {
    throw new NotPermittedError(program, { cause: error });
  }
};

async function assertReads({ client, token }: Load, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    const { status, text } = await client.ask('GET', '/auth/me', { token });
    assert.equal(status, 200, text);
    await sleep(50);
  }
}

/** Asks until a write is refused with 503. */
async function untilRefused({ client, token }: Load): Promise<void> {
  for (;;) {
    const { status, headers } = await client.ask('PATCH', '/auth/me', { token, json: { name: 'Reader' } });
    if (status === 503) return assert.match(headers['retry-after'] ?? '', /^[1-9]/);
    assert.equal(status, 200);
  }
}

function lockedFor(milliseconds: number): Fault {
  return async (load) => {
    const holder = new BetterSqlite3(load.databaseUrl.slice('sqlite:'.length), { timeout: 5000 });
    holder.exec('begin immediate');
    const until = performance.now() + milliseconds;
    const refused = untilRefused(load);
    refused.catch(() => {});
    // The event loop does not wait for the lock.
    while (performance.now() < until) await assertReads(load, 1);
    await refused;
    holder.close();
  };
}

async function readOnlyFiles(load: Load): Promise<void> {
  const path = load.databaseUrl.slice('sqlite:'.length);
  const files = [path, `${path}-wal`].filter((file) => existsSync(file));
  try {
    await run('chattr', '+i', ...files);
    await untilRefused(load);
    await assertReads(load, 3);
  } finally {
    await run('chattr', '-i', ...files);
  }
}

/** Files may not grow beyond what they are: what a full disk or a quota does. */
async function noRoom(load: Load): Promise<void> {
  const limit = (size: string) => run('prlimit', '--pid', String(load.server.pid), `--fsize=${size}:`);
  await limit('4096');
  await untilRefused(load);
  await assertReads(load, 3);
  await limit('unlimited');
}

/** No further file or connection can be opened. */
async function noDescriptors(load: Load): Promise<void> {
  const { pid } = load.server;
  const limit = (count: string) => run('prlimit', '--pid', String(pid), `--nofile=${count}:`);
  const [soft = ''] = (
    await run('prlimit', '--pid', String(pid), '--nofile', '--output=SOFT', '--noheadings')
  )
    .trim()
    .split('\n');
  const newcomer = createClient(load.server.url, { patienceMs: 2000 });
  let refused = 0;
  // Whatever others close in between, and give back, is taken away again.
  while (refused < 5) {
    await limit(String(lowestFreeDescriptor(pid)));
    try {
      const { status } = await newcomer.ask('GET', '/auth/me', { token: load.token });
      assert.ok(status === 200 || status === 503, String(status));
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
      refused++;
    }
    newcomer.close();
  }
  await limit(soft.trim());
}

function lowestFreeDescriptor(pid: number): number {
  const taken = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  let free = 0;
  while (taken.has(free)) free++;
  return free;
}

async function clockAway(load: Load): Promise<void> {
  for (const hours of [1, 0, -1, 0]) {
    await load.setClock(hours * 3_600_000);
    await Promise.race([load.writers.acknowledged(8), sleep(3000)]);
    await assertReads(load, 2);
  }
}

/** Half of the transactions are undone by the database for the sake of others; they are tried again. */
function undone(sqlState: '40001' | '40P01'): Fault {
  return async (load) => {
    await query(
      load.databaseUrl,
      `create sequence fault_turns; create function fault() returns trigger language plpgsql as $$ begin
        if nextval('fault_turns') % 2 = 0 then raise exception 'fault' using errcode = '${sqlState}'; end if;
        return new; end $$;
      create trigger fault before insert or update on users for each row execute function fault()`,
    );
    const turns = async () =>
      Number((await query(load.databaseUrl, 'select last_value from fault_turns'))[0]?.last_value);
    // What is written is drawn at random, and not all of it are users.
    const until = performance.now() + 120_000;
    do {
      await load.writers.acknowledged(12);
    } while ((await turns()) <= 4 && performance.now() < until);
    assert.ok((await turns()) > 4);
    await query(
      load.databaseUrl,
      'drop trigger fault on users; drop function fault; drop sequence fault_turns',
    );
  };
}

/** All connections of the pool are busy for longer than anybody waits for one. */
async function poolExhausted(load: Load): Promise<void> {
  const { client, token } = load;
  const holder = new pg.Client({ connectionString: load.databaseUrl });
  await holder.connect();
  try {
    await holder.query('begin; lock table sessions in access exclusive mode');
    const asked = Promise.all(Array.from({ length: 12 }, () => client.ask('GET', '/auth/me', { token })));
    const [live, ...others] = await Promise.all([client.ask('GET', '/health/live'), ...(await asked)]);
    assert.equal(live.status, 200);
    for (const { status } of others) assert.equal(status, 503);
  } finally {
    await holder.end();
  }
}

function commitsCut(how: 'unheard' | 'unanswered'): Fault {
  return async ({ proxy, writers, random }) => {
    const before = proxy?.cuts ?? 0;
    proxy?.cutCommits(how, () => random.chance(0.3));
    await Promise.race([writers.acknowledged(12), sleep(8000)]);
    proxy?.heal();
    assert.ok((proxy?.cuts ?? 0) > before, 'no commit was cut');
  };
}

async function connectionsCut({ proxy }: Load): Promise<void> {
  for (let time = 0; time < 5; time++) {
    proxy?.cutAll();
    await sleep(100);
  }
}

async function connectionsEnded({ databaseUrl }: Load): Promise<void> {
  const others = 'datname = current_database() and pid <> pg_backend_pid()';
  for (let time = 0; time < 3; time++) {
    await query(databaseUrl, `select pg_terminate_backend(pid) from pg_stat_activity where ${others}`);
    await sleep(100);
  }
}

export const restarts: Readonly<Record<string, Fault>> = {
  'kill -9': (load) => load.restart('SIGKILL'),
  'SIGTERM, and a start': (load) => load.restart('SIGTERM'),
};

const anywhere: Readonly<Record<string, Fault>> = {
  'no file descriptors left': noDescriptors,
  'the clock an hour forward, back, an hour back, and right again': clockAway,
};

/** The faults that a kind of database can meet, by what they are. */
export const faults: Readonly<Record<'SQLite' | 'PostgreSQL', Readonly<Record<string, Fault>>>> = {
  SQLite: {
    ...anywhere,
    'locked by another process for 10 s': lockedFor(10_000),
    'files that are read-only': readOnlyFiles,
    'no room for the files to grow': noRoom,
  },
  PostgreSQL: {
    ...anywhere,
    'connections cut before a COMMIT gets through': commitsCut('unheard'),
    'connections cut before the answer to a COMMIT gets through': commitsCut('unanswered'),
    'all connections cut': connectionsCut,
    'all connections ended by the server': connectionsEnded,
    'serialization failures': undone('40001'),
    deadlocks: undone('40P01'),
    'the pool exhausted': poolExhausted,
  },
};
