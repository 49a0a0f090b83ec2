import assert from 'node:assert/strict';
import type { FailureCode } from '../../src/errors.ts';
import { assertFailure, type Journey, journey, password } from '../support/journey.ts';

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
type Request = [
  method: Method,
  path: string,
  body?: { json?: unknown; form?: Record<string, string> } | undefined,
];
type Failure = [status: number, detail: string, code: FailureCode];

/** Where `:user` stands in a path, the id of somebody else; `:admin`, the caller's own; `:nobody`, nobody's. */
async function cast(open: () => Promise<Journey>) {
  const instance = await open();
  const admin = await instance.signIn({ email: 'admin@example.com', is_admin: true });
  const user = await instance.signIn({ email: 'user@example.com' });
  const inactive = await instance.signIn({ email: 'inactive@example.com' });
  await instance.request('POST', `/auth/users/${inactive.id}/deactivate`, { token: admin.access_token });
  const ids: Record<string, string> = {
    ':user': String(user.id),
    ':admin': String(admin.id),
    ':nobody': String(inactive.id + 1000),
  };
  const ask = ([method, path, body]: Request, token?: string) =>
    instance.request(
      method,
      path.replace(/:\w+/, (name) => ids[name] ?? name),
      {
        ...body,
        ...(token === undefined ? {} : { token }),
      },
    );
  return { ...instance, admin, user, inactive, ask };
}

const guarded: Request[] = [
  ['GET', '/auth/me'],
  ['PUT', '/auth/me', { json: { name: 'New' } }],
  ['PATCH', '/auth/me', { json: { name: 'New' } }],
  ['DELETE', '/auth/me', { json: { current_password: password } }],
  ['POST', '/auth/me/password', { json: { current_password: password, new_password: 'NewSecure456!' } }],
];
const forAdmins: Request[] = [
  ['GET', '/auth/users'],
  ['POST', '/auth/users', { json: { email: 'new@example.com', password, name: 'New' } }],
  ['GET', '/auth/keys'],
  ['GET', '/auth/settings'],
  ['GET', '/auth/status'],
  ['GET', '/auth/statistics'],
  ['GET', '/auth/outbox/1/html'],
  ['POST', '/auth/audit-events/verify'],
  ['GET', '/auth/audit-events/verification'],
  ['POST', '/auth/keys/rotate'],
  ['POST', '/auth/users/import', { json: { dry_run: true, rows: [{}] } }],
  ['GET', '/auth/users/:user'],
  ['GET', '/auth/users/:user/life-cycle'],
  ['PATCH', '/auth/users/:user', { json: { name: 'New' } }],
  ['DELETE', '/auth/users/:user'],
  ['POST', '/auth/users/:user/reset-password'],
  ['DELETE', '/auth/users/:user/sessions/x'],
  ['POST', '/auth/users/:user/activate'],
  ['POST', '/auth/users/:user/deactivate'],
];

journey('who may not use an endpoint is told so, before the body is looked at', async (open) => {
  const { ask, admin, user, inactive, request } = await cast(open);
  for (const [method, path, body] of [...guarded, ...forAdmins]) {
    for (const given of [body, { json: { nonsense: true } }]) {
      const none = await ask([method, path, given]);
      assertFailure(none, 401, 'Not authenticated', 'not_authenticated');
      assert.equal(none.headers['www-authenticate'], 'Bearer');
      const bad = await ask([method, path, given], 'nonsense');
      assertFailure(bad, 401, 'Could not validate credentials', 'invalid_token');
      assert.equal(bad.headers['www-authenticate'], 'Bearer error="invalid_token"');
      const off = await ask([method, path, given], inactive.access_token);
      assertFailure(off, 403, 'Inactive user', 'inactive_user');
    }
  }
  for (const asked of forAdmins) {
    assertFailure(await ask(asked, user.access_token), 403, 'Admin privileges required', 'admin_required');
  }
  const users = await request('GET', '/auth/users', { token: admin.access_token });
  assert.deepEqual(
    users.body.map(({ id, name, is_active }: { id: number; name: string; is_active: boolean }) => [
      id,
      name,
      is_active,
    ]),
    [
      [admin.id, 'Test User', true],
      [user.id, 'Test User', true],
      [inactive.id, 'Test User', false],
    ],
    'nothing of it happened',
  );
});

const refusals: [by: 'nobody' | 'user' | 'admin', asked: Request, failure: Failure][] = [
  [
    'nobody',
    ['POST', '/auth/signup', { json: { email: 'user@example.com', password, name: 'A' } }],
    [409, 'Email already registered', 'email_registered'],
  ],
  [
    'nobody',
    ['POST', '/auth/login', { form: { username: 'user@example.com', password: 'WrongPass123!' } }],
    [401, 'Invalid email or password', 'invalid_credentials'],
  ],
  [
    'nobody',
    ['POST', '/auth/login', { form: { username: 'unknown@example.com', password } }],
    [401, 'Invalid email or password', 'invalid_credentials'],
  ],
  [
    'nobody',
    ['POST', '/auth/login', { form: { username: 'no address', password } }],
    [401, 'Invalid email or password', 'invalid_credentials'],
  ],
  [
    'nobody',
    ['POST', '/auth/login', { form: { username: 'user@example.com', password: '' } }],
    [401, 'Invalid email or password', 'invalid_credentials'],
  ],
  [
    'nobody',
    ['POST', '/auth/login', { form: { username: 'inactive@example.com', password } }],
    [403, 'Account is deactivated', 'account_deactivated'],
  ],
  [
    'nobody',
    ['POST', '/auth/login', { form: { username: 'inactive@example.com', password: 'WrongPass123!' } }],
    [401, 'Invalid email or password', 'invalid_credentials'],
  ],
  [
    'user',
    ['PUT', '/auth/me', { json: { email: 'ADMIN@example.com' } }],
    [409, 'Email already taken', 'email_taken'],
  ],
  [
    'user',
    ['PATCH', '/auth/me', { json: { email: 'admin@example.com' } }],
    [409, 'Email already taken', 'email_taken'],
  ],
  [
    'user',
    [
      'POST',
      '/auth/me/password',
      { json: { current_password: 'WrongPass123!', new_password: 'NewSecure456!' } },
    ],
    [400, 'Current password is incorrect', 'current_password_incorrect'],
  ],
  [
    'user',
    ['DELETE', '/auth/me', { json: { current_password: 'WrongPass123!' } }],
    [400, 'Current password is incorrect', 'current_password_incorrect'],
  ],
  [
    'admin',
    ['DELETE', '/auth/me', { json: { current_password: password } }],
    [409, 'At least one active admin must remain', 'last_admin'],
  ],
  ['admin', ['DELETE', '/auth/users/:admin'], [400, 'Cannot delete yourself', 'cannot_delete_self']],
  ['admin', ['DELETE', '/auth/users/:nobody'], [404, 'User not found', 'user_not_found']],
  [
    'admin',
    ['POST', '/auth/users/:admin/deactivate'],
    [400, 'Cannot deactivate yourself', 'cannot_deactivate_self'],
  ],
  ['admin', ['POST', '/auth/users/:nobody/deactivate'], [404, 'User not found', 'user_not_found']],
  ['admin', ['POST', '/auth/users/:nobody/activate'], [404, 'User not found', 'user_not_found']],
  ['admin', ['GET', '/auth/users/:nobody'], [404, 'User not found', 'user_not_found']],
  ['admin', ['GET', '/auth/users/9999999999999999999'], [404, 'User not found', 'user_not_found']],
  ['admin', ['GET', '/auth/users/0'], [404, 'User not found', 'user_not_found']],
  ['admin', ['PATCH', '/auth/users/:nobody', { json: {} }], [404, 'User not found', 'user_not_found']],
  [
    'admin',
    ['PATCH', '/auth/users/:admin', { json: { is_active: false } }],
    [400, 'Cannot deactivate yourself', 'cannot_deactivate_self'],
  ],
  [
    'admin',
    ['PATCH', '/auth/users/:admin', { json: { is_admin: false } }],
    [409, 'At least one active admin must remain', 'last_admin'],
  ],
  [
    'admin',
    ['PATCH', '/auth/users/:user', { json: { email: 'Admin@Example.com' } }],
    [409, 'Email already taken', 'email_taken'],
  ],
  [
    'admin',
    ['POST', '/auth/users', { json: { email: 'USER@example.com', password, name: 'A' } }],
    [409, 'Email already registered', 'email_registered'],
  ],
  [
    'nobody',
    ['POST', '/auth/setup', { json: { token: 'x'.repeat(43), email: 'n@example.com', password, name: 'A' } }],
    [403, 'Invalid setup token', 'invalid_setup_token'],
  ],
];

journey('every refusal has its status, its text and its code, and changes nothing', async (open) => {
  const { ask, admin, user, request } = await cast(open);
  const tokens = { nobody: undefined, user: user.access_token, admin: admin.access_token };
  const list = async () => (await request('GET', '/auth/users', { token: admin.access_token })).text;
  const before = await list();
  for (const [by, asked, [status, detail, code]] of refusals) {
    const answer = await ask(asked, tokens[by]);
    assert.deepEqual(
      [answer.status, answer.body],
      [status, { detail, code }],
      `${asked[0]} ${asked[1]} ${code}`,
    );
    assert.match(answer.headers['content-type'] ?? '', /^application\/json/);
    assert.equal(answer.headers['www-authenticate'], status === 401 ? 'Bearer' : undefined);
  }
  assert.equal(await list(), before);
});

const invalid: [by: 'nobody' | 'user' | 'admin', asked: Request, type: string, loc: (string | number)[]][] = [
  ['nobody', ['POST', '/auth/signup', { json: {} }], 'missing', ['body', 'email']],
  [
    'nobody',
    ['POST', '/auth/signup', { json: { email: 'x', password, name: 'A' } }],
    'value_error',
    ['body', 'email'],
  ],
  [
    'nobody',
    [
      'POST',
      '/auth/signup',
      { json: { email: `${'a'.repeat(64)}@${'b.'.repeat(100)}example.com`, password, name: 'A' } },
    ],
    'string_too_long',
    ['body', 'email'],
  ],
  [
    'nobody',
    ['POST', '/auth/signup', { json: { email: 'a@example.com', password, name: '  ' } }],
    'string_too_short',
    ['body', 'name'],
  ],
  [
    'nobody',
    ['POST', '/auth/signup', { json: { email: 'a@example.com', password, name: '😀'.repeat(101) } }],
    'string_too_long',
    ['body', 'name'],
  ],
  [
    'nobody',
    ['POST', '/auth/signup', { json: { email: 'a@example.com', password, name: 'A', is_admin: true } }],
    'extra_forbidden',
    ['body', 'is_admin'],
  ],
  [
    'nobody',
    ['POST', '/auth/login', { form: { username: 'a@example.com' } }],
    'missing',
    ['body', 'password'],
  ],
  ['nobody', ['POST', '/auth/login', { json: { password } }], 'missing', ['body', 'username']],
  [
    'nobody',
    ['POST', '/auth/login', { form: { username: 'a@example.com', password, grant_type: 'refresh_token' } }],
    'literal_error',
    ['body', 'grant_type'],
  ],
  ['user', ['PUT', '/auth/me', { json: { name: null } }], 'string_type', ['body', 'name']],
  ['user', ['PUT', '/auth/me', { json: { email: null } }], 'string_type', ['body', 'email']],
  ['user', ['PATCH', '/auth/me', { json: { name: null } }], 'string_type', ['body', 'name']],
  ['user', ['PATCH', '/auth/me', { json: { is_admin: true } }], 'extra_forbidden', ['body', 'is_admin']],
  ['user', ['PUT', '/auth/me', { json: { is_active: true } }], 'extra_forbidden', ['body', 'is_active']],
  ['user', ['PUT', '/auth/me'], 'missing', ['body']],
  ['user', ['DELETE', '/auth/me'], 'missing', ['body']],
  [
    'user',
    ['POST', '/auth/me/password', { json: { current_password: password } }],
    'missing',
    ['body', 'new_password'],
  ],
  ['admin', ['GET', '/auth/users?skip=-1'], 'greater_than_equal', ['query', 'skip']],
  ['admin', ['GET', '/auth/users?limit=0'], 'greater_than_equal', ['query', 'limit']],
  ['admin', ['GET', '/auth/users?limit=201'], 'less_than_equal', ['query', 'limit']],
  ['admin', ['GET', '/auth/users?limit=ten'], 'int_parsing', ['query', 'limit']],
  ['admin', ['GET', '/auth/users?limit=1&limit=2'], 'value_error', ['query', 'limit']],
  ['admin', ['GET', '/auth/users?sort=password'], 'literal_error', ['query', 'sort']],
  ['admin', ['GET', '/auth/users?is_active=maybe'], 'bool_parsing', ['query', 'is_active']],
  ['admin', ['GET', '/auth/users?q=%00'], 'value_error', ['query', 'q']],
  ['admin', ['GET', '/auth/users/1e0'], 'int_parsing', ['path', 'user_id']],
  ['admin', ['DELETE', '/auth/users/abc'], 'int_parsing', ['path', 'user_id']],
  ['admin', ['POST', '/auth/users/9e99/deactivate'], 'int_parsing', ['path', 'user_id']],
  [
    'admin',
    ['PATCH', '/auth/users/:user', { json: { is_active: null } }],
    'bool_type',
    ['body', 'is_active'],
  ],
  [
    'admin',
    ['PATCH', '/auth/users/:user', { json: { is_admin: 'true' } }],
    'bool_type',
    ['body', 'is_admin'],
  ],
  [
    'admin',
    ['PATCH', '/auth/users/:user', { json: { password: 'NewSecure456!' } }],
    'extra_forbidden',
    ['body', 'password'],
  ],
  ['admin', ['PATCH', '/auth/users/:user', { json: { id: 9 } }], 'extra_forbidden', ['body', 'id']],
  [
    'admin',
    ['POST', '/auth/users', { json: { email: 'a@example.com', password, name: 'A', is_admin: 1 } }],
    'bool_type',
    ['body', 'is_admin'],
  ],
  [
    'nobody',
    ['POST', '/auth/setup', { json: { email: 'a@example.com', password, name: 'A' } }],
    'missing',
    ['body', 'token'],
  ],
];

journey('bad input is 422 in the shape of FastAPI, and changes nothing', async (open) => {
  const { ask, admin, user, request } = await cast(open);
  const tokens = { nobody: undefined, user: user.access_token, admin: admin.access_token };
  const list = async () => (await request('GET', '/auth/users', { token: admin.access_token })).text;
  const before = await list();
  for (const [by, asked, type, loc] of invalid) {
    const answer = await ask(asked, tokens[by]);
    const what = `${asked.slice(0, 2).join(' ')} ${loc.join('.')}: ${answer.text}`;
    assert.deepEqual([answer.status, answer.body.code], [422, 'validation_error'], what);
    assert.deepEqual(Object.keys(answer.body).sort(), ['code', 'detail'], what);
    assert.deepEqual([answer.body.detail[0].type, answer.body.detail[0].loc], [type, loc], what);
    assert.equal(typeof answer.body.detail[0].msg, 'string', what);
    for (const issue of answer.body.detail) assert.ok(!('input' in issue || 'url' in issue), what);
  }
  assert.equal(await list(), before);
});

journey('what an endpoint answers when it does its work', async (open) => {
  const { ask, user, admin, inactive } = await cast(open);
  const read = {
    id: user.id,
    email: 'user@example.com',
    name: 'Test User',
    is_active: true,
    is_admin: false,
    created_at: '2026-01-01T12:00:00.000Z',
    email_verified: true,
    pending_email: null,
    locale: null,
    delete_after: null,
  };
  const works: [by: typeof user, asked: Request, status: number, body: unknown][] = [
    [user, ['GET', '/auth/me'], 200, read],
    [user, ['PUT', '/auth/me', { json: {} }], 200, read],
    [user, ['PUT', '/auth/me', { json: { name: '  New Name ' } }], 200, { ...read, name: 'New Name' }],
    [
      user,
      ['PUT', '/auth/me', { json: { email: 'User@Example.com' } }],
      200,
      { ...read, name: 'New Name', email: 'User@Example.com' },
    ],
    [user, ['PATCH', '/auth/me', { json: { email: 'user@example.com', name: 'Test User' } }], 200, read],
    [
      user,
      ['POST', '/auth/me/password', { json: { current_password: password, new_password: 'NewSecure456!' } }],
      200,
      { message: 'Password changed successfully' },
    ],
    [admin, ['GET', '/auth/users/:user'], 200, read],
    [
      admin,
      ['PATCH', '/auth/users/:user', { json: { name: 'By Admin', is_admin: true } }],
      200,
      { ...read, name: 'By Admin', is_admin: true },
    ],
    [admin, ['PATCH', '/auth/users/:user', { json: { name: 'Test User', is_admin: false } }], 200, read],
    [admin, ['POST', '/auth/users/:user/deactivate'], 200, { ...read, is_active: false }],
    [admin, ['POST', '/auth/users/:user/deactivate'], 200, { ...read, is_active: false }],
    [admin, ['POST', '/auth/users/:user/activate'], 200, read],
    [admin, ['POST', '/auth/users/:user/activate'], 200, read],
    [
      admin,
      ['POST', '/auth/users/:admin/activate'],
      200,
      { ...read, id: admin.id, email: admin.email, is_admin: true },
    ],
    [admin, ['DELETE', '/auth/users/:user'], 204, undefined],
    [
      admin,
      ['GET', '/auth/users?is_active=false'],
      200,
      [{ ...read, id: inactive.id, email: inactive.email, is_active: false }],
    ],
  ];
  for (const [by, asked, status, body] of works) {
    const answer = await ask(asked, by.access_token);
    assert.deepEqual([answer.status, answer.body], [status, body], asked.slice(0, 2).join(' '));
  }
});

journey('an administrator makes accounts of every kind, and their owners log in', async (open) => {
  const { ask, admin, logIn } = await cast(open);
  for (const [more, status] of [
    [{}, 200],
    [{ is_admin: true }, 200],
    [{ is_active: false }, 403],
    [{ is_admin: true, is_active: false }, 403],
  ] as const) {
    const email = `made-${JSON.stringify(more).length}@example.com`;
    const made = await ask(
      ['POST', '/auth/users', { json: { email, password, name: 'Made', ...more } }],
      admin.access_token,
    );
    const { id, created_at, ...rest } = made.body;
    assert.deepEqual(rest, {
      email,
      name: 'Made',
      is_active: true,
      is_admin: false,
      email_verified: true,
      pending_email: null,
      locale: null,
      delete_after: null,
      ...more,
    });
    assert.equal(made.status, 201);
    assert.equal((await logIn(email)).status, status);
  }
});

journey('login takes the whole OAuth2 form, and JSON with the same names', async (open) => {
  const { request, signUp } = await open();
  await signUp('user@example.com');
  const whole = { grant_type: 'password', scope: '', client_id: 'x', client_secret: 'client secret' };
  for (const given of [{}, whole]) {
    const body = { username: 'user@example.com', password, ...given };
    assert.equal((await request('POST', '/auth/login', { form: body })).status, 200);
    assert.equal((await request('POST', '/auth/login', { json: body })).status, 200);
  }
});

journey(
  'where registration is not open, signing up is refused and an admin still makes accounts',
  async (open) => {
    for (const REGISTRATION of ['closed', 'invite'] as const) {
      const { request, signIn } = await open({ REGISTRATION });
      const admin = await signIn({ is_admin: true });
      const json = { email: 'a@example.com', password, name: 'A' };
      assertFailure(
        await request('POST', '/auth/signup', { json }),
        403,
        'Registration is closed',
        'registration_closed',
      );
      const made = await request('POST', '/auth/users', { json, token: admin.access_token });
      assert.equal(made.status, 201);
    }
  },
);
