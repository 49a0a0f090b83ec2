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
  const { users } = await server.ask<{ users: { email: string; password: string; token: string }[] }>({
    do: 'sign in',
    users: count,
  });
  const { url } = await server.ask<{ url: string }>({ do: 'listen' });
  const [user] = users;
  if (user === undefined) throw new Error('Nobody signed in');
  const body = new URLSearchParams({ username: user.email, password: user.password }).toString();
  const headers = [{ 'content-type': 'application/x-www-form-urlencoded' }];
  const logins = { do: 'flood', method: 'POST', url: `${url}/auth/login`, headers, body, connections };
  return { server, url, user, logins };
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

/** What logins that take every hash slot do to everybody else, and to the memory. */
export async function underLogins(database: BenchDatabase, rounds: number): Promise<Row[]> {
  const { server, url, user, logins } = await prepareLogins(database, { users: connections, connections });
  const [client, flooder] = [await startChild('client.ts'), await startChild('client.ts')];
  const headers = { authorization: `Bearer ${user.token}` };
  const drip = (length: number) =>
    client.ask<Dripped>({ do: 'drip', url: `${url}/auth/me`, headers, perSecond: 200, seconds: length });
  await drip(3);
  const idleRss = (await server.ask<Usage>({ do: 'usage' })).rssMb;
  const seen: { idle: Dripped; busy: Dripped }[] = [];
  let peakRss = 0;
  for (let round = 0; round < rounds; round++) {
    const idle = await drip(6);
    const flood = flooder.ask<Flooded>({ ...logins, seconds: 8 });
    await sleep(1000);
    const pending = drip(6);
    for (let sample = 0; sample < 50; sample++) {
      peakRss = Math.max(peakRss, (await server.ask<Usage>({ do: 'usage' })).rssMb);
      await sleep(100);
    }
    const busy = await pending;
    if ((await flood).failed + busy.failed + idle.failed > 0) throw new Error('requests failed');
    seen.push({ idle, busy });
  }
  for (const child of [client, flooder, server]) await child.stop();
  const middle = (when: 'idle' | 'busy', key: 'p50' | 'p99') =>
    median(seen.map((one) => one[when][key])).toFixed(2);
  return [
    {
      what: `p99 of GET /auth/me during logins : idle, ${database.name}`,
      seen: median(seen.map(({ idle, busy }) => busy.p99 / idle.p99)),
      unit: 'x',
      limit: { atMost: 3 },
      note:
        `p99 ${middle('busy', 'p99')} : ${middle('idle', 'p99')} ms, p50 ${middle('busy', 'p50')} : ` +
        `${middle('idle', 'p50')} ms, at 200 requests a second`,
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
