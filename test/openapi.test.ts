import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { describe, it } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { createTestDoorward, type TestDoorward } from '../src/testing/index.ts';
import { checkEveryAnswer, createConformanceCheck } from './support/openapi-conformance.ts';
import { linkIn, startSmtp } from './support/smtp.ts';

const conformance = checkEveryAnswer();
const password = 'SecurePass123!';

/** Makes a request for each answer of the table: method, path, options, status. */
async function expectAnswers(
  test: TestDoorward,
  table: [Parameters<TestDoorward['request']>[0], string, Parameters<TestDoorward['request']>[2], number][],
) {
  for (const [method, path, options, status] of table) {
    const answer = await test.request(method, path, options);
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
  }
}

/** An `Authorization` header of a service. */
async function serviceCredential({ doorward }: TestDoorward): Promise<string> {
  const { secret } = await doorward.services.create('billing');
  return `Basic ${Buffer.from(`billing:${secret}`).toString('base64')}`;
}

describe('every answer is as the document says', () => {
  it('where all goes well', async () => {
    const test = await createTestDoorward();
    const token = await test.doorward.admin.setupToken();
    const ada = { email: 'ada@example.com', password, name: 'Ada' };
    await expectAnswers(test, [
      ['GET', '/health/live', {}, 200],
      ['GET', '/health/ready', {}, 200],
      ['GET', '/.well-known/jwks.json', {}, 200],
      ['POST', '/auth/setup', { json: { ...ada, token } }, 201],
      ['POST', '/auth/signup', { json: { ...ada, email: 'grace@example.com' } }, 201],
      ['POST', '/auth/login', { form: { username: ada.email, password } }, 200],
      ['POST', '/auth/login', { json: { username: ada.email, password } }, 200],
    ]);
    const admin = {
      token: (await test.request('POST', '/auth/login', { form: { username: ada.email, password } })).body
        .access_token,
    };
    const user = await test.signIn();
    const { outbox, kernel } = test.doorward;
    const mail = {
      kind: 'account_restored',
      to: ada.email,
      user_id: null,
      locale: 'en',
      params: {},
    } as const;
    await kernel.db.transaction((tx) => outbox.enqueue(tx, mail));
    const [asked] = (await outbox.list({ kind: mail.kind, limit: 1 })).mails;
    await expectAnswers(test, [
      ['GET', '/auth/me', admin, 200],
      ['GET', '/auth/me/activity', admin, 200],
      ['GET', '/auth/me/export', admin, 200],
      ['GET', '/auth/audit-events?limit=1', admin, 200],
      ['GET', '/auth/audit-events?kind=x', admin, 422],
      ['GET', '/auth/audit-events/export', admin, 200],
      ['GET', '/auth/audit-events/verification', admin, 200],
      ['POST', '/auth/audit-events/verify', admin, 200],
      ['GET', '/auth/audit-events/verification', admin, 200],
      ['GET', '/auth/keys', admin, 200],
      ['GET', '/auth/settings', admin, 200],
      ['GET', '/auth/status', admin, 200],
      ['GET', '/auth/statistics', admin, 200],
      ['GET', '/auth/statistics?days=0', admin, 422],
      ['POST', '/auth/keys/rotate', admin, 201],
      ['GET', '/auth/outbox', admin, 200],
      ['GET', '/auth/outbox?kind=x', admin, 422],
      ['GET', `/auth/outbox/${asked?.id}`, admin, 200],
      ['GET', `/auth/outbox/${asked?.id}/html`, admin, 200],
      ['GET', '/auth/outbox/99', admin, 404],
      ['POST', `/auth/outbox/${asked?.id}/resend`, admin, 202],
      ['POST', '/auth/outbox/99/resend', admin, 404],
      ['PUT', '/auth/me', { ...admin, json: { name: 'Ada L.' } }, 200],
      ['PATCH', '/auth/me', { ...admin, json: { email: 'ada.l@example.com' } }, 200],
      ['GET', '/auth/users?count=true&limit=1', admin, 200],
      ['POST', '/auth/users', { ...admin, json: { ...ada, email: 'new@example.com', is_admin: true } }, 201],
      ['POST', '/auth/users/import', { ...admin, json: { dry_run: true, rows: [ada, {}] } }, 200],
      ['GET', '/auth/users/2', admin, 200],
      ['GET', '/auth/users/2/life-cycle', admin, 200],
      ['POST', '/auth/users/2/reset-password', admin, 202],
      ['PATCH', '/auth/users/2', { ...admin, json: { name: 'Grace' } }, 200],
      ['POST', '/auth/users/2/deactivate', admin, 200],
      ['POST', '/auth/users/2/activate', admin, 200],
      ['POST', '/auth/users/2/unlock', admin, 204],
      ['DELETE', '/auth/users/2', admin, 204],
      [
        'POST',
        '/auth/me/password',
        { token: user.access_token, json: { current_password: password, new_password: 'Another-Pass-9!' } },
        200,
      ],
      [
        'DELETE',
        '/auth/me',
        { token: user.access_token, json: { current_password: 'Another-Pass-9!' } },
        204,
      ],
    ]);
    await test.close();
  });

  it('of sessions and for services', async () => {
    const test = await createTestDoorward();
    const admin = { token: (await test.signIn({ is_admin: true })).access_token };
    const user = await test.signIn();
    const asUser = { token: user.access_token };
    const service = { headers: { authorization: await serviceCredential(test) } };
    const { body: sessions } = await test.request('GET', '/auth/me/sessions', asUser);
    const third = await test.signIn();
    const [thirds] = await test.doorward.sessions.list(third.id);
    const { body: revocations, headers } = await test.request('GET', '/auth/revocations');
    assert.equal(revocations, undefined);
    await expectAnswers(test, [
      ['POST', '/auth/refresh', { json: { refresh_token: user.refresh_token } }, 200],
      ['POST', '/auth/refresh', { form: { grant_type: 'refresh_token', refresh_token: 'x' } }, 401],
      ['POST', '/auth/refresh?transport=cookie', { headers: { 'sec-fetch-site': 'cross-site' } }, 403],
      ['GET', '/auth/users/2/sessions', admin, 200],
      ['GET', '/auth/users/99/sessions', admin, 404],
      ['DELETE', '/auth/users/99/sessions', admin, 404],
      ['DELETE', '/auth/users/99/sessions/x', admin, 404],
      ['DELETE', '/auth/users/2/sessions/x', admin, 404],
      ['POST', '/auth/introspect', { ...service, form: { token: user.access_token } }, 200],
      ['POST', '/auth/introspect', { ...service, json: { token: 'x' } }, 200],
      ['DELETE', '/auth/me/sessions', asUser, 204],
      ['DELETE', '/auth/me/sessions/nobody', asUser, 404],
      ['GET', '/auth/revocations', { headers: { 'if-none-match': headers.etag ?? '' } }, 304],
      ['GET', '/auth/revocations?cursor=x', {}, 422],
      ['DELETE', `/auth/users/${third.id}/sessions/${thirds?.id}`, admin, 204],
      ['DELETE', `/auth/me/sessions/${sessions[0].id}`, asUser, 204],
      ['POST', '/auth/logout', asUser, 401],
      ['POST', '/auth/revoke', { ...service, form: { token: user.refresh_token } }, 200],
      ['DELETE', '/auth/users/2/sessions', admin, 204],
      ['POST', '/auth/logout', admin, 204],
    ]);
    await test.close();
  });

  it('of what begins with a mail', async (t) => {
    const smtp = await startSmtp(t);
    const test = await createTestDoorward({ MAIL_URL: smtp.url, EMAIL_LOGIN: 'on' });
    const user = await test.signIn({ email: 'linus@example.com' });
    const { access_token: token } = user;
    const change = async (email: string) => {
      await expectAnswers(test, [['PUT', '/auth/me', { token, json: { email } }, 200]]);
      await test.doorward.outbox.work();
      return linkIn(await smtp.waitFor(email)).token;
    };
    const confirmation = await change('linus.b@example.com');
    const undo = linkIn(await smtp.waitFor('linus@example.com')).token;
    await expectAnswers(test, [
      ['POST', '/auth/change-email', { json: { token: confirmation } }, 200],
      ['POST', '/auth/change-email', { json: { token: confirmation } }, 400],
      ['POST', '/auth/change-email', { json: { code: '123456' } }, 401],
      ['POST', '/auth/change-email', { json: { code: '123456' }, token }, 400],
      ['POST', '/auth/change-email/undo', { json: { token: undo } }, 200],
      ['POST', '/auth/change-email/undo', { json: { token: undo } }, 400],
    ]);

    const { access_token } = await test.signIn({ is_admin: true });
    const admin = { token: access_token };
    const email = 'invited@example.com';
    const name = 'Invited';
    await expectAnswers(test, [
      ['POST', '/auth/invitations', { ...admin, json: { email } }, 201],
      ['POST', '/auth/invitations', { ...admin, json: { email } }, 409],
      ['POST', '/auth/invitations', { ...admin, json: { email: 'other@example.com', name } }, 201],
      ['GET', '/auth/invitations', admin, 200],
      ['GET', '/auth/invitations?limit=0', admin, 422],
      ['DELETE', '/auth/invitations/2', admin, 204],
      ['DELETE', '/auth/invitations/2', admin, 404],
      ['POST', '/auth/invitations/1/resend', admin, 200],
      ['POST', '/auth/invitations/2/resend', admin, 404],
    ]);
    await test.doorward.outbox.work();
    const { token: accepted } = linkIn(await smtp.waitFor(email));
    const received = smtp.mails.filter(({ to_envelope }) => to_envelope.includes(email)).length;
    await expectAnswers(test, [
      ['POST', '/auth/invitations/show', { json: { token: accepted } }, 200],
      ['POST', '/auth/invitations/show', { json: { token: 'x' } }, 400],
      ['POST', '/auth/invitations/accept', { json: { token: accepted, password } }, 422],
      ['POST', '/auth/invitations/accept', { json: { token: accepted, password, name } }, 201],
      ['POST', '/auth/invitations/accept', { json: { token: accepted, password, name } }, 400],
      ['POST', '/auth/login/email', { json: { email } }, 202],
    ]);
    await test.doorward.outbox.work();
    const { token: login } = linkIn(await smtp.waitFor(email, received + 1));
    await expectAnswers(test, [
      ['POST', '/auth/login/email/verify', { json: { token: login } }, 200],
      ['POST', '/auth/login/email/verify', { json: { token: login } }, 400],
      ['POST', '/auth/login/email/verify?transport=cookie', { json: { token: login } }, 403],
    ]);
    test.clock.advance(3600);
    await test.close();
  });

  it('of verification and recovery', async () => {
    const test = await createTestDoorward();
    const email = 'mary@example.com';
    await expectAnswers(test, [
      ['POST', '/auth/signup', { json: { email, password, name: 'Mary' } }, 201],
      ['POST', '/auth/verify-email/request', { json: { email } }, 202],
      ['POST', '/auth/forgot-password', { json: { email } }, 202],
    ]);
    const mails = await test.mails();
    const tokenOf = (kind: string) => mails.findLast((mail) => mail.kind === kind)?.token;
    const { access_token: token } = await test.doorward.sessions.logIn({
      username: email,
      password,
      client: { network: '', userAgent: 'test' },
    });
    const verified = { token: tokenOf('verify_email') };
    const reset = { token: tokenOf('reset_password'), new_password: 'Another-Pass-9!' };
    const code = { code: '123456', email };
    await expectAnswers(test, [
      ['POST', '/auth/verify-email', { json: { code: 'x' }, token }, 400],
      ['POST', '/auth/verify-email', { json: { code: '123456' } }, 422],
      ['POST', '/auth/verify-email', { json: code }, 400],
      ['POST', '/auth/verify-email', { json: verified, token }, 200],
      ['POST', '/auth/verify-email', { json: verified }, 400],
      ['POST', '/auth/verify-email/request', { token }, 202],
      ['POST', '/auth/verify-email/request', {}, 422],
      ['POST', '/auth/reset-password', { json: { ...code, new_password: password } }, 400],
      ['POST', '/auth/reset-password', { json: { ...reset, new_password: 'too short' } }, 422],
      ['POST', '/auth/reset-password', { json: reset }, 200],
      ['POST', '/auth/reset-password', { json: reset }, 400],
      ['POST', '/auth/verify-email/request', { token }, 401],
    ]);
    await test.close();

    const hidden = await createTestDoorward({ REQUIRE_VERIFIED_EMAIL: 'on', HIDE_REGISTERED_EMAILS: 'on' });
    await expectAnswers(hidden, [
      ['POST', '/auth/signup', { json: { email, password, name: 'Mary' } }, 202],
      ['POST', '/auth/signup', { json: { email, password, name: 'Mary' } }, 202],
    ]);
    await hidden.close();
  });

  it('where a rule says no', async () => {
    const test = await createTestDoorward();
    const admin = await test.signIn({ is_admin: true });
    const other = await test.signIn();
    const user = { token: other.access_token };
    const asAdmin = { token: admin.access_token };
    const taken = { email: admin.email, password, name: 'Ada' };
    await expectAnswers(test, [
      ['POST', '/auth/signup', { json: taken }, 409],
      ['POST', '/auth/setup', { json: { ...taken, token: 'wrong' } }, 403],
      ['POST', '/auth/login', { form: { username: 'nobody@example.com', password } }, 401],
      ['PUT', '/auth/me', { ...user, json: { email: admin.email } }, 409],
      ['PATCH', '/auth/me', { ...user, json: { email: admin.email } }, 409],
      [
        'POST',
        '/auth/me/password',
        { ...user, json: { current_password: 'wrong', new_password: password } },
        400,
      ],
      ['DELETE', '/auth/me', { ...user, json: { current_password: 'wrong' } }, 400],
      ['DELETE', '/auth/me', { ...asAdmin, json: { current_password: password } }, 409],
      ['POST', '/auth/users', { ...asAdmin, json: taken }, 409],
      ['PATCH', `/auth/users/${other.id}`, { ...asAdmin, json: { email: admin.email } }, 409],
      ['PATCH', `/auth/users/${admin.id}`, { ...asAdmin, json: { is_admin: false } }, 409],
      ['PATCH', `/auth/users/${admin.id}`, { ...asAdmin, json: { is_active: false } }, 400],
      ['DELETE', `/auth/users/${admin.id}`, asAdmin, 400],
      ['POST', `/auth/users/${admin.id}/deactivate`, asAdmin, 400],
    ]);
    for (const [method, path] of [
      ['GET', '/auth/users/99'],
      ['GET', '/auth/users/99/life-cycle'],
      ['POST', '/auth/users/99/reset-password'],
      ['PATCH', '/auth/users/99'],
      ['DELETE', '/auth/users/99'],
      ['POST', '/auth/users/99/activate'],
      ['POST', '/auth/users/99/deactivate'],
      ['POST', '/auth/users/99/unlock'],
    ] as const) {
      const json = method === 'PATCH' ? { json: { name: 'X' } } : {};
      await expectAnswers(test, [[method, path, { ...asAdmin, ...json }, 404]]);
    }
    await test.doorward.admin.change(other.id, { is_active: false });
    await expectAnswers(test, [['POST', `/auth/users/${other.id}/reset-password`, asAdmin, 409]]);
    await expectAnswers(test, [
      ['GET', '/auth/me', user, 403],
      ['POST', '/auth/login', { form: { username: other.email, password } }, 403],
    ]);
    await test.close();

    const closed = await createTestDoorward({ REGISTRATION: 'closed' });
    await expectAnswers(closed, [['POST', '/auth/signup', { json: taken }, 403]]);
    await closed.close();
  });

  it('on every operation without a token, with a bad one and without the right', async () => {
    const test = await createTestDoorward();
    const { access_token: token } = await test.signIn();
    for (const { method, path, operation } of await operations(test)) {
      if (operation.security === undefined) continue;
      const isOptional = JSON.stringify(operation.security).startsWith('[{}');
      const answer = await test.request(method, path);
      if (!isOptional) assert.equal(answer.status, 401, `${method} ${path}`);
      assert.equal((await test.request(method, path, { token: 'x.y.z' })).status, 401, `${method} ${path}`);
      if (path.startsWith('/auth/users'))
        assert.equal((await test.request(method, path, { token })).status, 403);
    }
    await test.close();
  });

  it('on every operation that reads a body, for a body that it does not take', async () => {
    const test = await createTestDoorward({ EMAIL_LOGIN: 'on' });
    const { access_token: token } = await test.signIn({ is_admin: true });
    const basic = await serviceCredential(test);
    for (const { method, path, operation } of await operations(test)) {
      if (method === 'GET') continue;
      const isForServices = JSON.stringify(operation.security ?? []).includes('ServiceCredential');
      const authorization = isForServices ? basic : `Bearer ${token}`;
      const headers = { authorization };
      await expectAnswers(test, [
        [
          method,
          path,
          { form: { a: '1' }, headers: { ...headers, 'content-type': 'application/json' } },
          422,
        ],
        [
          method,
          path,
          { json: { name: 'x'.repeat(path === '/auth/users/import' ? 1_100_000 : 70_000) }, headers },
          413,
        ],
        [method, path, { json: {}, headers: { ...headers, 'content-type': 'text/plain' } }, 415],
      ]);
      if (operation.requestBody === undefined) continue;
      await expectAnswers(test, [
        [method, path, { json: { surprise: 1 }, headers }, 422],
        [method, path, { json: null, headers }, 422],
      ]);
    }
    await expectAnswers(test, [
      ['GET', '/auth/users?limit=0', { token }, 422],
      ['GET', '/auth/users/abc', { token }, 422],
      ['DELETE', '/auth/users/abc', { token }, 422],
      ['DELETE', '/auth/signup', {}, 405],
      ['POST', '/auth/me', {}, 405],
    ]);
    await test.close();
  });

  it('where the password hashes queue up', async () => {
    const test = await createTestDoorward({ HASH_CONCURRENCY: 1, HASH_QUEUE_LIMIT: 0 });
    const gate = Promise.withResolvers<void>();
    const held = test.doorward.passwords.queue.run(() => gate.promise);
    const attempts = Array.from({ length: 8 }, () =>
      test.request('POST', '/auth/login', { form: { username: 'nobody@example.com', password } }),
    );
    const statuses = (await Promise.all(attempts)).map(({ status }) => status);
    assert.deepEqual(statuses, Array(8).fill(503));
    gate.resolve();
    await held;
    await test.close();
  });

  it('over a real connection, a HEAD included', async () => {
    const test = await createTestDoorward();
    const origin = await test.app.listen({ host: '127.0.0.1', port: 0 });
    const status = await new Promise((resolve, reject) => {
      httpRequest(`${origin}/health/live`, { method: 'HEAD' }, (answer) =>
        resolve(answer.resume().statusCode),
      )
        .on('error', reject)
        .end();
    });
    assert.equal(status, 200);
    await test.close();
  });

  it('and no operation was left out', async () => {
    const test = await createTestDoorward({ EMAIL_LOGIN: 'on' });
    const all = await operations(test);
    const succeeded = [...conformance.seen].filter((answer) => / 20\d$/.test(answer));
    assert.deepEqual(
      all
        .map(({ method, route }) => `${method} ${route}`)
        .filter((name) => !succeeded.some((one) => one.startsWith(`${name} `))),
      [],
    );
    await test.close();
  });
});

describe('the check itself', () => {
  const check = createConformanceCheck({
    paths: {
      '/a/{id}': {
        get: {
          responses: {
            '200': { content: { 'application/json': { schema: { type: 'object', required: ['id'] } } } },
            '204': {},
          },
        },
      },
    },
  });
  const answer = {
    method: 'GET',
    route: '/a/{id}',
    status: 200,
    contentType: 'application/json',
    body: '{"id":1}',
  };
  const scenarios: [string, Partial<typeof answer>, RegExp | undefined][] = [
    ['passes what fits', {}, undefined],
    ['passes an answer without a body', { status: 204, contentType: '', body: '' }, undefined],
    ['passes a 405 of another method', { method: 'PUT', status: 405 }, undefined],
    ['leaves other routes alone', { route: '/b', status: 500 }, undefined],
    ['finds another status', { status: 404 }, /status is not in the document/],
    ['finds another method', { method: 'PUT' }, /operation is not in the document/],
    ['finds another content type', { contentType: 'text/html' }, /content type text\/html/],
    ['finds a body where there is none', { status: 204 }, /no body is documented/],
    ['finds a missing field', { body: '{}' }, /must have required property 'id'/],
  ];
  for (const [name, changes, expected] of scenarios) {
    it(name, () => {
      const fault = check({ ...answer, ...changes });
      if (expected === undefined) assert.equal(fault, undefined);
      else assert.match(fault ?? '', expected);
    });
  }
});

interface Operation {
  security?: unknown;
  requestBody?: unknown;
}

async function operations(test: TestDoorward) {
  const { paths } = (await test.request('GET', '/openapi.json')).body as {
    paths: Record<string, Record<string, Operation>>;
  };
  return Object.entries(paths).flatMap(([route, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase() as Parameters<TestDoorward['request']>[0],
      route,
      path: route.replace('{user_id}', '99'),
      operation,
    })),
  );
}

describe('the document', () => {
  it('is valid OpenAPI 3.1', async () => {
    const test = await createTestDoorward();
    const { body } = await test.request('GET', '/openapi.json');
    const { valid, errors } = await new Validator().validate(body);
    assert.equal(valid, true, JSON.stringify(errors));
    assert.match(body.openapi, /^3\.1\./);
    await test.close();
  });
});
