import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTestDoorward } from '../testing/index.ts';

const friend = 'https://app.example.com';

/** The names of the CORS headers of an answer. */
const corsHeaders = (headers: Record<string, unknown>) =>
  Object.keys(headers).filter((name) => name.startsWith('access-control-'));

async function open(t: { after(fn: () => Promise<void>): void }, CORS_ORIGINS: string) {
  const test = await createTestDoorward({ PUBLIC_URL: 'https://accounts.example.com', CORS_ORIGINS });
  t.after(() => test.close());
  return test;
}

test('a page of CORS_ORIGINS may call with cookies, and is told so before it does', async (t) => {
  const { app, request } = await open(t, friend);
  for (const [method, url] of [
    ['PATCH', '/auth/me'],
    ['POST', '/auth/login'],
    ['DELETE', '/auth/me/sessions/x'],
    ['GET', '/.well-known/jwks.json'],
  ] as const) {
    const preflight = await app.inject({
      method: 'OPTIONS',
      url,
      headers: {
        origin: friend,
        'access-control-request-method': method,
        'access-control-request-headers': 'authorization,content-type',
      },
    });
    assert.deepEqual([preflight.statusCode, preflight.payload], [204, ''], url);
    const { headers } = preflight;
    assert.equal(headers['access-control-allow-origin'], friend);
    assert.equal(headers['access-control-allow-credentials'], 'true');
    assert.ok(String(headers['access-control-allow-methods']).split(', ').includes(method));
    assert.match(String(headers['access-control-allow-headers']), /Authorization, Content-Type/);
    assert.ok(Number(headers['access-control-max-age']) > 0);
    assert.match(String(headers.vary), /Origin/);
  }
  const { access_token } = await (await open(t, friend)).signIn();
  for (const token of [access_token, undefined]) {
    const answer = await request('GET', '/auth/me', {
      headers: { origin: friend },
      ...(token ? { token } : {}),
    });
    assert.equal(answer.headers['access-control-allow-origin'], friend, 'also where it fails');
    assert.equal(answer.headers['access-control-allow-credentials'], 'true');
    assert.match(answer.headers['access-control-expose-headers'] ?? '', /X-Request-Id/);
    assert.match(answer.headers.vary ?? '', /Origin/);
  }
  for (const [path, status] of [
    ['/auth/nowhere', 404],
    ['/nowhere', 404],
    ['/auth/users?q=%', 400],
  ] as const) {
    const answer = await request('GET', path, { headers: { origin: friend } });
    assert.equal(answer.status, status, path);
    assert.equal(answer.headers['access-control-allow-origin'], friend, path);
  }
});

test('other origins are told nothing', async (t) => {
  for (const CORS_ORIGINS of ['', friend]) {
    const { app, request } = await open(t, CORS_ORIGINS);
    for (const origin of [
      'https://evil.example',
      'null',
      `${friend}.evil.example`,
      'http://app.example.com',
      '*',
      'https://accounts.example.com',
    ]) {
      const answer = await request('GET', '/auth/me', { headers: { origin } });
      assert.equal(answer.status, 401);
      assert.deepEqual(corsHeaders(answer.headers), [], origin);
      const preflight = await app.inject({
        method: 'OPTIONS',
        url: '/auth/me',
        headers: { origin, 'access-control-request-method': 'PATCH' },
      });
      assert.equal(preflight.statusCode, 405);
      assert.deepEqual(corsHeaders(preflight.headers), [], origin);
    }
  }
});

test('a cache keeps the answers to different origins apart', async (t) => {
  const { request, app } = await open(t, friend);
  for (const headers of [{}, { origin: friend }, { origin: 'https://evil.example' }]) {
    const answer = await request('GET', '/.well-known/jwks.json', { headers });
    assert.match(answer.headers.vary ?? '', /Origin/, JSON.stringify(headers));
  }
  const options = await app.inject({ method: 'OPTIONS', url: '/auth/me', headers: { origin: friend } });
  assert.equal(options.statusCode, 405, 'no preflight');
});
