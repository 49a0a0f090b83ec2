import assert from 'node:assert/strict';
import { assertFailure, journey, password } from '../support/journey.ts';

const refused = [403, 'Invalid setup token', 'invalid_setup_token'] as const;
const account = { email: 'admin@example.com', password, name: 'First Admin' };

journey(
  'the first admin is made with the setup token, once, and a refusal does not use it up',
  async (open) => {
    const { doorward, request, signUp, logIn } = await open();
    await signUp('user@example.com');
    const token = await doorward.admin.setupToken();
    assert.ok(token !== undefined && token.length >= 43);
    assert.equal(await doorward.admin.setupToken(), token, 'printed again, it is the same');
    const setUp = (change: object) =>
      request('POST', '/auth/setup', { json: { ...account, token, ...change } });

    for (const wrong of ['', 'x', token.slice(1), `${token} `, token.toUpperCase(), '€'.repeat(43)]) {
      assertFailure(await setUp({ token: wrong }), ...refused);
    }
    for (const change of [
      { password: 'weak' },
      { password: 'nouppercase123!' },
      { email: 'none' },
      { name: '' },
      { is_admin: true },
      { token: undefined },
    ]) {
      assert.equal((await setUp(change)).status, 422, JSON.stringify(change));
    }
    assertFailure(
      await setUp({ email: 'USER@example.com' }),
      409,
      'Email already registered',
      'email_registered',
    );

    const made = await setUp({});
    assert.equal(made.status, 201);
    const { id, created_at, ...rest } = made.body;
    assert.deepEqual(rest, {
      email: account.email,
      name: account.name,
      is_active: true,
      is_admin: true,
      email_verified: true,
      pending_email: null,
      locale: null,
      delete_after: null,
    });
    const login = await logIn(account.email);
    const users = await request('GET', '/auth/users', { token: login.body.access_token });
    assert.equal(users.status, 200);

    for (const change of [{}, { email: 'second@example.com' }, { token: 'wrong' }]) {
      assertFailure(await setUp(change), ...refused);
    }
    assert.equal(await doorward.admin.setupToken(), undefined);
  },
);

journey('there is no setup token where an admin is, active or not', async (open) => {
  for (const is_active of [true, false]) {
    const { doorward, request } = await open();
    const token = await doorward.admin.setupToken();
    await doorward.admin.create({ ...account, email: 'other@example.com', is_admin: true, is_active });
    assert.equal(await doorward.admin.setupToken(), undefined);
    assertFailure(await request('POST', '/auth/setup', { json: { ...account, token } }), ...refused);
  }
});

journey('setup works where registration is closed; a token of another database does not', async (open) => {
  const { doorward, request } = await open({ REGISTRATION: 'closed' });
  const other = await (await open()).doorward.admin.setupToken();
  const token = await doorward.admin.setupToken();
  assert.notEqual(other, token);
  assertFailure(await request('POST', '/auth/setup', { json: { ...account, token: other } }), ...refused);
  assert.equal((await request('POST', '/auth/setup', { json: { ...account, token } })).status, 201);
});

journey('of racing setups one makes the admin', async (open) => {
  const one = await open();
  const two = await open({ DATABASE_URL: one.databaseUrl });
  const tokens = await Promise.all([one, two].map(({ doorward }) => doorward.admin.setupToken()));
  assert.equal(tokens[0], tokens[1], 'every instance prints the same token');
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, index) =>
      (index % 2 === 0 ? one : two).request('POST', '/auth/setup', {
        json: { ...account, email: `admin${index}@example.com`, token: tokens[0] },
      }),
    ),
  );
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array(11).fill(403)]);
  const { users } = await one.doorward.admin.list({ skip: 0, limit: 50, sort: 'id', count: false });
  assert.deepEqual(
    users.map(({ is_admin }) => is_admin),
    [true],
  );
});
