import assert from 'node:assert/strict';
import { allEvents, recordEach, recordTogether } from '../../../test/support/audit.ts';
import { onInstances } from '../../../test/support/instances.ts';
import { withOrigin } from '../../origin.ts';
import { toEvent } from './event.ts';

onInstances(
  'a hundred transactions at once on two instances: every event is there, every chain whole',
  async (s) => {
    const [a, b] = [await s.open({ DATABASE_POOL_SIZE: 30 }), await s.open({ DATABASE_POOL_SIZE: 30 })];
    const count = (await allEvents(a)).length;
    const users = Array.from({ length: 100 }, (_, index) => index);
    await Promise.all(
      users.map((user_id) =>
        recordTogether(user_id % 2 === 0 ? a : b, [{ user_id }, { user_id }, { user_id: user_id + 1000 }]),
      ),
    );
    const events = (await allEvents(a)).filter(({ user_id }) => user_id !== null);
    assert.deepEqual(
      events.map(({ user_id }) => Number(user_id)).sort((one, other) => one - other),
      [...users.flatMap((user) => [user, user]), ...users.map((user) => user + 1000)],
    );
    const { ok, events: verified } = await b.doorward.audit.verify();
    assert.deepEqual([ok, verified], [true, count + 300]);
    if (s.database.name === 'PostgreSQL') {
      const chains = new Set(events.map(({ chain }) => chain));
      assert.ok(chains.size > 4, `writers were spread over ${chains.size} chains`);
    }
    for (const user of users) {
      const own = events.filter(({ user_id }) => user_id === user || user_id === user + 1000);
      assert.equal(new Set(own.map(({ chain }) => chain)).size, 1, 'a transaction keeps its chain');
    }
  },
);

onInstances('a transaction that fails leaves no event and no trace of one', async (s) => {
  const a = await s.open();
  await recordEach(a, [{ user_id: 1 }]);
  const before = [
    await allEvents(a),
    await a.doorward.kernel.db.read.selectFrom('audit_chains').selectAll().execute(),
  ];
  const { db, audit } = a.doorward.kernel;
  const failing = db.transaction(async (tx) => {
    await audit.record(tx, { kind: 'user.updated', user_id: 2 });
    await audit.record(tx, { kind: 'user.updated', user_id: 3 });
    throw new Error('no');
  });
  await assert.rejects(failing, /no/);
  const after = [
    await allEvents(a),
    await a.doorward.kernel.db.read.selectFrom('audit_chains').selectAll().execute(),
  ];
  assert.deepEqual(after, before);
  await recordEach(a, [{ user_id: 4 }]);
  assert.equal((await a.doorward.audit.verify()).ok, true);
});

onInstances('events that one transaction records at once stand one after the other', async (s) => {
  const a = await s.open();
  const { db, audit } = a.doorward.kernel;
  const users = Array.from({ length: 20 }, (_, index) => index);
  await db.transaction(async (tx) => {
    await Promise.all(users.map((user_id) => audit.record(tx, { kind: 'user.updated', user_id })));
  });
  const events = (await allEvents(a)).filter(({ user_id }) => user_id !== null);
  assert.deepEqual(
    events.map(({ user_id }) => user_id),
    users,
  );
  assert.deepEqual(
    events.map(({ id }) => id),
    events.map(({ id }) => id).sort(),
    'their ids too',
  );
  assert.equal((await a.doorward.audit.verify()).ok, true);
});

onInstances('an event tells who, on whom, from where, when, and by which request', async (s) => {
  const a = await s.open();
  const http = { via: 'http', actor: 3, network: '203.0.113.9', request_id: 'abc-1' } as const;
  const commandLine = { via: 'command_line', actor: null, network: null, request_id: null } as const;
  await withOrigin(http, () => recordTogether(a, [{ user_id: 4, detail: { fields: ['name'] } }]));
  s.advance(1);
  await withOrigin(http, () => recordTogether(a, [{ kind: 'login.succeeded', user_id: 5, actor: 5 }]));
  s.advance(1);
  await withOrigin(http, () => recordTogether(a, [{ kind: 'login.failed', user_id: null, actor: null }]));
  s.advance(1);
  await withOrigin(commandLine, () => recordTogether(a, [{ kind: 'user.deleted', user_id: 6 }]));
  s.advance(1);
  await recordTogether(a, [{ kind: 'key.created', user_id: null, detail: { kid: 'x' } }]);
  const { events } = await a.doorward.audit.list({ limit: 5 });
  const tell = events.toReversed().map(({ id, ...told }) => told);
  const at = (second: number) => `2026-01-01T12:00:0${second}.000Z`;
  const nothing = { network: null, request_id: null };
  const from = { network: '203.0.113.9', request_id: 'abc-1' };
  assert.deepEqual(tell, [
    {
      time: at(0),
      kind: 'user.updated',
      result: 'success',
      actor: 3,
      user_id: 4,
      ...from,
      detail: { fields: ['name'] },
    },
    { time: at(1), kind: 'login.succeeded', result: 'success', actor: 5, user_id: 5, ...from, detail: {} },
    { time: at(2), kind: 'login.failed', result: 'failure', actor: null, user_id: null, ...from, detail: {} },
    {
      time: at(3),
      kind: 'user.deleted',
      result: 'success',
      actor: null,
      user_id: 6,
      ...nothing,
      detail: { via: 'command_line' },
    },
    {
      time: at(4),
      kind: 'key.created',
      result: 'success',
      actor: null,
      user_id: null,
      ...nothing,
      detail: { kid: 'x', via: 'system' },
    },
  ]);
  for (const { id, time } of events) {
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(Number.parseInt(id.replace('-', '').slice(0, 12), 16), Date.parse(time));
  }
  assert.deepEqual(
    (await allEvents(a))
      .map(toEvent)
      .sort((x, y) => (x.id < y.id ? 1 : -1))
      .slice(0, 5),
    events,
  );
});
