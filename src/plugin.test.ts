import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fastifySwagger from '@fastify/swagger';
import Fastify from 'fastify';
import { createTestDoorward } from './testing/index.ts';

async function open(t: TestContext) {
  const { doorward, close } = await createTestDoorward();
  t.after(close);
  const host = Fastify();
  t.after(() => host.close());
  return { doorward, host };
}

test('a host may document its routes and ours with its own @fastify/swagger', async (t) => {
  const { doorward, host } = await open(t);
  const scheme = { type: 'http', scheme: 'bearer' } as const;
  await host.register(fastifySwagger, { openapi: { components: { securitySchemes: { own: scheme } } } });
  await host.register(doorward.plugin, { docs: false });
  host.get('/own', { schema: { security: [{ own: [] }] } }, async () => ({}));
  await host.ready();
  const { paths } = host.swagger() as { paths: Record<string, unknown> };
  assert.ok(paths['/own'] && paths['/auth/logout']);
});

test('two of them live in one host, the second in a context of its own without what has one place', async (t) => {
  const { doorward, host } = await open(t);
  const other = await open(t);
  await host.register(doorward.plugin);
  const none = { docs: false, health: false, jwks: false, pages: false };
  await host.register(async (child) => {
    await child.register(other.doorward.plugin, { prefix: '/tenants/auth', ...none });
  });
  const { email, password } = await signUp(other.doorward);
  const logIn = (prefix: string) =>
    host.inject({ method: 'POST', url: `${prefix}/login`, payload: { username: email, password } });
  assert.equal((await logIn('/tenants/auth')).statusCode, 200);
  assert.equal((await logIn('/auth')).statusCode, 401);
});

test('without a prefix the 404 is the host’s', async (t) => {
  for (const prefix of ['', '/']) {
    const { doorward, host } = await open(t);
    host.setNotFoundHandler((_request, reply) => reply.code(404).send({ host: true }));
    await host.register(doorward.plugin, { prefix });
    assert.deepEqual((await host.inject('/nothing')).json(), { host: true }, prefix);
    assert.equal((await host.inject('/me')).statusCode, 401, prefix);
  }
});

test('also in a context of the host that has one', async (t) => {
  for (const prefix of ['', '/']) {
    const { doorward, host } = await open(t);
    await host.register(
      async (child) => {
        child.setNotFoundHandler((_request, reply) => reply.code(404).send({ host: true }));
        await child.register(doorward.plugin, { prefix });
      },
      { prefix: '/api' },
    );
    assert.deepEqual((await host.inject('/api/nothing')).json(), { host: true }, prefix);
    assert.equal((await host.inject('/api/me')).statusCode, 401, prefix);
  }
});

test('a token that is no text is refused as a bad one', async (t) => {
  const { doorward } = await open(t);
  for (const token of [undefined, null, 1, {}])
    await assert.rejects(doorward.sessions.authenticate(token as string), { code: 'invalid_token' });
});

async function signUp(doorward: Awaited<ReturnType<typeof open>>['doorward']) {
  const account = { email: 'ada@example.com', password: 'SecurePass123!' };
  await doorward.accounts.signUp({ ...account, name: 'Ada' });
  return account;
}
