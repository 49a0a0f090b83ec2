import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { ApiError, type ClientOptions, connect } from './client.ts';
import type { Environment } from './environment.ts';

interface Asked {
  method: string;
  url: string;
  authorization: string | null;
  body: unknown;
  init: RequestInit;
}

type Answer = (asked: Asked) => Response | Error | Promise<Response>;

/** A client whose network is `answers`, in turn; the last one stays. Time passes in its pauses alone. */
function clientOf(answers: Answer[], options: Partial<ClientOptions> = {}) {
  const asked: Asked[] = [];
  const pauses: number[] = [];
  const store: { text: string | undefined } = { text: undefined };
  const clock = { wall: 1_000_000, monotonic: 0 };
  let signedOut = 0;
  const environment: Environment = {
    storage: {
      get: () => store.text,
      set(text) {
        store.text = text;
      },
      remove() {
        store.text = undefined;
      },
    },
    async fetch(url, init) {
      const { method = 'GET', body = null } = init;
      const authorization = new Headers(init.headers).get('authorization');
      const one = { method, url, authorization, body, init };
      asked.push(one);
      const answer = await (answers.length > 1 ? answers.shift() : answers[0])?.(one);
      if (answer === undefined || answer instanceof Error) throw answer;
      return answer;
    },
    locks: undefined,
    tabs: undefined,
    monotonic: () => clock.monotonic,
    wall: () => clock.wall,
    async sleep(milliseconds) {
      pauses.push(milliseconds);
    },
    timeout: () => new AbortController().signal,
    random: () => 0.5 + asked.length / 1e6,
  };
  const onSignedOut = () => {
    signedOut++;
  };
  const client = connect({ url: 'https://accounts.example.com', onSignedOut, ...options }, environment);
  return { client, asked, pauses, store, clock, signedOut: () => signedOut };
}

const json =
  (status: number, body: object, headers = {}) =>
  () =>
    Response.json(body, { status, headers });
const tokens = (n: number) =>
  json(200, {
    access_token: `access-${n}`,
    refresh_token: `refresh-${n}`,
    token_type: 'bearer',
    expires_in: 900,
  });
const ok = json(200, {});
const expired = json(401, { detail: 'Could not validate credentials', code: 'invalid_token' });
const over = json(401, { detail: 'Invalid refresh token', code: 'invalid_refresh_token' });
const noNetwork = () => new TypeError('fetch failed');
const paths = (asked: Asked[]) => asked.map(({ method, url }) => `${method} ${new URL(url).pathname}`);

async function signedIn(answers: Answer[], options: Partial<ClientOptions> = {}) {
  const test = clientOf([tokens(1), ...answers], options);
  await test.client.login('ada@example.com', 'SecurePass123!');
  test.asked.length = 0;
  return test;
}

test('sends the access token to the server, in a header, and refreshes nothing before it is due', async () => {
  const { client, asked } = await signedIn([ok]);
  await client.fetch('/auth/me?x=1');
  assert.equal(asked.length, 1);
  assert.equal(asked[0]?.url, 'https://accounts.example.com/auth/me?x=1');
  assert.equal(asked[0]?.authorization, 'Bearer access-1');
});

for (const url of ['https://evil.example/x', 'http://accounts.example.com/x', '@evil.example', 'data:,x']) {
  test(`sends nothing to ${url}`, async () => {
    const { client, asked } = await signedIn([ok]);
    await assert.rejects(client.fetch(url), TypeError);
    assert.equal(asked.length, 0);
  });
}

test('stays on the server whatever the path looks like', async () => {
  const { client, asked } = await signedIn([ok]);
  for (const path of ['//evil.example/x', '/\\evil.example/x', '/@evil.example']) await client.fetch(path);
  assert.ok(asked.every(({ url }) => new URL(url).host === 'accounts.example.com'));
});

for (const [what, clock] of [
  ['by the clock on the wall', { wall: 1_000_000 + 880_000, monotonic: 0 }],
  ['by the clock that nobody sets', { wall: 0, monotonic: 880_000 }],
] as const) {
  test(`refreshes shortly before the access token expires, ${what}`, async () => {
    const test = await signedIn([tokens(2), ok]);
    Object.assign(test.clock, clock);
    await test.client.fetch('/auth/me');
    assert.deepEqual(paths(test.asked), ['POST /auth/refresh', 'GET /auth/me']);
    assert.equal(test.asked[0]?.init.redirect, 'error');
    assert.equal(test.asked[1]?.authorization, 'Bearer access-2');
  });
}

test('after a 401 refreshes and sends the request once more, never again', async () => {
  const { client, asked, signedOut } = await signedIn([expired, tokens(2), expired]);
  const response = await client.fetch('/auth/me', { method: 'PATCH', body: '{}' });
  assert.equal(response.status, 401);
  assert.deepEqual(paths(asked), ['PATCH /auth/me', 'POST /auth/refresh', 'PATCH /auth/me']);
  assert.equal(signedOut(), 0);
});

test('sends the request once more, too, when the body of the 401 was cut off', async () => {
  const cutOff = () =>
    new Response(new ReadableStream({ start: (body) => body.error(new TypeError('terminated')) }), {
      status: 401,
    });
  const { client, asked } = await signedIn([cutOff, tokens(2), ok]);
  assert.equal((await client.fetch('/auth/me')).status, 200);
  assert.deepEqual(paths(asked), ['GET /auth/me', 'POST /auth/refresh', 'GET /auth/me']);
});

test('sends a stream once', async () => {
  const { client, asked } = await signedIn([expired, tokens(2), ok]);
  const body = new Blob(['{}']).stream();
  assert.equal((await client.fetch('/auth/me', { method: 'PATCH', body })).status, 401);
  assert.deepEqual(paths(asked), ['PATCH /auth/me', 'POST /auth/refresh']);
});

test('a 401 when nobody is signed in is just that', async () => {
  const { client, asked } = clientOf([expired]);
  assert.equal((await client.fetch('/auth/me')).status, 401);
  assert.equal(asked.length, 1);
});

test('refreshes once for all who ask at a time', async () => {
  const { client, asked } = await signedIn([tokens(2), ok]);
  await Promise.all([client.refresh(), client.refresh(), client.refresh()]);
  assert.deepEqual(paths(asked), ['POST /auth/refresh']);
});

for (const [when, before, passedMs] of [
  ['before a request', [], 880_000],
  ['after a 401', [expired], 0],
] as const) {
  test(`a signal ends the wait for new tokens ${when}, and not their renewal`, async () => {
    const held = Promise.withResolvers<Response>();
    const { client, asked, clock, store } = await signedIn([...before, () => held.promise, ok]);
    clock.wall += passedMs;
    const aborter = new AbortController();
    const { signal } = aborter;
    const answer = client.fetch('/auth/me', { signal });
    while (paths(asked).at(-1) !== 'POST /auth/refresh') await turn();
    aborter.abort(new Error('enough'));
    await assert.rejects(answer, { message: 'enough' });
    const renewal = client.refresh();
    held.resolve(tokens(2)());
    await renewal;
    assert.match(store.text ?? '', /refresh-2/);
    assert.equal(asked.length, before.length + 1);
    assert.deepEqual(getEventListeners(signal, 'abort'), []);
  });
}

test('a signal that outlives the wait for new tokens is let go', async () => {
  const { client, clock } = await signedIn([tokens(2), ok]);
  clock.wall += 880_000;
  const { signal } = new AbortController();
  assert.equal((await client.fetch('/auth/me', { signal })).status, 200);
  assert.deepEqual(getEventListeners(signal, 'abort'), []);
});

test('asks for nothing once the signal is aborted', async () => {
  const { client, asked, clock } = await signedIn([tokens(2), ok]);
  clock.wall += 880_000;
  await assert.rejects(client.fetch('/auth/me', { signal: AbortSignal.abort() }), { name: 'AbortError' });
  assert.equal(asked.length, 0);
});

test('asks again with the same token where replies are lost, and waits as long as it is told', async () => {
  const throttled = json(429, { detail: 'Too many requests', code: 'throttled' }, { 'retry-after': '7' });
  const hotel = () => new Response('<html>Welcome to our hotel</html>');
  const away = json(503, { detail: 'Service is overloaded', code: 'overloaded' });
  const { client, asked, pauses, store } = await signedIn([noNetwork, throttled, hotel, away, tokens(2)]);
  await client.refresh();
  assert.equal(asked.length, 5);
  for (const { body } of asked) assert.equal(body, '{"refresh_token":"refresh-1"}');
  assert.equal(pauses[1], 7000);
  assert.match(store.text ?? '', /refresh-2/);
});

for (const [what, answer, error] of [
  ['the network fails', noNetwork, TypeError],
  ['the server fails', json(500, { detail: 'Internal server error', code: 'internal_error' }), ApiError],
  ['something else answers 401', () => new Response('Proxy', { status: 401 }), ApiError],
  [
    'the request is refused',
    json(403, { detail: 'Cross-site request refused', code: 'cross_site_request' }),
    ApiError,
  ],
] as const) {
  test(`nobody is signed out when ${what}`, async () => {
    const { client, asked, store, signedOut } = await signedIn([answer]);
    await assert.rejects(client.refresh(), error);
    assert.ok(asked.length <= 5);
    assert.match(store.text ?? '', /refresh-1/);
    assert.equal(signedOut(), 0);
  });
}

test('a reply that comes too late is asked for again', async () => {
  const test = await signedIn([
    () => {
      test.clock.wall += 3_600_000;
      return tokens(2)();
    },
    tokens(3),
  ]);
  await test.client.refresh();
  assert.deepEqual(
    test.asked.map(({ body }) => body),
    ['{"refresh_token":"refresh-1"}', '{"refresh_token":"refresh-1"}'],
  );
  assert.match(test.store.text ?? '', /refresh-3/);
});

test('takes the tokens of another tab, before it asks and when it is refused', async () => {
  const other = JSON.stringify({
    id: 'other',
    access_token: 'a',
    refresh_token: 'b',
    expires_in: 900,
    asked_at: 0,
  });
  for (const answer of [over, tokens(2)]) {
    const test = await signedIn([
      () => {
        test.store.text = other;
        return answer();
      },
    ]);
    await test.client.refresh();
    assert.equal(test.store.text, other);
    assert.equal(test.signedOut(), 0);
  }
});

test('the end of the session is told once, and the tokens are gone', async () => {
  const { client, store, signedOut } = await signedIn([over]);
  const isOver = {
    name: 'ApiError',
    status: 401,
    code: 'invalid_refresh_token',
    detail: 'Invalid refresh token',
  };
  await assert.rejects(client.refresh(), isOver);
  await assert.rejects(client.refresh(), isOver);
  await client.fetch('/auth/me');
  assert.equal(store.text, undefined);
  assert.equal(signedOut(), 1);
});

test('a log-out that did not reach the server has not happened', async () => {
  const { client, store, signedOut } = await signedIn([noNetwork, json(200, {})]);
  await assert.rejects(client.logout(), TypeError);
  assert.match(store.text ?? '', /refresh-1/);
  await client.logout();
  assert.deepEqual([store.text, signedOut()], [undefined, 1]);
});

test('with cookies keeps no token and sends none', async () => {
  const cookie = json(200, { token_type: 'cookie', expires_in: 900 });
  const { client, asked, store } = clientOf([cookie, expired, cookie, ok], { transport: 'cookie' });
  await client.login('ada@example.com', 'SecurePass123!');
  assert.equal((await client.fetch('/auth/me')).status, 200);
  assert.deepEqual(
    asked.map(({ url, authorization, init }) => [new URL(url).search, authorization, init.credentials]),
    [
      ['?transport=cookie', null, 'include'],
      ['', null, 'include'],
      ['?transport=cookie', null, 'include'],
      ['', null, 'include'],
    ],
  );
  assert.equal(asked[2]?.body, '{}');
  assert.doesNotMatch(store.text ?? '', /token/);
});

test('reports what the server reports', async () => {
  const issues = [{ type: 'missing', loc: ['body', 'name'], msg: 'Field required' }];
  const { client } = clientOf([json(422, { detail: issues, code: 'validation_error' })]);
  const account = { email: 'ada@example.com', password: 'SecurePass123!', name: '' };
  await assert.rejects(client.signup(account), { status: 422, code: 'validation_error', detail: issues });
});

test('shows at a login that the device is known, also after a log-out, and keeps nothing else of it', async () => {
  const { client, asked, store } = clientOf([
    json(200, {
      access_token: 'access-1',
      refresh_token: 'refresh-1',
      token_type: 'bearer',
      expires_in: 900,
      device_token: 'device-1',
    }),
    tokens(2),
    () => new Response(null, { status: 204 }),
    tokens(3),
  ]);
  const shown = () => new Headers(asked.at(-1)?.init.headers).get('x-device-token');
  await client.login('ada@example.com', 'SecurePass123!');
  assert.equal(shown(), null);
  await client.refresh();
  assert.equal(shown(), null, 'of no use but at a login');
  await client.logout();
  assert.deepEqual(JSON.parse(store.text ?? ''), { device_token: 'device-1' });
  await client.login('ada@example.com', 'SecurePass123!');
  assert.equal(shown(), 'device-1');
  assert.equal(JSON.parse(store.text ?? '').device_token, 'device-1');
});

test('a login by mail opens a session as one by password does', async () => {
  const { client, asked } = clientOf([tokens(1), ok], { prefix: '/accounts' });
  await client.loginByMail({ email: 'ada@example.com', code: '123456' });
  await client.fetch('/accounts/me');
  assert.deepEqual(paths(asked), ['POST /accounts/login/email/verify', 'GET /accounts/me']);
  assert.deepEqual(JSON.parse(String(asked[0]?.body)), { email: 'ada@example.com', code: '123456' });
  assert.equal(asked[1]?.authorization, 'Bearer access-1');
});

test('with cookies a login by mail asks for cookies', async () => {
  const { client, asked } = clientOf([json(200, { token_type: 'cookie', expires_in: 900 })], {
    transport: 'cookie',
  });
  await client.loginByMail({ token: 'token' });
  assert.match(asked[0]?.url ?? '', /\/auth\/login\/email\/verify\?transport=cookie$/);
});
