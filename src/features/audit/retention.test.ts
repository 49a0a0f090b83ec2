import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { allEvents, codesOf, recordEach, recordTogether, tamper } from '../../../test/support/audit.ts';
import { type Instance, onInstances } from '../../../test/support/instances.ts';
import { verifyExport } from './index.ts';

const day = 86_400;
const chainsOf = ({ doorward }: Instance) =>
  doorward.kernel.db.read.selectFrom('audit_chains').selectAll().orderBy('chain').execute();

onInstances('what is old goes, what is left can still be proven, and its removal is told', async (s) => {
  const a = await s.open({ AUDIT_RETENTION_DAYS: 30 });
  const { audit } = a.doorward;
  await recordTogether(
    a,
    Array.from({ length: 1203 }, () => ({ user_id: 1 })),
  );
  await recordEach(
    a,
    Array.from({ length: 20 }, () => ({ user_id: 1 })),
  );
  await audit.checkpoint();
  s.advance(10 * day);
  await recordEach(
    a,
    Array.from({ length: 20 }, () => ({ user_id: 2 })),
  );
  await audit.checkpoint();
  const count = (await allEvents(a)).length;

  s.advance(20 * day);
  await audit.prune();
  assert.equal((await allEvents(a)).length, count, 'no day is over that is to go');
  s.advance(day);
  await audit.prune();
  const left = await allEvents(a);
  assert.deepEqual(
    [...new Set(left.map(({ user_id }) => user_id))].filter((id) => id !== null),
    [2],
  );
  const told = left
    .filter(({ kind }) => kind === 'audit.pruned')
    .map(({ personal }) => JSON.parse(personal ?? ''));
  assert.ok(
    told.every(({ detail }) => detail.before === '2026-01-02T00:00:00.000Z' && detail.via === 'system'),
  );
  const removed = told.reduce((sum, { detail }) => sum + detail.count, 0);
  assert.equal(removed, count - 20);
  const result = await audit.verify();
  assert.deepEqual([result.findings, result.pruned, result.events], [[], removed, left.length]);
  const lines: string[] = [];
  for await (const part of audit.export()) lines.push(...part.split('\n'));
  assert.deepEqual((await verifyExport({ lines })).findings, []);
  await audit.checkpoint();
  await recordEach(a, [{ user_id: 3 }]);
  await audit.prune();
  assert.deepEqual((await audit.verify()).findings, []);

  s.advance(100 * day);
  await audit.prune();
  const last = await allEvents(a);
  assert.ok(last.length > 0 && last.every(({ kind }) => kind === 'audit.pruned'));
  assert.deepEqual((await audit.verify()).findings, []);
});

onInstances('an event of the future does not keep what is old after it', async (s) => {
  const a = await s.open({ AUDIT_RETENTION_DAYS: 30 });
  await recordEach(
    a,
    Array.from({ length: 60 }, () => ({ user_id: 1 })),
  );
  s.advance(300 * day);
  await recordEach(
    a,
    Array.from({ length: 60 }, () => ({ user_id: 2 })),
  );
  s.advance(-300 * day);
  await recordEach(
    a,
    Array.from({ length: 200 }, () => ({ user_id: 3 })),
  );
  s.advance(40 * day);
  await recordEach(a, [{ user_id: 4 }]);
  await a.doorward.audit.prune();
  const left = await allEvents(a);
  assert.ok(left.some(({ user_id }) => user_id === 4));
  assert.ok(!left.some(({ user_id }) => user_id === 1 || user_id === 3));
  assert.deepEqual((await a.doorward.audit.verify()).findings, []);
});

onInstances('0 keeps all', async (s) => {
  const a = await s.open({ AUDIT_RETENTION_DAYS: 0 });
  await recordEach(a, [{ user_id: 1 }]);
  const before = await allEvents(a);
  s.advance(5000 * day);
  await a.doorward.audit.prune();
  assert.deepEqual(await allEvents(a), before);
});

onInstances('retention does not wipe out the traces of tampering, and they go in time', async (s) => {
  const a = await s.open({ AUDIT_RETENTION_DAYS: 30 });
  const { audit } = a.doorward;
  await recordTogether(
    a,
    Array.from({ length: 10 }, () => ({ user_id: 1 })),
  );
  s.advance(5 * day);
  await recordEach(
    a,
    Array.from({ length: 60 }, () => ({ user_id: 2 })),
  );
  await tamper(a, sql`delete from audit_events where user_id = 1 and position % 3 = 0`);
  assert.deepEqual(codesOf(await audit.verify()), ['event_missing']);
  s.advance(27 * day);
  await audit.prune();
  assert.deepEqual(codesOf(await audit.verify()), ['chain_broken']);
  await recordEach(
    a,
    Array.from({ length: 60 }, () => ({ user_id: 3 })),
  );
  s.advance(10 * day);
  await audit.prune();
  assert.deepEqual(codesOf(await audit.verify()), ['chain_broken'], 'for as long as events are kept');
  s.advance(40 * day);
  await audit.prune();
  assert.deepEqual((await audit.verify()).findings, []);
});

onInstances('verification and recording go on while retention removes', async (s) => {
  const [a, b] = [await s.open({ AUDIT_RETENTION_DAYS: 30 }), await s.open({ AUDIT_RETENTION_DAYS: 30 })];
  for (let index = 0; index < 5; index++) {
    await recordTogether(
      a,
      Array.from({ length: 700 }, () => ({ user_id: 1 })),
    );
  }
  s.advance(40 * day);
  const results = await Promise.all([
    a.doorward.audit.verify(),
    a.doorward.audit.prune(),
    b.doorward.audit.prune(),
    recordEach(
      b,
      Array.from({ length: 50 }, () => ({ user_id: 2 })),
    ),
    b.doorward.audit.verify(),
    b.doorward.audit.checkpoint(),
  ]);
  for (const result of [results[0], results[4]]) assert.deepEqual(result.findings, []);
  const left = await allEvents(a);
  assert.ok(left.every(({ user_id }) => user_id !== 1));
  assert.ok((await chainsOf(a)).every(({ base_position, position }) => base_position <= position));
  assert.deepEqual((await a.doorward.audit.verify()).findings, []);
});
