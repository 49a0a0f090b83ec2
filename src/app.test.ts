import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { createDoorward } from './app.ts';

async function open(t: TestContext) {
  const doorward = await createDoorward({ DATABASE_URL: 'sqlite::memory:', LOG_LEVEL: 'silent' });
  t.after(() => doorward.close());
  return doorward;
}

const url = (path: string) => `https://host.example${path}`;

test('fetch: whoever goes before the answer’s end, or its begin, ends nothing', async (t) => {
  const doorward = await open(t);
  const ways: Record<string, (body: ReadableStream<Uint8Array>) => Promise<void>> = {
    'at once': (body) => body.cancel(),
    async 'a turn later'(body) {
      await nextTurn();
      await body.cancel();
    },
    async 'after the first octets'(body) {
      const reader = body.getReader();
      await reader.read();
      await reader.cancel();
    },
    async 'without a word'() {},
  };
  for (const path of ['/health/live', '/openapi.json', '/auth/nothing']) {
    for (const leave of Object.values(ways)) {
      const { body } = await doorward.fetch(new Request(url(path)));
      assert.ok(body !== null);
      await leave(body);
    }
  }
  // What nobody caught would be thrown by now.
  await sleep(50);
  const answer = await doorward.fetch(new Request(url('/openapi.json')));
  assert.equal((await answer.json()).openapi, '3.1.0');
});

test('fetch: a body that fails while the application is made is told to whoever sent it', async (t) => {
  const doorward = await open(t);
  const body = new ReadableStream({
    start(controller) {
      setTimeout(() => controller.error(new Error('the client went away')), 1);
    },
  });
  const init = { method: 'POST', body, duplex: 'half', headers: { 'content-type': 'application/json' } };
  const asked = doorward.fetch(new Request(url('/auth/login'), init as RequestInit));
  assert.ok((await asked).status >= 400);
  assert.equal((await doorward.fetch(new Request(url('/health/live')))).status, 200);
});

test('fetch: whatever a body fails with is a client that went away, also after close', async (t) => {
  const doorward = await open(t);
  const post = (reason: unknown, type = 'application/json') => {
    const body = new ReadableStream({
      start(controller) {
        setTimeout(() => controller.error(reason), 5);
      },
    });
    const init = { method: 'POST', body, duplex: 'half', headers: { 'content-type': type } };
    return doorward.fetch(new Request(url('/auth/login'), init as RequestInit));
  };
  for (const reason of ['a text', Object.freeze(new Error('frozen')), new Error('boom'), undefined]) {
    const answer = await post(reason);
    assert.deepEqual([answer.status, (await answer.json()).code], [400, 'bad_request']);
  }
  await post(new Error('boom'), 'text/xml');
  await doorward.close();
  await post(new Error('late')).catch(() => {});
  await sleep(50);
});

test('fetch: of a body that is refused no more is read', async (t) => {
  const doorward = await open(t);
  for (const [path, type] of [
    ['/auth/login', 'application/json'],
    ['/auth/login', 'text/xml'],
    ['/auth/nothing', 'application/json'],
  ] as const) {
    let pieces = 0;
    const body = new ReadableStream({
      async pull(controller) {
        pieces++;
        await nextTurn();
        controller.enqueue(new Uint8Array(65_536));
      },
    });
    const init = { method: 'POST', body, duplex: 'half', headers: { 'content-type': type } };
    const answer = await doorward.fetch(new Request(url(path), init as RequestInit));
    assert.ok(answer.status >= 400);
    await answer.text();
    await sleep(20);
    const read = pieces;
    await sleep(50);
    assert.equal(pieces, read, `${path} ${type}`);
  }
});

test('an application that cannot be made: the handler answers 500, and close closes the rest', async (t) => {
  const doorward = await open(t);
  const failure = new Error('the pages are not there');
  await assert.rejects(
    doorward.app(() => {
      throw failure;
    }),
    failure,
  );
  await assert.rejects(doorward.fetch(new Request(url('/auth/me'))), failure);
  const server = createServer(doorward.handler).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const answer = await fetch(`http://127.0.0.1:${port}/auth/me`, { headers: { connection: 'close' } });
  assert.deepEqual(
    [answer.status, await answer.json()],
    [500, { detail: 'Internal server error', code: 'internal_error' }],
  );
  await doorward.close();
  await assert.rejects(doorward.kernel.db.ping());
});

test('fetch: a body whose client goes away, or that never ends, holds nothing up', async (t) => {
  const doorward = await open(t);
  await doorward.app();
  const post = (signal: AbortSignal) => {
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', body: new ReadableStream(), duplex: 'half', headers, signal };
    return doorward.fetch(new Request(url('/auth/signup'), init as RequestInit));
  };
  const abandoned = await post(AbortSignal.timeout(10));
  assert.deepEqual([abandoned.status, (await abandoned.json()).code], [400, 'bad_request']);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const slow = post(new AbortController().signal);
  await nextTurn();
  t.mock.timers.tick(30_000);
  const { status, body } = await slow;
  assert.deepEqual([status, (await new Response(body).json()).code], [408, 'request_timeout']);
});

test('fetch: a body that is there at once keeps nobody else waiting, and of one that is refused no more is read', async (t) => {
  const doorward = await open(t);
  let pieces = 0;
  let isCancelled = false;
  const body = new ReadableStream({
    async pull(controller) {
      pieces++;
      controller.enqueue(new Uint8Array(65_536));
    },
    cancel() {
      isCancelled = true;
    },
  });
  const init = { method: 'POST', body, duplex: 'half', headers: { 'content-type': 'application/json' } };
  const { status } = await doorward.fetch(new Request(url('/auth/login'), init as RequestInit));
  assert.equal(status, 413);
  await sleep(20);
  assert.ok(isCancelled && pieces < 100, `${pieces} pieces`);
});

test('fetch: a method that nobody knows is answered as one that the path does not have', async (t) => {
  const doorward = await open(t);
  for (const method of ['FOO', 'Patch', '*', 'PROPFIND']) {
    const known = await doorward.fetch(new Request(url('/auth/me'), { method }));
    assert.deepEqual(
      [known.status, known.headers.get('allow')],
      [405, 'GET, HEAD, DELETE, PATCH, PUT'],
      method,
    );
    const { status } = await doorward.fetch(new Request(url('/auth/nothing'), { method }));
    assert.equal(status, 404, method);
  }
});

test('fetch: a body that cannot be read, or is no octets, is a bad request', async (t) => {
  const doorward = await open(t);
  const headers = { 'content-type': 'application/json' };
  const post = (body: BodyInit) =>
    new Request(url('/auth/signup'), { method: 'POST', headers, body, duplex: 'half' } as RequestInit);
  const used = post('{}');
  await used.text();
  const taken = post('{}');
  taken.body?.getReader();
  const pieces = [5, {}, null].map((piece) =>
    post(
      new ReadableStream({
        start(controller) {
          controller.enqueue(piece);
          controller.close();
        },
      }),
    ),
  );
  for (const request of [used, taken, ...pieces]) {
    const answer = await doorward.fetch(request);
    assert.deepEqual(
      [answer.status, await answer.json()],
      [400, { detail: 'Bad request', code: 'bad_request' }],
    );
  }
});

test('close: an answer that is still being read is sent whole', async (t) => {
  const doorward = await open(t);
  const pieces = Array.from({ length: 40 }, () => Buffer.alloc(65_536));
  await doorward.app((app) => void app.get('/large', async () => Readable.from(pieces)));
  const { body } = await doorward.fetch(new Request(url('/large')));
  const reader = body?.getReader();
  let size = 0;
  const read = async () => {
    const { value } = (await reader?.read()) ?? {};
    size += value?.length ?? 0;
    return value !== undefined;
  };
  await read();
  const closed = doorward.close();
  await sleep(100);
  assert.ok(await doorward.kernel.db.ping().then(() => true));
  while (await read());
  await closed;
  assert.equal(size, 40 * 65_536);
});

test('handler: a body that a parser before us has read is told at once, and in the log', async (t) => {
  const logged: unknown[] = [];
  const quiet = () => {};
  const error = (_fields: object, message: string) => void logged.push(message);
  const log = { trace: quiet, debug: quiet, info: quiet, warn: quiet, error, fatal: quiet, child: () => log };
  const doorward = await createDoorward({ DATABASE_URL: 'sqlite::memory:' }, { log });
  t.after(() => doorward.close());
  const server = createServer(async (request, response) => {
    for await (const _piece of request);
    doorward.handler(request, response);
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ask = (path: string, init: RequestInit) =>
    fetch(`http://127.0.0.1:${port}${path}`, { ...init, headers: { connection: 'close' } });
  const answer = await ask('/auth/login', { method: 'POST', body: new URLSearchParams({ username: 'a' }) });
  assert.deepEqual([answer.status, (await answer.json()).code], [500, 'internal_error']);
  assert.match(String(logged), /body parser before Doorward/);
  assert.equal((await ask('/auth/logout', { method: 'POST' })).status, 401);
  const headers = { connection: 'close', 'content-type': 'application/json' };
  const empty = await fetch(`http://127.0.0.1:${port}/auth/login`, { method: 'POST', headers });
  assert.equal(empty.status, 500);
});

test('mount: what fetch serves, and where', async (t) => {
  const settings = { DATABASE_URL: 'sqlite::memory:', LOG_LEVEL: 'silent' };
  const doorward = await createDoorward(settings, { mount: { prefix: '/api/auth', docs: false } });
  t.after(() => doorward.close());
  const statusOf = async (path: string) => (await doorward.fetch(new Request(url(path)))).status;
  assert.deepEqual(
    await Promise.all(['/api/auth/me', '/auth/me', '/docs', '/health/live'].map(statusOf)),
    [401, 404, 404, 200],
  );
});

test('mount: a prefix without a slash at its beginning, or with one at its end, is where the pages and the document look', async (t) => {
  for (const prefix of ['api/auth', '/api/auth/']) {
    const settings = { DATABASE_URL: 'sqlite::memory:', LOG_LEVEL: 'silent' };
    const doorward = await createDoorward(settings, { mount: { prefix } });
    t.after(() => doorward.close());
    const get = async (path: string) => (await doorward.fetch(new Request(url(path)))).text();
    const { paths, components } = JSON.parse(await get('/openapi.json'));
    const { tokenUrl } = components.securitySchemes.OAuth2PasswordBearer.flows.password;
    assert.deepEqual([tokenUrl, tokenUrl in paths], ['/api/auth/login', true]);
    assert.match(await get('/account'), /"prefix":"\/api\/auth",/);
  }
});

test('close waits for nobody who went away', async () => {
  const doorward = await createDoorward({ DATABASE_URL: 'sqlite::memory:', LOG_LEVEL: 'silent' });
  const pieces = Array.from({ length: 40 }, () => Buffer.alloc(65_536));
  await doorward.app((app) => void app.get('/large', async () => Readable.from(pieces)));
  const hungUp = new Promise<void>((resolve) => {
    const server = createServer(async (request, response) => {
      request.socket.destroy();
      if (!response.closed) await once(response, 'close');
      await doorward.handler(request, response);
      server.close();
      resolve();
    }).listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      fetch(`http://127.0.0.1:${port}/auth/me`).catch(() => {});
    });
  });
  await hungUp;
  const leaving = new AbortController();
  await doorward.fetch(new Request(url('/openapi.json'), { signal: leaving.signal }));
  leaving.abort();
  await doorward.fetch(new Request(url('/openapi.json')));
  // Answers that are never read, of callers that are there and of one that left before its answer began.
  const gone = AbortSignal.abort();
  for (const init of [{}, { signal: gone }, { method: 'HEAD' }])
    await doorward.fetch(new Request(url('/large'), init));
  const isClosed = doorward.close().then(() => true);
  assert.ok(await Promise.race([isClosed, sleep(5_000, false)]));
});

test('close: what was given before is answered, and what comes later told that it came too late', async (t) => {
  const doorward = await open(t);
  const email = 'ada@example.com';
  const password = 'SecurePass123!';
  await doorward.accounts.signUp({ email, password, name: 'Ada' });
  const logIn = () => {
    const body = new URLSearchParams({ username: email, password });
    return doorward.fetch(new Request(url('/auth/login'), { method: 'POST', body }));
  };
  const asked = [logIn(), logIn()];
  await Promise.all([doorward.close(), doorward.close()]);
  for (const { status } of await Promise.all(asked)) assert.equal(status, 200);
  const late = await logIn();
  assert.deepEqual([late.status, (await late.json()).code], [503, 'shutting_down']);
  assert.ok(late.headers.get('x-request-id'));
});
