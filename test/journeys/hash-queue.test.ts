import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { assertFailure, journey, password } from '../support/journey.ts';

/** Waits for what comes about by itself; gives up after a minute, so that a defect fails instead of hanging. */
async function until(isTrue: () => boolean): Promise<void> {
  for (const end = performance.now() + 60_000; !isTrue(); ) {
    if (performance.now() > end) throw new Error(`it never came about: ${isTrue}`);
    await new Promise(setImmediate);
  }
}

/** A gate that holds jobs until it is opened, or for a minute, so that a defect fails instead of hanging. */
function createGate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  setTimeout(open, 60_000).unref();
  return { open, opened };
}

journey(
  'beyond the hash slots and their queue the answer is 503, and what was let in goes on',
  async (open) => {
    const { doorward, signIn, logIn, request } = await open({ HASH_CONCURRENCY: 1, HASH_QUEUE_LIMIT: 1 });
    const user = await signIn();
    const { queue } = doorward.passwords;
    const json = { email: 'new@example.com', password, name: 'A' };
    const known = { headers: { 'x-device-token': (await logIn(user.email)).body.device_token } };
    const gate = createGate();
    const running = queue.run(() => gate.opened);
    const form = { username: user.email, password };
    const waits = request('POST', '/auth/login', { form, ...known });
    await until(() => queue.waiting === 1);

    const change = { current_password: password, new_password: 'NewSecure456!' };
    const token = user.access_token;
    for (const answer of [
      await logIn(user.email),
      await logIn(user.email, 'WrongPass123!'),
      await logIn('unknown@example.com'),
      await request('POST', '/auth/signup', { json }),
      await request('POST', '/auth/me/password', { json: change, token }),
      await request('DELETE', '/auth/me', { json: { current_password: password }, token }),
    ]) {
      assertFailure(answer, 503, 'Service is overloaded', 'overloaded');
      assert.match(answer.headers['retry-after'] ?? '', /^[1-9]\d*$/);
    }
    // What needs no hash is answered meanwhile.
    assert.equal((await request('GET', '/auth/me', { token })).status, 200);
    assert.equal(
      (await request('POST', '/auth/signup', { json: { ...json, email: user.email } })).status,
      409,
    );

    gate.open();
    await running;
    assert.equal((await waits).status, 200);
    assert.equal((await request('POST', '/auth/signup', { json })).status, 201);
  },
);

journey('in a full queue a session or a known device takes the place of a stranger', async (open) => {
  const { doorward, signIn, logIn, request } = await open({ HASH_CONCURRENCY: 1, HASH_QUEUE_LIMIT: 2 });
  // Two users: of one alone, not so many go first that nobody else comes to the slot.
  const [user, other] = [await signIn(), await signIn()];
  const { queue } = doorward.passwords;
  const { device_token } = (await logIn(other.email)).body;
  const gate = createGate();
  const running = queue.run(() => gate.opened);
  const first = logIn('first@example.com');
  await until(() => queue.waiting === 1);
  const second = logIn('second@example.com');
  await until(() => queue.waiting === 2);

  const change = { current_password: password, new_password: 'NewSecure456!' };
  const changed = request('POST', '/auth/me/password', { json: change, token: user.access_token });
  assertFailure(await second, 503, 'Service is overloaded', 'overloaded');
  const form = { username: other.email, password };
  const known = request('POST', '/auth/login', { form, headers: { 'x-device-token': device_token } });
  assertFailure(await first, 503, 'Service is overloaded', 'overloaded');
  assert.equal(queue.waiting, 2);
  gate.open();
  await running;
  assert.deepEqual([(await changed).status, (await known).status], [200, 200]);
});

journey('of many logins at once some are put off and the others are right', async (open) => {
  const { signIn, logIn } = await open({
    HASH_CONCURRENCY: 1,
    HASH_QUEUE_LIMIT: 1,
    ARGON2_MEMORY_KIB: 19456,
    ARGON2_PASSES: 8,
  });
  const { email } = await signIn();
  const answers = await Promise.all(
    Array.from({ length: 16 }, (_, index) => logIn(email, index % 2 === 0 ? password : 'WrongPass123!')),
  );
  for (const [index, { status, headers }] of answers.entries()) {
    if (status === 503) assert.match(headers['retry-after'] ?? '', /^[1-9]\d*$/);
    else assert.equal(status, index % 2 === 0 ? 200 : 401);
  }
  const putOff = answers.filter(({ status }) => status === 503).length;
  assert.ok(putOff > 0 && putOff < 16, `${putOff} of 16`);
});

journey('a client that hangs up frees nothing early', async (open, { t }) => {
  const { doorward, app, signIn, logIn } = await open({ HASH_CONCURRENCY: 1, HASH_QUEUE_LIMIT: 0 });
  const { email } = await signIn();
  const { queue } = doorward.passwords;
  const gate = createGate();
  const { run } = queue;
  const held = t.mock.method(queue, 'run', (job: () => Promise<unknown>) =>
    run(async () => {
      await gate.opened;
      return job();
    }),
  );

  await app.listen({ port: 0, host: '127.0.0.1' });
  const address = app.server.address();
  assert.ok(address !== null && typeof address === 'object');
  const body = `${new URLSearchParams({ username: email, password })}`;
  const client = connect(address.port, '127.0.0.1');
  const accepted = once(app.server, 'request');
  client.write(
    `POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n` +
      `content-length: ${body.length}\r\n\r\n${body}`,
  );
  const [request] = await accepted;
  await until(() => queue.running === 1);
  const gone = once(request.socket, 'close');
  client.destroy();
  await gone;

  assert.equal(queue.running, 1, 'the slot is the job’s');
  assertFailure(await logIn(email), 503, 'Service is overloaded', 'overloaded');
  gate.open();
  await queue.drain();
  assert.equal(queue.running, 0);
  held.mock.restore();
  assert.equal((await logIn(email)).status, 200);
});
