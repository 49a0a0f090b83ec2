import { startChild } from './processes.ts';
import { median, type Row } from './report.ts';
import type { BenchDatabase } from './run.ts';

const issuer = 'http://doorward.bench';

/** The guard asks no database: one is measured. A host's route behind the verifier's guard against the same route without; both are sent the same headers. */
export async function verify(database: BenchDatabase, rounds: number): Promise<Row[]> {
  if (database.name !== 'SQLite') return [];
  const settings = { DATABASE_URL: await database.createUrl(), LOG_LEVEL: 'silent', ISSUER: issuer };
  const doorward = await startChild('refresh-doorward.ts', settings);
  const { accessTokens: tokens } = await doorward.ask<{ accessTokens: string[] }>({
    do: 'sign in',
    sessions: 64,
  });
  const { url } = await doorward.ask<{ url: string }>({ do: 'listen' });
  const host = await startChild('verify-host.ts', { url, issuer });
  const client = await startChild('verify-client.ts');
  const base = (await host.ask<{ url: string }>({ do: 'listen' })).url;
  const usage = async () => (await host.ask<{ cpuMicroseconds: number }>({ do: 'usage' })).cpuMicroseconds;
  const measure = async (path: string) => {
    const before = await usage();
    const seen = await client.ask<{ perSecond: number; answered: number; failed: number }>({
      url: base + path,
      tokens,
      seconds: 1,
    });
    if (seen.failed > 0) throw new Error(`${seen.failed} requests failed`);
    return { perSecond: seen.perSecond, cpu: ((await usage()) - before) / seen.answered };
  };
  for (const path of ['/bare', '/guarded', '/bare', '/guarded']) await measure(path);
  const seen: { ratio: number; bareCpu: number; guardedCpu: number }[] = [];
  for (let round = 0; round < rounds * 4; round++) {
    // Each goes first as often as the other.
    const paths = round % 2 === 0 ? ['/bare', '/guarded'] : ['/guarded', '/bare'];
    const measured = new Map<string, { perSecond: number; cpu: number }>();
    for (const path of paths) measured.set(path, await measure(path));
    const [bare, guarded] = [measured.get('/bare'), measured.get('/guarded')];
    if (bare === undefined || guarded === undefined) throw new Error('nothing was measured');
    seen.push({ ratio: guarded.perSecond / bare.perSecond, bareCpu: bare.cpu, guardedCpu: guarded.cpu });
  }
  for (const child of [client, host, doorward]) await child.stop();
  const middle = (key: keyof (typeof seen)[number]) => median(seen.map((one) => one[key]));
  const ratios = seen.map(({ ratio }) => ratio).sort((a, b) => a - b);
  const quarter = (share: number) => (ratios[Math.floor(ratios.length * share)] ?? Number.NaN).toFixed(2);
  return [
    {
      what: "route behind the verifier's guard : bare route",
      seen: middle('ratio'),
      unit: 'x',
      limit: { atLeast: 0.85 },
      note:
        `middle half ${quarter(0.25)}–${quarter(0.75)}, ` +
        `${middle('guardedCpu').toFixed(1)} : ${middle('bareCpu').toFixed(1)} µs of CPU each`,
    },
  ];
}
