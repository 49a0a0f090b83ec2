import assert from 'node:assert/strict';
import { request } from 'node:http';
import { type TestContext, test } from 'node:test';
import Fastify, { type FastifyInstance } from 'fastify';
import { createTestDoorward } from '../testing/index.ts';

/** Sends a request target as it is, over a socket. */
async function send(app: FastifyInstance, method: string, path: string) {
  const address = app.server.address();
  assert.ok(address !== null && typeof address === 'object');
  const { promise, resolve, reject } = Promise.withResolvers<{
    status: number;
    allow: string | undefined;
    body: string;
  }>();
  const body = method === 'POST' ? '{}' : '';
  const headers = { 'content-type': 'application/json', 'content-length': body.length };
  const sent = request({ host: '127.0.0.1', port: address.port, method, path, headers }, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (part) => {
      text += part;
    });
    response.on('end', () =>
      resolve({ status: response.statusCode ?? 0, allow: response.headers.allow, body: text }),
    );
  });
  sent.on('error', reject).end(body);
  return promise;
}

const otherSpellings = [
  '/auth//login',
  '//auth/login',
  '/auth/login/',
  '/auth/login//',
  '/AUTH/login',
  '/auth/Login',
  '/auth/%6cogin',
  '/auth/%6Cogin',
  '/%61uth/login',
  '/auth%2flogin',
  '/auth/./login',
  '/auth/x/../login',
  '/auth/login;x',
  '/auth/login%3Fx',
  '/auth/login%20',
  '/auth/login#x',
  '/auth/login%00',
  '/auth/users/',
  '/auth/users/%31',
  '/auth/users/1/activate/',
  '/auth/users//activate',
  '/auth/me/sessions/',
];

async function assertOneWay(
  t: TestContext,
  app: FastifyInstance,
  paths: readonly string[],
  methods = ['POST', 'GET', 'DELETE'],
): Promise<void> {
  await app.listen({ port: 0, host: '127.0.0.1' });
  t.after(() => app.close());
  for (const method of methods) {
    for (const path of paths) {
      const { status, body } = await send(app, method, path);
      assert.deepEqual([status, JSON.parse(body).code], [404, 'not_found'], `${method} ${path}`);
    }
  }
  assert.equal((await send(app, 'POST', '/auth/login')).status, 422);
  assert.equal((await send(app, 'POST', '/auth/login?transport=body')).status, 422);
  assert.equal((await send(app, 'POST', 'http://x.example/auth/login')).status, 422);
  assert.equal((await send(app, 'GET', '/auth/users/1')).status, 401);
}

test('a path that is spelled otherwise is another path', async (t) => {
  const { app, close } = await createTestDoorward();
  t.after(() => close());
  await assertOneWay(t, app, otherSpellings, ['POST', 'GET', 'DELETE', 'PROPFIND']);
});

test('also in a host whose router forgives', async (t) => {
  const { doorward, close } = await createTestDoorward();
  const host = Fastify({
    routerOptions: { caseSensitive: false, ignoreTrailingSlash: true, ignoreDuplicateSlashes: true },
  });
  await host.register(doorward.plugin);
  t.after(() => close());
  // What no route of ours matches is the host's.
  const ours = otherSpellings.filter((path) => !/%2f|\.\/|;|%3F|%20|%00|x\/\.\./.test(path));
  await assertOneWay(t, host, ours);
});

test('a method that nothing knows is 405 on a known path', async (t) => {
  const { app, close } = await createTestDoorward();
  await app.listen({ port: 0, host: '127.0.0.1' });
  t.after(() => close());
  for (const method of ['PROPFIND', 'QUERY', 'TRACE', 'MKCOL', 'PURGE']) {
    const { status, allow, body } = await send(app, method, '/auth/login');
    assert.deepEqual([status, allow, JSON.parse(body).code], [405, 'POST', 'method_not_allowed'], method);
    assert.equal((await send(app, method, '/auth/nothing')).status, 404);
  }
  for (const path of [
    '/auth/users/5',
    '/auth/users/import',
    '/auth/users/5/sessions',
    '/console/x',
    '/docs',
  ]) {
    const [known, unknown] = [await send(app, 'TRACE', path), await send(app, 'PROPFIND', path)];
    assert.deepEqual([unknown.status, unknown.allow], [405, known.allow], path);
  }
});
