import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { get, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import Fastify from 'fastify';
import { compactVerify, createLocalJWKSet } from 'jose';
import { claimsOf, type Instance, onInstances, SECRET_KEY } from '../../../test/support/instances.ts';
import { checkEveryAnswer } from '../../../test/support/openapi-conformance.ts';
import type { FeedMessage } from './index.ts';

checkEveryAnswer();

const path = '/auth/revocations';
const sidOf = (token: string): string => claimsOf(token).sid;

/** The message in a JWS, verified with what the instance publishes. */
async function read(a: Instance, jws: string): Promise<FeedMessage> {
  const { body } = await a.request('GET', '/.well-known/jwks.json');
  const { payload, protectedHeader } = await compactVerify(jws, createLocalJWKSet(body));
  assert.equal(protectedHeader.typ, 'revocations+jwt');
  return JSON.parse(new TextDecoder().decode(payload));
}

async function ask(a: Instance, cursor?: number): Promise<FeedMessage> {
  const answer = await a.request('GET', cursor === undefined ? path : `${path}?cursor=${cursor}`);
  assert.equal(answer.status, 200, answer.text);
  assert.match(answer.headers['content-type'] ?? '', /^application\/jwt/);
  return read(a, answer.text);
}

const sids = ({ revoked }: FeedMessage) => revoked.map(({ sid }) => sid);

async function logOut(a: Instance, token: string): Promise<void> {
  assert.equal((await a.request('POST', '/auth/logout', { token })).status, 204);
}

onInstances('every way in which a session ends is told, on every instance', async (s) => {
  const a = await s.open();
  const b = await s.open();
  const admin = await a.signIn({ is_admin: true });
  const ended: string[] = [];
  const user = await a.signIn();
  const { email } = user;
  const [other, third] = [await a.logIn(email), await a.logIn(email)];
  assert.deepEqual(sids(await ask(a)), []);

  await logOut(a, other.access_token);
  ended.push(sidOf(other.access_token));
  await a.request('DELETE', `/auth/me/sessions/${sidOf(third.access_token)}`, { token: user.access_token });
  ended.push(sidOf(third.access_token));
  const fourth = await a.logIn(email);
  await a.request('DELETE', '/auth/me/sessions', { token: user.access_token });
  ended.push(sidOf(fourth.access_token));
  const fifth = await a.logIn(email);
  await a.request('POST', '/auth/me/password', {
    json: { current_password: user.password, new_password: 'Another-Pass-77!' },
    token: user.access_token,
  });
  ended.push(sidOf(fifth.access_token));
  await a.doorward.sessions.revokeToken(user.refresh_token);
  ended.push(sidOf(user.access_token));

  const spent = await a.signIn();
  s.advance(10);
  const { access_token } = await a.refreshed(spent.refresh_token);
  await a.me(access_token);
  s.advance(10);
  assert.equal((await a.refresh(spent.refresh_token)).status, 401);
  ended.push(sidOf(spent.access_token));

  for (const end of [
    (id: number) => a.request('DELETE', `/auth/users/${id}/sessions`, { token: admin.access_token }),
    (id: number) => a.request('POST', `/auth/users/${id}/deactivate`, { token: admin.access_token }),
    (id: number) => a.request('DELETE', `/auth/users/${id}`, { token: admin.access_token }),
  ]) {
    const one = await a.signIn();
    assert.ok([200, 204].includes((await end(one.id)).status));
    ended.push(sidOf(one.access_token));
  }
  const closing = await a.signIn();
  await a.doorward.accounts.close({ user: closing, sid: 'any', current_password: closing.password });
  ended.push(sidOf(closing.access_token));

  for (const instance of [a, b]) {
    const message = await ask(instance);
    assert.deepEqual(sids(message), ended, 'in their order, each once, and nobody else');
    assert.equal(message.iss, instance.doorward.settings.ISSUER);
    assert.equal(message.iat, Math.floor(instance.clock.now().getTime() / 1000));
    for (const { exp } of message.revoked) assert.ok(exp >= claimsOf(user.access_token).exp);
    // It holds opaque ids, and nothing of whom they belonged to.
    for (const entry of message.revoked) assert.deepEqual(Object.keys(entry).sort(), ['exp', 'sid']);
  }
});

onInstances('a cursor asks for what came after, and an ETag for nothing twice', async (s) => {
  const a = await s.open();
  const empty = await a.request('GET', path);
  assert.equal((await read(a, empty.text)).cursor, 0);
  const users = [await a.signIn(), await a.signIn()];
  const [first, second] = users.map(({ access_token }) => access_token) as [string, string];
  await logOut(a, first);
  const one = await a.request('GET', path);
  const { cursor, since } = await read(a, one.text);
  assert.deepEqual([since, cursor > 0], [0, true]);
  assert.equal(one.headers['cache-control'], 'no-store');

  for (const asked of [path, `${path}?cursor=${cursor}`]) {
    const { headers } = await a.request('GET', asked);
    assert.ok(headers.etag);
    const etags = [headers.etag, `W/${headers.etag}`, `"x", ${headers.etag}`];
    for (const etag of etags) {
      const unchanged = await a.request('GET', asked, { headers: { 'if-none-match': etag } });
      assert.deepEqual(
        [unchanged.status, unchanged.text, unchanged.headers.etag],
        [304, '', headers.etag],
        etag,
      );
    }
    const changed = await a.request('GET', asked, { headers: { 'if-none-match': '"x"' } });
    assert.equal(changed.status, 200);
  }

  await logOut(a, second);
  const { headers } = await a.request('GET', path, { headers: { 'if-none-match': one.headers.etag ?? '' } });
  assert.notEqual(headers.etag, one.headers.etag);
  const next = await ask(a, cursor);
  assert.deepEqual([sids(next), next.since], [[sidOf(second)], cursor]);
  const last = await ask(a, next.cursor);
  assert.deepEqual([sids(last), last.cursor], [[], next.cursor]);

  // A number that was never given out: the count is behind what the verifier saw, as after a restore.
  for (const ahead of [next.cursor + 1, 999_999_999_999]) {
    const again = await ask(a, ahead);
    assert.deepEqual([again.since, sids(again)], [0, [sidOf(first), sidOf(second)]]);
  }
  for (const garbage of ['-1', 'x', '1.5', '1e3', '', '0x1', '%00', '1&cursor=2', 'null', "1'--"]) {
    const answer = await a.request('GET', `${path}?cursor=${garbage}`);
    assert.deepEqual([answer.status, answer.body.code], [422, 'validation_error'], garbage);
  }
  for (const huge of ['99999999999999999999', '9007199254740993']) {
    assert.ok([200, 422].includes((await a.request('GET', `${path}?cursor=${huge}`)).status), huge);
  }
});

onInstances('only what still matters is told and kept, and the count never goes back', async (s) => {
  const a = await s.open();
  const [first, second] = [await a.signIn(), await a.signIn()];
  await logOut(a, first.access_token);
  s.advance(15 * 60);
  await logOut(a, (await a.refreshed(second.refresh_token)).access_token);
  s.advance(5 * 60);
  const { revoked, cursor } = await ask(a);
  assert.deepEqual(
    revoked.map(({ sid }) => sid),
    [sidOf(second.access_token)],
  );
  const count = async () =>
    (await a.doorward.kernel.db.read.selectFrom('revocations').select('id').execute()).length;
  await a.doorward.revocations.deleteExpired();
  assert.equal(await count(), 1);
  s.advance(86_400);
  assert.deepEqual(sids(await ask(a)), []);
  await a.doorward.revocations.deleteExpired();
  assert.equal((await ask(await s.open())).cursor, cursor);
  const third = await a.signIn();
  await logOut(a, third.access_token);
  assert.ok((await ask(a, cursor)).cursor > cursor);
});

onInstances(
  'a shorter life of access tokens forgets no session whose tokens have a longer one',
  async (s) => {
    const before = await s.open({ ACCESS_TOKEN_EXPIRE_MINUTES: 600 });
    const user = await before.signIn();
    s.advance(60);
    const a = await s.open();
    const later = await a.logIn(user.email);
    await logOut(a, later.access_token);
    await a.request('DELETE', '/auth/me', {
      json: { current_password: user.password },
      token: user.access_token,
    });
    s.advance(30 * 60);
    await a.doorward.revocations.deleteExpired();
    assert.deepEqual(sids(await ask(a)), [sidOf(user.access_token)]);
    s.advance(600 * 60);
    assert.deepEqual(sids(await ask(a)), [sidOf(user.access_token)]);
    s.advance(86_400);
    assert.deepEqual(sids(await ask(a)), []);
  },
);

for (const ALGORITHM of ['EdDSA', 'RS256', 'HS256'] as const) {
  onInstances(`${ALGORITHM} signs the feed as well`, async (s) => {
    const a = await s.open({ ALGORITHM });
    const { text } = await a.request('GET', path);
    if (ALGORITHM !== 'HS256') assert.equal((await read(a, text)).cursor, 0);
    else assert.ok(await compactVerify(text, new TextEncoder().encode(SECRET_KEY)));
  });
}

onInstances('fifty log-outs at once leave no gap behind a cursor', async (s) => {
  const instances = [await s.open(), await s.open()] as const;
  const [a, b] = instances;
  const { email, id } = await a.signIn();
  const now = a.clock.now().toISOString();
  const ids = Array.from({ length: 50 }, (_, i) => `session-${i}`);
  // Opened in one statement: fifty log-ins would pay for fifty hashes.
  await a.doorward.kernel.db.transaction(async (tx) => {
    const like = await tx
      .selectFrom('sessions')
      .selectAll()
      .where('user_id', '=', id)
      .executeTakeFirstOrThrow();
    await tx
      .insertInto('sessions')
      .values(ids.map((sid) => ({ ...like, id: sid, last_seen_at: now })))
      .execute();
  });
  const owners = await Promise.all([a.signIn(), b.signIn()]);
  const heard: string[] = [];
  let cursor = 0;
  let isOver = false;
  const reader = (async () => {
    for (let last = false; ; ) {
      const message = await b.doorward.revocations.since(cursor);
      const payload = JSON.parse(
        Buffer.from(message.jws.split('.')[1] ?? '', 'base64url').toString(),
      ) as FeedMessage;
      heard.push(...sids(payload));
      assert.ok(message.cursor >= cursor);
      ({ cursor } = message);
      if (last) return;
      last = isOver;
    }
  })();
  // Half of them by the owner, under the user's lock; half by the rule of rotation, without it.
  await Promise.all([
    ...ids.map((sid, i) => (instances[i % 2] as Instance).doorward.sessions.end(id, 'logged_out', { sid })),
    ...owners.map((owner, i) => logOut(instances[i % 2] as Instance, owner.access_token)),
  ]);
  isOver = true;
  await reader;
  assert.deepEqual([...heard].sort(), [...ids, ...owners.map((owner) => sidOf(owner.access_token))].sort());
  assert.equal((await a.doorward.accounts.findByEmail(email))?.id, id);
});

/** A follower of the feed over a real connection. */
async function follow(a: Instance, url: string, headers: Record<string, string> = {}, query = '') {
  const request = get(`${url}${path}${query}`, { headers: { accept: 'text/event-stream', ...headers } });
  request.on('error', () => {});
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  const events: { id: number; message: FeedMessage }[] = [];
  let text = '';
  answer.setEncoding('utf8').on('data', async (chunk: string) => {
    text += chunk;
  });
  answer.on('error', () => {});
  return {
    answer,
    /** Waits for as many events as that, whole. */
    async events(count: number) {
      for (let tries = 0; text.split('\n\n').length <= count; tries++) {
        assert.ok(tries < 1000, `only ${text.split('\n\n').length - 1} of ${count} events came`);
        await sleep(5);
      }
      for (const event of text.split('\n\n').slice(events.length, -1)) {
        const [, id, data] = /^id: (\d+)\nevent: revocations\ndata: (\S+)$/.exec(event) ?? assert.fail(event);
        events.push({ id: Number(id), message: await read(a, String(data)) });
      }
      return events;
    },
    ended: new Promise((resolve) => answer.once('close', resolve)),
    stop: () => request.destroy(),
  };
}

async function listen({ app }: Instance): Promise<string> {
  return app.listen({ host: '127.0.0.1', port: 0 });
}

onInstances('a follower hears at once what has been, and then what comes, from any instance', async (s) => {
  const a = await s.open();
  const b = await s.open();
  const url = await listen(a);
  const users = [await a.signIn(), await a.signIn(), await a.signIn(), await a.signIn()];
  const [past, here, there, later] = users.map(({ access_token }) => access_token) as [
    string,
    string,
    string,
    string,
  ];
  await logOut(a, past);
  const follower = await follow(a, url);
  const { headers, statusCode } = follower.answer;
  assert.equal(statusCode, 200);
  assert.match(headers['content-type'] ?? '', /^text\/event-stream/);
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.ok(headers['x-request-id']);
  const [first] = await follower.events(1);
  assert.deepEqual(sids(first?.message ?? assert.fail()), [sidOf(past)]);
  assert.equal(first?.id, first?.message.cursor);

  const hears = async (sid: string) => {
    for (let count = 1; ; count++) {
      const event = (await follower.events(count))[count - 1];
      if (event !== undefined && count > 1 && sids(event.message).includes(sid)) return event;
    }
  };
  await logOut(a, here);
  await hears(sidOf(here));
  await logOut(b, there);
  const { id } = await hears(sidOf(there));
  follower.stop();
  await follower.ended;

  await logOut(b, later);
  for (const [more, query] of [
    [{ 'last-event-id': String(id) }, ''],
    [{ 'last-event-id': String(id) }, '?cursor=0'],
    [{}, `?cursor=${id}`],
    [{ 'last-event-id': 'garbage' }, `?cursor=${id}`],
  ] as const) {
    const again = await follow(a, url, more, query);
    const [missed] = await again.events(1);
    assert.deepEqual(sids(missed?.message ?? assert.fail()), [sidOf(later)], JSON.stringify(more));
    again.stop();
    await again.ended;
  }
});

onInstances('a follower hears a sign of life every ten seconds', async (s) => {
  const a = await s.open();
  const url = await listen(a);
  let elapsed = 0;
  const now = performance.now.bind(performance);
  s.t.mock.method(performance, 'now', () => now() + elapsed);
  const follower = await follow(a, url);
  await follower.events(1);
  elapsed += 10_000;
  await follower.events(2);
  elapsed += 10_000;
  const events = await follower.events(3);
  assert.deepEqual(
    events.slice(-1).map(({ message }) => sids(message)),
    [[]],
  );
  follower.stop();
});

/** A connection that asks and then never reads. */
async function neverRead(url: string) {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\nAccept: text/event-stream\r\n\r\n`);
  await once(socket, 'readable');
  return socket;
}

/** Lets followers hear long messages, one after the other, until `isOver`. */
async function tellMuch(a: Instance, isOver: () => Promise<boolean>): Promise<void> {
  for (let round = 0; !(await isOver()); round++) {
    assert.ok(round < 100, 'it never ended');
    await addRevocations(a, 4000);
    await sleep(100);
  }
}

/** Adds revocations of 200 bytes each. */
async function addRevocations(a: Instance, count: number): Promise<void> {
  const expires_at = new Date(a.clock.now().getTime() + 60_000).toISOString();
  await a.doorward.kernel.db.transaction(async (tx) => {
    for (let start = 0; start < count; start += 500) {
      const rows = Array.from({ length: 500 }, () => ({ sid: randomUUID().padEnd(200, 'x'), expires_at }));
      await tx.insertInto('revocations').values(rows).execute();
    }
  });
}

async function connections({ app }: Pick<Instance, 'app'>): Promise<number> {
  return new Promise((resolve, reject) =>
    app.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );
}

onInstances('a follower that does not read is cut off', async (s) => {
  if (s.database.name === 'PostgreSQL') return;
  const a = await s.open();
  const url = await listen(a);
  let elapsed = 0;
  const now = performance.now.bind(performance);
  s.t.mock.method(performance, 'now', () => now() + elapsed);
  const responses: ServerResponse[] = [];
  a.app.server.on('request', (_request, response) => responses.push(response));
  const socket = await neverRead(url);
  assert.equal(await connections(a), 1);
  await tellMuch(a, async () => {
    elapsed += 1000;
    assert.ok(Number(responses[0]?.writableLength) < 200_000, 'little waits for it');
    return (await connections(a)) === 0;
  });
  socket.destroy();
});

onInstances(
  'a long past is heard to its end by who reads slowly, and then what came meanwhile',
  async (s) => {
    if (s.database.name === 'PostgreSQL') return;
    const a = await s.open();
    const url = await listen(a);
    const { access_token } = await a.signIn();
    await addRevocations(a, 50_000);
    const follower = await follow(a, url);
    follower.answer.pause();
    await logOut(a, access_token);
    await sleep(1000);
    follower.answer.resume();
    const [first, second] = await follower.events(2);
    assert.equal(first?.message.revoked.length, 50_000);
    assert.deepEqual(sids(second?.message ?? assert.fail()), [sidOf(access_token)]);
    follower.stop();

    const { body } = await a.doorward.fetch(
      new Request(`http://x${path}`, { headers: { accept: 'text/event-stream' } }),
    );
    let text = '';
    for await (const piece of body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += piece;
      if (text.endsWith('\n\n')) break;
    }
    assert.equal((await read(a, text.slice(text.indexOf('data: ') + 6, -2))).revoked.length, 50_001);
  },
);

onInstances('a follower hears nothing twice', async (s) => {
  const a = await s.open();
  const url = await listen(a);
  for (const visit of ['the first', 'a later one']) {
    const { access_token } = await a.signIn();
    await logOut(a, access_token);
    const follower = await follow(a, url);
    const [past, present] = await follower.events(2);
    assert.ok(sids(past?.message ?? assert.fail()).includes(sidOf(access_token)));
    assert.deepEqual(sids(present?.message ?? assert.fail()), [], visit);
    follower.stop();
    await follower.ended;
    while ((await connections(a)) > 0) await sleep(5);
  }
});

onInstances('the end of the server ends every stream, also of those that do not read', async (s) => {
  const a = await s.open();
  const url = await listen(a);
  const follower = await follow(a, url);
  await follower.events(1);
  const socket = await neverRead(url);
  let told = 0;
  if (s.database.name === 'SQLite') await tellMuch(a, async () => told++ === 8);
  await a.close();
  await follower.ended;
  socket.destroy();
});

onInstances('a follower that leaves is forgotten, whenever it leaves', async (s) => {
  const a = await s.open();
  const url = await listen(a);
  const { revocations } = a.doorward;
  const held = Promise.withResolvers<void>();
  const since = revocations.since;
  const asked = Promise.withResolvers<void>();
  s.t.mock.method(revocations, 'since', async (cursor: number) => {
    asked.resolve();
    await held.promise;
    return since(cursor);
  });
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n`);
  await asked.promise;
  socket.destroy();
  while ((await connections(a)) > 0) await sleep(5);
  held.resolve();
  // The process is still there, and answers.
  const follower = await follow(a, url);
  await follower.events(1);
  follower.stop();
});

onInstances('a follower that leaves while a hook of the host is awaited is forgotten', async (s) => {
  const { doorward } = await s.open();
  const { revocations } = doorward;
  const { follow } = revocations;
  const isFollowed = Promise.withResolvers<void>();
  const isForgotten = Promise.withResolvers<void>();
  s.t.mock.method(revocations, 'follow', (...args: Parameters<typeof follow>) => {
    const unfollow = follow(...args);
    isFollowed.resolve();
    return () => {
      isForgotten.resolve();
      unfollow();
    };
  });
  const app = Fastify();
  s.t.after(() => app.close());
  const [isAsked, isHeld] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  app.addHook('onRequest', async () => {
    isAsked.resolve();
    await isHeld.promise;
  });
  await app.register(doorward.plugin, { prefix: '/auth' });
  const url = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
  const socket = connect(Number(url.port), '127.0.0.1');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n`);
  await isAsked.promise;
  socket.destroy();
  while ((await connections({ app })) > 0) await sleep(5);
  isHeld.resolve();
  await isFollowed.promise;
  const outcome = await Promise.race([isForgotten.promise.then(() => 'forgotten'), sleep(5000, 'followed')]);
  assert.equal(outcome, 'forgotten');
});

onInstances('asking for the headers alone opens no stream', async (s) => {
  const a = await s.open();
  const answer = await a.app.inject({ method: 'HEAD', url: path, headers: { accept: 'text/event-stream' } });
  assert.equal(answer.statusCode, 200);
});

onInstances('a stream goes through a fetch handler, too, and ends with its reader', async (s) => {
  const a = await s.open();
  const { revocations } = a.doorward;
  const isForgotten = Promise.withResolvers<void>();
  const { follow } = revocations;
  s.t.mock.method(revocations, 'follow', (...args: Parameters<typeof follow>) => {
    const unfollow = follow(...args);
    return () => {
      isForgotten.resolve();
      unfollow();
    };
  });
  const answer = await a.doorward.fetch(
    new Request(`http://x${path}`, { headers: { accept: 'text/event-stream' } }),
  );
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-type') ?? '', /^text\/event-stream/);
  const reader = answer.body?.getReader() ?? assert.fail();
  const { value } = await reader.read();
  assert.match(new TextDecoder().decode(value), /^id: 0\nevent: revocations\ndata: \S+\n\n$/);
  await reader.cancel();
  await isForgotten.promise;
});

onInstances('REVOCATION_FEED=off removes it, and nothing is written', async (s) => {
  const a = await s.open({ REVOCATION_FEED: 'off' });
  const user = await a.signIn();
  await logOut(a, user.access_token);
  for (const headers of [{}, { accept: 'text/event-stream' }]) {
    assert.equal((await a.request('GET', path, { headers })).status, 404);
  }
  const { body } = await a.request('GET', '/openapi.json');
  assert.equal(body.paths[path], undefined);
  const rows = await a.doorward.kernel.db.read.selectFrom('revocations').selectAll().execute();
  assert.deepEqual(rows, []);
  assert.equal((await a.me(user.access_token)).status, 401);
});
