import { startChild } from './processes.ts';
import { median, type Row } from './report.ts';
import type { BenchDatabase } from './run.ts';

const connections = 32;
const poolSize = 10;
/** Short and many, one side after the other: what a disk takes to sync changes from second to second. */
const seconds = 1;
const roundsPerRound = 4;

interface Refreshed {
  answered: number;
  perSecond: number;
  /** The share of answers that held another token. */
  moved: number;
  tokens: string[];
}

/**
 * `POST /auth/refresh` against a bare Fastify route that makes one durable update: with a grace so short that each
 * request rotates, and within the grace, where the current token gets itself back.
 */
export async function refresh(database: BenchDatabase, rounds: number): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [path, grace] of [
    ['rotating', 0.001],
    ['within the grace', 3600],
  ] as const) {
    const url = await database.createUrl();
    const ours = await startChild('refresh-doorward.ts', {
      DATABASE_URL: url,
      DATABASE_POOL_SIZE: poolSize,
      LOG_LEVEL: 'silent',
      REFRESH_GRACE_SECONDS: grace,
      ARGON2_MEMORY_KIB: 7168,
      ARGON2_PASSES: 5,
      ARGON2_LANES: 1,
    });
    const bareUrl = database.name === 'SQLite' ? await database.createUrl() : url;
    const bare = await startChild('refresh-bare.ts', { url: bareUrl, poolSize, log: false });
    const client = await startChild('refresh-client.ts');
    const signedIn = await ours.ask<{ tokens: string[] }>({ do: 'sign in', sessions: connections });
    const children = { ours, bare };
    const sides = {
      ours: { ...(await ours.ask<{ url: string }>({ do: 'listen' })), tokens: signedIn.tokens },
      bare: {
        ...(await bare.ask<{ url: string }>({ do: 'listen' })),
        tokens: signedIn.tokens.map((_, number) => `session-${number}`),
      },
    };
    const measure = async (side: 'ours' | 'bare', length = seconds) => {
      const usage = async () =>
        (await children[side].ask<{ cpuMicroseconds: number }>({ do: 'usage' })).cpuMicroseconds;
      const before = await usage();
      const result = await client.ask<Refreshed>({ ...sides[side], seconds: length });
      sides[side].tokens = result.tokens;
      return { ...result, cpu: ((await usage()) - before) / result.answered };
    };
    await measure('ours', 2);
    await measure('bare', 2);
    const seen: {
      ratio: number;
      ours: number;
      bare: number;
      moved: number;
      oursCpu: number;
      bareCpu: number;
    }[] = [];
    for (let round = 0; round < rounds * roundsPerRound; round++) {
      const first = await measure('bare');
      const second = await measure('ours');
      seen.push({
        ratio: second.perSecond / first.perSecond,
        ours: second.perSecond,
        bare: first.perSecond,
        moved: second.moved,
        oursCpu: second.cpu,
        bareCpu: first.cpu,
      });
    }
    for (const child of [client, ours, bare]) await child.stop();
    const middle = (key: keyof (typeof seen)[number]) => median(seen.map((one) => one[key]));
    const ratios = seen.map(({ ratio }) => ratio).sort((a, b) => a - b);
    const quarter = (share: number) => (ratios[Math.floor(ratios.length * share)] ?? Number.NaN).toFixed(2);
    rows.push({
      what: `POST /auth/refresh, ${path} : one durable update, ${database.name}`,
      seen: middle('ratio'),
      unit: 'x',
      // Within the grace nothing is written, so that against a durable write it is no measure of speed.
      ...(path === 'rotating' && database.name === 'SQLite' ? { limit: { atLeast: 0.5 } } : {}),
      note:
        `middle half ${quarter(0.25)}–${quarter(0.75)}, ${middle('ours').toFixed(0)} : ${middle('bare').toFixed(0)} ` +
        `a second, ${middle('oursCpu').toFixed(0)} : ${middle('bareCpu').toFixed(0)} µs of CPU each, ` +
        `${(middle('moved') * 100).toFixed(0)} % rotated`,
    });
  }
  return rows;
}
