import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { serve } from '@hono/node-server';
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import { createDoorward } from '../../src/index.ts';
import type { GivenSettings } from '../../src/settings.ts';
import {
  createVerifier,
  VerificationError,
  type VerifiedVariables,
  type Verifier,
} from '../../src/verify/index.ts';
import { onEachDatabase } from '../support/databases.ts';
import { eventually } from './feed-server.ts';

const issuer = 'https://accounts.example';
const password = 'SecurePass123!';

async function startDoorward(
  t: TestContext,
  DATABASE_URL: string,
  more: GivenSettings & { at?: number } = {},
) {
  const { at = 0, ...settings } = more;
  const doorward = await createDoorward({
    DATABASE_URL,
    ISSUER: issuer,
    SECRET_KEY: 'verifiers-3f9c1b7e5a2d4860-not-a-sample',
    LOG_LEVEL: 'silent',
    ARGON2_MEMORY_KIB: 7168,
    ARGON2_PASSES: 5,
    ARGON2_LANES: 1,
    ...settings,
  });
  const url = await (await doorward.app()).listen({ host: '127.0.0.1', port: at });
  let isOpen = true;
  const close = async () => {
    if (isOpen) await doorward.close();
    isOpen = false;
  };
  t.after(close);
  const logIn = async (email: string) => {
    const client = { network: '127.0.0.1', userAgent: 'test' };
    return (await doorward.sessions.logIn({ username: email, password, client })).access_token;
  };
  const logOut = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` };
    assert.equal((await fetch(`${url}/auth/logout`, { method: 'POST', headers })).status, 204);
  };
  return { doorward, url, close, logIn, logOut, port: Number(new URL(url).port) };
}

function verifierOf(t: TestContext, url: string, staleSeconds = 60): Verifier {
  const verifier = createVerifier({ url, issuer, staleSeconds });
  t.after(() => verifier.close());
  return verifier;
}

async function outcome(verifier: Verifier, token: string): Promise<string> {
  try {
    await verifier.verify(token);
    return 'accepted';
  } catch (error) {
    assert.ok(error instanceof VerificationError, String(error));
    return error.code;
  }
}

const becomes = (verifier: Verifier, token: string, wanted: string) =>
  eventually(`the token is ${wanted}`, async () => (await outcome(verifier, token)) === wanted);

onEachDatabase((database) => {
  test('a session that ends on one instance is refused by the verifiers of both', async (t) => {
    const url = await database.createReadyUrl();
    const [one, two] = [await startDoorward(t, url), await startDoorward(t, url)];
    await one.doorward.admin.create({ email: 'a@example.com', password, name: 'A' });
    const verifiers = [verifierOf(t, one.url), verifierOf(t, two.url)];
    const [ended, goesOn] = [await one.logIn('a@example.com'), await two.logIn('a@example.com')];
    for (const verifier of verifiers) {
      assert.equal(await outcome(verifier, ended), 'accepted');
      assert.equal(await outcome(verifier, goesOn), 'accepted');
    }
    const begin = performance.now();
    await one.logOut(ended);
    for (const verifier of verifiers) await becomes(verifier, ended, 'revoked_token');
    t.diagnostic(`refused by both ${(performance.now() - begin).toFixed(0)} ms after the log-out was sent`);
    for (const verifier of verifiers) assert.equal(await outcome(verifier, goesOn), 'accepted');
  });

  test('what was revoked while the server was away is known when it is back', async (t) => {
    const url = await database.createReadyUrl();
    const first = await startDoorward(t, url);
    const { id } = await first.doorward.admin.create({ email: 'a@example.com', password, name: 'A' });
    await first.doorward.admin.create({ email: 'b@example.com', password, name: 'B' });
    const verifier = verifierOf(t, first.url, 2);
    const [gone, stays] = [await first.logIn('a@example.com'), await first.logIn('b@example.com')];
    assert.equal(await outcome(verifier, gone), 'accepted');
    await first.close();
    assert.equal(await outcome(verifier, gone), 'accepted');
    await becomes(verifier, gone, 'verifier_unavailable');
    assert.equal(await outcome(verifier, stays), 'verifier_unavailable');
    const elsewhere = await startDoorward(t, url);
    await elsewhere.doorward.sessions.end(id, 'revoked_by_admin');
    await elsewhere.close();
    await startDoorward(t, url, { at: first.port });
    await becomes(verifier, stays, 'accepted');
    assert.equal(await outcome(verifier, gone), 'revoked_token');
  });

  test('a key is rotated without a refusal, and one that is retired takes its tokens with it', async (t) => {
    const { doorward, url, logIn } = await startDoorward(t, await database.createReadyUrl());
    await doorward.admin.create({ email: 'a@example.com', password, name: 'A' });
    const verifier = verifierOf(t, url);
    const old = await logIn('a@example.com');
    assert.equal(await outcome(verifier, old), 'accepted');
    const [oldKey] = await doorward.keys.list();
    await doorward.keys.rotate({ immediately: false });
    assert.equal(await outcome(verifier, await logIn('a@example.com')), 'accepted');
    await doorward.keys.rotate({ immediately: true });
    const fresh = await logIn('a@example.com');
    assert.equal(await outcome(verifier, fresh), 'accepted');
    assert.equal(await outcome(verifier, old), 'accepted');
    await doorward.keys.retire(oldKey?.kid ?? '');
    // As soon as the keys are asked for again, by their max-age of 30 s at the latest.
    await becomes(verifier, old, 'invalid_token');
    assert.equal(await outcome(verifier, fresh), 'accepted');
  });
});

type Host = (verifier: Verifier) => Promise<{ url: string; close(): unknown }>;
const hosts: Record<string, Host> = {
  async Fastify(verifier) {
    const app = Fastify();
    // A host's own idea of a failure is not to change ours.
    const schema = { response: { '4xx': { type: 'object', properties: { oops: { type: 'string' } } } } };
    app.get<{ Reply: { sub: string } }>('/me', { schema, onRequest: verifier.fastify }, async (request) => ({
      sub: request.claims.sub,
    }));
    return { url: await app.listen({ host: '127.0.0.1', port: 0 }), close: () => app.close() };
  },
  async Express(verifier) {
    const app = express();
    app.get('/me', verifier.express, (req, res) => {
      res.json({ sub: req.claims.sub });
    });
    const server = app.listen(0, '127.0.0.1');
    await eventually('it listens', () => server.listening);
    const address = server.address();
    return {
      url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
      close: () => server.close(),
    };
  },
  async Hono(verifier) {
    const app = new Hono<{ Variables: VerifiedVariables }>();
    app.get('/me', verifier.hono, (context) => context.json({ sub: context.get('claims').sub }));
    const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 });
    await eventually('it listens', () => server.listening);
    const address = server.address();
    return {
      url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
      close: () => server.close(),
    };
  },
};

const answerOf = async (url: string, authorization?: string) => {
  const answer = await fetch(url, authorization === undefined ? {} : { headers: { authorization } });
  const header = (name: string) => answer.headers.get(name);
  return {
    status: answer.status,
    text: await answer.text(),
    type: header('content-type'),
    challenge: header('www-authenticate'),
    cache: header('cache-control'),
    retry: header('retry-after'),
  };
};

for (const [name, start] of Object.entries(hosts)) {
  test(`the guard for ${name} refuses as the server itself does`, async (t) => {
    const server = await startDoorward(t, 'sqlite::memory:');
    const { id } = await server.doorward.admin.create({ email: 'a@example.com', password, name: 'A' });
    const verifier = verifierOf(t, server.url, 2);
    const host = await start(verifier);
    t.after(() => host.close());
    const token = await server.logIn('a@example.com');
    const good = await answerOf(`${host.url}/me`, `Bearer ${token}`);
    assert.deepEqual([good.status, JSON.parse(good.text)], [200, { sub: String(id) }]);
    assert.equal((await answerOf(`${host.url}/me`, `bearer   ${token}`)).status, 200);
    const bad = [undefined, 'Bearer', 'Basic YTpi', 'Bearer x', `Bearer ${token} x`, `Bearer ${token}x`];
    for (const header of bad) {
      const [ours, theirs] = [
        await answerOf(`${host.url}/me`, header),
        await answerOf(`${server.url}/auth/me`, header),
      ];
      assert.deepEqual(ours, theirs, String(header));
    }
    await server.logOut(token);
    await becomes(verifier, token, 'revoked_token');
    assert.deepEqual(
      await answerOf(`${host.url}/me`, `Bearer ${token}`),
      await answerOf(`${server.url}/auth/me`, `Bearer ${token}`),
    );
    await server.close();
    await becomes(verifier, token, 'verifier_unavailable');
    const { status, text, challenge, retry } = await answerOf(`${host.url}/me`, `Bearer ${token}`);
    assert.deepEqual(
      [status, JSON.parse(text), challenge, retry],
      [503, { detail: 'Tokens cannot be verified now', code: 'verifier_unavailable' }, null, '1'],
    );
  });
}
