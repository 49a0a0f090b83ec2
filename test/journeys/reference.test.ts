import assert from 'node:assert/strict';
import { assertFailure, journey, password } from '../support/journey.ts';

/** The reference's own tests (its `tests/test_auth.py`), against this server. */
const account = { email: 'test@example.com', password, name: 'Test User' };

journey('signup', async (open) => {
  const { request } = await open();
  const answer = await request('POST', '/auth/signup', { json: account });
  assert.equal(answer.status, 201);
  assert.deepEqual(answer.body, {
    id: answer.body.id,
    email: 'test@example.com',
    name: 'Test User',
    is_active: true,
    is_admin: false,
    created_at: '2026-01-01T12:00:00.000Z',
    email_verified: false,
    pending_email: null,
    locale: null,
    delete_after: null,
  });
  assert.ok(Number.isSafeInteger(answer.body.id) && answer.body.id > 0);
});

journey('signup with an email that is taken', async (open) => {
  const { request } = await open();
  await request('POST', '/auth/signup', { json: account });
  const answer = await request('POST', '/auth/signup', {
    json: { email: 'test@example.com', password: 'AnotherPass123!', name: 'Another User' },
  });
  assertFailure(answer, 409, 'Email already registered', 'email_registered');
});

journey('login', async (open) => {
  const { request } = await open();
  await request('POST', '/auth/signup', { json: account });
  const answer = await request('POST', '/auth/login', {
    form: { username: 'test@example.com', password },
  });
  assert.equal(answer.status, 200);
  // An addition: what a known device shows.
  const { access_token, refresh_token, device_token, ...rest } = answer.body;
  assert.deepEqual(rest, { token_type: 'bearer', expires_in: 900 });
  assert.equal(typeof device_token, 'string');
  assert.match(access_token, /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/);
  assert.match(refresh_token, /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/);
  assert.notEqual(access_token, refresh_token);
});

journey('login with a wrong password', async (open) => {
  const { request } = await open();
  await request('POST', '/auth/signup', { json: account });
  const answer = await request('POST', '/auth/login', {
    form: { username: 'test@example.com', password: 'WrongPassword!' },
  });
  assertFailure(answer, 401, 'Invalid email or password', 'invalid_credentials');
  assert.equal(answer.headers['www-authenticate'], 'Bearer');
});
