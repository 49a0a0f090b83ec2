import { startChild } from './processes.ts';
import { median, type Row } from './report.ts';
import type { BenchDatabase } from './run.ts';
import { searches } from './search-cases.ts';
import { fillUsers } from './users.ts';

const sorts = ['id', '-id', 'email', '-email', 'name', '-name', 'created_at', '-created_at'];
const filters = ['', '&is_active=false', '&is_admin=true'];
const farPage = 10_000;
const limit = 50;
const searchLimitMs = 50;

/** Far pages against the first, and searches, over a million users. */
export async function list(database: BenchDatabase, rounds: number, users: number): Promise<Row[]> {
  const url = await database.createUrl();
  const filled = await fillUsers(url, users);
  const sizes = Object.entries(filled.indexMb).map(([name, mb]) => `${name} ${mb.toFixed(0)}`);
  console.log(
    `  ${users} users in ${filled.seconds.toFixed(0)} s; table ${filled.tableMb.toFixed(0)} MB; ${sizes.join(', ')}`,
  );
  const cheapHashes = { ARGON2_MEMORY_KIB: 7168, ARGON2_PASSES: 5, ARGON2_LANES: 1 };
  const server = await startChild('doorward-server.ts', {
    DATABASE_URL: url,
    LOG_LEVEL: 'silent',
    ...cheapHashes,
  });
  const signedIn = await server.ask<{ users: { token: string }[] }>({ do: 'sign in', users: 1 });
  const { url: origin } = await server.ask<{ url: string }>({ do: 'listen' });
  const headers = { authorization: `Bearer ${signedIn.users[0]?.token}` };

  const timed = async (query: string) => {
    const startedAt = performance.now();
    const answer = await fetch(query.startsWith('/') ? origin + query : `${origin}/auth/users?${query}`, {
      headers,
    });
    const found = ((await answer.json()) as unknown[]).length;
    if (answer.status !== 200) throw new Error(`${query}: ${answer.status}`);
    return {
      ms: performance.now() - startedAt,
      found,
      next: /<(.*)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1],
    };
  };

  const rows: Row[] = [];
  const pages: { sort: string; ratio: number; first: number; far: number }[] = [];
  const skip = Math.min((farPage - 2) * limit, users - 2 * limit);
  for (const sort of sorts) {
    const { next } = await timed(`sort=${sort}&limit=${limit}&skip=${skip}`);
    if (next === undefined) throw new Error('There is no next page');
    const [first, far]: [number[], number[]] = [[], []];
    for (let time = 0; time < rounds * 40; time++) {
      first.push((await timed(`sort=${sort}&limit=${limit}`)).ms);
      far.push((await timed(next)).ms);
    }
    pages.push({ sort, ratio: median(far) / median(first), first: median(first), far: median(far) });
  }
  const worstPage = pages.toSorted((a, b) => b.ratio - a.ratio)[0];
  rows.push({
    what: `GET /users page ${farPage} : page 1, the worst of ${sorts.length} orders, ${database.name}`,
    seen: worstPage?.ratio ?? Number.NaN,
    unit: 'x',
    limit: { atMost: 1.2 },
    note: `${worstPage?.far.toFixed(1)} : ${worstPage?.first.toFixed(1)} ms by ${worstPage?.sort}`,
  });

  const repeated = async (query: string, times: number) => {
    const answers = [];
    for (let time = 0; time < times; time++) answers.push(await timed(query));
    return { ms: median(answers.map(({ ms }) => ms)), found: answers[0]?.found };
  };
  const searched: { what: string; ms: number; q: string }[] = [];
  for (const { q, kind } of searches) {
    for (const sort of sorts) {
      for (const filter of filters) {
        const query = `q=${encodeURIComponent(q)}&sort=${sort}${filter}`;
        let seen = await repeated(query, Math.max(3, rounds));
        // Of 480 medians of three the worst is one that something else slowed down.
        if (seen.ms > searchLimitMs) seen = await repeated(query, 15);
        searched.push({ what: `${kind}: q=${q} sort=${sort}${filter} (${seen.found})`, ms: seen.ms, q });
      }
    }
  }
  await server.stop();
  searched.sort((a, b) => b.ms - a.ms);
  const slow = searched.filter(({ ms }) => ms > searchLimitMs);
  rows.push({
    what: `search, the worst of ${searched.length}, ${database.name}`,
    seen: searched[0]?.ms ?? Number.NaN,
    unit: 'ms',
    limit: { atMost: searchLimitMs },
    note: `${searched[0]?.what}; ${slow.length} over ${searchLimitMs} ms; median ${median(searched.map(({ ms }) => ms)).toFixed(1)} ms`,
  });
  console.log('  the worst of each search:');
  for (const q of new Set(searched.map((one) => one.q))) {
    const worst = searched.find((one) => one.q === q);
    console.log(`    ${worst?.ms.toFixed(1).padStart(7)} ms  ${worst?.what}`);
  }
  return rows;
}
