import assert from 'node:assert/strict';
import { onInstances } from '../support/instances.ts';
import { eventually } from '../verify/feed-server.ts';

interface Listed {
  id: string;
  version: string;
  started_at: string;
  last_seen_at: string;
  is_current: boolean;
}

onInstances('instances see each other, and miss those that are gone', async (s) => {
  const a = await s.open();
  const { access_token: token } = await a.signIn({ is_admin: true });
  const statusOf = async (instance: typeof a) => {
    const answer = await instance.request('GET', '/auth/status', { token });
    assert.equal(answer.status, 200, answer.text);
    return answer.body as { instance: Listed; instances: Listed[] };
  };
  const alone = await statusOf(a);
  assert.deepEqual(
    alone.instances.map(({ id, is_current }) => [id, is_current]),
    [[alone.instance.id, true]],
  );
  const b = await s.open();
  await eventually(
    'the other one is seen without its timer',
    async () => (await statusOf(a)).instances.length === 2,
  );
  await b.doorward.status.instances.beat();
  await b.doorward.status.instances.beat();
  const [fromA, fromB] = [await statusOf(a), await statusOf(b)];
  assert.notEqual(fromA.instance.id, fromB.instance.id);
  const ids = [fromA.instance.id, fromB.instance.id];
  for (const [index, { instances }] of [fromA, fromB].entries()) {
    assert.deepEqual(
      instances.map(({ id, is_current }) => [id, is_current]),
      ids.map((id) => [id, id === ids[index]]),
    );
    for (const { started_at, last_seen_at } of instances) {
      assert.ok(started_at <= last_seen_at);
      // The database's clock, not the one that stands still here.
      assert.ok(Math.abs(Date.parse(last_seen_at) - Date.now()) < 60_000);
    }
  }

  // One that crashed an hour ago, one that crashed while the clock was ahead, and one that a slow heartbeat is only late for.
  const row = (id: string, secondsAgo: number) => {
    const last_seen_at = new Date(Date.now() - secondsAgo * 1000).toISOString();
    return { id, version: '0.0.1', started_at: '2020-01-01T00:00:00.000Z', last_seen_at };
  };
  const { db } = a.doorward.kernel;
  await db.transaction(async (tx) => {
    await tx
      .insertInto('instances')
      .values([row('crashed', 3600), row('ahead', -3600), row('late', 40)])
      .execute();
  });
  assert.deepEqual(
    (await statusOf(a)).instances.map(({ id }) => id),
    ['late', ...ids],
  );
  await a.doorward.status.instances.beat();
  const kept = await db.read.selectFrom('instances').select('id').execute();
  assert.deepEqual(kept.map(({ id }) => id).sort(), ['late', ...ids].sort());

  await b.close();
  assert.deepEqual(
    (await statusOf(a)).instances.map(({ id }) => id),
    ['late', fromA.instance.id],
  );
});

onInstances('queues, mails and the audit log are counted', async (s) => {
  const a = await s.open({ HASH_CONCURRENCY: 1, HASH_QUEUE_LIMIT: 7 });
  const { access_token: token } = await a.signIn({ is_admin: true });
  const status = async () => (await a.request('GET', '/auth/status', { token })).body;
  const { doorward, clock } = a;
  const end = Promise.withResolvers<void>();
  const jobs = [1, 2, 3].map(() => doorward.passwords.queue.run(() => end.promise));
  const before = await status();
  assert.deepEqual(before.hash_queue, { running: 1, waiting: 2, slots: 1, limit: 7 });
  assert.deepEqual(before.outbox, { asked: 0, queued: 0, sent: 0, dead: 0, oldest_waiting_at: null });
  assert.deepEqual(before.mail, { is_configured: false });
  assert.equal(before.database.kind, s.database.name === 'SQLite' ? 'sqlite' : 'postgresql');
  end.resolve();
  await Promise.all(jobs);

  const first = clock.now().toISOString();
  const mail = {
    kind: 'account_restored',
    to: 'a@example.com',
    user_id: null,
    locale: 'en',
    params: {},
  } as const;
  for (let n = 0; n < 3; n++) {
    await doorward.kernel.db.transaction((tx) => doorward.outbox.enqueue(tx, mail));
    s.advance(60);
  }
  assert.deepEqual((await status()).outbox, {
    asked: 0,
    queued: 3,
    sent: 0,
    dead: 0,
    oldest_waiting_at: first,
  });
  // What is asked for again waits from then on, whatever its number.
  const { mails } = await doorward.outbox.list({ limit: 3 });
  await doorward.outbox.resend(mails.at(-1)?.id ?? 0);
  const second = new Date(Date.parse(first) + 60_000).toISOString();
  const after = await status();
  assert.equal(after.outbox.oldest_waiting_at, second);

  const { events } = await doorward.audit.list({ limit: 200 });
  assert.equal(after.audit_log.events, events.length);
  await doorward.audit.checkpoint();
  const { audit_log } = await status();
  assert.equal(audit_log.checkpoint, after.audit_log.checkpoint + 1);
  assert.equal(audit_log.checkpoint_at, clock.now().toISOString());
});
