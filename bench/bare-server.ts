/**
 * What `GET /auth/me` is compared with: Fastify, a response schema, one prepared read by key, the same body. It checks
 * nothing: the caller says in a header which user it is. `POST /auth/login` computes one hash at a time, whatever was sent.
 */
import { verify } from '@node-rs/argon2';
import BetterSqlite3 from 'better-sqlite3';
import Fastify from 'fastify';
import pg from 'pg';
import { lowerPoolPriority } from '../src/pool-priority.ts';
import { serveMessages } from './processes.ts';

const {
  url,
  poolSize,
  log,
  hash = '',
} = JSON.parse(process.argv[2] ?? '{}') as { url: string; poolSize: number; log: boolean; hash?: string };

const nullable = { type: ['string', 'null'] };
/** What `GET /auth/me` answers. */
const properties = {
  id: { type: 'integer' },
  email: { type: 'string' },
  name: { type: 'string' },
  is_active: { type: 'boolean' },
  is_admin: { type: 'boolean' },
  created_at: { type: 'string', format: 'date-time' },
  email_verified: { type: 'boolean' },
  pending_email: nullable,
  locale: nullable,
  delete_after: nullable,
};
const columns = Object.keys(properties).join(', ');

type ReadUser = (id: number) => object | Promise<object>;

function sqliteReader(path: string): ReadUser {
  const db = new BetterSqlite3(path, { readonly: true });
  const select = db.prepare<[number], Record<string, unknown>>(`select ${columns} from users where id = ?`);
  return (id) => select.get(id) ?? {};
}

function postgresReader(): ReadUser {
  const pool = new pg.Pool({ connectionString: url, max: poolSize });
  const text = `select ${columns} from users where id = $1`;
  return async (id) => (await pool.query({ name: 'user_by_id', text, values: [id] })).rows[0];
}

const readUser = url.startsWith('sqlite:') ? sqliteReader(url.slice('sqlite:'.length)) : postgresReader();

const app = Fastify({ logger: log });
app.get('/auth/me', { schema: { response: { 200: { type: 'object', properties } } } }, (request, reply) => {
  const user = readUser(Number(request.headers['x-user-id']));
  if (user instanceof Promise) return user;
  reply.send(user);
});
const form = 'application/x-www-form-urlencoded';
app.addContentTypeParser(form, { parseAs: 'string' }, async (_request: unknown, body: string) =>
  Object.fromEntries(new URLSearchParams(body)),
);
let lastHash: Promise<unknown> = Promise.resolve();
app.post<{ Body: { password: string } }>('/auth/login', async (request) => {
  const right = lastHash.then(() => verify(hash, request.body.password));
  lastHash = right;
  return { right: await right };
});
// As Doorward's, so that what is left between the two is not the system's doing.
lowerPoolPriority();

serveMessages<{ do: 'listen' | 'usage' }>(
  async (message) => {
    if (message.do === 'listen') return { url: await app.listen({ host: '127.0.0.1', port: 0 }) };
    const { user, system } = process.cpuUsage();
    return { rssMb: process.memoryUsage.rss() / 1e6, cpuMicroseconds: user + system };
  },
  () => app.close(),
);
