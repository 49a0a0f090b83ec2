import { readSettings } from '../src/settings.ts';
import type { Flooded } from './client.ts';
import { prepareLogins } from './login.ts';
import { startChild } from './processes.ts';
import { median, type Row } from './report.ts';
import type { BenchDatabase } from './run.ts';

const slots = readSettings({}).HASH_CONCURRENCY;
const seconds = 4;
/** A hash always waits, and no account has so many tries under way that it is throttled. */
const connections = Math.min(slots + 1, 4);

const prepare = (database: BenchDatabase, RATE_LIMITS: 'on' | 'off') =>
  prepareLogins(database, { users: 1, connections, settings: { RATE_LIMITS } });

/** `POST /auth/login` with the budgets against the same without. */
export async function throttle(database: BenchDatabase, rounds: number): Promise<Row[]> {
  const on = await prepare(database, 'on');
  const off = await prepare(database, 'off');
  const client = await startChild('client.ts');
  const seen: { on: number; off: number }[] = [];
  const rate = async ({ logins }: Awaited<ReturnType<typeof prepare>>) => {
    const { perSecond, failed } = await client.ask<Flooded>({ ...logins, seconds });
    if (failed > 0) throw new Error(`${failed} logins failed`);
    return perSecond;
  };
  for (let round = 0; round < rounds + 1; round++) {
    const turn =
      round % 2 === 0 ? [await rate(on), await rate(off)] : [await rate(off), await rate(on)].reverse();
    // The first round warms up.
    if (round > 0) seen.push({ on: turn[0] ?? Number.NaN, off: turn[1] ?? Number.NaN });
  }
  for (const child of [client, on.server, off.server]) await child.stop();
  const middle = (key: 'on' | 'off') => median(seen.map((one) => one[key])).toFixed(1);
  return [
    {
      what: `POST /auth/login with budgets : without, ${database.name}`,
      seen: median(seen.map((one) => one.on / one.off)),
      unit: 'x',
      limit: { atLeast: 0.95 },
      note: `${middle('on')} : ${middle('off')} a second, ${slots} at once`,
    },
  ];
}
