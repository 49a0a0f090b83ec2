import BetterSqlite3 from 'better-sqlite3';
import pg from 'pg';
import { openDatabase } from '../src/database/open.ts';
import { migrations } from '../src/doorward.ts';
import { foldText, searchable } from '../src/features/accounts/index.ts';

/** A row of `users`, but for the id. */
interface UserRow {
  email: string;
  email_key: string;
  name: string;
  name_key: string;
  search_text: string;
  is_active: boolean;
  is_admin: boolean;
  created_at: string;
  updated_at: string;
  email_verified: boolean;
  email_set_at: string;
}

const columns = [
  'email',
  'email_key',
  'name',
  'name_key',
  'search_text',
  'is_active',
  'is_admin',
  'created_at',
  'updated_at',
  'email_verified',
  'email_set_at',
] as const satisfies (keyof UserRow)[];

const firstNames =
  `James Mary Maria John Anna David Mohammed Linda Robert Elena Michael Fatima Wei William Sofia
Thomas Laura Daniel Sarah Carlos Emma Juan Julia Ahmed Olivia Peter Chiara Jan Ingrid Luca Nina Pierre Amélie José
Aisha Ivan Olga Hiroshi Yuki Priya Raj Ananya Chen Mei Lars Astrid Stefan Katarzyna Zoë Xavier Victor Wanda Yasmin
Quentin Ursula Tobias Tamara Sven Simone Rosa Ricardo Quinn Patricia Paul Oscar Omar Nora Noah Miriam Max Mateo Martin
Margaret Lucia Leo Kenji Karin Jorge Isabel Ian Hugo Helen Hassan Grace Gabriel Francesca Felix Eva Erik Dmitri Diana
Claudia Christopher Charlotte Bruno Björn Beatriz Barbara Arjun Antonio Andrea Amir Alice Alexander Adam Aaron Zhanna`
    .trim()
    .split(/\s+/);
const lastNames =
  `Smith Müller García Wang Johnson Rossi Silva Kim Nguyen Li Zhang Brown Jones Kowalski Ivanov Petrov
Tanaka Sato Singh Kumar Ali Khan Hansen Johansson Nielsen Schmidt Weber Fischer Dubois Martin Bernard Moreau Ricci
Ferrari Costa Santos Oliveira Fernández López Martínez Rodríguez Pérez Williams Davis Miller Wilson Moore Taylor
Anderson Thomas Jackson White Harris Clark Lewis Young Hall Allen Wright King Scott Green Baker Adams Nelson Hill
Campbell Mitchell Roberts Carter Phillips Evans Turner Parker Collins Edwards Stewart Morris Murphy Cook Rogers Reed
Bell Cooper Richardson Cox Ward Peterson Gray Watson Brooks Kelly Sanders Bennett Wood Barnes Ross Henderson Coleman
Jenkins Perry Powell Long Patterson Hughes Flores Washington Butler Simmons Foster Bryant Novák Horvat Popescu Nagy
Yılmaz Öztürk Haddad Cohen Levy Okafor Mensah Diallo Zimmermann Ziegler O'Brien O'Neill van der Berg de Vries`
    .trim()
    .split(/\s+/);
const syllables =
  'ba be bi bo bu da de di do du fa fi ga go ka ke ki ko la le li lo lu ma me mi mo mu na ne ni no nu pa '
    .concat(
      'pe pi po ra re ri ro ru sa se si so su ta te ti to tu va ve vi vo wa we wi xa xe ya yo za ze zi zo zu',
    )
    .split(' ');
const mailHosts = [
  'gmail.com',
  'yahoo.com',
  'outlook.com',
  'hotmail.com',
  'icloud.com',
  'proton.me',
  'gmx.de',
  'mail.ru',
];

/** The last 2 % came together from elsewhere: they are the end of every order, the worst that a search can ask for. */
const importedShare = 0.02;

/** Makes the same users each time: common names often and rare ones seldom, addresses of several fashions. */
export function* makeUsers(count: number): Generator<UserRow> {
  let state = 20_261_123;
  const random = () => {
    // mulberry32
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const pick = (list: readonly string[]) => list[Math.floor(random() * list.length)] as string;
  const pickCommon = (list: readonly string[]) => list[Math.floor(random() ** 2 * list.length)] as string;
  const word = (length: number) => Array.from({ length }, () => pick(syllables)).join('');
  const companies = Array.from(
    { length: 3000 },
    () => `${word(3)}.${pick(['com', 'org', 'io', 'de', 'co.uk', 'fr'])}`,
  );
  const ascii = (text: string) => text.normalize('NFD').replaceAll(/[^\w]/g, '').toLowerCase();

  const start = Date.parse('2023-01-01T00:00:00.000Z');
  const imported = Math.floor(count * importedShare);
  for (let number = 1; number <= count; number++) {
    const isImported = number > count - imported;
    const first = pickCommon(firstNames);
    const last = pickCommon(lastNames);
    const fashion = random();
    const local =
      fashion < 0.4
        ? `${ascii(first)}.${ascii(last)}`
        : fashion < 0.6
          ? `${ascii(first).charAt(0)}${ascii(last)}`
          : fashion < 0.7
            ? `${ascii(last)}_${ascii(first)}`
            : word(2 + Math.floor(random() * 2));
    const host = random() < 0.6 ? pickCommon(mailHosts) : pick(companies);
    const initial = random() < 0.15 ? ` ${String.fromCharCode(65 + Math.floor(random() * 26))}.` : '';
    const email = isImported
      ? `zz-import-${number}@legacy.example`
      : `${local}${number.toString(36)}@${host}`;
    const name = isImported ? `Zz Imported ${number}` : `${first}${initial} ${last}`;
    const at = new Date(start + number * 90_000).toISOString();
    yield {
      email,
      email_key: foldText(email),
      name,
      name_key: foldText(name),
      search_text: `${searchable(foldText(email))}\n${searchable(foldText(name))}`,
      is_active: random() < 0.92,
      is_admin: random() < 0.0002,
      created_at: at,
      updated_at: at,
      email_verified: true,
      email_set_at: at,
    };
  }
}

export interface Filled {
  seconds: number;
  /** Megabytes of each index of `users`. */
  indexMb: Record<string, number>;
  tableMb: number;
}

/** Makes the schema at `url` and fills it. Indexes that would be slow to keep up row by row are made at the end. */
export async function fillUsers(url: string, count: number): Promise<Filled> {
  const startedAt = performance.now();
  const database = await openDatabase({ url });
  await database.migrate(migrations);
  await database.close();
  const sizes = url.startsWith('sqlite:')
    ? fillSqlite(url.slice('sqlite:'.length), count)
    : await fillPostgres(url, count);
  return { seconds: (performance.now() - startedAt) / 1000, ...sizes };
}

function fillSqlite(path: string, count: number): Omit<Filled, 'seconds'> {
  const db = new BetterSqlite3(path);
  db.pragma('synchronous = off');
  const later = db
    .prepare<[], { type: string; name: string; sql: string }>(
      `select type, name, sql from sqlite_schema where tbl_name = 'users' and type in ('trigger', 'index') and sql is not null`,
    )
    .all();
  for (const { type, name } of later) db.exec(`drop ${type} ${name}`);
  const insert = db.prepare(
    `insert into users (${columns.join(', ')}) values (${columns.map((column) => `@${column}`).join(', ')})`,
  );
  db.transaction(() => {
    for (const row of makeUsers(count)) {
      insert.run({
        ...row,
        is_active: Number(row.is_active),
        is_admin: Number(row.is_admin),
        email_verified: Number(row.email_verified),
      });
    }
  })();
  for (const { sql } of later) db.exec(sql);
  db.exec(`insert into users_search_text_substring (users_search_text_substring) values ('rebuild')`);
  db.pragma('wal_checkpoint(truncate)');
  const pages = db.prepare<[], { name: string; mb: number }>(
    `select name, sum(pgsize) / 1e6 as mb from dbstat where name like '%users%' group by name`,
  );
  let sizes: { name: string; mb: number }[] = [];
  try {
    sizes = pages.all();
  } catch {
    // Built without dbstat.
  }
  db.close();
  const table = sizes.find(({ name }) => name === 'users');
  return {
    tableMb: table?.mb ?? 0,
    indexMb: Object.fromEntries(
      sizes.filter((size) => size !== table && size.mb > 0.1).map(({ name, mb }) => [name, mb]),
    ),
  };
}

async function fillPostgres(url: string, count: number): Promise<Omit<Filled, 'seconds'>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`set synchronous_commit = off; set maintenance_work_mem = '512MB'`);
  const { rows: later } = await client.query<{ indexname: string; indexdef: string }>(
    `select indexname, indexdef from pg_indexes where tablename = 'users' and indexname <> 'users_pkey'`,
  );
  for (const { indexname } of later) await client.query(`drop index ${indexname}`);
  const types = columns
    .map((column) => `${column} ${/^is_|_verified$/.test(column) ? 'boolean' : 'text'}`)
    .join(', ');
  const values = columns
    .map((column) => (column.endsWith('_at') ? `${column}::timestamptz` : column))
    .join(', ');
  const insert = `insert into users (${columns.join(', ')}) select ${values} from json_to_recordset($1) as row (${types})`;
  let batch: UserRow[] = [];
  for (const row of makeUsers(count)) {
    batch.push(row);
    if (batch.length < 10_000) continue;
    await client.query(insert, [JSON.stringify(batch)]);
    batch = [];
  }
  if (batch.length > 0) await client.query(insert, [JSON.stringify(batch)]);
  for (const { indexdef } of later) await client.query(indexdef);
  await client.query('vacuum (analyze) users');
  const { rows } = await client.query<{ name: string; mb: number }>(
    `select indexrelname as name, pg_relation_size(indexrelid) / 1e6 as mb from pg_stat_user_indexes where relname = 'users'`,
  );
  const { rows: tables } = await client.query<{ mb: number }>(`select pg_table_size('users') / 1e6 as mb`);
  await client.end();
  return {
    tableMb: Number(tables[0]?.mb),
    indexMb: Object.fromEntries(rows.map(({ name, mb }) => [name, Number(mb)])),
  };
}
