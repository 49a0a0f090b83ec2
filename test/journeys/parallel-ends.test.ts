import assert from 'node:assert/strict';
import { assertFailure, journey, password } from '../support/journey.ts';

journey('an account closed twice at once is closed once, and the other token is dead', async (open) => {
  const { request, signIn } = await open();
  const { access_token: token } = await signIn();
  const close = () => request('DELETE', '/auth/me', { token, json: { current_password: password } });
  const answers = await Promise.all([close(), close(), close()]);
  assert.equal(answers.filter(({ status }) => status === 204).length, 1);
  for (const answer of answers.filter(({ status }) => status !== 204)) {
    assert.ok([400, 401].includes(answer.status), answer.text);
  }
});

journey('logged out twice at once is logged out, and a deactivated user is told so', async (open) => {
  const { request, signIn, doorward } = await open();
  const { access_token: token, id } = await signIn();
  const answers = await Promise.all([1, 2, 3].map(() => request('POST', '/auth/logout', { token })));
  assert.ok(answers.some(({ status }) => status === 204));
  for (const { status, text } of answers) assert.ok(status === 204 || status === 401, text);
  const other = await signIn();
  await doorward.admin.change(other.id, { is_active: false });
  assert.notEqual(other.id, id);
  assertFailure(
    await request('POST', '/auth/logout', { token: other.access_token }),
    403,
    'Inactive user',
    'inactive_user',
  );
});

journey('closed registration is told before a body is looked at', async (open) => {
  const { request } = await open({ REGISTRATION: 'closed' });
  assertFailure(
    await request('POST', '/auth/signup', { json: {} }),
    403,
    'Registration is closed',
    'registration_closed',
  );
});
