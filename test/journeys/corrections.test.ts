import assert from 'node:assert/strict';
import { assertFailure, assertToken, type Journey, journey, password } from '../support/journey.ts';

/** The points in which the contract corrects the reference. Races are in races.test.ts. */

const lastAdmin = [409, 'At least one active admin must remain', 'last_admin'] as const;

async function listed({
  doorward,
}: Journey): Promise<[email: string, is_admin: boolean, is_active: boolean][]> {
  const { users } = await doorward.admin.list({ skip: 0, limit: 200, sort: 'id', count: false });
  return users.map((user) => [user.email, user.is_admin, user.is_active]);
}

journey('a refresh token is not an access token', async (open) => {
  const instance = await open();
  const { request, signIn } = instance;
  const { access_token, refresh_token } = await signIn({ is_admin: true });
  for (const path of ['/auth/me', '/auth/users']) {
    assert.equal((await request('GET', path, { token: access_token })).status, 200);
    assertFailure(
      await request('GET', path, { token: refresh_token }),
      401,
      'Could not validate credentials',
      'invalid_token',
    );
  }
});

journey('nobody removes the last active admin, in whatever way', async (open) => {
  const instance = await open();
  const { request, signIn, doorward } = instance;
  const admin = await signIn({ email: 'admin@example.com', is_admin: true });
  // An admin who cannot act does not count.
  await doorward.admin.create({
    email: 'off@example.com',
    password,
    name: 'A',
    is_admin: true,
    is_active: false,
  });
  await signIn({ email: 'user@example.com' });
  const before = await listed(instance);
  const token = admin.access_token;

  const bySelf = [
    ['PATCH', `/auth/users/${admin.id}`, { is_admin: false }],
    ['PATCH', `/auth/users/${admin.id}`, { is_admin: false, name: 'Renamed', email: 'renamed@example.com' }],
    ['DELETE', '/auth/me', { current_password: password }],
  ] as const;
  for (const [method, path, json] of bySelf) {
    assertFailure(await request(method, path, { json, token }), ...lastAdmin);
  }
  // Whoever asks without being an admin of the list: the command line, or an admin who lost the role meanwhile.
  for (const attempt of [
    () => doorward.admin.delete(admin.id),
    () => doorward.admin.change(admin.id, { is_admin: false }),
    () => doorward.admin.change(admin.id, { is_active: false }),
    () => doorward.admin.change(admin.id, { is_active: false, is_admin: false }),
    () => doorward.accounts.close({ user: admin, sid: 'any', current_password: password }),
  ]) {
    await assert.rejects(attempt, { name: 'DoorwardError', code: 'last_admin' });
  }
  assert.deepEqual(await listed(instance), before);
  await assertToken(instance, token, 'good');
});

journey('of two admins one may go, in every way, and then the other must stay', async (open) => {
  const instance = await open();
  const { request, signIn } = instance;
  const stays = await signIn({ is_admin: true });
  type Way = (of: typeof stays, by: typeof stays) => ReturnType<typeof request>;
  const closed: Way = (of) =>
    request('DELETE', '/auth/me', { json: { current_password: password }, token: of.access_token });
  const patched =
    (json: object): Way =>
    (of, by) =>
      request('PATCH', `/auth/users/${of.id}`, { json, token: by.access_token });
  const demotedByOneself: Way = (of) => patched({ is_admin: false })(of, of);
  const ways: Record<string, Way> = {
    'deleted by another': (of, by) => request('DELETE', `/auth/users/${of.id}`, { token: by.access_token }),
    'closed by oneself': closed,
    'deactivated by another': (of, by) =>
      request('POST', `/auth/users/${of.id}/deactivate`, { token: by.access_token }),
    'deactivated by PATCH': patched({ is_active: false }),
    'demoted by another': patched({ is_admin: false }),
    'demoted by oneself': demotedByOneself,
  };
  for (const [name, way] of Object.entries(ways)) {
    const goes = await signIn({ is_admin: true });
    const gone = await way(goes, stays);
    assert.ok(gone.status === 200 || gone.status === 204, `${name}: ${gone.text}`);
    assertFailure(await closed(stays, stays), ...lastAdmin);
    assertFailure(await demotedByOneself(stays, stays), ...lastAdmin);
    const powerless = await request('GET', '/auth/users', { token: goes.access_token });
    assert.ok(powerless.status === 401 || powerless.status === 403, `${name}: ${powerless.text}`);
    await assertToken(instance, stays.access_token, 'good');
  }
});

journey('a password change ends every session but the one that asks', async (open) => {
  const instance = await open();
  const { request, signIn, logIn } = instance;
  const asks = await signIn({ email: 'user@example.com' });
  const others = [await logIn('user@example.com'), await logIn('USER@example.com')];
  const bystander = await signIn();
  const change = (current_password: string, new_password: string) =>
    request('POST', '/auth/me/password', {
      json: { current_password, new_password },
      token: asks.access_token,
    });

  assert.equal((await change('WrongPass123!', 'NewSecure456!')).status, 400);
  assert.equal((await change(password, 'weak')).status, 422);
  for (const other of others) await assertToken(instance, other.body.access_token, 'good');

  assert.equal((await change(password, 'NewSecure456!')).status, 200);
  for (const other of others) await assertToken(instance, other.body.access_token, 'dead');
  await assertToken(instance, asks.access_token, 'good');
  await assertToken(instance, bystander.access_token, 'good');
  assert.equal((await logIn('user@example.com')).status, 401);
  assert.equal((await logIn('user@example.com', 'NewSecure456!')).status, 200);
});

const policies = {
  composition: [
    ['short', 'string_too_short'],
    ['A1!aaaaa'.repeat(17), 'string_too_long'],
    ['lowercase123!', 'Password must contain at least one uppercase letter'],
    ['UPPERCASE123!', 'Password must contain at least one lowercase letter'],
    ['NoDigitsHere!', 'Password must contain at least one digit'],
    ['NoSpecials123', 'Password must contain at least one special character'],
    ['P@ssw0rd', 'Password is too common'],
    ['Same.Name.1@example.com', 'Password must not be the email or the name'],
    ['Same Name, 1', 'Password must not be the email or the name'],
  ],
  nist: [
    ['short', 'string_too_short'],
    ['A1!aaaaa'.repeat(17), 'string_too_long'],
    ['Fourteen-Ch-9!', 'string_too_short'],
    ['123456789987654321', 'Password is too common'],
    ['Same.Name.1@example.com', 'Password must not be the email or the name'],
  ],
} as const;

for (const PASSWORD_POLICY of ['composition', 'nist'] as const) {
  journey(`one password policy (${PASSWORD_POLICY}) holds wherever a password is set`, async (open) => {
    const instance = await open({ PASSWORD_POLICY });
    const { request, signIn, doorward } = instance;
    const owner = { email: 'same.name.1@example.com', name: 'same name, 1' };
    const current_password = 'Correct-Horse-9!Battery';
    const told = async (given: string, path: string, json: object, token?: string) => {
      const answer = await request('POST', path, { json, ...(token === undefined ? {} : { token }) });
      assert.equal(answer.status, 422, `${path} ${given}: ${answer.text}`);
      const [issue] = answer.body.detail;
      return { field: issue.loc, fault: issue.type === 'value_error' ? issue.ctx.error : issue.type };
    };

    const token = await doorward.admin.setupToken();
    for (const [given, fault] of policies[PASSWORD_POLICY]) {
      const json = { ...owner, password: given };
      const expected = { field: ['body', 'password'], fault };
      assert.deepEqual(await told(given, '/auth/signup', json), expected);
      assert.deepEqual(await told(given, '/auth/setup', { ...json, token }), expected);
    }
    const admin = await signIn({ password: current_password, is_admin: true });
    for (const [given, fault] of policies[PASSWORD_POLICY]) {
      const json = { ...owner, password: given };
      assert.deepEqual(await told(given, '/auth/users', json, admin.access_token), {
        field: ['body', 'password'],
        fault,
      });
    }
    const user = await signIn({ ...owner, password: current_password });
    for (const [given, fault] of policies[PASSWORD_POLICY]) {
      const json = { current_password, new_password: given };
      assert.deepEqual(await told(given, '/auth/me/password', json, user.access_token), {
        field: ['body', 'new_password'],
        fault,
      });
    }
    await assertToken(instance, user.access_token, 'good');
  });
}

journey('the tokens of a deactivated user die at once, and stay dead after reactivation', async (open) => {
  const instance = await open();
  const { request, signIn, logIn } = instance;
  const admin = await signIn({ is_admin: true });
  for (const [off, on] of [
    [
      ['POST', '/deactivate', undefined],
      ['POST', '/activate', undefined],
    ],
    [
      ['PATCH', '', { is_active: false }],
      ['PATCH', '', { is_active: true }],
    ],
  ] as const) {
    const user = await signIn();
    const act = ([method, path, json]: typeof off | typeof on) =>
      request(method, `/auth/users/${user.id}${path}`, { json, token: admin.access_token });
    await assertToken(instance, user.access_token, 'good');
    assert.equal((await act(off)).body.is_active, false);
    await assertToken(instance, user.access_token, 'inactive');
    assertFailure(await logIn(user.email), 403, 'Account is deactivated', 'account_deactivated');
    assert.equal((await act(on)).body.is_active, true);
    await assertToken(instance, user.access_token, 'dead');
    const again = await logIn(user.email);
    await assertToken(instance, again.body.access_token, 'good');
    await assertToken(instance, user.access_token, 'dead');
  }
});

journey(
  'a deleted account is gone: its tokens at once, its email free, its id never used again',
  async (open) => {
    const instance = await open();
    const { request, signIn, signUp, logIn } = instance;
    const admin = await signIn({ is_admin: true });
    const ids = new Set<number>([admin.id]);
    for (const way of ['by admin', 'by oneself', 'by admin', 'by oneself']) {
      const { id } = await signUp('user@example.com');
      assert.ok(!ids.has(id) && id > Math.max(...ids), 'a new id, above all before');
      ids.add(id);
      const { access_token: token, refresh_token } = (await logIn('user@example.com')).body;
      await assertToken(instance, token, 'good');
      const gone =
        way === 'by admin'
          ? await request('DELETE', `/auth/users/${id}`, { token: admin.access_token })
          : await request('DELETE', '/auth/me', { json: { current_password: password }, token });
      assert.deepEqual([gone.status, gone.text], [204, '']);
      await assertToken(instance, token, 'dead');
      assert.equal((await logIn('user@example.com')).status, 401);
      const { id: next } = await signUp('user@example.com', { name: 'Successor' });
      assert.ok(!ids.has(next));
      ids.add(next);
      await assertToken(instance, token, 'dead');
      await assertToken(instance, refresh_token, 'dead');
      assert.equal((await request('GET', `/auth/users/${id}`, { token: admin.access_token })).status, 404);
      await request('DELETE', `/auth/users/${next}`, { token: admin.access_token });
    }
    const { doorward } = instance;
    for (const table of ['passwords', 'sessions'] as const) {
      const rows = await doorward.kernel.db.read.selectFrom(table).select('user_id').execute();
      assert.deepEqual([...new Set(rows.map((row) => row.user_id))], [admin.id], `${table} left behind`);
    }
  },
);
