import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { serverOptions } from '../../src/http/server-options.ts';
import { createTestDoorward } from '../../src/testing/index.ts';
import { startServe } from '../support/command.ts';
import { createClient, NoAnswerError } from '../support/fault-client.ts';

const password = 'Zq7!correct-horse';
let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'doorward-slow-'));
});
after(() => rm(root, { recursive: true, force: true }));

/** A server of this process, whose patience is a second or two instead of 15 and 30. */
async function open(t: TestContext) {
  const instance = await createTestDoorward({ HASH_CONCURRENCY: 1 });
  t.after(() => instance.close());
  const { server } = instance.app;
  server.headersTimeout = 500;
  server.requestTimeout = 1500;
  const url = await instance.app.listen({ port: 0, host: '127.0.0.1' });
  return { ...instance, url, port: Number(new URL(url).port) };
}

async function openSocket(t: TestContext, port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** All that comes until the server ends the connection. */
async function read(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  await once(socket, 'end');
  return text;
}

function assertTimedOut(answer: string): void {
  assert.match(answer, /^HTTP\/1\.1 408 Request Timeout\r\n/);
  assert.match(answer, /\r\nx-request-id: [\w-]{8,}\r\n/i);
  assert.match(answer, /\r\nconnection: close\r\n/i);
  assert.ok(answer.endsWith('\r\n\r\n{"detail":"Request timeout","code":"request_timeout"}'), answer);
}

const loginHead = 'POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';

describe('slow clients', { concurrency: true }, () => {
  test('the patience of a server: 15 s for the headers, 30 s for all of a request', () => {
    assert.equal(serverOptions.http.headersTimeout, 15_000);
    assert.equal(serverOptions.requestTimeout, 30_000);
  });

  const slow: Record<string, (socket: Socket) => Promise<void> | void> = {
    'a connection on which nothing comes': () => {},
    'a connection that the client half closes within the headers': (socket) => {
      socket.write('GET /auth/me HTTP/1.1\r\nhost: x\r\n');
    },
    'headers that drip': async (socket) => {
      const text = `GET /health/live HTTP/1.1\r\nhost: x\r\nx-slow: ${'x'.repeat(1000)}`;
      for (const octet of text) {
        if (!socket.writable) return;
        socket.write(octet);
        await sleep(20);
      }
    },
    'a body that drips': async (socket) => {
      socket.write(`${loginHead}content-length: 2000\r\n\r\n`);
      for (let sent = 0; sent < 2000 && socket.writable; sent++) {
        socket.write('x');
        await sleep(20);
      }
    },
    'chunks that drip': async (socket) => {
      socket.write(`${loginHead}transfer-encoding: chunked\r\n\r\n`);
      for (let sent = 0; sent < 2000 && socket.writable; sent++) {
        socket.write('1\r\nx\r\n');
        await sleep(20);
      }
    },
  };
  for (const [what, send] of Object.entries(slow)) {
    test(`${what}: 408, and the connection ends`, async (t) => {
      const { port } = await open(t);
      const socket = await openSocket(t, port);
      const answer = read(socket);
      const sending = send(socket);
      assertTimedOut(await answer);
      socket.destroy();
      await sending;
    });
  }

  test('a request to upgrade is answered as any other, and so is the one after it', async (t) => {
    const { url } = await open(t);
    const client = createClient(url, { connections: 1 });
    t.after(() => client.close());
    const headers = ['connection', 'upgrade', 'upgrade', 'h2c'];
    for (const body of [undefined, 'x'.repeat(1_000), 'x'.repeat(5_000_000)]) {
      const asked = { method: 'GET', path: '/auth/me', headers, ...(body === undefined ? {} : { body }) };
      assert.equal((await client.send(asked)).status, 401);
      assert.equal((await client.ask('GET', '/health/live')).status, 200);
    }
  });

  test('200 idle connections stop nobody', async (t) => {
    const { url, port, signIn } = await open(t);
    const { access_token: token } = await signIn();
    const idle = await Promise.all(Array.from({ length: 200 }, () => openSocket(t, port)));
    for (const socket of idle.slice(0, 100)) socket.write('GET /auth/me HTTP/1.1\r\nhost: x\r\n');
    const client = createClient(url);
    t.after(() => client.close());
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => client.ask('GET', '/auth/me', { token })),
    );
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
    const ends = await Promise.all(idle.map((socket) => read(socket)));
    for (const end of ends) assertTimedOut(end);
  });

  test('clients that hang up while they log in free nothing early, and no slot is lost', async (t) => {
    const { url, port, signIn, doorward } = await open(t);
    const { email, password: right } = await signIn();
    const { queue } = doorward.passwords;
    const body = JSON.stringify({ username: email, password: right });
    const gate = Promise.withResolvers<void>();
    const held = queue.run(() => gate.promise);
    const sockets = await Promise.all(Array.from({ length: 20 }, () => openSocket(t, port)));
    for (const socket of sockets) socket.write(`${loginHead}content-length: ${body.length}\r\n\r\n${body}`);
    while (queue.waiting < 10) await sleep(1);
    for (const socket of sockets) socket.resetAndDestroy();
    const client = createClient(url);
    t.after(() => client.close());
    let mostRunning = 0;
    const watching = setInterval(() => {
      mostRunning = Math.max(mostRunning, queue.running);
    }, 1);
    const json = { username: email, password: right };
    const asked = client.ask('POST', '/auth/login', { json });
    while (mostRunning === 0) await sleep(1);
    gate.resolve();
    const login = await asked;
    clearInterval(watching);
    await held;
    assert.equal(login.status, 200);
    assert.equal(mostRunning, 1);
    await queue.drain();
    assert.deepEqual([queue.running, queue.waiting], [0, 0]);
    assert.equal((await client.ask('GET', '/auth/me', { token: login.body.access_token })).status, 200);
  });

  test('SIGTERM under load: every request that was accepted is answered, the exit code is 0', async (t) => {
    const env = { DATABASE_URL: `sqlite:${join(root, 'load.db')}` };
    const server = await startServe({ cwd: root, env });
    t.after(() => server.signal('SIGKILL'));
    const client = createClient(server.url, { connections: 8 });
    t.after(() => client.close());
    const ann = { email: 'ann@example.com', name: 'Ann', password };
    assert.equal((await client.ask('POST', '/auth/signup', { json: ann })).status, 201);
    const body = JSON.stringify({ username: ann.email, password });
    const first = await client.ask('POST', '/auth/login', { json: JSON.parse(body) });
    const { access_token: token } = first.body;

    // The server says "continue" to what it has accepted.
    const accepted = Array.from({ length: 12 }, () => {
      const sending = request(`${server.url}/auth/login`, {
        method: 'POST',
        agent: false,
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          expect: '100-continue',
        },
      });
      sending.flushHeaders();
      const status = once(sending, 'response').then(([response]): number => {
        response.resume();
        return response.statusCode;
      });
      return { sending, status, isAccepted: once(sending, 'continue') };
    });
    await Promise.all(accepted.map(({ isAccepted }) => isAccepted));

    let isOver = false;
    const statuses = new Set<number>();
    const load = Array.from({ length: 8 }, async () => {
      while (!isOver) {
        try {
          statuses.add((await client.ask('GET', '/auth/me', { token })).status);
        } catch (error) {
          // An idle connection was closed just when the next request went out on it, or nobody listens any more.
          assert.ok(
            error instanceof NoAnswerError && /ECONN(RESET|REFUSED)|hang up|EPIPE/.test(error.message),
            String(error),
          );
          return;
        }
      }
    });
    await sleep(50);
    for (const { sending } of accepted) sending.end(body);
    server.signal('SIGTERM');
    const answered = await Promise.all(accepted.map(({ status }) => status));
    assert.deepEqual([...new Set(answered)], [200]);
    assert.equal(await server.ended, 0);
    isOver = true;
    await Promise.all(load);
    assert.deepEqual([...statuses], [200]);
    assert.doesNotMatch(server.output.stdout, /cut off|"level":"error"/);
  });
});
