import BetterSqlite3 from 'better-sqlite3';
import pg from 'pg';
import { createDoorward } from '../src/app.ts';
import type { Row } from './report.ts';
import type { BenchDatabase } from './run.ts';

const count = 100_000;
const insert = (sid: string) => [
  `insert into sessions (id, user_id, generation, generation_issued_at, generation_given_at, generation_used_at,
     created_at, last_seen_at, expires_at, network, user_agent)
   select ${sid}, 1, 3, t, t, t, t, t, t, '203.0.113.77',
     'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36'
   from numbers`,
  `insert into revocations (sid, expires_at) select ${sid}, t from numbers`,
];

/** Bytes that a session and a revocation take, indexes included, over 100,000 of each. */
export async function sessionSize(database: BenchDatabase): Promise<Row[]> {
  const url = await database.createUrl();
  const doorward = await createDoorward({ DATABASE_URL: url, LOG_LEVEL: 'silent', RATE_LIMITS: 'off' });
  await doorward.admin.create({ email: 'size@example.com', password: 'SecurePass123!', name: 'Size' });
  await doorward.close();
  const bytes = url.startsWith('sqlite:') ? fillSqlite(url.slice('sqlite:'.length)) : await fillPostgres(url);
  return ['session row', 'revoked session'].map((what, index) => ({
    what: `${what}, with its indexes, ${database.name}`,
    seen: (bytes[index] ?? Number.NaN) / count,
    unit: 'B',
    note: `${count} of them`,
  }));
}

function fillSqlite(path: string): number[] {
  const db = new BetterSqlite3(path);
  const size = () =>
    Number(db.pragma('page_count', { simple: true })) * Number(db.pragma('page_size', { simple: true }));
  const numbers = `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count}),
    numbers as (select i, '2026-11-23T12:00:00.000Z' as t from n) `;
  const grown = insert('lower(hex(randomblob(11)))').map((statement) => {
    const before = size();
    db.exec(numbers + statement);
    return size() - before;
  });
  db.close();
  return grown;
}

async function fillPostgres(url: string): Promise<number[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const grown: number[] = [];
  const numbers = `with numbers as (select i, now() as t from generate_series(1, ${count}) as i) `;
  for (const [index, statement] of insert(`left(md5(random()::text || i), 22)`).entries()) {
    const table = index === 0 ? 'sessions' : 'revocations';
    const size = async () =>
      Number((await client.query(`select pg_total_relation_size('${table}') as size`)).rows[0].size);
    const before = await size();
    await client.query(numbers + statement);
    grown.push((await size()) - before);
  }
  await client.end();
  return grown;
}
