import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { DoorwardError } from '../../src/errors.ts';
import { assertFailure, claimsOf, type Instance, onInstances } from '../support/instances.ts';

/** Counts what an instance writes from now on, in transactions or by single statements; `before` is called before each. */
function watchWrites(t: TestContext, { doorward }: Instance, before = async () => {}) {
  const { db } = doorward.kernel;
  const { transaction, write } = { transaction: db.transaction.bind(db), write: db.write.bind(db) };
  const watched = [
    t.mock.method(db, 'transaction', async (work: Parameters<typeof transaction>[0]) => {
      await before();
      return transaction(work);
    }),
    t.mock.method(db, 'write', async (statement: Parameters<typeof write>[0]) => {
      await before();
      return write(statement);
    }),
  ];
  return () => watched.reduce((count, { mock }) => count + mock.callCount(), 0);
}

/** What is written beside a request is written in a moment. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail('it never came true');
}

onInstances('that a generation came into use is durable before the request is answered', async (s) => {
  const a = await s.open();
  const b = await s.open();
  const user = await a.signIn();
  const held = Promise.withResolvers<void>();
  watchWrites(s.t, a, () => held.promise);
  let isAnswered = false;
  const asking = a.me(user.access_token).then((answer) => {
    isAnswered = true;
    return answer;
  });
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  assert.equal(isAnswered, false);
  assert.equal((await b.session(user.access_token))?.generation_used_at, null);
  held.resolve();
  assert.equal((await asking).status, 200);
  // Another instance sees it: it is committed.
  assert.equal((await b.session(user.access_token))?.generation_used_at, b.clock.now().toISOString());
});

onInstances('the guard writes once a generation and once a minute, and not otherwise', async (s) => {
  const a = await s.open();
  const user = await a.signIn();
  const seenAt = async () => (await a.session(user.access_token))?.last_seen_at;
  const count = watchWrites(s.t, a);
  for (let request = 0; request < 5; request++) await a.me(user.access_token);
  assert.equal(count(), 1, 'the first request of the generation');

  s.advance(59.999);
  await a.me(user.access_token);
  assert.equal(count(), 1);
  s.advance(0.001);
  await Promise.all(Array.from({ length: 5 }, () => a.me(user.access_token)));
  const now = a.clock.now().toISOString();
  await until(async () => (await seenAt()) === now);
  await a.me(user.access_token);
  assert.equal(count(), 2, 'a minute later, once');

  s.advance(10);
  const { access_token } = await a.refreshed(user.refresh_token);
  assert.equal(count(), 3);
  for (let request = 0; request < 5; request++) await a.me(access_token);
  assert.equal(count(), 4, 'the first request of the next generation');
  await a.me(user.access_token);
  assert.equal(count(), 4, 'a token of the generation before');

  // The refused cost nothing.
  await a.me('garbage');
  await a.request('DELETE', '/auth/me/sessions/none', { token: user.refresh_token });
  assert.equal(count(), 4);
});

onInstances('a last-seen mark that cannot be written fails no request', async (s) => {
  const a = await s.open();
  const user = await a.signIn();
  await a.me(user.access_token);
  s.advance(61);
  const count = watchWrites(s.t, a, () => Promise.reject(new DoorwardError('database_unavailable')));
  for (let request = 0; request < 3; request++) {
    assert.equal((await a.me(user.access_token)).status, 200);
    await new Promise(setImmediate);
  }
  assert.ok(count() >= 1);
});

onInstances('a generation whose use cannot be noted is not served', async (s) => {
  const a = await s.open();
  const user = await a.signIn();
  let isAway = true;
  watchWrites(s.t, a, async () => {
    if (isAway) throw new DoorwardError('database_unavailable');
  });
  const answer = await a.me(user.access_token);
  assertFailure(answer, 503, 'Database is unavailable', 'database_unavailable');
  assert.ok(Number(answer.headers['retry-after']) >= 1);
  const refused = await a.refresh(user.refresh_token);
  assertFailure(refused, 503, 'Database is unavailable', 'database_unavailable');
  isAway = false;
  assert.equal((await a.me(user.access_token)).status, 200);
  assert.notEqual((await a.session(user.access_token))?.generation_used_at, null);
});

onInstances('a token of a generation that the session never had is refused', async (s) => {
  const a = await s.open();
  const user = await a.signIn();
  s.advance(10);
  const { access_token } = await a.refreshed(user.refresh_token);
  assert.equal(claimsOf(access_token).gen, 2);
  // As after the restore of a backup.
  await a.doorward.kernel.db.transaction((tx) =>
    tx.updateTable('sessions').set({ generation: 1 }).where('user_id', '=', user.id).execute(),
  );
  assertFailure(await a.me(access_token), 401, 'Could not validate credentials', 'invalid_token');
  assert.equal((await a.me(user.access_token)).status, 200);
});
