import assert from 'node:assert/strict';
import { assertFailure, assertToken, journey } from '../support/journey.ts';
import { openMailbox } from '../support/mailbox.ts';

const ada = 'ada@example.com';

journey('an administrator ends one session of a user, and no other', async (open) => {
  const instance = await open();
  const { request } = instance;
  const admin = await instance.signIn({ is_admin: true });
  const token = admin.access_token;
  const user = await instance.signIn({ email: ada });
  const other = (await instance.logIn(ada)).body;
  const sidOf = (accessToken: string) =>
    JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString()).sid as string;
  const path = (id: number, sid: string) => `/auth/users/${id}/sessions/${sid}`;
  const ended = await request('DELETE', path(user.id, sidOf(user.access_token)), { token });
  assert.deepEqual([ended.status, ended.text], [204, '']);
  await assertToken(instance, user.access_token, 'dead');
  await assertToken(instance, other.access_token, 'good');
  const { events } = await instance.doorward.audit.list({
    kind: 'session.ended',
    user_id: user.id,
    limit: 5,
  });
  assert.deepEqual(
    events.map(({ actor, detail }) => [actor, detail.reason]),
    [[admin.id, 'revoked_by_admin']],
  );
  const notFound = [404, 'Session not found', 'session_not_found'] as const;
  for (const [id, sid] of [
    [user.id, sidOf(user.access_token)],
    [user.id, 'x'],
    [admin.id, sidOf(other.access_token)],
  ] as const)
    assertFailure(await request('DELETE', path(id, sid), { token }), ...notFound);
  const nobody = await request('DELETE', path(user.id + 1000, sidOf(other.access_token)), { token });
  assertFailure(nobody, 404, 'User not found', 'user_not_found');
  await assertToken(instance, other.access_token, 'good');
});

journey('an administrator has a reset mailed, whatever the limits on mails', async (open) => {
  const instance = await open({ RATE_LIMITS: 'on', THROTTLE_ADDRESS_MAILS_PER_HOUR: 1 });
  const { request } = instance;
  const admin = await instance.signIn({ is_admin: true });
  const user = await instance.signIn({ email: ada });
  const token = admin.access_token;
  const mailbox = await openMailbox(instance);
  for (const expected of [202, 429])
    assert.equal((await request('POST', '/auth/forgot-password', { json: { email: ada } })).status, expected);
  for (let round = 0; round < 3; round++) {
    const sent = await request('POST', `/auth/users/${user.id}/reset-password`, { token });
    assert.deepEqual([sent.status, sent.body], [202, { message: 'A mail is on its way' }]);
  }
  // The password is as it was until the link is used.
  await assertToken(instance, user.access_token, 'good');
  const mail = await mailbox.read(ada, 'reset_password');
  const reset = await request('POST', '/auth/reset-password', {
    json: { token: mail.token, new_password: 'Another-Pass-9!' },
  });
  assert.equal(reset.status, 200, reset.text);
  await assertToken(instance, user.access_token, 'dead');
  assert.equal((await instance.logIn(ada, 'Another-Pass-9!')).status, 200);
  const { events } = await instance.doorward.audit.list({
    kind: 'password.reset_sent',
    user_id: user.id,
    limit: 5,
  });
  assert.deepEqual(
    events.map(({ actor }) => actor),
    [admin.id, admin.id, admin.id],
  );
  const mails = await request('GET', `/auth/outbox?user_id=${user.id}&kind=reset_password`, { token });
  assert.equal(mails.body.length, 4);
});

journey('no reset is mailed to whom none reaches', async (open) => {
  const instance = await open();
  const { request } = instance;
  const { access_token: token } = await instance.signIn({ is_admin: true });
  const user = await instance.signIn({ email: ada });
  await request('POST', `/auth/users/${user.id}/deactivate`, { token });
  const refused = await request('POST', `/auth/users/${user.id}/reset-password`, { token });
  assertFailure(refused, 409, 'Account is suspended', 'account_suspended');
  const nobody = await request('POST', `/auth/users/${user.id + 1000}/reset-password`, { token });
  assertFailure(nobody, 404, 'User not found', 'user_not_found');
  assert.deepEqual((await instance.doorward.outbox.list({ kind: 'reset_password', limit: 5 })).mails, []);
  assert.deepEqual(
    (await instance.doorward.audit.list({ kind: 'password.reset_sent', limit: 5 })).events,
    [],
  );
});
