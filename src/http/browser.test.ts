import assert from 'node:assert/strict';
import { test } from 'node:test';
import Fastify from 'fastify';
import {
  assertDead,
  assertFailure,
  assertRefused,
  claimsOf,
  onInstances,
} from '../../test/support/instances.ts';
import { checkEveryAnswer } from '../../test/support/openapi-conformance.ts';
import type { GivenSettings } from '../settings.ts';
import { createTestDoorward, type TestDoorward, type TestResponse } from '../testing/index.ts';

checkEveryAnswer();

const own = 'https://accounts.example.com';
const friend = 'https://app.example.com';
const settings = { PUBLIC_URL: own, CORS_ORIGINS: `${friend}, https://other.example.com` };
const sameOrigin = { 'sec-fetch-site': 'same-origin', origin: own };
const names = { access: '__Host-doorward_access', refresh: '__Host-doorward_refresh' };

async function open(t: { after(fn: () => Promise<void>): void }, given: GivenSettings = {}) {
  const test = await createTestDoorward({ ...settings, ...given });
  t.after(() => test.close());
  return test;
}

/** The Set-Cookie headers of an answer, by name: value and attributes. */
function setCookies({ headers }: TestResponse): Record<string, { value: string; attributes: string[] }> {
  const all = [headers['set-cookie'] ?? []].flat();
  return Object.fromEntries(
    all.map((line) => {
      const [pair = '', ...attributes] = line.split('; ');
      const [name = '', value = ''] = pair.split('=', 2);
      return [name, { value, attributes }];
    }),
  );
}

interface Jar {
  access: string;
  refresh: string;
  /** The Cookie header with both. */
  cookie: string;
}

function jarOf(answer: TestResponse, prefix = '__Host-'): Jar {
  const cookies = setCookies(answer);
  const access = cookies[`${prefix}doorward_access`]?.value ?? assert.fail(answer.text);
  const refresh = cookies[`${prefix}doorward_refresh`]?.value ?? assert.fail(answer.text);
  return {
    access,
    refresh,
    cookie: `${prefix}doorward_access=${access}; ${prefix}doorward_refresh=${refresh}`,
  };
}

async function logIn(a: TestDoorward, headers: Record<string, string> = sameOrigin) {
  const { email, password, id } = await a.signIn();
  const answer = await a.request('POST', '/auth/login?transport=cookie', {
    form: { username: email, password },
    headers,
  });
  return { id, email, password, answer };
}

const assertCleared = (answer: TestResponse) =>
  assert.deepEqual(
    Object.entries(setCookies(answer)).map(([name, { value, attributes }]) => [name, value, attributes]),
    [names.access, names.refresh].map((name) => [
      name,
      '',
      ['Max-Age=0', 'Path=/', 'HttpOnly', 'Secure', 'SameSite=Lax'],
    ]),
  );

const crossSite = (answer: TestResponse) =>
  assertFailure(answer, 403, 'Cross-site request refused', 'cross_site_request');

for (const [PUBLIC_URL, prefix, secure] of [
  [own, '__Host-', ['Secure']],
  ['https://localhost:8443', '__Host-', ['Secure']],
  ['http://localhost:8000', '', []],
  ['http://127.0.0.1:8000', '', []],
  ['http://[::1]:8000', '', []],
] as const) {
  test(`cookies of ${PUBLIC_URL}`, async (t) => {
    const a = await open(t, { PUBLIC_URL });
    const { answer } = await logIn(a, { origin: PUBLIC_URL });
    assert.equal(answer.status, 200, answer.text);
    const cookies = setCookies(answer);
    const lifetimes = {
      [`${prefix}doorward_access`]: 15 * 60,
      [`${prefix}doorward_device`]: 400 * 86_400,
      [`${prefix}doorward_refresh`]: 7 * 86_400,
    };
    assert.deepEqual(Object.keys(cookies).sort(), Object.keys(lifetimes));
    for (const [name, { attributes }] of Object.entries(cookies)) {
      assert.deepEqual(attributes, [
        `Max-Age=${lifetimes[name]}`,
        'Path=/',
        'HttpOnly',
        ...secure,
        'SameSite=Lax',
      ]);
    }
    assert.deepEqual(answer.body, { token_type: 'cookie', expires_in: 15 * 60 });
    const { cookie } = jarOf(answer, prefix);
    assert.equal((await a.request('GET', '/auth/me', { headers: { cookie } })).status, 200);
  });
}

for (const PUBLIC_URL of [
  'http://accounts.example.com',
  'http://192.0.2.1:8000',
  'http://localhost.example.com',
]) {
  test(`${PUBLIC_URL} has no cookies, and no hash is paid to say so`, async (t) => {
    const a = await open(t, { PUBLIC_URL });
    const check = t.mock.method(a.doorward.passwords, 'check');
    const run = t.mock.method(a.doorward.passwords.queue, 'run');
    const answer = await a.request('POST', '/auth/login?transport=cookie', {
      form: { username: 'a@example.com', password: 'SecurePass123!' },
      headers: { origin: PUBLIC_URL, 'sec-fetch-site': 'same-origin' },
    });
    assertFailure(answer, 400, 'Cookies need an https PUBLIC_URL', 'cookies_unavailable');
    assert.equal(answer.headers['set-cookie'], undefined);
    assert.equal(check.mock.callCount() + run.mock.callCount(), 0);
  });
}

onInstances('a browser lives on cookies alone, from log-in to log-out', async (s) => {
  const a = await s.open(settings);
  const user = await a.signIn();
  const send = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, cookie: string, json?: unknown) =>
    a.request(method, path, { headers: { cookie, ...sameOrigin }, ...(json === undefined ? {} : { json }) });
  const answers: TestResponse[] = [];
  const login = await a.request('POST', '/auth/login?transport=cookie', {
    json: { username: user.email, password: user.password },
    headers: sameOrigin,
  });
  let jar = jarOf(login);
  answers.push(login);
  const first = jar;
  assert.equal((await send('GET', '/auth/me', jar.cookie)).body.id, user.id);
  assert.equal((await send('PATCH', '/auth/me', jar.cookie, { name: 'In Cookies' })).body.name, 'In Cookies');
  const sessions = await send('GET', '/auth/me/sessions', jar.cookie);
  assert.equal(sessions.body.filter((session: { current: boolean }) => session.current).length, 1);

  s.advance(20);
  const refreshed = await send('POST', '/auth/refresh?transport=cookie', jar.cookie);
  answers.push(refreshed);
  assert.deepEqual(refreshed.body, { token_type: 'cookie', expires_in: 900 });
  jar = jarOf(refreshed);
  assert.notEqual(jar.refresh, first.refresh);
  // A reply that was lost is made good as with bodies.
  assert.equal(
    jarOf(await send('POST', '/auth/refresh?transport=cookie', first.cookie, {})).refresh,
    jar.refresh,
  );
  const changed = await send('POST', '/auth/me/password', jar.cookie, {
    current_password: user.password,
    new_password: 'Another-Pass-77!',
  });
  assert.equal(changed.status, 200, changed.text);
  assertDead(await a.me(user.access_token));
  assert.equal((await send('DELETE', '/auth/me/sessions', jar.cookie)).status, 204);

  // The access cookie has gone with its token; the refresh cookie still says who leaves.
  s.advance(3600);
  const left = await send('POST', '/auth/logout', `${names.refresh}=${jar.refresh}`);
  assert.equal(left.status, 204);
  assertCleared(left);
  assert.equal((await a.session(jar.refresh))?.end_reason, 'logged_out');
  const after = await send('POST', '/auth/refresh?transport=cookie', jar.cookie);
  assertRefused(after);
  assertCleared(after);
  for (const { text, headers } of answers) {
    assert.doesNotMatch(text, /eyJ/);
    assert.equal(headers.location, undefined);
  }
});

test('a log-out ends the session that either cookie names', async (t) => {
  const a = await open(t);
  for (const which of ['access', 'refresh', 'access, with another that is garbage'] as const) {
    const jar = jarOf((await logIn(a)).answer);
    const cookie =
      which === 'refresh'
        ? `${names.refresh}=${jar.refresh}`
        : `${names.access}=${jar.access}${which === 'access' ? '' : `; ${names.refresh}=garbage`}`;
    const answer = await a.request('POST', '/auth/logout', { headers: { cookie, ...sameOrigin } });
    assert.equal(answer.status, 204, which);
    assertCleared(answer);
    assertDead(await a.request('GET', '/auth/me', { headers: { cookie: jar.cookie } }));
    assert.equal(
      (await a.request('POST', '/auth/logout', { headers: { cookie, ...sameOrigin } })).status,
      204,
    );
  }
  // A site behind a proxy that asks for a password of its own.
  const { cookie } = jarOf((await logIn(a)).answer);
  const basic = { cookie, ...sameOrigin, authorization: 'Basic c3RhZ2luZzpzZWNyZXQ=' };
  const answer = await a.request('POST', '/auth/logout', { headers: basic });
  assert.equal(answer.status, 204);
  assertCleared(answer);
  assertFailure(
    await a.request('POST', '/auth/logout', { headers: sameOrigin }),
    401,
    'Not authenticated',
    'not_authenticated',
  );
});

test('a refresh gives no token to scripts for a cookie, and no cookie for a token', async (t) => {
  const a = await open(t);
  const { cookie, refresh } = jarOf((await logIn(a)).answer);
  for (const path of ['/auth/refresh', '/auth/refresh?transport=body']) {
    const stolen = await a.request('POST', path, { headers: { cookie, ...sameOrigin } });
    assert.deepEqual([stolen.status, stolen.body.code], [422, 'validation_error']);
    assert.doesNotMatch(stolen.text, /eyJ/);
  }
  const other = await a.request('POST', '/auth/refresh?transport=cookie', {
    json: { refresh_token: refresh },
    headers: sameOrigin,
  });
  assertRefused(other);
  for (const transport of ['', 'header', 'COOKIE', 'cookie&transport=body']) {
    const answer = await a.request('POST', `/auth/refresh?transport=${transport}`, {
      headers: { cookie, ...sameOrigin },
    });
    assert.equal(answer.status, 422, transport);
    assert.equal(answer.headers['set-cookie'], undefined);
  }
});

// What a browser says of where a request comes from, and whether it may change something with cookies.
const matrix: [origin: string | undefined, site: string | undefined, allowed: boolean][] = [
  [own, 'same-origin', true],
  [undefined, 'same-origin', true],
  [own, undefined, true],
  [undefined, undefined, false],
  ['null', undefined, false],
  ['null', 'cross-site', false],
  ['https://evil.example', 'cross-site', false],
  ['https://evil.example', undefined, false],
  [undefined, 'cross-site', false],
  [own, 'cross-site', false],
  [undefined, 'same-site', false],
  ['https://sibling.example.com', 'same-site', false],
  [undefined, 'none', false],
  [own, 'none', false],
  [friend, 'same-site', true],
  [friend, 'cross-site', true],
  [friend, undefined, true],
  ['https://other.example.com', 'same-site', true],
  ['http://app.example.com', 'same-site', false],
  [`${friend}:8443`, 'same-site', false],
  [`${friend}.evil.example`, 'cross-site', false],
  [`${own}.evil.example`, undefined, false],
  ['http://accounts.example.com', undefined, false],
  [`${own}/`, undefined, false],
  [own.toUpperCase(), undefined, false],
  ['', '', false],
  [own, 'same-origin, cross-site', false],
];

test('who may change something with cookies, by Origin and Fetch Metadata', async (t) => {
  const a = await open(t);
  const user = await logIn(a);
  const { cookie } = jarOf(user.answer);
  for (const [origin, site, allowed] of matrix) {
    const what = `${origin} ${site}`;
    const headers: Record<string, string> = {
      cookie,
      ...(origin === undefined ? {} : { origin }),
      ...(site === undefined ? {} : { 'sec-fetch-site': site }),
    };
    const attempts = [
      a.request('PATCH', '/auth/me', { headers, json: { name: what } }),
      a.request('PUT', '/auth/me', { headers, json: { name: what } }),
      a.request('POST', '/auth/me/password', {
        headers,
        json: { current_password: 'x', new_password: 'Another-Pass-77!' },
      }),
      a.request('DELETE', '/auth/me/sessions', { headers }),
      a.request('DELETE', '/auth/me', { headers, json: { current_password: 'x' } }),
      a.request('POST', '/auth/refresh?transport=cookie', { headers }),
      // Logging a victim in as somebody else is an attack as well.
      a.request('POST', '/auth/login?transport=cookie', {
        headers,
        form: { username: user.email, password: user.password },
      }),
    ];
    for (const answer of await Promise.all(attempts)) {
      if (allowed) assert.notEqual(answer.body?.code, 'cross_site_request', what);
      else {
        crossSite(answer);
        assert.equal(answer.headers['set-cookie'], undefined, what);
      }
    }
    if (!allowed) crossSite(await a.request('POST', '/auth/logout', { headers }));
    // Reading is left to the same-origin policy of the browser.
    const read = await a.request('GET', '/auth/me', { headers });
    assert.equal(read.status, 200, what);
    assert.equal(read.body.name === what, allowed, what);
  }
});

test('bearer tokens and bodies are checked by no origin', async (t) => {
  const a = await open(t);
  const user = await a.signIn();
  const headers = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
  const { email: username, password, access_token: token } = user;
  assert.equal(
    (await a.request('POST', '/auth/login', { form: { username, password }, headers })).status,
    200,
  );
  assert.equal((await a.request('PATCH', '/auth/me', { json: { name: 'B' }, headers, token })).status, 200);
  const { refresh_token } = user;
  assert.equal((await a.request('POST', '/auth/refresh', { json: { refresh_token }, headers })).status, 200);
  assert.equal((await a.request('POST', '/auth/logout', { headers, token })).status, 204);
});

test('of cookie and bearer the bearer counts, good or bad', async (t) => {
  const a = await open(t);
  const inCookies = await logIn(a);
  const { cookie } = jarOf(inCookies.answer);
  const bearer = await a.signIn();
  const headers = { cookie, ...sameOrigin };
  const me = await a.request('GET', '/auth/me', { headers, token: bearer.access_token });
  assert.equal(me.body.id, bearer.id);
  assertDead(await a.request('GET', '/auth/me', { headers, token: 'garbage' }));
  assertDead(await a.request('GET', '/auth/me', { headers: { ...headers, authorization: 'Bearer ' } }));
  // The log-out of the one leaves the other's session and cookies alone.
  const answer = await a.request('POST', '/auth/logout', { headers, token: bearer.access_token });
  assert.deepEqual([answer.status, answer.headers['set-cookie']], [204, undefined]);
  assertDead(await a.request('GET', '/auth/me', { token: bearer.access_token }));
  assert.equal((await a.request('GET', '/auth/me', { headers: { cookie } })).body.id, inCookies.id);
});

test('a refresh cookie is no access cookie, and names are exact', async (t) => {
  const a = await open(t);
  const { access, refresh } = jarOf((await logIn(a)).answer);
  const me = (cookie: string) => a.request('GET', '/auth/me', { headers: { cookie } });
  assertDead(await me(`${names.access}=${refresh}`));
  for (const cookie of [
    `doorward_access=${access}`,
    `__Secure-doorward_access=${access}`,
    `__host-doorward_access=${access}`,
    `${names.refresh}=${refresh}`,
    `${names.access}=`,
  ]) {
    assertFailure(await me(cookie), 401, 'Not authenticated', 'not_authenticated');
  }
  // What a sibling domain could plant has another name; of two with the right one the first counts.
  assert.equal((await me(`doorward_access=x; ${names.access}=${access}`)).status, 200);
});

test('a malformed Cookie header is no fault of ours', async (t) => {
  const a = await open(t);
  for (const cookie of [
    '=',
    ';',
    ';;;=;',
    `${names.access}`,
    `${names.access}=%`,
    `${names.access}=%E0%A4%A`,
    `${names.access}="`,
    `${names.access}=;${names.refresh}=`,
    '__proto__=1; constructor=2; hasOwnProperty=3',
    `${names.access}=${'x'.repeat(9000)}`,
    `${';'.repeat(2000)}`,
    'a=\u00e9',
  ]) {
    for (const [method, path] of [
      ['GET', '/auth/me'],
      ['POST', '/auth/logout'],
      ['POST', '/auth/refresh?transport=cookie'],
    ] as const) {
      const answer = await a.request(method, path, { headers: { cookie, ...sameOrigin } });
      assert.ok(
        answer.status < 500 && [204, 401].includes(answer.status),
        `${cookie.slice(0, 60)}: ${answer.text}`,
      );
    }
  }
});

test('guards take cookies on a route of the host, and check where a request comes from', async (t) => {
  const a = await open(t);
  const { cookie } = jarOf((await logIn(a)).answer);
  const host = Fastify();
  t.after(() => host.close());
  await host.register(a.doorward.plugin);
  host.route({
    method: ['GET', 'POST'],
    url: '/notes',
    onRequest: host.activeUser,
    handler: async (request) => ({ email: request.auth.user.email }),
  });
  const notes = (method: 'GET' | 'POST', headers: Record<string, string>) =>
    host.inject({ method, url: '/notes', headers });
  assert.equal((await notes('GET', { cookie })).statusCode, 200);
  assert.equal((await notes('POST', { cookie, ...sameOrigin })).statusCode, 200);
  const refused = await notes('POST', {
    cookie,
    origin: 'https://evil.example',
    'sec-fetch-site': 'cross-site',
  });
  assert.deepEqual([refused.statusCode, refused.json().code], [403, 'cross_site_request']);
  assert.equal((await notes('POST', {})).statusCode, 401);
  assert.equal((await notes('GET', { cookie: '%;=' })).statusCode, 401);
});

test('no token is taken from an address, or put into one', async (t) => {
  const a = await open(t);
  const user = await a.signIn();
  const { access_token, refresh_token } = user;
  const query = `access_token=${access_token}&token=${access_token}&refresh_token=${refresh_token}`;
  assertFailure(await a.request('GET', `/auth/me?${query}`), 401, 'Not authenticated', 'not_authenticated');
  assert.equal((await a.request('POST', `/auth/refresh?${query}`, { json: {} })).status, 422);
  assertFailure(
    await a.request('POST', `/auth/logout?${query}`),
    401,
    'Not authenticated',
    'not_authenticated',
  );
  for (const method of ['GET', 'PUT'] as const) {
    assert.equal((await a.request(method, `/auth/refresh?${query}`)).status, 405);
  }
  assert.equal((await a.request('GET', '/auth/me', { token: access_token })).status, 200);
  assert.equal(claimsOf(access_token).type, 'access');
});
