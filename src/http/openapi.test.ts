import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import chromium from '@sparticuz/chromium';
import Fastify, { type FastifyInstance } from 'fastify';
import { chromium as playwright } from 'playwright-core';
import Type from 'typebox';
import { installAccess } from './access.ts';
import { installBodyParsers } from './body-parsers.ts';
import { registerOpenApi } from './openapi.ts';
import { installReplies, refuseOtherMethods } from './replies.ts';
import { Closed, Email, NewPassword, QueryInteger, Text, UserPath, UserRead } from './schema.ts';
import { createSerializerCompiler } from './serialization.ts';
import { createValidatorCompiler } from './validation.ts';

const optional = Type.Optional(Text());

async function addRoutes(app: FastifyInstance): Promise<void> {
  const login = Closed({ username: Text(), password: Text(), grant_type: optional, scope: optional });
  app.post('/login', { config: { access: 'public', form: true }, schema: { body: login } }, async () => ({
    access_token: 'the-token',
    token_type: 'bearer',
  }));
  app.post(
    '/signup',
    {
      config: { access: 'public' },
      schema: {
        tags: ['accounts'],
        operationId: 'signup',
        body: Closed({ email: Email, password: NewPassword }),
        response: { 201: UserRead },
      },
    },
    async () => ({}),
  );
  app.get(
    '/me',
    { config: { access: 'activeUser' }, schema: { response: { 200: Type.Object({ sent: Type.String() }) } } },
    async (request) => ({
      sent: request.headers.authorization,
    }),
  );
  app.get(
    '/users',
    {
      config: { access: 'adminUser' },
      schema: {
        querystring: Type.Object({ skip: QueryInteger({ minimum: 0, default: 0 }), q: optional }),
        response: { 200: Type.Array(UserRead) },
      },
    },
    async () => [],
  );
  app.delete(
    '/users/:user_id',
    { config: { access: 'adminUser' }, schema: { params: UserPath, response: { 204: Type.Null() } } },
    async () => {},
  );
}

async function start(t: TestContext): Promise<FastifyInstance> {
  const host = Fastify();
  host.get('/host', async () => 'the host');
  host.register(async (app) => {
    app.setValidatorCompiler(createValidatorCompiler());
    app.setSerializerCompiler(createSerializerCompiler());
    installBodyParsers(app);
    installReplies(app);
    const refuse = refuseOtherMethods(app);
    await registerOpenApi(app, { base: '', prefix: '/auth', version: '1.2.3', title: 'Toy' });
    const admit = (_request: unknown, _reply: unknown, done: () => void) => done();
    installAccess(app, { currentUser: admit, activeUser: admit, adminUser: admit });
    app.register(addRoutes, { prefix: '/auth' });
    refuse();
  });
  t.after(() => host.close());
  await host.ready();
  return host;
}

test('the document is made from the schemas that validate, of our routes alone', async (t) => {
  const host = await start(t);
  const response = await host.inject('/openapi.json');
  assert.equal(response.statusCode, 200);
  assert.equal(response.headers['content-type'], 'application/json; charset=utf-8');
  assert.equal(response.headers['x-content-type-options'], 'nosniff');
  const document = response.json();
  assert.equal(document.openapi, '3.1.0');
  assert.deepEqual(document.info, { title: 'Toy', version: '1.2.3' });
  assert.deepEqual(document.components.securitySchemes, {
    OAuth2PasswordBearer: { type: 'oauth2', flows: { password: { tokenUrl: '/auth/login', scopes: {} } } },
    ServiceCredential: { type: 'http', scheme: 'basic' },
  });
  assert.deepEqual(Object.keys(document.components.schemas).sort(), ['Error', 'UserRead', 'ValidationError']);
  const operations = Object.entries(document.paths).map(
    ([path, item]) => `${path} ${Object.keys(item as object)}`,
  );
  assert.deepEqual(operations.sort(), [
    '/auth/login post',
    '/auth/me get',
    '/auth/signup post',
    '/auth/users get',
    '/auth/users/{user_id} delete',
  ]);

  const { post: login } = document.paths['/auth/login'];
  assert.deepEqual(Object.keys(login.requestBody.content), [
    'application/json',
    'application/x-www-form-urlencoded',
  ]);
  assert.equal(login.operationId, 'post_auth_login');
  assert.equal(login.security, undefined);

  const { post: signup } = document.paths['/auth/signup'];
  assert.equal(signup.operationId, 'signup');
  assert.deepEqual(signup.tags, ['accounts']);
  assert.deepEqual(signup.requestBody.content['application/json'].schema.properties.password, {
    type: 'string',
    minLength: 8,
    maxLength: 128,
    examples: ['Correct!Horse9'],
  });
  assert.deepEqual(Object.keys(signup.responses), ['201', '400', '413', '415', '422', '500', '503']);
  assert.deepEqual(signup.responses['201'].content['application/json'].schema, {
    $ref: '#/components/schemas/UserRead',
  });
  assert.deepEqual(signup.responses['422'].content['application/json'].schema, {
    $ref: '#/components/schemas/ValidationError',
  });

  const { get: users } = document.paths['/auth/users'];
  assert.deepEqual(users.security, [{ OAuth2PasswordBearer: [] }]);
  assert.deepEqual(Object.keys(users.responses), ['200', '400', '401', '403', '422', '500', '503']);
  const parameters = users.parameters.map((one: { name: string; required: boolean; schema: object }) => one);
  assert.deepEqual(parameters[0], {
    name: 'skip',
    in: 'query',
    required: false,
    schema: { type: 'integer', minimum: 0, default: 0 },
  });
  const { delete: remove } = document.paths['/auth/users/{user_id}'];
  assert.deepEqual(remove.parameters[0].schema, { type: 'integer' });
  assert.equal(remove.responses['204'].content, undefined);

  for (const leak of ['"text"', '~kind', '/host', '/docs', 'x-response-description', '"hide"']) {
    assert.ok(!response.body.includes(leak), leak);
  }
});

test('a host that documents itself with the same plugin gets a document of its own', async (t) => {
  const { default: swagger } = await import('@fastify/swagger');
  const host = Fastify();
  t.after(() => host.close());
  await host.register(swagger, { openapi: { openapi: '3.0.0', info: { title: 'Host', version: '1' } } });
  host.register(async (app) => {
    await registerOpenApi(app, { base: '', prefix: '/auth', version: '1', title: 'Ours' });
  });
  await host.ready();
  assert.equal((await host.inject('/openapi.json')).json().info.title, 'Ours');
  assert.equal(host.swagger().info.title, 'Host');
});

test('in a browser, the page runs under its policy and Authorize works with the password form', async (t) => {
  const host = await start(t);
  const origin = await host.listen({ port: 0, host: '127.0.0.1' });
  const policy = String((await host.inject('/docs')).headers['content-security-policy']);
  assert.ok(policy.includes("default-src 'none'; script-src 'self'; style-src 'self'"), policy);
  assert.ok(!/script-src[^;]*unsafe/.test(policy), policy);

  const browser = await playwright.launch({
    executablePath: await chromium.executablePath(),
    args: chromium.args,
    headless: true,
  });
  t.after(() => browser.close());
  const page = await browser.newPage();
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) =>
    requests.push(`${request.method()} ${request.url()} ${request.postData() ?? ''}`),
  );

  await page.goto(`${origin}/docs`);
  await page.click('button.authorize');
  await page.fill('#oauth_username', 'test@example.com');
  await page.fill('#oauth_password', 'Password1!');
  await page.click('button.modal-btn.auth.authorize');
  await page.waitForSelector('.auth-container >> text=Authorized');
  await page.click('button.btn-done');
  await page.click('#operations-default-get_auth_me');
  await page.click('#operations-default-get_auth_me button.execute');
  await page.waitForSelector('.live-responses-table >> text=Bearer the-token');

  assert.deepEqual(complaints, []);
  assert.ok(requests.some((request) => request.startsWith(`POST ${origin}/auth/login grant_type=password&`)));
  for (const request of requests) assert.match(request, new RegExp(`^(?:GET|POST) (?:${origin}/|data:)`));
});
