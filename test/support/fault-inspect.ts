import assert from 'node:assert/strict';
import BetterSqlite3 from 'better-sqlite3';
import pg from 'pg';

type Row = Record<string, unknown>;

type Query = (statement: string) => Promise<Row[]>;

/** Queries a database past Doorward, on one connection. Rows are the driver's own. */
async function connected<T>(databaseUrl: string, work: (query: Query) => Promise<T>): Promise<T> {
  if (databaseUrl.startsWith('sqlite:')) {
    const handle = new BetterSqlite3(databaseUrl.slice('sqlite:'.length), { timeout: 5000 });
    try {
      return await work(async (statement) => {
        const prepared = handle.prepare<unknown[], Row>(statement);
        if (prepared.reader) return prepared.all();
        prepared.run();
        return [];
      });
    } finally {
      handle.close();
    }
  }
  const client = new pg.Client({ connectionString: databaseUrl });
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(async (statement) => (await client.query(statement)).rows);
  } finally {
    await client.end();
  }
}

export function query(databaseUrl: string, statement: string): Promise<Row[]> {
  return connected(databaseUrl, (ask) => ask(statement));
}

const ftsIntegrityCheck = `insert into users_search_text_substring (users_search_text_substring, rank)
  values ('integrity-check', 1)`;

/** Asserts what must hold in any database of Doorward, whatever happened to it. */
export function assertWhole(databaseUrl: string): Promise<void> {
  return connected(databaseUrl, (ask) => assertWholeBy(ask, databaseUrl.startsWith('sqlite:')));
}

async function assertWholeBy(ask: Query, isSqlite: boolean): Promise<void> {
  const found = async (statement: string) => JSON.stringify(await ask(statement));
  const none = async (what: string, from: string) =>
    assert.equal(Number((await ask(`select count(*) as n from ${from}`))[0]?.n), 0, what);

  await none(
    'two accounts with one email',
    '(select 1 from users group by lower(email) having count(*) > 1) t',
  );
  await none('an account without a password', 'users where id not in (select user_id from passwords)');
  await none('a password without an account', 'passwords where user_id not in (select id from users)');
  await none('a session without an account', 'sessions where user_id not in (select id from users)');
  await none(
    'a live session of a deactivated user',
    'sessions join users on users.id = user_id where ended_at is null and not is_active',
  );
  await none(
    'an account of whose making the audit log does not tell',
    `users where id not in (select user_id from audit_events where user_id is not null
      and kind in ('setup.completed', 'user.signed_up', 'user.created', 'user.imported'))`,
  );
  const admins = await ask('select id from users where is_admin and is_active');
  assert.ok(admins.length > 0, 'no active admin');

  if (isSqlite) {
    assert.equal(await found('pragma integrity_check'), '[{"integrity_check":"ok"}]');
    assert.equal(await found('pragma foreign_key_check'), '[]');
    await ask(ftsIntegrityCheck);
  } else {
    const counted = (plan: string) =>
      found(`select set_config('enable_seqscan', '${plan === 'index' ? 'off' : 'on'}', false) is not null,
        (select count(*) from users where search_text like '%example%') as found`);
    assert.equal(await counted('index'), await counted('table'), 'the search index and the table differ');
  }
}

/** Every row of every table of Doorward, as text. */
export function dump(
  databaseUrl: string,
  { except = [] }: { except?: readonly string[] } = {},
): Promise<string> {
  return connected(databaseUrl, (ask) => dumpBy(ask, databaseUrl.startsWith('sqlite:'), except));
}

async function dumpBy(ask: Query, isSqlite: boolean, except: readonly string[]): Promise<string> {
  const tables = await ask(
    isSqlite
      ? `select name from sqlite_schema where type = 'table' and name not like 'sqlite_%' order by name`
      : `select tablename as name from pg_tables where schemaname = 'public' order by 1`,
  );
  assert.ok(tables.length >= 5);
  const parts: string[] = [];
  for (const { name } of tables) {
    if (except.includes(String(name))) continue;
    const rows = await ask(`select * from "${name}"`);
    const lines = rows.map((row) =>
      JSON.stringify(row, (_key, value) =>
        value?.type === 'Buffer' ? Buffer.from(value.data).toString('latin1') : value,
      ),
    );
    parts.push(`${name}\n${lines.sort().join('\n')}`);
  }
  return parts.join('\n\n');
}

/** What a server writes by its clock, whatever is asked of it. */
const writtenByTimers = ['instances', 'daily_active_users', 'daily_counts'];

/** The same, without what a server writes by its clock while nobody asks anything. */
export function dumpOfRequests(databaseUrl: string): Promise<string> {
  return dump(databaseUrl, { except: writtenByTimers });
}
