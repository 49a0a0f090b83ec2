import { setTimeout as sleep } from 'node:timers/promises';
import { hash } from '@node-rs/argon2';
import { readSettings } from '../src/settings.ts';
import type { Dripped, Flooded } from './client.ts';
import type { Usage } from './doorward-server.ts';
import { startChild } from './processes.ts';
import { median, type Row } from './report.ts';
import type { BenchDatabase } from './run.ts';

/** What a server has unless it is told otherwise. */
const slots = readSettings({}).HASH_CONCURRENCY;
const seconds = 4;
/** Enough that a hash always waits, few enough that none is refused. */
const connections = slots * 8;

/** A server whose hash slots one of its users can fill by right logins. */
export async function prepareLogins(
  database: BenchDatabase,
  {
    users: count,
    connections,
    settings: more = {},
  }: { users: number; connections: number; settings?: object },
) {
  const DATABASE_URL = await database.createUrl();
  const settings = { DATABASE_URL, LOG_LEVEL: 'silent', ...more };
  const server = await startChild('doorward-server.ts', settings);
  const { users } = await server.ask<{
    users: { id: number; email: string; password: string; token: string }[];
  }>({
    do: 'sign in',
    users: count,
  });
  const { url } = await server.ask<{ url: string }>({ do: 'listen' });
  const [user] = users;
  if (user === undefined) throw new Error('Nobody signed in');
  const body = new URLSearchParams({ username: user.email, password: user.password }).toString();
  const headers = [{ 'content-type': 'application/x-www-form-urlencoded' }];
  const logins = { do: 'flood', method: 'POST', url: `${url}/auth/login`, headers, body, connections };
  return { server, url, user, logins, databaseUrl: DATABASE_URL };
}

/** `POST /auth/login` against the hash alone. */
export async function login(database: BenchDatabase, rounds: number): Promise<Row[]> {
  const { server, user, logins } = await prepareLogins(database, { users: connections, connections });
  const client = await startChild('client.ts');
  const alone = await startChild('argon2-alone.ts');
  const { password } = user;
  const stored = await hash(password, { memoryCost: 65_536, timeCost: 3, parallelism: 4 });
  const seen: { ours: number; bare: number }[] = [];
  for (let round = 0; round < rounds + 1; round++) {
    const bare = await alone.ask<{ perSecond: number }>({
      hash: stored,
      password,
      concurrency: slots,
      seconds,
    });
    const ours = await client.ask<Flooded>({ ...logins, seconds });
    if (ours.failed > 0) throw new Error(`${ours.failed} logins failed`);
    // The first round warms up.
    if (round > 0) seen.push({ ours: ours.perSecond, bare: bare.perSecond });
  }
  for (const child of [client, alone, server]) await child.stop();
  const middle = (key: 'ours' | 'bare') => median(seen.map((one) => one[key])).toFixed(1);
  return [
    {
      what: `POST /auth/login : argon2 alone, ${database.name}`,
      seen: median(seen.map(({ ours, bare }) => ours / bare)),
      unit: 'x',
      limit: { atLeast: 0.95 },
      note: `${middle('ours')} : ${middle('bare')} a second, ${slots} at once`,
    },
  ];
}

/**
 * What logins that take every hash slot do to everybody else, and to the memory. In each round the same is done to a bare
 * server that computes the same hashes, one at a time: what the machine itself does to whoever waits beside a hash.
 */
export async function underLogins(database: BenchDatabase, rounds: number): Promise<Row[]> {
  const { server, url, user, logins, databaseUrl } = await prepareLogins(database, {
    users: connections,
    connections,
  });
  const stored = await hash(user.password, { memoryCost: 65_536, timeCost: 3, parallelism: 4 });
  const bare = await startChild('bare-server.ts', {
    url: databaseUrl,
    poolSize: 10,
    log: false,
    hash: stored,
  });
  const bareUrl = (await bare.ask<{ url: string }>({ do: 'listen' })).url;
  const [client, flooder] = [await startChild('client.ts'), await startChild('client.ts')];
  const ours = { url, headers: { authorization: `Bearer ${user.token}` } };
  const peer = { url: bareUrl, headers: { 'x-user-id': String(user.id) } };
  const drip = (side: typeof ours | typeof peer, length: number) =>
    client.ask<Dripped>({
      do: 'drip',
      url: `${side.url}/auth/me`,
      headers: side.headers,
      perSecond: 200,
      seconds: length,
    });
  await drip(peer, 3);
  await drip(ours, 3);
  const idleRss = (await server.ask<Usage>({ do: 'usage' })).rssMb;
  let peakRss = 0;
  const watchMemory = async () => {
    for (let sample = 0; sample < 50; sample++) {
      peakRss = Math.max(peakRss, (await server.ask<Usage>({ do: 'usage' })).rssMb);
      await sleep(100);
    }
  };
  const measure = async (side: typeof ours | typeof peer) => {
    const idle = await drip(side, 6);
    const flood = flooder.ask<Flooded>({ ...logins, url: `${side.url}/auth/login`, seconds: 8 });
    await sleep(1000);
    const pending = drip(side, 6);
    if (side === ours) await watchMemory();
    const busy = await pending;
    if ((await flood).failed + busy.failed + idle.failed > 0) throw new Error('requests failed');
    return { idle, busy };
  };
  const seen: { ours: Measured; bare: Measured }[] = [];
  for (let round = 0; round < rounds; round++)
    seen.push({ bare: await measure(peer), ours: await measure(ours) });
  for (const child of [client, flooder, bare, server]) await child.stop();
  const middle = (side: 'ours' | 'bare', when: 'idle' | 'busy', key: 'p50' | 'p99') =>
    median(seen.map((one) => one[side][when][key])).toFixed(2);
  const growth = (side: 'ours' | 'bare') =>
    median(seen.map((one) => one[side].busy.p99 / one[side].idle.p99));
  const p99s = (side: 'ours' | 'bare') =>
    `p99 ${middle(side, 'busy', 'p99')} : ${middle(side, 'idle', 'p99')} ms, p50 ${middle(side, 'busy', 'p50')} : ` +
    `${middle(side, 'idle', 'p50')} ms`;
  return [
    {
      what: `p99 of GET /auth/me during logins : idle, ${database.name}`,
      seen: growth('ours'),
      unit: 'x',
      limit: { atMost: 3 },
      note: `${p99s('ours')}, at 200 requests a second`,
    },
    {
      what: `the same of the bare server, ${database.name}`,
      seen: growth('bare'),
      unit: 'x',
      note: p99s('bare'),
    },
    {
      what: `p99 during logins : the bare server's, ${database.name}`,
      seen: median(seen.map((one) => one.ours.busy.p99 / one.bare.busy.p99)),
      unit: 'x',
    },
    {
      what: `memory during logins, ${database.name}`,
      seen: peakRss,
      unit: 'MB',
      limit: { atMost: idleRss + slots * 67.1 + 50 },
      note: `idle ${idleRss.toFixed(0)} MB, 64 MiB for each of ${slots} at once, and 50 MB`,
    },
  ];
}

interface Measured {
  idle: Dripped;
  busy: Dripped;
}
