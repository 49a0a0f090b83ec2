import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { SessionRow } from '../../src/features/sessions/store.ts';
import type { GivenSettings } from '../../src/settings.ts';
import { createTestDoorward, type TestDoorward, type TestResponse } from '../../src/testing/index.ts';
import { onEachDatabase, type TestDatabase } from './databases.ts';

export const SECRET_KEY = 'instances-8c1d5e0f7a3b4926-not-a-sample';

export interface Tokens {
  access_token: string;
  refresh_token: string;
}

/** One of the instances of a test. They share a database and the time. */
export interface Instance extends TestDoorward {
  refresh(refresh_token: string): Promise<TestResponse>;
  /** The tokens that a refresh gave; fails when it gave none. */
  refreshed(refresh_token: string): Promise<Tokens>;
  logIn(username: string, password?: string): Promise<Tokens>;
  /** `GET /auth/me` with the token. */
  me(token: string): Promise<TestResponse>;
  /** The session that a token belongs to, as it is stored. */
  session(token: string): Promise<SessionRow | undefined>;
}

export interface Scenario {
  readonly t: TestContext;
  readonly database: TestDatabase;
  readonly databaseUrl: string;
  /** Opens an instance on the test's database; it ends with the test. */
  open(settings?: GivenSettings): Promise<Instance>;
  /** Moves the time of all instances on. */
  advance(seconds: number): void;
}

/** Registers a test once for each kind of database. */
export function onInstances(name: string, run: (scenario: Scenario) => Promise<void>): void {
  onEachDatabase((database) => {
    test(name, async (t) => {
      const databaseUrl = await database.createReadyUrl();
      const opened: TestDoorward[] = [];
      let elapsed = 0;
      await run({
        t,
        database,
        databaseUrl,
        async open(settings = {}) {
          const test = await createTestDoorward(
            { SECRET_KEY, DATABASE_URL: databaseUrl, ...settings },
            { now: new Date(Date.parse('2026-01-01T12:00:00Z') + elapsed * 1000) },
          );
          t.after(() => test.close());
          opened.push(test);
          return toInstance(test);
        },
        advance(seconds) {
          elapsed += seconds;
          for (const { clock } of opened) clock.advance(seconds);
        },
      });
    });
  });
}

function toInstance(test: TestDoorward): Instance {
  const { request, doorward } = test;
  const refresh = (refresh_token: string) => request('POST', '/auth/refresh', { json: { refresh_token } });
  return {
    ...test,
    refresh,
    async refreshed(refresh_token) {
      const answer = await refresh(refresh_token);
      assert.equal(answer.status, 200, answer.text);
      return answer.body;
    },
    async logIn(username, password = 'SecurePass123!') {
      const answer = await request('POST', '/auth/login', { form: { username, password } });
      assert.equal(answer.status, 200, answer.text);
      return answer.body;
    },
    me: (token) => request('GET', '/auth/me', { token }),
    session: (token) =>
      doorward.kernel.db.read
        .selectFrom('sessions')
        .selectAll()
        .where('id', '=', claimsOf(token).sid)
        .executeTakeFirst(),
  };
}

/** What a token says, unverified. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into claims of every shape
export function claimsOf(token: string): any {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

export function headerOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString());
}

/** Asserts a failure of the contract's closed list, whole: nothing but status, text and code. */
export function assertFailure(answer: TestResponse, status: number, detail: string, code: string): void {
  assert.deepEqual([answer.status, answer.body], [status, { detail, code }]);
}

export const assertDead = (answer: TestResponse) =>
  assertFailure(answer, 401, 'Could not validate credentials', 'invalid_token');

export const assertRefused = (answer: TestResponse) =>
  assertFailure(answer, 401, 'Invalid refresh token', 'invalid_refresh_token');
