import { sql } from 'kysely';
import { createDoorward } from '../src/app.ts';
import { inTurn, type Row } from './report.ts';
import type { BenchDatabase } from './run.ts';

const milliseconds = 1000;
const users = 2_000;
/** More than are deleted in one turn. */
const sessions = 20_000;
/** As many as one transaction of the clean-up removes. */
const batchSize = 500;

/** What it costs SQLite to overwrite what it deletes. */
export async function secureDelete(database: BenchDatabase, rounds: number): Promise<Row[]> {
  if (database.name !== 'SQLite') return [];
  const doorward = await createDoorward({ DATABASE_URL: await database.createUrl(), LOG_LEVEL: 'silent' });
  const { db } = doorward.kernel;
  const run = (statement: ReturnType<typeof sql>) => db.transaction((tx) => statement.execute(tx));
  const count = (length: number) =>
    sql`with recursive n(i) as (select 1 union all select i + 1 from n where i < ${length})`;
  await run(sql`${count(users)} insert into users (created_at, updated_at, is_active, is_admin, search_text, name_key,
      email_key, name, email, email_verified, email_set_at)
    select '2026-11-23T12:00:00.000Z', '2026-11-23T12:00:00.000Z', 1, 0, 'user' || i || 'Qexample', 'user ' || i,
      'user' || i || '@example.com', 'User ' || i, 'user' || i || '@example.com', 1, '2026-11-23T12:00:00.000Z' from n`);
  const fill = async () => {
    await run(sql`delete from sessions`);
    await run(sql`${count(sessions)} insert into sessions (id, user_id, generation, generation_issued_at, generation_given_at,
        created_at, last_seen_at, expires_at, network, user_agent)
      select lower(hex(randomblob(11))), 1 + i % ${users}, 3, t, t, t, t, t, '203.0.113.77',
        'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36'
      from n, (select '2026-11-23T12:00:00.000Z' as t)`);
  };

  let made = 0;
  const updateOne = async () => {
    const name = `Name ${++made}`;
    await run(sql`update users set name = ${name}, name_key = ${name.toLowerCase()}, search_text = ${name.toLowerCase()}
      where id = ${1 + ((made * 7919) % users)}`);
    return 1;
  };
  const deleteSome = (limit: number) => async () => {
    const { rows } = await run(
      sql`delete from sessions where id in (select id from sessions limit ${limit}) returning id`,
    );
    return rows.length;
  };
  /** Rows a second, with or without overwriting. */
  const rate = async (overwrites: boolean, write: () => Promise<number>) => {
    await run(sql`pragma secure_delete = ${sql.lit(overwrites ? 'on' : 'off')}`);
    await fill();
    const start = performance.now();
    let written = 0;
    for (let more = 1; more > 0 && performance.now() < start + milliseconds; written += more)
      more = await write();
    return written / ((performance.now() - start) / 1000);
  };

  const rows: Row[] = [];
  for (const [what, write] of [
    ['updates of a name, one a transaction', updateOne],
    ['deletions of sessions, one a transaction', deleteSome(1)],
    [`deletions of sessions, ${batchSize} a transaction`, deleteSome(batchSize)],
  ] as const) {
    const { ratio, note } = await inTurn(
      rounds,
      () => rate(true, write),
      () => rate(false, write),
    );
    rows.push({ what: `${what}, overwritten : not, SQLite`, seen: ratio, unit: 'x', note });
  }
  await doorward.close();
  return rows;
}
