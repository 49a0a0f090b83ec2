import assert from 'node:assert/strict';
import { DoorwardError } from '../../src/errors.ts';
import { assertFailure, journey, password } from '../support/journey.ts';

const noStore = 'no-store';

journey('what no endpoint is asked for: unknown paths, other methods, bodies that are none', async (open) => {
  const { request, app, signIn } = await open();
  const { access_token: token } = await signIn();

  const unknown = await request('GET', '/auth/unknown', { token });
  assertFailure(unknown, 404, 'Not Found', 'not_found');

  for (const [method, path, allowed] of [
    ['DELETE', '/auth/login', ['POST']],
    ['GET', '/auth/signup', ['POST']],
    ['POST', '/auth/me', ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE']],
    ['PUT', '/auth/users/7', ['GET', 'HEAD', 'PATCH', 'DELETE']],
    ['GET', '/auth/users/7/deactivate', ['POST']],
    ['POST', '/health/live', ['GET', 'HEAD']],
    ['DELETE', '/.well-known/jwks.json', ['GET', 'HEAD']],
  ] as const) {
    const answer = await request(method, path);
    assertFailure(answer, 405, 'Method Not Allowed', 'method_not_allowed');
    assert.deepEqual(answer.headers.allow?.split(', ').sort(), [...allowed].sort(), path);
  }

  const xml = { method: 'POST', url: '/auth/login', headers: { 'content-type': 'text/xml' } } as const;
  const bodies: [payload: string, type: string, status: number, code: string][] = [
    ['<a/>', 'text/xml', 415, 'unsupported_media_type'],
    ['email=a', 'multipart/form-data; boundary=x', 415, 'unsupported_media_type'],
    ['{"email":"a"', 'application/json', 422, 'validation_error'],
    [JSON.stringify({ username: 'a'.repeat(70_000) }), 'application/json', 413, 'payload_too_large'],
    [`username=${'a'.repeat(70_000)}`, 'application/x-www-form-urlencoded', 413, 'payload_too_large'],
  ];
  for (const [payload, type, status, code] of bodies) {
    const answer = await app.inject({ ...xml, payload, headers: { 'content-type': type } });
    const body = answer.json();
    assert.deepEqual([answer.statusCode, body.code], [status, code], type);
    assert.equal(answer.headers['cache-control'], noStore);
    if (status === 422) assert.equal(body.detail[0].type, 'json_invalid');
  }
});

journey('every answer has its own X-Request-Id, never one that a client chose', async (open) => {
  const { request } = await open();
  const ids = new Set<string | undefined>();
  const paths = ['/auth/me', '/auth/unknown', '/health/live', '/unknown', '/openapi.json'];
  for (const path of paths) {
    const answer = await request('GET', path, { headers: { 'x-request-id': 'chosen' } });
    ids.add(answer.headers['x-request-id']);
    assert.equal(answer.headers['x-content-type-options'], 'nosniff', path);
    assert.equal(answer.headers.server, undefined);
    assert.equal(answer.headers['x-powered-by'], undefined);
  }
  assert.equal(ids.size, paths.length);
  assert.ok(!ids.has(undefined) && !ids.has('chosen'));
});

journey('what is unforeseen is a 500 that tells nothing', async (open, { t }) => {
  const { doorward, request, logIn } = await open();
  t.mock.method(doorward.accounts, 'signUp', async () => {
    throw new Error(`the reason, with ${password}`);
  });
  const answer = await request('POST', '/auth/signup', {
    json: { email: 'a@example.com', password, name: 'A' },
  });
  assertFailure(answer, 500, 'Internal server error', 'internal_error');

  t.mock.method(doorward.sessions, 'logIn', async () => {
    throw new DoorwardError('overloaded', { reason: 'the reason', retryAfterSeconds: 2.1 });
  });
  const overloaded = await logIn('a@example.com');
  assertFailure(overloaded, 503, 'Service is overloaded', 'overloaded');
  assert.equal(overloaded.headers['retry-after'], '3');
});
