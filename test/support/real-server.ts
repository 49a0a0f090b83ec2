import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type RunningServer, startServer } from '../../src/server.ts';
import type { GivenSettings } from '../../src/settings.ts';
import { onEachDatabase, type TestDatabase } from './databases.ts';
import { type Client, createClient, type RawAnswer } from './fault-client.ts';
import { query } from './fault-inspect.ts';

export const password = 'SecurePass123!';

export interface Account {
  readonly id: number;
  readonly email: string;
  readonly access_token: string;
  readonly refresh_token: string;
}

/** A server on a port of its own, and a client of it. */
export interface RealServer extends RunningServer, Pick<Client, 'send' | 'ask'> {
  /** Logs in over HTTP, with further fields and headers if given. */
  logIn(
    username: string,
    given?: string,
    more?: { fields?: object; headers?: readonly string[] },
  ): Promise<RawAnswer>;
  refresh(refresh_token: string): Promise<RawAnswer>;
  /** `GET /auth/me` with the token. */
  me(token: string): Promise<RawAnswer>;
  /** Makes an account and logs in over HTTP. */
  signIn(account?: { email?: string; is_admin?: boolean }): Promise<Account>;
}

export interface Scene {
  readonly t: TestContext;
  readonly database: TestDatabase;
  readonly databaseUrl: string;
  /** Starts a server on the test's database; it ends with the test. */
  start(settings?: GivenSettings): Promise<RealServer>;
  /** Moves the time of all servers on, which else stands still. */
  advance(seconds: number): void;
}

/** Registers a test with real servers, without rate limits unless asked for, once for each kind of database. */
export function onRealServers(name: string, run: (scene: Scene) => Promise<void>): void {
  onEachDatabase((database) => {
    test(name, async (t) => {
      const databaseUrl = await database.createReadyUrl();
      let time = Date.parse('2026-01-01T12:00:00Z');
      await run({
        t,
        database,
        databaseUrl,
        start: (settings = {}) => start(t, { DATABASE_URL: databaseUrl, ...settings }, () => new Date(time)),
        advance(seconds) {
          time += seconds * 1000;
        },
      });
    });
  });
}

let accounts = 0;

async function start(t: TestContext, settings: GivenSettings, now: () => Date): Promise<RealServer> {
  const server = await startServer(
    {
      SECRET_KEY: 'advisories-1d7e4b90c2a85f36-not-a-sample',
      PORT: 0,
      LOG_LEVEL: 'silent',
      RATE_LIMITS: 'off',
      ARGON2_MEMORY_KIB: 7168,
      ARGON2_PASSES: 5,
      ARGON2_LANES: 1,
      ...settings,
    },
    () => {},
    { clock: { now } },
  );
  const client = createClient(server.url, { connections: 512 });
  t.after(async () => {
    client.close();
    await server.stop();
  });

  const logIn: RealServer['logIn'] = (username, given = password, { fields = {}, headers = [] } = {}) =>
    client.send({
      method: 'POST',
      path: '/auth/login',
      headers: ['content-type', 'application/json', ...headers],
      body: JSON.stringify({ username, password: given, ...fields }),
    });
  return {
    ...server,
    ...client,
    logIn,
    refresh: (refresh_token) => client.ask('POST', '/auth/refresh', { json: { refresh_token } }),
    me: (token) => client.ask('GET', '/auth/me', { token }),
    async signIn({ email = `real${++accounts}@example.com`, is_admin = false } = {}) {
      const { id } = await server.doorward.admin.create({ email, password, name: 'Test User', is_admin });
      const answer = await logIn(email);
      assert.equal(answer.status, 200, answer.text);
      return { id, email, ...answer.body };
    },
  };
}

/** All accounts, passwords and sessions as they are stored, but for when a session was last used. */
export async function storedAccounts(databaseUrl: string): Promise<string> {
  const rows = await Promise.all(
    [
      'select * from users order by id',
      'select * from passwords order by user_id',
      'select id, user_id, generation, ended_at from sessions order by id',
    ].map((statement) => query(databaseUrl, statement)),
  );
  return JSON.stringify(rows);
}

/** Sends the text as it is on a connection of its own; resolves to the first answer's status and all that came back. */
export async function sendText(
  url: string,
  lines: readonly string[],
  body = '',
): Promise<{ status: number; text: string }> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.on('error', () => {});
  socket.write(
    `${[...lines, 'Connection: close', `Content-Length: ${Buffer.byteLength(body)}`].join('\r\n')}\r\n\r\n${body}`,
  );
  await once(socket, 'close');
  return { status: Number(text.slice(9, 12)), text };
}
