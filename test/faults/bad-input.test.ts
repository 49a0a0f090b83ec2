import assert from 'node:assert/strict';
import { createHmac, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import type { InjectOptions } from 'fastify';
import { CompactSign, decodeJwt } from 'jose';
import { dumpOfRequests } from '../support/fault-inspect.ts';
import { journey, password } from '../support/journey.ts';

const account = { email: 'new@example.com', password, name: 'New' };
const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;

interface BadBody {
  readonly what: string;
  readonly sent: readonly [method: 'POST' | 'PUT' | 'PATCH', path: string, by: 'nobody' | 'user' | 'admin'];
  /** An object is sent as JSON, a text as it is. */
  readonly body: object | string | Buffer;
  readonly type?: string;
  readonly status?: number;
  /** Of the first issue, or the failure's code. */
  readonly answer: string;
}

const signUp = ['POST', '/auth/signup', 'nobody'] as const;
const change = ['PATCH', '/auth/me', 'user'] as const;
const put = ['PUT', '/auth/me', 'user'] as const;
const logIn = ['POST', '/auth/login', 'nobody'] as const;
const form = 'application/x-www-form-urlencoded';
const raw = (fields: string) => `{"email":"new@example.com","password":"${password}",${fields}}`;

const bodies: readonly BadBody[] = [
  { what: 'an unknown field', sent: signUp, body: { ...account, nickname: 'N' }, answer: 'extra_forbidden' },
  {
    what: 'is_admin at sign-up',
    sent: signUp,
    body: { ...account, is_admin: true },
    answer: 'extra_forbidden',
  },
  {
    what: 'is_active at sign-up',
    sent: signUp,
    body: { ...account, is_active: true },
    answer: 'extra_forbidden',
  },
  { what: 'id at sign-up', sent: signUp, body: { ...account, id: 1 }, answer: 'extra_forbidden' },
  { what: 'is_admin in the own profile', sent: change, body: { is_admin: true }, answer: 'extra_forbidden' },
  {
    what: '__proto__',
    sent: signUp,
    body: raw('"name":"N","__proto__":{"is_admin":true}'),
    answer: 'extra_forbidden',
  },
  {
    what: '__proto__ instead of a field',
    sent: signUp,
    body: raw('"__proto__":{"name":"N"}'),
    answer: 'missing',
  },
  { what: 'constructor', sent: change, body: '{"constructor":{"prototype":{}}}', answer: 'extra_forbidden' },
  { what: 'null for a name', sent: put, body: { name: null }, answer: 'string_type' },
  { what: 'null for an email', sent: change, body: { email: null }, answer: 'string_type' },
  {
    what: 'null for is_admin',
    sent: ['PATCH', '/auth/users/:user', 'admin'],
    body: { is_admin: null },
    answer: 'bool_type',
  },
  {
    what: 'null for is_active',
    sent: ['PATCH', '/auth/users/:user', 'admin'],
    body: { is_active: null },
    answer: 'bool_type',
  },
  { what: 'null for a body', sent: change, body: 'null', answer: 'missing' },
  { what: 'a number for a name', sent: signUp, body: { ...account, name: 1 }, answer: 'string_type' },
  {
    what: 'a number for a password',
    sent: signUp,
    body: { ...account, password: 123456789 },
    answer: 'string_type',
  },
  {
    what: 'an object for an email',
    sent: signUp,
    body: { ...account, email: { $ne: null } },
    answer: 'string_type',
  },
  {
    what: 'a text for is_admin',
    sent: ['PATCH', '/auth/users/:user', 'admin'],
    body: { is_admin: 'true' },
    answer: 'bool_type',
  },
  { what: 'an array for a name', sent: signUp, body: { ...account, name: ['N'] }, answer: 'string_type' },
  {
    what: 'an array for a password',
    sent: logIn,
    body: { username: 'user@example.com', password: [password] },
    answer: 'string_type',
  },
  { what: 'an array for a body', sent: signUp, body: [account], answer: 'model_attributes_type' },
  { what: 'a text for a body', sent: signUp, body: '"text"', answer: 'model_attributes_type' },
  { what: 'an empty name', sent: signUp, body: { ...account, name: '' }, answer: 'string_too_short' },
  {
    what: 'a blank name',
    sent: signUp,
    body: { ...account, name: ' \t\u00a0\u3000\n' },
    answer: 'string_too_short',
  },
  { what: 'a blank name for another', sent: change, body: { name: '   ' }, answer: 'string_too_short' },
  {
    what: 'a name of 101 code points',
    sent: signUp,
    body: { ...account, name: 'é'.repeat(101) },
    answer: 'string_too_long',
  },
  {
    what: 'a name of 101 astral code points',
    sent: change,
    body: { name: '😀'.repeat(101) },
    answer: 'string_too_long',
  },
  {
    what: 'a password of 129 code points',
    sent: signUp,
    body: { ...account, password: `${password}${'😀'.repeat(115)}` },
    answer: 'string_too_long',
  },
  {
    what: 'a password of 7 code points',
    sent: signUp,
    body: { ...account, password: 'Aa1!😀😀😀' },
    answer: 'string_too_short',
  },
  {
    what: 'an email of 256 code points',
    sent: signUp,
    body: { ...account, email: `a@${'b.'.repeat(122)}example.com` },
    answer: 'string_too_long',
  },
  { what: 'NUL in a name', sent: signUp, body: { ...account, name: 'a\0b' }, answer: 'value_error' },
  {
    what: 'NUL in a password',
    sent: signUp,
    body: { ...account, password: `${password}\0` },
    answer: 'value_error',
  },
  { what: 'NUL in an email', sent: change, body: { email: 'a\0@example.com' }, answer: 'value_error' },
  {
    what: 'NUL in the password of a login',
    sent: logIn,
    body: { username: 'user@example.com', password: `${password}\0` },
    answer: 'value_error',
  },
  {
    what: 'a lone surrogate in a name',
    sent: signUp,
    body: raw('"name":"a\\ud800"'),
    answer: 'string_unicode',
  },
  {
    what: 'a lone surrogate in a password',
    sent: signUp,
    body: { ...account, password: `${password}\udfff` },
    answer: 'string_unicode',
  },
  {
    what: 'a lone surrogate in an email',
    sent: change,
    body: { email: '\ud800@example.com' },
    answer: 'string_unicode',
  },
  {
    what: 'octets that are not UTF-8',
    sent: change,
    body: Buffer.from('{"name":"\xff"}', 'latin1'),
    answer: 'json_invalid',
  },
  { what: '10,000-deep JSON', sent: signUp, body: nested(10_000), answer: 'model_attributes_type' },
  {
    what: '10,000-deep JSON in a field',
    sent: signUp,
    body: raw(`"name":${nested(10_000)}`),
    answer: 'string_type',
  },
  {
    what: '10,000-deep JSON in an unknown field',
    sent: change,
    body: `{"x":${nested(10_000)}}`,
    answer: 'extra_forbidden',
  },
  {
    what: '10,000-deep objects',
    sent: change,
    body: `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
    answer: 'extra_forbidden',
  },
  {
    what: '10,000-deep JSON that never ends',
    sent: change,
    body: '['.repeat(10_000),
    answer: 'json_invalid',
  },
  {
    what: 'a form field twice',
    sent: logIn,
    type: form,
    body: 'username=user%40example.com&password=a&password=b',
    answer: 'value_error',
  },
  {
    what: 'a form field twice, the same',
    sent: logIn,
    type: form,
    body: `username=user%40example.com&username=user%40example.com&password=${password}`,
    answer: 'value_error',
  },
  {
    what: 'broken percent-encoding',
    sent: logIn,
    type: form,
    body: 'username=user%40example.com&password=%zz',
    answer: 'value_error',
  },
  {
    what: 'half a percent-encoding',
    sent: logIn,
    type: form,
    body: 'username=user%40example.com&password=%4',
    answer: 'value_error',
  },
  {
    what: 'percent-encoding that is not UTF-8',
    sent: logIn,
    type: form,
    body: 'username=user%40example.com&password=%ff',
    answer: 'value_error',
  },
  { what: 'NUL in a form', sent: logIn, type: form, body: 'username=%00&password=x', answer: 'value_error' },
  {
    what: 'an unknown form field',
    sent: logIn,
    type: form,
    body: `username=user%40example.com&password=${password}&is_admin=true`,
    answer: 'extra_forbidden',
  },
  {
    what: 'a form where JSON is',
    sent: signUp,
    type: form,
    body: 'email=new%40example.com',
    status: 415,
    answer: 'unsupported_media_type',
  },
  {
    what: 'JSON sent as text',
    sent: signUp,
    type: 'text/plain',
    body: account,
    status: 415,
    answer: 'unsupported_media_type',
  },
  {
    what: 'JSON in chunks without a type',
    sent: signUp,
    type: '',
    body: account,
    status: 415,
    answer: 'unsupported_media_type',
  },
  {
    what: 'JSON sent as multipart',
    sent: signUp,
    type: 'multipart/form-data; boundary=x',
    body: account,
    status: 415,
    answer: 'unsupported_media_type',
  },
  {
    what: 'JSON that does not parse',
    sent: signUp,
    body: '{"email": "new@example.com",',
    answer: 'json_invalid',
  },
  {
    what: 'a body of 1 MB',
    sent: signUp,
    body: { ...account, name: 'x'.repeat(1_000_000) },
    status: 413,
    answer: 'payload_too_large',
  },
  {
    what: 'a form of 1 MB',
    sent: logIn,
    type: form,
    body: `username=${'x'.repeat(1_000_000)}&password=x`,
    status: 413,
    answer: 'payload_too_large',
  },
  {
    what: 'a text of 1 MB',
    sent: signUp,
    type: 'text/plain',
    body: 'x'.repeat(1_000_000),
    status: 415,
    answer: 'unsupported_media_type',
  },
  {
    what: 'one octet over 64 KiB',
    sent: signUp,
    body: ' '.repeat(65_537),
    status: 413,
    answer: 'payload_too_large',
  },
];

journey('each bad body of the list has its status and its code, and changes nothing', async (open) => {
  const { app, databaseUrl, request, signIn } = await open();
  const admin = await signIn({ email: 'admin@example.com', is_admin: true });
  const user = await signIn({ email: 'user@example.com' });
  const tokens = { nobody: undefined, user: user.access_token, admin: admin.access_token };
  // The first use of a token is noted.
  for (const token of [user.access_token, admin.access_token]) await request('GET', '/auth/me', { token });
  const before = await dumpOfRequests(databaseUrl);
  for (const { what, sent, body, type = 'application/json', status = 422, answer } of bodies) {
    const [method, path, by] = sent;
    const token = tokens[by];
    const payload = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const reply = await app.inject({
      method,
      url: path.replace(':user', String(user.id)),
      headers: {
        ...(type === '' ? { 'transfer-encoding': 'chunked' } : { 'content-type': type }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      payload,
    });
    const { detail, code } = reply.json();
    const found = code === 'validation_error' ? detail[0].type : code;
    assert.deepEqual([reply.statusCode, found], [status, answer], `${what}: ${reply.payload}`);
    assert.match(String(reply.headers['x-request-id']), /^[\w-]{8,}$/, what);
    assert.ok(!reply.payload.includes(password), what);
    assert.equal(await dumpOfRequests(databaseUrl), before, `${what} changed something`);
  }
  assert.ok(!('is_admin' in {}));
});

const badIds: readonly [id: string, status: number, answer: string][] = [
  ['-1', 404, 'user_not_found'],
  ['0', 404, 'user_not_found'],
  ['999999999', 404, 'user_not_found'],
  ['9223372036854775808', 404, 'user_not_found'],
  ['1e0', 422, 'int_parsing'],
  ['9e99', 422, 'int_parsing'],
  ['1.0', 422, 'int_parsing'],
  ['%00', 422, 'int_parsing'],
  ['1%00', 422, 'int_parsing'],
  ['0x1', 422, 'int_parsing'],
  ['%D9%A1', 422, 'int_parsing'],
  ['%20', 422, 'int_parsing'],
  ['%ff', 400, 'bad_request'],
  ['%', 400, 'bad_request'],
];
const onId = [
  ['GET', ''],
  ['DELETE', ''],
  ['PATCH', ''],
  ['POST', '/activate'],
  ['POST', '/deactivate'],
] as const;
const badQueries: readonly [query: string, status: number, answer: string][] = [
  ['limit=0', 422, 'greater_than_equal'],
  ['limit=201', 422, 'less_than_equal'],
  ['limit=-1', 422, 'greater_than_equal'],
  ['limit=1e0', 422, 'int_parsing'],
  ['limit=', 422, 'int_parsing'],
  ['limit=1&limit=2', 422, 'value_error'],
  ['skip=-1', 422, 'greater_than_equal'],
  ['skip=9e99', 422, 'int_parsing'],
  ['skip=99999999999999999999', 422, 'less_than_equal'],
  ['q=%00', 422, 'value_error'],
  ['q=%ff', 400, 'bad_request'],
  ['q=%', 400, 'bad_request'],
  ['sort=hash', 422, 'literal_error'],
  ['is_admin=maybe', 422, 'bool_parsing'],
];

journey(
  'each bad id and each bad parameter has its status and its code, and changes nothing',
  async (open) => {
    const { app, databaseUrl, request, signIn } = await open();
    const admin = await signIn({ is_admin: true });
    await signIn();
    // The first use of a token is noted.
    await request('GET', '/auth/me', { token: admin.access_token });
    const before = await dumpOfRequests(databaseUrl);
    const ask = async (options: InjectOptions, status: number, answer: string) => {
      const reply = await app.inject({
        ...options,
        headers: { authorization: `Bearer ${admin.access_token}` },
      });
      const { detail, code } = reply.json();
      const found = code === 'validation_error' ? detail[0].type : code;
      assert.deepEqual(
        [reply.statusCode, found],
        [status, answer],
        `${options.method} ${options.url}: ${reply.payload}`,
      );
    };
    for (const [id, status, answer] of badIds) {
      for (const [method, action] of onId) {
        const payload = method === 'PATCH' ? { payload: { name: 'Other' } } : {};
        await ask({ method, url: `/auth/users/${id}${action}`, ...payload }, status, answer);
      }
    }
    for (const [query, status, answer] of badQueries) {
      await ask({ method: 'GET', url: `/auth/users?${query}` }, status, answer);
    }
    assert.equal(await dumpOfRequests(databaseUrl), before);
  },
);

journey('each bad token of the list is one 401, and changes nothing', async (open) => {
  const { app, doorward, databaseUrl, signIn, request } = await open();
  const user = await signIn({ is_admin: true });
  const { key, kid = '' } = doorward.keys.current().signing;
  const claims = decodeJwt(user.access_token);
  const seconds = Number(claims.exp);
  const header = { alg: 'ES256', typ: 'at+jwt', kid };
  const ours = (change: object, headers: object = {}) =>
    new CompactSign(Buffer.from(JSON.stringify({ ...claims, ...change })))
      .setProtectedHeader({ ...header, ...headers })
      .sign(key);
  const body = base64url(claims);
  const [signature] = user.access_token.split('.').slice(2);

  const { body: jwks } = await request('GET', '/.well-known/jwks.json');
  const published = createPublicKey({ key: jwks.keys[0], format: 'jwk' });
  const withPublicKey = (secret: string | Buffer) => {
    const head = base64url({ alg: 'HS256', typ: 'at+jwt', kid });
    return `${head}.${body}.${createHmac('sha256', secret).update(`${head}.${body}`).digest('base64url')}`;
  };
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const foreign = (headers: object) => {
    const head = base64url({ ...header, ...headers });
    const made = sign('sha256', Buffer.from(`${head}.${body}`), {
      key: pair.privateKey,
      dsaEncoding: 'ieee-p1363',
    });
    return `${head}.${body}.${made.toString('base64url')}`;
  };
  const publicJwk = pair.publicKey.export({ format: 'jwk' });

  const tokens: Record<string, string> = {
    'alg none, no signature': `${base64url({ alg: 'none', typ: 'at+jwt', kid })}.${body}.`,
    'alg none, our signature': `${base64url({ alg: 'none', typ: 'at+jwt', kid })}.${body}.${signature}`,
    'alg None': `${base64url({ alg: 'None', typ: 'at+jwt', kid })}.${body}.`,
    'HS256 with the public key as PEM': withPublicKey(published.export({ format: 'pem', type: 'spki' })),
    'HS256 with the public key as DER': withPublicKey(published.export({ format: 'der', type: 'spki' })),
    'HS256 with the public key as JWK': withPublicKey(JSON.stringify(jwks.keys[0])),
    'HS256 with nothing': withPublicKey(''),
    'a foreign key under our kid': foreign({}),
    'a foreign kid': foreign({ kid: 'foreign' }),
    'a kid that is a path': foreign({ kid: '../../../../dev/null' }),
    'a kid that is no text': foreign({ kid: 1 }),
    'no kid': foreign({ kid: undefined }),
    'a jwk of its own': foreign({ jwk: publicJwk }),
    'a jwk of its own without kid': foreign({ jwk: publicJwk, kid: undefined }),
    'a jku': foreign({ jku: 'http://127.0.0.1:1/jwks.json' }),
    'an x5u': foreign({ x5u: 'http://127.0.0.1:1/x' }),
    'no exp': await ours({ exp: undefined }),
    'exp a text': await ours({ exp: String(seconds) }),
    'exp an array': await ours({ exp: [seconds] }),
    'exp null': await ours({ exp: null }),
    'exp past': await ours({ exp: 1 }),
    'exp beyond numbers': await ours({ exp: 1e300 }),
    'another iss': await ours({ iss: 'https://evil.example' }),
    'an array for iss': await ours({ iss: [claims.iss] }),
    'no iss': await ours({ iss: undefined }),
    'another aud': await ours({ aud: 'https://evil.example' }),
    'no aud': await ours({ aud: undefined }),
    'type refresh': await ours({ type: 'refresh' }),
    'no type': await ours({ type: undefined }),
    'a refresh token': user.refresh_token,
    'typ JWT': await ours({}, { typ: 'JWT' }),
    'no typ': await ours({}, { typ: undefined }),
    'sub a number': await ours({ sub: user.id }),
    'sub of another': await ours({ sub: String(user.id + 1) }),
    '16 KB': 'A'.repeat(16_384),
    '16 KB in three parts': `${'A'.repeat(5461)}.${'A'.repeat(5461)}.${'A'.repeat(5460)}`,
    'white space inside': user.access_token.replace('.', '. '),
  };
  const before = await dumpOfRequests(databaseUrl);
  // All at once: a key that is not known is looked for in the database, but not as often as somebody names one.
  const refusals = Object.entries(tokens).map(async ([what, token]) => {
    for (const [method, url] of [
      ['GET', '/auth/me'],
      ['DELETE', `/auth/users/${user.id + 1}`],
    ] as const) {
      const reply = await app.inject({ method, url, headers: { authorization: `Bearer ${token}` } });
      assert.deepEqual(
        [reply.statusCode, reply.json(), reply.headers['www-authenticate']],
        [
          401,
          { detail: 'Could not validate credentials', code: 'invalid_token' },
          'Bearer error="invalid_token"',
        ],
        what,
      );
    }
  });
  await Promise.all(refusals);
  assert.equal(await dumpOfRequests(databaseUrl), before);
  const good = await app.inject({ url: '/auth/me', headers: { authorization: `Bearer ${await ours({})}` } });
  assert.equal(good.statusCode, 200, 'what we sign unchanged is good');
});

journey('an empty body in chunks is no body, whatever its type', async (open) => {
  const { app, signIn } = await open();
  const { access_token } = await signIn({ is_admin: true });
  const other = await signIn();
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const headers = { authorization: `Bearer ${access_token}` };
  const body = () => new ReadableStream({ start: (controller) => controller.close() });
  const init = { method: 'POST', headers, body: body(), duplex: 'half' } as RequestInit;
  const done = await fetch(`${url}/auth/users/${other.id}/deactivate`, init);
  assert.equal(done.status, 200);
  const bare = await fetch(`${url}/auth/signup`, { ...init, body: body() });
  assert.equal(bare.status, 422);
});
