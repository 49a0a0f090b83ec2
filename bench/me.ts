import assert from 'node:assert/strict';
import type { Flooded } from './client.ts';
import type { Usage } from './doorward-server.ts';
import { startChild } from './processes.ts';
import { median, type Row } from './report.ts';
import type { BenchDatabase } from './run.ts';

const connections = 64;
const poolSize = 10;
const seconds = 3;

/** `GET /auth/me` against a bare Fastify route, both silent and both with the log they write unless told otherwise. */
export async function me(database: BenchDatabase, rounds: number): Promise<Row[]> {
  const limit = { atLeast: database.name === 'SQLite' ? 0.8 : 1.2 };
  const rows: Row[] = [];
  for (const log of [false, true]) {
    const url = await database.createUrl();
    const cheapHashes = { ARGON2_MEMORY_KIB: 7168, ARGON2_PASSES: 5, ARGON2_LANES: 1 };
    const LOG_LEVEL = log ? 'info' : 'silent';
    const ours = await startChild('doorward-server.ts', {
      DATABASE_URL: url,
      DATABASE_POOL_SIZE: poolSize,
      LOG_LEVEL,
      ...cheapHashes,
    });
    const { users } = await ours.ask<{ users: { id: number; token: string }[] }>({
      do: 'sign in',
      users: connections,
    });
    const bare = await startChild('bare-server.ts', { url, poolSize, log });
    const client = await startChild('client.ts');
    const sides = {
      ours: { child: ours, headers: users.map(({ token }) => ({ authorization: `Bearer ${token}` })) },
      bare: { child: bare, headers: users.map(({ id }) => ({ 'x-user-id': String(id) })) },
    };
    const urls = {
      ours: (await ours.ask<{ url: string }>({ do: 'listen' })).url,
      bare: (await bare.ask<{ url: string }>({ do: 'listen' })).url,
    };
    const bodyOf = async (side: 'ours' | 'bare') => {
      const answer = await fetch(`${urls[side]}/auth/me`, { headers: sides[side].headers[0] ?? {} });
      return answer.text();
    };
    assert.equal(await bodyOf('bare'), await bodyOf('ours'), 'the same body');
    const measure = async (side: 'ours' | 'bare', length: number) => {
      const { child, headers } = sides[side];
      const before = await child.ask<Usage>({ do: 'usage' });
      const flood = {
        do: 'flood',
        method: 'GET',
        url: `${urls[side]}/auth/me`,
        headers,
        connections,
        seconds: length,
      };
      const { perSecond, answered, failed } = await client.ask<Flooded>(flood);
      if (failed > 0) throw new Error(`${failed} requests failed`);
      const after = await child.ask<Usage>({ do: 'usage' });
      return { perSecond, cpu: (after.cpuMicroseconds - before.cpuMicroseconds) / answered };
    };
    await measure('ours', 2);
    await measure('bare', 2);
    const seen: { ratio: number; ours: number; bare: number; oursCpu: number; bareCpu: number }[] = [];
    for (let round = 0; round < rounds; round++) {
      const first = await measure('bare', seconds);
      const second = await measure('ours', seconds);
      seen.push({
        ratio: second.perSecond / first.perSecond,
        ours: second.perSecond,
        bare: first.perSecond,
        oursCpu: second.cpu,
        bareCpu: first.cpu,
      });
    }
    for (const child of [client, ours, bare]) await child.stop();
    const middle = (key: 'ours' | 'bare' | 'oursCpu' | 'bareCpu') =>
      median(seen.map((one) => one[key])).toFixed(0);
    rows.push({
      what: `GET /auth/me : bare Fastify, ${log ? 'default log' : 'silent'}, ${database.name}`,
      seen: median(seen.map(({ ratio }) => ratio)),
      unit: 'x',
      limit,
      note: `${middle('ours')} : ${middle('bare')} a second, ${middle('oursCpu')} : ${middle('bareCpu')} µs of CPU each`,
    });
  }
  return rows;
}
