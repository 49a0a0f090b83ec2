import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import Fastify, {
  type FastifyInstance,
  type FastifyServerOptions,
  type InjectOptions,
  type onRequestHookHandler,
} from 'fastify';
import Type from 'typebox';
import { DoorwardError } from '../errors.ts';
import { installAccess } from './access.ts';
import { installBodyParsers } from './body-parsers.ts';
import { installReplies, refuseOtherMethods, sendFailure, sendNotFound } from './replies.ts';
import {
  AnyPassword,
  Closed,
  Email,
  Name,
  NewPassword,
  QueryInteger,
  Text,
  UserPath,
  UserRead,
} from './schema.ts';
import { createSerializerCompiler } from './serialization.ts';
import { serverOptions } from './server-options.ts';
import { createValidatorCompiler } from './validation.ts';

/** What the routes below were called with. */
interface Calls {
  bodies: unknown[];
}

function addRoutes(app: FastifyInstance, calls: Calls): void {
  const config = { access: 'public' } as const;
  const signup = Closed({ email: Email, password: NewPassword, name: Name });
  app.post(
    '/signup',
    { config, schema: { body: signup, response: { 201: UserRead } } },
    async (request, reply) => {
      calls.bodies.push(request.body);
      const user = {
        id: 1,
        is_active: true,
        is_admin: false,
        created_at: '2026-11-23T12:00:00.000Z',
        email_verified: true,
        pending_email: null,
        locale: null,
        delete_after: null,
      };
      return reply.code(201).send({ ...(request.body as object), ...user });
    },
  );
  const login = Closed({ username: Text(), password: AnyPassword });
  app.post('/login', { config: { ...config, form: true }, schema: { body: login } }, async (request) => {
    calls.bodies.push(request.body);
    return { token_type: 'bearer' };
  });
  const querystring = Type.Object({ limit: QueryInteger({ minimum: 1, maximum: 200, default: 50 }) });
  app.get(
    '/users',
    { config: { access: 'adminUser' }, schema: { querystring } },
    async (request) => request.query,
  );
  app.delete(
    '/users/:user_id',
    { config: { access: 'adminUser' }, schema: { params: UserPath } },
    async () => {
      throw new DoorwardError('user_not_found');
    },
  );
  app.post('/me/password', { config: { access: 'activeUser' }, schema: { body: login } }, async () => ({}));
  app.post('/logout', { config: { access: 'currentUser' } }, async (_request, reply) =>
    reply.code(204).send(),
  );
  app.get('/fail/:code', { config }, async (request) => {
    const { code } = request.params as { code: 'overloaded' };
    if (failing[code] !== undefined) throw failing[code];
    throw new DoorwardError(code, { reason: 'reason for the log' });
  });
}

const failing: Record<string, unknown> = {
  error: new Error('a secret reason'),
  text: 'a secret text',
  undefined: null,
  status: Object.assign(new Error('a secret reason'), { statusCode: 503, code: 'SQLITE_BUSY' }),
  host: Object.assign(new Error('slow down'), { statusCode: 429 }),
  retry: new DoorwardError('overloaded', { retryAfterSeconds: 2.5 }),
  database: new DoorwardError('database_unavailable', {
    reason: 'what was committed may not be on disk',
    cause: Object.assign(new Error('no space left'), { code: 'ENOSPC' }),
  }),
};

/** A host with routes of its own, and ours under `/auth` in it. */
async function startHost(
  t: TestContext,
  options: FastifyServerOptions = {},
): Promise<{ host: FastifyInstance; calls: Calls; log: string[] }> {
  const log: string[] = [];
  const host = Fastify({
    logger: { level: 'info', stream: { write: (line: string) => log.push(line) } },
    ...options,
  });
  const calls: Calls = { bodies: [] };
  host.register(
    async (app) => {
      app.setValidatorCompiler(createValidatorCompiler());
      app.setSerializerCompiler(createSerializerCompiler());
      installBodyParsers(app);
      installReplies(app);
      app.setNotFoundHandler(sendNotFound);
      const refuse = refuseOtherMethods(app);
      const guard =
        (token: string): onRequestHookHandler =>
        (request, reply, done) => {
          const { authorization } = request.headers;
          if (authorization === undefined) sendFailure(reply, new DoorwardError('not_authenticated'));
          else if (authorization !== token) sendFailure(reply, new DoorwardError('invalid_token'));
          else done();
        };
      installAccess(app, {
        currentUser: guard('Bearer user'),
        activeUser: guard('Bearer user'),
        adminUser: guard('Bearer admin'),
      });
      app.register(async (child) => addRoutes(child, calls));
      refuse();
    },
    { prefix: '/auth' },
  );
  t.after(() => host.close());
  return { host, calls, log };
}

const json = (payload: string | Buffer, headers = {}): InjectOptions => ({
  method: 'POST',
  url: '/auth/signup',
  headers: { 'content-type': 'application/json', ...headers },
  payload,
});
const form = (payload: string | Buffer): InjectOptions => ({
  method: 'POST',
  url: '/auth/login',
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  payload,
});
const admin = { authorization: 'Bearer admin' };
const signup = { email: 'Test@Example.com', password: 'Password1!', name: 'Test' };

/** Headers that every answer of ours has. */
function assertOurHeaders(headers: Record<string, unknown>): void {
  assert.equal(typeof headers['x-request-id'], 'string');
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.equal(headers['cache-control'], 'no-store');
  assert.equal(headers['content-security-policy'], "default-src 'none'; frame-ancestors 'none'");
  assert.equal(headers['referrer-policy'], 'no-referrer');
}

test('bad input is answered with a clear 4xx, and no handler sees it', async (t) => {
  const { host, calls, log } = await startHost(t, serverOptions);
  const deep = '['.repeat(10_000) + ']'.repeat(10_000);
  const cases: [name: string, request: InjectOptions, status: number, issue?: string][] = [
    [
      'unknown field',
      json('{"email":"a@example.com","password":"Password1!","name":"a","x":1}'),
      422,
      'body.x: extra_forbidden',
    ],
    ['is_admin', json(JSON.stringify({ ...signup, is_admin: true })), 422, 'body.is_admin: extra_forbidden'],
    ['__proto__', json('{"__proto__":{"email":"a@example.com"}}'), 422, 'body.email: missing'],
    ['null', json(JSON.stringify({ ...signup, name: null })), 422, 'body.name: string_type'],
    [
      'array for string',
      json(JSON.stringify({ ...signup, email: [signup.email] })),
      422,
      'body.email: string_type',
    ],
    [
      '101 code points',
      json(JSON.stringify({ ...signup, name: '😀'.repeat(101) })),
      422,
      'body.name: string_too_long',
    ],
    ['NUL', json(JSON.stringify({ ...signup, name: 'a\0' })), 422, 'body.name: value_error'],
    ['lone surrogate', json('{"name":"\\ud800"}'), 422, 'body.email: missing'],
    ['10,000 deep', json(deep), 422, 'body: model_attributes_type'],
    ['10,000 deep in a field', json(`{"email":${deep}}`), 422, 'body.email: string_type'],
    ['10,000 deep and cut off', json('['.repeat(10_000)), 422, 'body.0: json_invalid'],
    ['no JSON', json('{"email": "secret", '), 422, 'body.0: json_invalid'],
    ['JSON sent as text', { ...json('{}'), headers: { 'content-type': 'text/plain' } }, 415],
    ['no content type', { ...json('{}'), headers: {} }, 415],
    ['broken content type', { ...json('{}'), headers: { 'content-type': 'json' } }, 415],
    ['multipart', { ...json('{}'), headers: { 'content-type': 'multipart/form-data; boundary=x' } }, 415],
    ['gzip', json('{}', { 'content-encoding': 'gzip' }), 415],
    ['not UTF-8', json(Buffer.from([0x22, 0xff, 0x22])), 422, 'body.0: json_invalid'],
    ['empty body', json(''), 422, 'body: missing'],
    ['null body', json('null'), 422, 'body: missing'],
    ['no body', { method: 'POST', url: '/auth/signup' }, 422, 'body: missing'],
    ['1 MB', json(' '.repeat(1_000_000)), 413],
    ['one octet too many', json(' '.repeat(65_537)), 413],
    ['form where JSON is due', { ...form('email=a'), url: '/auth/signup' }, 415],
    ['duplicate form field', form('username=a&username=b&password=c'), 422, 'body.username: value_error'],
    ['lone percent', form('username=%&password=c'), 422, 'body: value_error'],
    ['broken percent-encoding', form('username=%zz&password=c'), 422, 'body: value_error'],
    ['percent-encoded octets that are not UTF-8', form('username=%ff&password=c'), 422, 'body: value_error'],
    ['octets that are not UTF-8', form(Buffer.from([0x61, 0x3d, 0xff])), 422, 'body: value_error'],
    ['NUL in a form', form('username=%00&password=c'), 422, 'body.username: value_error'],
    [
      '__proto__ in a form',
      form('username=a&password=c&__proto__=x'),
      422,
      'body.__proto__: extra_forbidden',
    ],
    ['nested names in a form', form('username[a]=a&password=c'), 422, 'body.username: missing'],
    ['limit=0', { url: '/auth/users?limit=0', headers: admin }, 422, 'query.limit: greater_than_equal'],
    ['limit twice', { url: '/auth/users?limit=1&limit=2', headers: admin }, 422, 'query.limit: value_error'],
    ['limit=%00', { url: '/auth/users?limit=%00', headers: admin }, 422, 'query.limit: int_parsing'],
    ['broken query', { url: '/auth/users?limit=%zz', headers: admin }, 400],
    ['broken query elsewhere', { url: '/auth/users?x=%ff', headers: admin }, 400],
    ['id -1', { method: 'DELETE', url: '/auth/users/-1', headers: admin }, 404],
    ['id beyond 2^53', { method: 'DELETE', url: `/auth/users/${'9'.repeat(64)}`, headers: admin }, 404],
    [
      'id 1e0',
      { method: 'DELETE', url: '/auth/users/1e0', headers: admin },
      422,
      'path.user_id: int_parsing',
    ],
    [
      'id 9e99',
      { method: 'DELETE', url: '/auth/users/9e99', headers: admin },
      422,
      'path.user_id: int_parsing',
    ],
    [
      'id %00',
      { method: 'DELETE', url: '/auth/users/%00', headers: admin },
      422,
      'path.user_id: int_parsing',
    ],
    ['broken path', { method: 'DELETE', url: '/auth/users/%zz', headers: admin }, 400],
    ['long id', { method: 'DELETE', url: `/auth/users/${'9'.repeat(600)}`, headers: admin }, 400],
    ['16 KB token', { url: '/auth/users', headers: { authorization: `Bearer ${'x'.repeat(16_384)}` } }, 401],
    ['trailing slash', { url: '/auth/users/', headers: admin }, 404],
    ['duplicate slash', { url: '/auth//users', headers: admin }, 404],
    ['other case', { url: '/auth/Users', headers: admin }, 404],
  ];
  for (const [name, request, status, issue] of cases) {
    const response = await host.inject(request);
    assert.equal(response.statusCode, status, `${name}: ${response.body}`);
    const body = response.json();
    if (issue !== undefined) {
      assert.equal(body.code, 'validation_error', name);
      const told = body.detail.map(
        (one: { loc: string[]; type: string }) => `${one.loc.join('.')}: ${one.type}`,
      );
      assert.ok(told.includes(issue), `${name}: ${told}`);
    } else {
      assert.deepEqual(Object.keys(body), ['detail', 'code'], name);
      assert.equal(typeof body.detail, 'string', name);
    }
    assert.equal(response.headers['content-type'], 'application/json; charset=utf-8', name);
    assertOurHeaders(response.headers);
  }
  assert.deepEqual(calls.bodies, []);
  assert.ok(!log.join('').includes('"level":50'));
  assert.equal(({} as { email?: unknown }).email, undefined);
});

test('JSON that does not parse is told as FastAPI does, without the text', async (t) => {
  const { host } = await startHost(t);
  const response = await host.inject(json('{"password": S3cret'));
  assert.deepEqual(response.json(), {
    detail: [
      { type: 'json_invalid', loc: ['body', 0], msg: 'JSON decode error', ctx: { error: 'Invalid JSON' } },
    ],
    code: 'validation_error',
  });
});

test('good input arrives normalised, and an answer holds what its schema names', async (t) => {
  const { host, calls } = await startHost(t);
  const cases: [InjectOptions, status: number, seen: object][] = [
    [json(JSON.stringify({ ...signup, name: ' Test ' })), 201, signup],
    [
      json(`\ufeff${JSON.stringify(signup)}`, { 'content-type': 'application/json; charset=utf-8' }),
      201,
      signup,
    ],
    [
      json('{"name":"a","name":"b","email":"a@example.com","password":"Password1!"}'),
      201,
      { name: 'b', email: 'a@example.com', password: 'Password1!' },
    ],
    [form('username=a%40b.co&password=p+%2B%20%C3%A4'), 200, { username: 'a@b.co', password: 'p + ä' }],
    [form('&username=a&&password&'), 200, { username: 'a', password: '' }],
    [
      { ...json('{"username":"a","password":"b"}'), url: '/auth/login' },
      200,
      { username: 'a', password: 'b' },
    ],
  ];
  for (const [request, status, seen] of cases) {
    const response = await host.inject(request);
    assert.equal(response.statusCode, status, response.body);
    assert.deepEqual({ ...(calls.bodies.pop() as object) }, seen);
    assert.ok(!response.body.includes('assword'), response.body);
    assertOurHeaders(response.headers);
  }
  const headers = { authorization: 'Bearer user', 'content-type': 'text/plain', 'content-length': '0' };
  assert.equal((await host.inject({ method: 'POST', url: '/auth/logout', headers })).statusCode, 204);
});

test('a known path with another method is 405 with Allow, whatever the body or the token', async (t) => {
  const { host } = await startHost(t);
  const cases: [
    method: 'GET' | 'PUT' | 'OPTIONS' | 'DELETE' | 'HEAD' | 'TRACE',
    url: string,
    allow: string,
  ][] = [
    ['GET', '/auth/signup', 'POST'],
    ['HEAD', '/auth/signup', 'POST'],
    ['OPTIONS', '/auth/users', 'GET, HEAD'],
    ['DELETE', '/auth/users', 'GET, HEAD'],
    ['TRACE', '/auth/users/5', 'DELETE'],
  ];
  for (const [method, url, allow] of cases) {
    const response = await host.inject({ method: method as 'GET', url });
    assert.equal(response.statusCode, 405, `${method} ${url}`);
    assert.equal(response.headers.allow, allow);
    assertOurHeaders(response.headers);
  }
  const response = await host.inject({
    method: 'PUT',
    url: '/auth/users/5',
    payload: 'x'.repeat(1_000_000),
    headers: { 'content-type': 'a/b' },
  });
  assert.deepEqual(response.json(), { detail: 'Method Not Allowed', code: 'method_not_allowed' });
  assert.equal((await host.inject({ method: 'HEAD', url: '/auth/users', headers: admin })).statusCode, 200);
});

test('an unknown path under the prefix is our 404, whatever the method and the body', async (t) => {
  const { host } = await startHost(t);
  for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS'] as const) {
    for (const url of ['/auth', '/auth/', '/auth/nothing', '/auth/signup/x?y=z']) {
      const response = await host.inject({
        method,
        url,
        payload: '{',
        headers: { 'content-type': 'text/plain' },
      });
      assert.equal(response.statusCode, 404, `${method} ${url}`);
      assert.deepEqual(response.json(), { detail: 'Not Found', code: 'not_found' });
      assertOurHeaders(response.headers);
    }
  }
});

test('guards come before the body, and 401 says how to authenticate', async (t) => {
  const { host, calls } = await startHost(t);
  const request: InjectOptions = {
    method: 'POST',
    url: '/auth/me/password',
    payload: '{',
    headers: { 'content-type': 'application/json' },
  };
  const none = await host.inject(request);
  assert.equal(none.statusCode, 401);
  assert.deepEqual(none.json(), { detail: 'Not authenticated', code: 'not_authenticated' });
  assert.equal(none.headers['www-authenticate'], 'Bearer');
  const wrong = await host.inject({ ...request, headers: { authorization: 'Bearer x' } });
  assert.deepEqual(wrong.json(), { detail: 'Could not validate credentials', code: 'invalid_token' });
  assert.equal(wrong.headers['www-authenticate'], 'Bearer error="invalid_token"');
  assert.equal((await host.inject('/auth/users')).statusCode, 401);
  assert.equal((await host.inject({ method: 'HEAD', url: '/auth/users' })).statusCode, 401);
  assert.equal((await host.inject({ url: '/auth/users', headers: admin })).statusCode, 200);
  const login = await host.inject('/auth/fail/invalid_credentials');
  assert.equal(login.headers['www-authenticate'], 'Bearer');
  assert.deepEqual(calls.bodies, []);
});

test('failures keep their reasons for the log', async (t) => {
  const { host, log } = await startHost(t);
  for (const name of ['error', 'text', 'undefined', 'status']) {
    const response = await host.inject(`/auth/fail/${name}`);
    assert.equal(response.statusCode, 500);
    assert.deepEqual(response.json(), { detail: 'Internal server error', code: 'internal_error' });
    assertOurHeaders(response.headers);
  }
  assert.ok(log.join('').includes('a secret reason'));
  const overloaded = await host.inject('/auth/fail/overloaded');
  assert.equal(overloaded.statusCode, 503);
  assert.equal(overloaded.headers['retry-after'], '1');
  assert.equal((await host.inject('/auth/fail/retry')).headers['retry-after'], '3');
  const conflict = await host.inject('/auth/fail/email_taken');
  assert.deepEqual(conflict.json(), { detail: 'Email already taken', code: 'email_taken' });
  assert.ok(log.join('').includes('reason for the log'));
});

test('of a database that is away each failure is a line of the log, with the reason and its code, without stacks', async (t) => {
  const { host, log } = await startHost(t);
  assert.equal((await host.inject('/auth/fail/database')).statusCode, 503);
  const told = log.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'request failed');
  assert.equal(told.length, 1);
  const { level, time, pid, hostname, reqId, ...fields } = told[0];
  assert.equal(level, 40);
  assert.deepEqual(fields, {
    code: 'database_unavailable',
    reason: 'what was committed may not be on disk: no space left',
    cause_code: 'ENOSPC',
    msg: 'request failed',
  });
});

test('nothing of ours reaches the routes of the host', async (t) => {
  const { host } = await startHost(t);
  host.setErrorHandler((error, _request, reply) => reply.code(418).send({ host: String(error) }));
  host.setSerializerCompiler(() => () => '"the host serialises"');
  host.post(
    '/host',
    { schema: { body: Type.Object({ n: Type.Integer({ default: 1 }) }) } },
    async (request) => request.body,
  );
  host.get('/host', { schema: { response: { 200: Type.Object({}) } } }, async () => ({}));
  host.get('/throws', async () => {
    throw new DoorwardError('email_taken');
  });
  // A guard of ours on a route of the host, whatever its schemas and its error handler are.
  const onRequest: onRequestHookHandler = (_request, reply) => {
    sendFailure(reply, new DoorwardError('invalid_token'));
  };
  host.get('/guarded', { onRequest, schema: { response: { '4xx': Type.Object({}) } } }, async () => 'x');

  const missing = await host.inject('/nothing');
  assert.deepEqual(missing.json(), {
    message: 'Route GET:/nothing not found',
    error: 'Not Found',
    statusCode: 404,
  });
  assert.equal(missing.headers['x-request-id'], undefined);
  assert.equal((await host.inject({ method: 'PUT', url: '/host' })).statusCode, 404);
  assert.equal((await host.inject({ method: 'POST', url: '/host', payload: {} })).body, '{"n":1}');
  assert.equal((await host.inject('/host')).body, '"the host serialises"');
  const broken = await host.inject({ ...json('{'), url: '/host' });
  assert.equal(broken.statusCode, 418);
  assert.match(broken.json().host, /FST_ERR_CTP_INVALID_JSON_BODY|not valid JSON/);
  assert.equal((await host.inject('/throws')).statusCode, 418);
  assert.equal((await host.inject('/host')).headers['content-security-policy'], undefined);

  const guarded = await host.inject('/guarded');
  assert.equal(guarded.statusCode, 401);
  assert.deepEqual(guarded.json(), { detail: 'Could not validate credentials', code: 'invalid_token' });
  assert.equal(guarded.headers['www-authenticate'], 'Bearer error="invalid_token"');
  assert.equal(guarded.headers['cache-control'], 'no-store');

  // What a hook of the host refuses on purpose in front of our routes, the host answers.
  const limited = await host.inject('/auth/fail/host');
  assert.equal(limited.statusCode, 418);
  assert.equal(limited.json().host, 'Error: slow down');
  assert.equal((await host.inject('/auth/fail/error')).statusCode, 500);
  assert.equal((await host.inject(json(JSON.stringify(signup)))).statusCode, 201);
});

test('a route that does not say who may use it makes the start fail', async (t) => {
  const guard = () => {};
  for (const config of [{}, { access: 'everybody' }, { access: 'toString' }]) {
    const app = Fastify();
    t.after(() => app.close());
    app.register(async (ours) => {
      installAccess(ours, { currentUser: guard, activeUser: guard, adminUser: guard });
      ours.register(async (child) => {
        child.get('/secret', { config: config as object }, async () => 'secret');
      });
    });
    await assert.rejects(async () => app.ready(), /GET \/secret does not declare who may use it/);
  }
});

test('any JSON and any form is answered without a 5xx', async (t) => {
  const { host } = await startHost(t, serverOptions);
  const field = fc.oneof(
    fc.constantFrom('email', 'password', 'name', 'username', '__proto__'),
    fc.string({ unit: 'binary' }),
  );
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.emailAddress(),
    fc.constantFrom('Password1!', '%', '\0'),
  );
  const body = fc.oneof(
    fc.dictionary(field, fc.oneof(text, fc.jsonValue())).map((value) => json(JSON.stringify(value))),
    fc.json().map((value) => json(value)),
    fc.uint8Array({ maxLength: 60 }).map((value) => json(Buffer.from(value))),
    fc.string({ unit: 'binary' }).map((value) => form(value)),
    fc.webQueryParameters().map((value) => form(`username=${value}&password=${value}`)),
    fc
      .webPath()
      .map(
        (path): InjectOptions => ({ method: 'DELETE', url: `/auth/users/${path.slice(1)}`, headers: admin }),
      ),
    fc
      .webQueryParameters()
      .map((query): InjectOptions => ({ url: `/auth/users?limit=${query}`, headers: admin })),
  );
  await fc.assert(
    fc.asyncProperty(body, async (request) => {
      const response = await host.inject(request);
      assert.ok(response.statusCode < 500, response.body);
    }),
    { numRuns: 1000 },
  );
});

/** Sends `text` as it is and reads until the server closes the connection. */
function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.on('close', () => resolve(received));
    socket.on('error', reject);
  });
}

test('what the HTTP parser refuses is answered in our shape, then the connection ends', async (t) => {
  const { host } = await startHost(t, {
    ...serverOptions,
    requestTimeout: 200,
    http: { headersTimeout: 100, connectionsCheckingInterval: 50 },
  } as FastifyServerOptions);
  host.setNotFoundHandler(sendNotFound);
  await host.listen({ port: 0, host: '127.0.0.1' });
  const address = host.server.address();
  assert.ok(address !== null && typeof address === 'object');
  const { port } = address;
  const cases: [name: string, text: string, status: string, code: string][] = [
    ['no HTTP', 'NONSENSE\r\n\r\n', '400 Bad Request', 'bad_request'],
    ['broken header', 'GET / HTTP/1.1\r\nHost: x\r\nbroken header\r\n\r\n', '400 Bad Request', 'bad_request'],
    [
      'large header',
      `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(32_768)}\r\n\r\n`,
      '431 Request Header Fields Too Large',
      'header_fields_too_large',
    ],
    ['slow header', 'GET / HTTP/1.1\r\nHost: x\r\n', '408 Request Timeout', 'request_timeout'],
    [
      'slow body',
      'POST /auth/signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
      '408 Request Timeout',
      'request_timeout',
    ],
    [
      'smuggling',
      'POST /auth/signup HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      '400 Bad Request',
      'bad_request',
    ],
  ];
  for (const [name, text, status, code] of cases) {
    const answer = await exchange(port, text);
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    assert.ok(head.startsWith(`HTTP/1.1 ${status}\r\n`), `${name}: ${answer}`);
    assert.equal(JSON.parse(body).code, code, name);
    assert.match(head, /^x-request-id: \S+$/im, name);
    assert.match(head, /^connection: close$/im, name);
    assert.match(head, /^x-content-type-options: nosniff$/im, name);
    assert.match(head, new RegExp(`^content-length: ${body.length}$`, 'im'), name);
    assert.doesNotMatch(head, /^server:/im, name);
  }
  const large = await exchange(
    port,
    `POST /auth/signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n${' '.repeat(1000)}`,
  );
  assert.match(large, /^HTTP\/1\.1 413 /);
  assert.match(large, /"code":"payload_too_large"/);
  const twoHosts = 'GET /auth/users HTTP/1.1\r\nHost: x\r\nhost: x\r\nConnection: close\r\n\r\n';
  assert.match(await exchange(port, twoHosts), /^HTTP\/1\.1 400 .*"code":"bad_request"/s);
  const first = await exchange(port, 'GET /nothing HTTP/1.1\r\nHost: x\r\n\r\nNONSENSE\r\n\r\n');
  assert.match(first, /^HTTP\/1\.1 40[04] /);
});
