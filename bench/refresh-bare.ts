/** What `POST /auth/refresh` is compared with: Fastify and one durable update of a row by its key. */
import BetterSqlite3 from 'better-sqlite3';
import Fastify from 'fastify';
import pg from 'pg';
import { serveMessages } from './processes.ts';

const { url, poolSize, log } = JSON.parse(process.argv[2] ?? '{}') as {
  url: string;
  poolSize: number;
  log: boolean;
};
const time = 'timestamp';
const table = `create table bare_sessions (id text primary key, generation integer not null, seen_at ${time} not null)`;
const ids = Array.from({ length: 1000 }, (_, number) => `session-${number}`);

type Update = (id: string) => unknown;

function openSqlite(path: string): Update {
  const db = new BetterSqlite3(path);
  db.pragma('journal_mode = wal');
  db.pragma('synchronous = full');
  db.exec(table);
  const insert = db.prepare("insert into bare_sessions values (?, 0, '')");
  db.transaction(() => ids.map((id) => insert.run(id)))();
  const update = db.prepare('update bare_sessions set generation = generation + 1, seen_at = ? where id = ?');
  return (id) => update.run(new Date().toISOString(), id);
}

async function openPostgres(): Promise<Update> {
  const pool = new pg.Pool({ connectionString: url, max: poolSize });
  await pool.query(table);
  await pool.query(`insert into bare_sessions select unnest($1::text[]), 0, now()`, [ids]);
  const text = 'update bare_sessions set generation = generation + 1, seen_at = $1 where id = $2';
  return (id) => pool.query({ name: 'update', text, values: [new Date().toISOString(), id] });
}

const update = url.startsWith('sqlite:') ? openSqlite(url.slice('sqlite:'.length)) : await openPostgres();
const app = Fastify({ logger: log });
const text = { type: 'string' };
const properties = {
  access_token: text,
  refresh_token: text,
  token_type: text,
  expires_in: { type: 'integer' },
};
const body = { type: 'object', properties: { refresh_token: text }, required: ['refresh_token'] };
const schema = { body, response: { 200: { type: 'object', properties } } };
app.post<{ Body: { refresh_token: string } }>('/auth/refresh', { schema }, async (request) => {
  const { refresh_token } = request.body;
  await update(refresh_token);
  return { access_token: 'a'.repeat(420), refresh_token, token_type: 'bearer', expires_in: 900 };
});

serveMessages<{ do: 'listen' | 'usage' }>(
  async (message) => {
    if (message.do === 'listen') return { url: await app.listen({ host: '127.0.0.1', port: 0 }) };
    const { user, system } = process.cpuUsage();
    return { cpuMicroseconds: user + system };
  },
  () => app.close(),
);
