import { startChild } from './processes.ts';
import { median, type Row } from './report.ts';
import type { BenchDatabase } from './run.ts';

const issuer = 'http://doorward.bench';

/** From the request that logs out to the refusal by the last of 1, 100 and 1,000 verifiers, over HTTP. */
export async function revocation(database: BenchDatabase, rounds: number): Promise<Row[]> {
  const rows: Row[] = [];
  for (const count of [1, 100, 1000]) {
    const settings = { DATABASE_URL: await database.createUrl(), LOG_LEVEL: 'silent', ISSUER: issuer };
    const doorward = await startChild('refresh-doorward.ts', settings);
    const { accessTokens } = await doorward.ask<{ accessTokens: string[] }>({
      do: 'sign in',
      sessions: rounds,
    });
    const { url } = await doorward.ask<{ url: string }>({ do: 'listen' });
    const followers = await startChild('revocation-followers.ts', { url, issuer, count });
    const last: number[] = [];
    const typical: number[] = [];
    for (const token of accessTokens) {
      await followers.ask({ token });
      const refused = followers.next<{ refusedAt: number[] }>();
      const begin = Date.now();
      const headers = { authorization: `Bearer ${token}` };
      const { status } = await fetch(`${url}/auth/logout`, { method: 'POST', headers });
      if (status !== 204) throw new Error(`logout was answered with ${status}`);
      const times = (await refused).refusedAt.map((at) => at - begin);
      last.push(Math.max(...times));
      typical.push(median(times));
    }
    for (const child of [followers, doorward]) await child.stop();
    rows.push({
      what: `log-out to refusal by the last of ${count} verifiers, ${database.name}`,
      seen: Math.max(...last),
      unit: 'ms',
      limit: { atMost: 1000 },
      note: `the slowest of ${rounds}; median ${median(last).toFixed(0)}, typical verifier ${median(typical).toFixed(0)} ms`,
    });
  }
  return rows;
}
