import assert from 'node:assert/strict';
import { journey } from '../support/journey.ts';

journey('health, keys and documentation are at the root and ask for no token', async (open) => {
  const { request } = await open();
  for (const path of ['/health/live', '/health/ready']) {
    const answer = await request('GET', path);
    assert.deepEqual([answer.status, answer.body], [200, { status: 'ok' }]);
  }
  const jwks = await request('GET', '/.well-known/jwks.json');
  assert.equal(jwks.status, 200);
  const [key] = jwks.body.keys;
  assert.deepEqual(Object.keys(key).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
  for (const path of ['/auth/health/live', '/auth/openapi.json', '/auth/.well-known/jwks.json']) {
    assert.equal((await request('GET', path)).status, 404, path);
  }
  const docs = await request('GET', '/docs');
  assert.ok([200, 302, 307].includes(docs.status), `${docs.status}`);
});

journey('the OpenAPI document tells every endpoint of the contract, and whom it is for', async (open) => {
  const { request } = await open();
  const { body } = await request('GET', '/openapi.json');
  assert.match(body.openapi, /^3\.1\./);
  const operations = Object.entries(body.paths as Record<string, Record<string, { security?: object[] }>>)
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { security }]) => [
        `${method.toUpperCase()} ${path}`,
        (security ?? []).length > 0 && !JSON.stringify(security).startsWith('[{}'),
      ]),
    )
    .sort();
  // Whoever asks may be signed in, where both stand.
  assert.deepEqual(Object.fromEntries(operations), {
    'DELETE /auth/me': true,
    'DELETE /auth/me/sessions': true,
    'DELETE /auth/me/sessions/{sid}': true,
    'DELETE /auth/users/{user_id}': true,
    'DELETE /auth/users/{user_id}/sessions': true,
    'GET /.well-known/jwks.json': false,
    'GET /auth/audit-events': true,
    'GET /auth/audit-events/export': true,
    'GET /auth/me': true,
    'GET /auth/me/activity': true,
    'GET /auth/me/sessions': true,
    'GET /auth/revocations': false,
    'GET /auth/users': true,
    'GET /auth/users/{user_id}': true,
    'GET /auth/users/{user_id}/sessions': true,
    'GET /health/live': false,
    'GET /health/ready': false,
    'PATCH /auth/me': true,
    'PATCH /auth/users/{user_id}': true,
    'POST /auth/introspect': true,
    'POST /auth/login': false,
    'POST /auth/logout': true,
    'POST /auth/me/password': true,
    'POST /auth/refresh': false,
    'POST /auth/revoke': true,
    'POST /auth/setup': false,
    'POST /auth/signup': false,
    'POST /auth/users': true,
    'POST /auth/users/{user_id}/activate': true,
    'POST /auth/users/{user_id}/deactivate': true,
    'POST /auth/users/{user_id}/unlock': true,
    'DELETE /auth/invitations/{id}': true,
    'GET /auth/invitations': true,
    'POST /auth/invitations': true,
    'POST /auth/invitations/{id}/resend': true,
    'POST /auth/invitations/accept': false,
    'POST /auth/invitations/show': false,
    'GET /auth/outbox': true,
    'GET /auth/outbox/{id}': true,
    'GET /auth/outbox/{id}/html': true,
    'DELETE /auth/users/{user_id}/sessions/{sid}': true,
    'GET /auth/audit-events/verification': true,
    'POST /auth/audit-events/verify': true,
    'GET /auth/keys': true,
    'POST /auth/keys/rotate': true,
    'GET /auth/settings': true,
    'GET /auth/statistics': true,
    'GET /auth/status': true,
    'GET /auth/users/{user_id}/life-cycle': true,
    'POST /auth/users/import': true,
    'POST /auth/users/{user_id}/reset-password': true,
    'POST /auth/outbox/{id}/resend': true,
    'POST /auth/change-email': false,
    'POST /auth/change-email/undo': false,
    'GET /auth/me/export': true,
    'POST /auth/verify-email': false,
    'POST /auth/verify-email/request': false,
    'POST /auth/forgot-password': false,
    'POST /auth/reset-password': false,
    'PUT /auth/me': true,
  });
});
