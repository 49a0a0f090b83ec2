import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { GivenSettings } from '../../src/settings.ts';
import { createTestDoorward, type TestDoorward, type TestResponse } from '../../src/testing/index.ts';
import { onEachDatabase, type TestDatabase } from './databases.ts';

/** The secret of every instance in the journeys, so that nothing is made beside a PostgreSQL. */
export const SECRET_KEY = 'journeys-3f9c1b7e5a2d4860-not-a-sample';

/** A password that the policy allows. */
export const password = 'SecurePass123!';

/** Opens an instance that ends with the test: on an empty database, or on `DATABASE_URL`. */
export type Open = (settings?: GivenSettings) => Promise<Journey>;

export interface Journey extends TestDoorward {
  readonly databaseUrl: string;
  /** Signs up over HTTP; answers the UserRead. */
  signUp(email: string, more?: { password?: string; name?: string }): Promise<User>;
  /** Logs in over HTTP with the password form. */
  logIn(username: string, password?: string): Promise<TestResponse>;
}

interface User {
  id: number;
  email: string;
  name: string;
  is_active: boolean;
  is_admin: boolean;
  created_at: string;
}

/** Registers a test once for each kind of database. */
export function journey(
  name: string,
  run: (open: Open, context: { t: TestContext; database: TestDatabase }) => Promise<void>,
): void {
  onEachDatabase((database) => {
    test(name, (t) => run((settings) => open(t, database, settings), { t, database }));
  });
}

async function open(t: TestContext, database: TestDatabase, settings: GivenSettings = {}): Promise<Journey> {
  const databaseUrl = String(settings.DATABASE_URL ?? (await database.createReadyUrl()));
  const instance = await createTestDoorward({ SECRET_KEY, ...settings, DATABASE_URL: databaseUrl });
  t.after(() => instance.close());

  const request: Journey['request'] = async (method, path, options = {}) => {
    const answer = await instance.request(method, path, options);
    assertNothingLeaks(`${method} ${path}`, answer, [options.json, options.form]);
    return answer;
  };
  return {
    ...instance,
    databaseUrl,
    request,
    async signUp(email, more = {}) {
      const answer = await request('POST', '/auth/signup', {
        json: { email, password, name: 'Test User', ...more },
      });
      assert.equal(answer.status, 201, answer.text);
      return answer.body;
    },
    logIn: (username, given = password) =>
      request('POST', '/auth/login', { form: { username, password: given } }),
  };
}

const columns =
  /"(password|hash|hashed_password|password_hash|email_key|name_key|search_text|updated_at|sid|gen)":/;

/** What no answer under /auth ever holds, whatever was asked. */
function assertNothingLeaks(asked: string, answer: TestResponse, bodies: unknown[]): void {
  if (!asked.includes(' /auth/')) return;
  assert.match(answer.headers['x-request-id'] ?? '', /^[\w-]{8,}$/, asked);
  assert.equal(answer.headers['cache-control'], 'no-store', asked);
  assert.doesNotMatch(answer.text, columns, asked);
  assert.doesNotMatch(answer.text, /\$argon2|\$2[aby]\$|pbkdf2/, asked);
  const isTokenAnswer =
    /^POST \/auth\/(login|login\/email\/verify|refresh)(\?.*)?$/.test(asked) && answer.status === 200;
  if (!isTokenAnswer) assert.doesNotMatch(answer.text, /eyJ[\w-]+\.[\w-]+\./, asked);
  for (const secret of secretsIn(bodies))
    assert.ok(!answer.text.includes(secret), `${asked} repeats a secret`);
}

function secretsIn(bodies: unknown[]): string[] {
  return bodies
    .flatMap((body) => (typeof body === 'object' && body !== null ? Object.entries(body) : []))
    .filter(([name, value]) => /password|token/.test(name) && typeof value === 'string' && value.length >= 6)
    .map(([, value]) => value);
}

/** Asserts a failure of the contract's closed list, whole: nothing but status, text and code. */
export function assertFailure(answer: TestResponse, status: number, detail: string, code: string): void {
  assert.deepEqual([answer.status, answer.body], [status, { detail, code }]);
}

/** Asserts that the token is good, or why it is not. */
export async function assertToken(
  journey: Journey,
  token: string,
  state: 'good' | 'dead' | 'inactive',
): Promise<void> {
  const answer = await journey.request('GET', '/auth/me', { token });
  if (state === 'good') assert.equal(answer.status, 200, answer.text);
  else if (state === 'inactive') assertFailure(answer, 403, 'Inactive user', 'inactive_user');
  else assertFailure(answer, 401, 'Could not validate credentials', 'invalid_token');
}
