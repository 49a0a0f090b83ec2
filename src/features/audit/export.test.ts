import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { allEvents, codesOf, recordEach, recordTogether, tamper } from '../../../test/support/audit.ts';
import { type Instance, onInstances } from '../../../test/support/instances.ts';
import { withOrigin } from '../../origin.ts';
import { type FindingCode, verifyExport } from './index.ts';

/** The lines of an export. */
async function exported(a: Instance, range: Parameters<Instance['doorward']['audit']['export']>[0] = {}) {
  const parts: string[] = [];
  for await (const part of a.doorward.audit.export(range)) parts.push(part);
  return parts.join('\n').split('\n');
}

async function openWithEvents(open: () => Promise<Instance>): Promise<Instance> {
  const a = await open();
  const origin = { via: 'http', actor: 7, network: '2001:db8::7', request_id: 'request-1' } as const;
  await withOrigin(origin, () =>
    recordTogether(a, [
      { user_id: 1, detail: { fields: ['name', 'email'], note: 'ö \u{1f600} "quoted" \u2028' } },
      { user_id: 2, detail: { '2': 'two', '1': 'one', empty: '', none: null, yes: true, big: 1e21 } },
    ]),
  );
  await recordEach(
    a,
    Array.from({ length: 30 }, (_, index) => ({ user_id: index })),
  );
  // More than one batch in one chain.
  await recordTogether(
    a,
    Array.from({ length: 1100 }, (_, index) => ({ user_id: index })),
  );
  return a;
}

onInstances('an export is checked without the database, and no line of it can be changed', async (s) => {
  const a = await openWithEvents(s.open);
  const lines = await exported(a);
  const events = await allEvents(a);
  assert.equal(lines.length, events.length + 18);
  const told = lines.filter((line) => line.startsWith('{"id":')).map((line) => JSON.parse(line));
  const [first] = told.filter(({ user_id, network }) => user_id === 1 && network !== null);
  assert.deepEqual(Object.keys(first), [
    'id', 'time', 'kind', 'result', 'actor', 'user_id', 'network', 'request_id', 'detail', 'proof',
  ]); // biome-ignore format: a list
  assert.deepEqual(
    [first.actor, first.network, first.request_id, first.detail.note],
    [7, '2001:db8::7', 'request-1', 'ö \u{1f600} "quoted" \u2028'],
  );

  const { public_key } = JSON.parse(lines[0] ?? '');
  assert.deepEqual((await verifyExport({ lines })).findings, []);
  const result = await verifyExport({ lines, publicKey: public_key });
  assert.deepEqual([result.ok, result.events, result.public_key], [true, events.length, public_key]);

  const isEvent = (line: string | undefined) => line?.startsWith('{"id":') === true;
  // The second of a chain that has a third one.
  const at = lines.findIndex(
    (line, index) => isEvent(line) && isEvent(lines[index + 1]) && JSON.parse(line).proof.position === 2,
  );
  const event = JSON.parse(lines[at] ?? '');
  const other = lines.findIndex((line, index) => index > at && line.startsWith('{"chain":'));
  const replaced = (index: number, ...by: unknown[]) =>
    lines.toSpliced(index, 1, ...by.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))));
  const changes: [what: string, lines: string[], found: FindingCode[]][] = [
    ['a field is edited', replaced(at, { ...event, user_id: 999 }), ['event_changed']],
    ['a nested one is', replaced(at, { ...event, detail: { ...event.detail, x: 1 } }), ['event_changed']],
    ['the network is', replaced(at, { ...event, network: '::1' }), ['event_changed']],
    ['the proof is', replaced(at, { ...event, proof: { ...event.proof, salt: 'x' } }), ['event_changed']],
    ['a field is added', replaced(at, { ...event, note: 1 }), ['export_malformed']],
    ['a field is there twice', replaced(at, lines[at]?.replace('{', '{"user_id":1,')), ['export_malformed']],
    ['the order of fields is', replaced(at, { time: event.time, ...event }), ['export_malformed']],
    ['a line is deleted', replaced(at), ['event_missing']],
    ['a line is repeated', replaced(at, lines[at], lines[at]), ['event_inserted']],
    ['two lines change places', lines.with(at, lines[at + 1] ?? '').with(at + 1, lines[at] ?? ''), []],
    ['a line is garbage', replaced(at, 'x{'), ['export_malformed']],
    ['a line is empty', replaced(at, ''), ['export_malformed']],
    ['the last event of a chain is deleted', replaced(other - 1), ['head_contradicted']],
    [
      'a chain has another number',
      replaced(at - 2, { ...JSON.parse(lines[at - 2] ?? ''), chain: 99 }),
      ['export_malformed'],
    ],
    ['the end is cut off', lines.slice(0, -1), ['export_malformed']],
    ['there is more after the end', [...lines, lines[at] ?? ''], ['export_malformed']],
    ['the header is missing', lines.slice(1), ['no_export']],
    [
      'the header names another key',
      replaced(0, { audit_export: 1, public_key: 'A'.repeat(43) }),
      ['export_forged'],
    ],
    ['the statement is another one', replaced(lines.length - 1, { statement: 'a.b.c' }), ['export_forged']],
    ['there is nothing', [], ['no_export']],
  ];
  for (const [what, changed, found] of changes) {
    const verified = await verifyExport({ lines: changed });
    assert.equal(verified.ok, false, what);
    assert.deepEqual(
      found.filter((code) => !codesOf(verified).includes(code)),
      [],
      `${what}: ${codesOf(verified)}`,
    );
  }
});

onInstances('an export of another one with a key of its own is found by who knows the key', async (s) => {
  const a = await openWithEvents(s.open);
  const forger = await s.open({
    SECRET_KEY: 'forger-0f4d6a8b2c1e3957-not-a-sample',
    DATABASE_URL: 'sqlite::memory:',
  });
  await recordEach(forger, [{ user_id: 1 }]);
  const lines = await exported(forger);
  assert.equal((await verifyExport({ lines })).ok, true, 'by the key that it names it is right');
  const { public_key: publicKey } = await a.doorward.audit.verify();
  assert.deepEqual(codesOf(await verifyExport({ lines, publicKey })), ['export_forged']);
});

onInstances('an export of what was tampered with, and one that lacks what a checkpoint saw', async (s) => {
  const a = await openWithEvents(s.open);
  const { audit, kernel } = a.doorward;
  await audit.checkpoint();
  const { statement: checkpoint } = await kernel.db.read
    .selectFrom('audit_checkpoints')
    .select('statement')
    .orderBy('number', 'desc')
    .limit(1)
    .executeTakeFirstOrThrow();
  assert.deepEqual((await verifyExport({ lines: await exported(a), checkpoint })).findings, []);
  const forged = await verifyExport({
    lines: await exported(a),
    checkpoint: checkpoint.replace(/\.[^.]{4}(?=[^.]*$)/, '.AAAA'),
  });
  assert.deepEqual(codesOf(forged), ['checkpoint_forged']);

  await tamper(a, sql`update audit_events set user_id = 999 where position = 3`);
  assert.deepEqual(codesOf(await verifyExport({ lines: await exported(a) })), ['event_changed']);
  await tamper(a, sql`update audit_chains set mac = 'x', position = 0, hash = ''`);
  const result = await verifyExport({ lines: await exported(a), checkpoint });
  assert.deepEqual(codesOf(result), ['checkpoint_contradicted', 'head_forged']);
});

onInstances('a part of the log is exported, and is as provable', async (s) => {
  const a = await s.open();
  for (let day = 1; day <= 5; day++) {
    await recordEach(
      a,
      Array.from({ length: 20 }, () => ({ user_id: day })),
    );
    s.advance(86_400);
  }
  const usersIn = (lines: string[]) => [
    ...new Set(
      lines.filter((line) => line.startsWith('{"id":')).map((line): number => JSON.parse(line).user_id),
    ),
  ];
  const [from, to] = [new Date('2026-01-02T12:00:00Z'), new Date('2026-01-04T12:00:00Z')];
  for (const [range, users] of [
    [{ from, to }, [2, 3]],
    [{ from: to }, [4, 5]],
    [{ from: new Date('2027-01-01') }, []],
  ] as const) {
    const lines = await exported(a, range);
    assert.deepEqual(
      usersIn(lines)
        .filter((user) => user !== null)
        .sort(),
      users,
    );
    assert.deepEqual((await verifyExport({ lines })).findings, []);
    const cut = lines.findIndex((line) => line.startsWith('{"id":'));
    if (cut !== -1) assert.equal((await verifyExport({ lines: lines.toSpliced(cut, 1) })).ok, false);
  }
});
