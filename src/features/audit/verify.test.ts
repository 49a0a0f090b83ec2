import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before } from 'node:test';
import { type RawBuilder, sql } from 'kysely';
import {
  allEvents,
  codesOf,
  hashByHand,
  hashPersonalByHand,
  keepLog,
  recordEach,
  recordTogether,
  tamper,
} from '../../../test/support/audit.ts';
import { type Instance, onInstances, type Scenario, SECRET_KEY } from '../../../test/support/instances.ts';
import { withOrigin } from '../../origin.ts';
import { changeSecretKey } from '../keys/index.ts';
import type { EventRow } from './event.ts';
import { createAuditKeyChange, type FindingCode, verifyLog } from './index.ts';

let folder: string;
let files = 0;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'doorward-audit-'));
});
after(() => rm(folder, { recursive: true }));

interface Log {
  a: Instance;
  headFile: string;
  /** A chain of nine events or a few more. */
  chain: number;
  events: EventRow[];
  /** The event at a position; from the end when it is negative. */
  at(position: number): EventRow;
}

/** An instance with a head file and a chain of events, among others. */
async function openWithEvents(s: Scenario): Promise<Log> {
  const headFile = join(folder, `head-${++files}`);
  const a = await s.open({ AUDIT_HEAD_FILE: headFile });
  await recordEach(a, [{ user_id: 1 }, { user_id: 2 }, { user_id: 3 }]);
  const origin = { via: 'http', actor: 7, network: '203.0.113.9', request_id: 'request-1' } as const;
  const nine = Array.from({ length: 9 }, (_, index) => ({ user_id: 10 + index, detail: { field: 'name' } }));
  await withOrigin(origin, () => recordTogether(a, nine));
  const all = await allEvents(a);
  const chain = all.find(({ user_id }) => user_id === 10)?.chain ?? -1;
  const events = all.filter((event) => event.chain === chain);
  const log: Log = {
    a,
    headFile,
    chain,
    events,
    at(position) {
      const event = log.events.at(position < 0 ? position : position - 1);
      assert.ok(event);
      return event;
    },
  };
  return log;
}

/** The statement that moves events of a chain, which a place of their own must not hinder. */
const shift = (chain: number, after: number, by: number) => [
  sql`update audit_events set position = -position - ${by} where chain = ${chain} and position > ${after}`,
  sql`update audit_events set position = -position where chain = ${chain} and position < 0`,
];

const swap = (a: EventRow, b: EventRow) => [
  sql`update audit_events set position = -1 where id = ${a.id}`,
  sql`update audit_events set position = ${a.position} where id = ${b.id}`,
  sql`update audit_events set position = ${b.position} where id = ${a.id}`,
];

/** What somebody does to the database, and what is then found; where it depends on the other chain, anything. */
const scenarios: [what: string, act: (log: Log) => RawBuilder<unknown>[], found?: FindingCode[]][] = [
  [
    'the first event is deleted',
    (log) => [sql`delete from audit_events where id = ${log.at(1).id}`],
    ['event_missing'],
  ],
  [
    'one in the middle is',
    (log) => [sql`delete from audit_events where id = ${log.at(5).id}`],
    ['event_missing'],
  ],
  ['the newest is', (log) => [sql`delete from audit_events where id = ${log.at(-1).id}`], ['newest_missing']],
  ['all are', () => [sql`delete from audit_events`], ['newest_missing']],
  [
    'one is deleted and the others move up',
    (log) => [sql`delete from audit_events where id = ${log.at(5).id}`, ...shift(log.chain, 5, -1)],
    ['event_changed', 'newest_missing'],
  ],
  [
    'the newest is deleted and the head set back without the key',
    (log) => [
      sql`delete from audit_events where id = ${log.at(-1).id}`,
      sql`update audit_chains set position = ${log.at(-2).position}, hash = ${log.at(-2).hash} where chain = ${log.chain}`,
    ],
    ['head_forged'],
  ],
  [
    'the front is deleted as if by retention',
    (log) => [
      sql`delete from audit_events where chain = ${log.chain} and position <= 3`,
      sql`update audit_chains set base_position = 3, base_hash = ${log.at(3).hash} where chain = ${log.chain}`,
    ],
    ['head_forged'],
  ],
  [
    'a head is deleted',
    (log) => [sql`delete from audit_chains where chain = ${log.chain}`],
    ['head_missing'],
  ],
  [
    'its mac is',
    (log) => [sql`update audit_chains set mac = '' where chain = ${log.chain}`],
    ['head_forged'],
  ],
  [
    'it is told to be broken, or was and is not any more',
    (log) => [sql`update audit_chains set broken_at = 1 where chain = ${log.chain}`],
    ['chain_broken', 'head_forged'],
  ],
  ['two events change places', (log) => swap(log.at(3), log.at(6)), ['event_changed']],
  ['the two newest do', (log) => swap(log.at(-1), log.at(-2)), ['event_changed', 'head_contradicted']],
  [
    'a copy of an event is inserted at the end',
    (log) => insertCopy(log.at(4), { position: log.at(-1).position + 1 }),
    ['event_inserted'],
  ],
  ['an event that fits is inserted at the end', (log) => insertFitting(log.at(-1)), ['event_inserted']],
  [
    'it is, and the head moved',
    (log) => [
      ...insertFitting(log.at(-1)),
      sql`update audit_chains set position = position + 1, hash = ${fitting(log.at(-1)).hash} where chain = ${log.chain}`,
    ],
    ['head_forged'],
  ],
  [
    'an event is inserted between two',
    (log) => [...shift(log.chain, 4, 1), ...insertCopy(log.at(4), { position: 5 })],
    ['event_changed', 'event_inserted', 'head_contradicted'],
  ],
  ['before the first', (log) => insertCopy(log.at(4), { position: 0 }), ['event_inserted']],
  ['in a chain that there is not', (log) => insertCopy(log.at(4), { chain: 99 }), ['event_inserted']],
  [
    'in another chain, which is emptied',
    (log) => [
      sql`delete from audit_events where chain = ${(log.chain + 5) % 16}`,
      ...insertCopy(log.at(4), { chain: (log.chain + 5) % 16, position: 1 }),
    ],
  ],
  [
    'a chain is moved to another number',
    (log) => [
      sql`delete from audit_events where chain = ${(log.chain + 5) % 16}`,
      sql`update audit_events set chain = ${(log.chain + 5) % 16} where chain = ${log.chain}`,
    ],
  ],
  [
    'and its head with it',
    (log) => [
      sql`delete from audit_events where chain = ${(log.chain + 5) % 16}`,
      sql`update audit_events set chain = ${(log.chain + 5) % 16} where chain = ${log.chain}`,
      sql`delete from audit_chains where chain = ${(log.chain + 5) % 16}`,
      sql`update audit_chains set chain = ${(log.chain + 5) % 16} where chain = ${log.chain}`,
    ],
  ],
  [
    'what an event says of a person is erased, though nobody was deleted',
    (log) => [erase(log.at(4))],
    ['personal_missing'],
  ],
  [
    'it is erased with another value in its place',
    (log) => [
      sql`update audit_events set personal = null, salt = null, personal_hash = 'x' where id = ${log.at(4).id}`,
    ],
    ['event_changed', 'personal_missing'],
  ],
  [
    'all checkpoints are deleted',
    () => [sql`delete from audit_checkpoints`],
    ['checkpoint_missing', 'head_file_contradicted'],
  ],
  [
    'the first checkpoint is',
    () => [sql`delete from audit_checkpoints where number = 1`],
    ['checkpoint_missing'],
  ],
  ['the newest is', () => [sql`delete from audit_checkpoints where number = 3`], ['head_file_contradicted']],
  [
    'a checkpoint is replaced by another one of ours',
    () => [
      sql`update audit_checkpoints set statement = (select statement from audit_checkpoints where number = 1) where number = 2`,
    ],
    ['checkpoint_forged'],
  ],
  [
    'the newest is replaced by an earlier one of ours',
    () => [
      sql`update audit_checkpoints set statement = (select statement from audit_checkpoints where number = 2) where number = 3`,
    ],
    ['checkpoint_forged'],
  ],
  [
    'its time is changed',
    () => [sql`update audit_checkpoints set time = '2020-01-01T00:00:00.000Z' where number = 3`],
    ['checkpoint_forged'],
  ],
];

const columns = [
  'id', 'chain', 'position', 'time', 'kind', 'result', 'actor', 'user_id', 'request_id', 'personal', 'salt', 'hash',
] as const; // biome-ignore format: a list

function insertCopy(event: EventRow, changes: Partial<EventRow>): RawBuilder<unknown>[] {
  const id = event.id.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
  const copy = { ...event, id, ...changes };
  const values = sql.join(columns.map((column) => copy[column]));
  return [
    sql`insert into audit_events (${sql.join(columns.map((column) => sql.ref(column)))}) values (${values})`,
  ];
}

/** An event after `newest` with a hash that is right. */
function fitting(newest: EventRow): EventRow {
  const id = newest.id.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
  const event: EventRow = { ...newest, id, position: newest.position + 1, user_id: 666 };
  return { ...event, hash: hashByHand(newest.hash, event) };
}

const insertFitting = (newest: EventRow) => insertCopy(newest, fitting(newest));

/** What an erasure does. */
function erase(event: EventRow): RawBuilder<unknown> {
  const hash = hashPersonalByHand(event);
  return sql`update audit_events set personal = null, salt = null, personal_hash = ${hash} where id = ${event.id}`;
}

onInstances('the hash of an event is what the documentation says', async (s) => {
  const { events } = await openWithEvents(s);
  let previous = '';
  for (const event of events) {
    assert.equal(event.hash, hashByHand(previous, event));
    previous = event.hash;
  }
});

onInstances('an edit of any column of any event is found', async (s) => {
  const log = await openWithEvents(s);
  const { a } = log;
  const putBack = await keepLog(a);
  assert.deepEqual((await a.doorward.audit.verify()).findings, []);
  const edits: Record<keyof EventRow, (event: EventRow) => unknown> = {
    id: ({ id }) => id.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')),
    // One of those that are not.
    chain: ({ chain }) => chain + 16,
    position: () => 1_000_000,
    time: () => '2026-01-01T12:00:00.001Z',
    kind: () => 'user.created',
    result: () => 'failure',
    actor: ({ actor }) => (actor === null ? 1 : null),
    user_id: () => 999,
    request_id: () => 'other',
    personal: ({ personal }) => personal?.replace('field', 'fields').replace('null', '"::1"'),
    salt: ({ salt }) => `${salt}A`,
    personal_hash: () => 'x',
    hash: ({ hash }) => `${hash}A`,
  };
  for (const event of [log.at(1), log.at(5), log.at(-1)]) {
    for (const [column, edit] of Object.entries(edits)) {
      const value = edit(event);
      assert.notEqual(value, event[column as keyof EventRow], column);
      await tamper(a, sql`update audit_events set ${sql.ref(column)} = ${value} where id = ${event.id}`);
      assert.equal((await a.doorward.audit.verify()).ok, false, `${column} of event ${event.position}`);
      await putBack();
    }
    for (const column of ['personal', 'salt', 'time', 'kind'] as const) {
      await tamper(
        a,
        sql`update audit_events set ${sql.ref(column)} = ${`${event[column]} `} where id = ${event.id}`,
      );
      assert.equal((await a.doorward.audit.verify()).ok, false, `a blank more in ${column}`);
      await putBack();
    }
  }
  assert.equal((await a.doorward.audit.verify()).ok, true);
});

onInstances('what is deleted, inserted, moved, swapped or forged is found', async (s) => {
  const log = await openWithEvents(s);
  const { audit } = log.a.doorward;
  // Three checkpoints, of which the newest saw the first nine events.
  await audit.checkpoint();
  await recordEach(log.a, [{ user_id: 50 }]);
  await audit.checkpoint();
  // An event that no checkpoint has seen yet: the head's mac alone protects it.
  for (const { length } = log.events; log.events.length === length; ) {
    await recordEach(log.a, [{ user_id: 60 }]);
    log.events = (await allEvents(log.a)).filter(({ chain }) => chain === log.chain);
  }
  const putBack = await keepLog(log.a);
  const before = await audit.verify();
  assert.deepEqual([before.findings, before.checkpoints], [[], 3]);

  for (const [what, act, found] of scenarios) {
    await tamper(log.a, ...act(log));
    const result = await audit.verify();
    assert.equal(result.ok, false, what);
    // Checkpoints and the file may tell of the same in their words.
    const others = codesOf(result).filter((code) => !/^(checkpoint|head_file)_contradicted$/.test(code));
    const told = result.findings.map(({ message }) => message).join('; ');
    if (found !== undefined)
      assert.deepEqual(
        found.filter((code) => !codesOf(result).includes(code)),
        [],
        `${what}: ${told}`,
      );
    assert.deepEqual(
      others.filter((code) => !(found ?? others).includes(code)),
      [],
      `${what}: ${told}`,
    );
    await putBack();
  }
  assert.equal((await audit.verify()).ok, true);
});

onInstances('an older head put back with its own mac is found by checkpoint and file', async (s) => {
  const log = await openWithEvents(s);
  const { a, headFile } = log;
  const { audit } = a.doorward;
  await audit.checkpoint();
  const putBack = await keepLog(a);
  const file = await readFile(headFile, 'utf8');
  for (;;) {
    await recordEach(a, [{ user_id: 70 }]);
    const length = (await allEvents(a)).filter(({ chain }) => chain === log.chain).length;
    if (length >= log.events.length + 2) break;
  }
  await audit.checkpoint();
  const newer = await readFile(headFile, 'utf8');
  assert.notEqual(newer, file);
  assert.equal((await audit.verify()).ok, true);

  // The database as it was: whole, and with the right macs. Only what is outside of it can tell.
  await putBack();
  await writeFile(headFile, newer);
  const rolledBack = await audit.verify();
  assert.deepEqual(codesOf(rolledBack), ['head_file_contradicted']);
  // Nor does writing on, or a new checkpoint, make it right.
  await recordEach(
    a,
    Array.from({ length: 40 }, () => ({ user_id: 80 })),
  );
  await audit.checkpoint();
  await audit.checkpoint();
  const later = await audit.verify();
  assert.deepEqual(codesOf(later), ['head_file_contradicted']);

  // Unless somebody who may says that the database was restored.
  await audit.acceptRestored();
  assert.deepEqual((await audit.verify()).findings, []);
  const kept = (await readdir(folder)).filter((name) => name.startsWith(`${basename(headFile)}.until-`));
  assert.equal(kept.length, 1);

  // The same after a restore that nothing was written on.
  await putBack();
  await writeFile(headFile, newer);
  await audit.acceptRestored();
  assert.deepEqual((await audit.verify()).findings, []);
  await recordEach(a, [{ user_id: 90 }]);
  await audit.checkpoint();
  assert.deepEqual((await audit.verify()).findings, []);
  const [header = '', payload = '', signature] = newer.trim().split('.');
  const inLog = JSON.stringify({
    level: 'info',
    audit_checkpoint: JSON.parse(Buffer.from(payload, 'base64url').toString()),
    header: JSON.parse(Buffer.from(header, 'base64url').toString()),
    signature,
    msg: 'audit checkpoint',
  });
  // A checkpoint that was kept elsewhere still contradicts, as a file or as a line of the log.
  assert.deepEqual(codesOf(await audit.verify({ checkpoint: inLog })), ['checkpoint_contradicted']);
  assert.deepEqual(codesOf(await audit.verify({ checkpoint: 'none' })), ['checkpoint_forged']);
  assert.deepEqual(codesOf(await audit.verify({ checkpoint: newer.trim() })), ['checkpoint_contradicted']);
  assert.deepEqual(codesOf(await audit.verify({ checkpoint: file.trim() })), []);
});

onInstances('recording on a forged head does not make it right', async (s) => {
  const log = await openWithEvents(s);
  const { a, chain } = log;
  const { audit } = a.doorward;
  await tamper(
    a,
    sql`delete from audit_events where id = ${log.at(-1).id}`,
    sql`update audit_chains set position = ${log.at(-2).position}, hash = ${log.at(-2).hash} where chain = ${chain}`,
  );
  const brokenAt = async () =>
    (
      await a.doorward.kernel.db.read
        .selectFrom('audit_chains')
        .select('broken_at')
        .where('chain', '=', chain)
        .execute()
    )[0]?.broken_at;
  while ((await brokenAt()) === null) await recordEach(a, [{ user_id: 70 }]);
  assert.equal(await brokenAt(), log.at(-1).position);
  assert.deepEqual(codesOf(await audit.verify()), ['chain_broken']);
  await recordEach(
    a,
    Array.from({ length: 20 }, () => ({ user_id: 80 })),
  );
  await audit.checkpoint();
  assert.deepEqual(codesOf(await audit.verify()), ['chain_broken']);
});

onInstances('a forged newest checkpoint gets no successor', async (s) => {
  const log = await openWithEvents(s);
  const { audit, kernel } = log.a.doorward;
  await audit.checkpoint();
  await recordEach(log.a, [{ user_id: 70 }]);
  const { statement } = await kernel.db.read
    .selectFrom('audit_checkpoints')
    .select('statement')
    .where('number', '=', 2)
    .executeTakeFirstOrThrow();
  const [header, payload = '', signature] = statement.split('.');
  const said = JSON.parse(Buffer.from(payload, 'base64url').toString());
  said.heads = [];
  const forged = [header, Buffer.from(JSON.stringify(said)).toString('base64url'), signature].join('.');
  await tamper(log.a, sql`update audit_checkpoints set statement = ${forged} where number = 2`);
  await audit.checkpoint();
  const result = await audit.verify();
  assert.deepEqual([codesOf(result), result.checkpoints], [['checkpoint_forged'], 2]);
});

onInstances(
  'the file outside: one that is none, that is forged, that is gone, that cannot be written',
  async (s) => {
    const { a, headFile } = await openWithEvents(s);
    const { audit } = a.doorward;
    await audit.checkpoint();
    const statement = await readFile(headFile, 'utf8');
    assert.equal((await stat(headFile)).mode & 0o777, 0o600);

    await writeFile(headFile, 'root:x:0:0:\n');
    assert.deepEqual(codesOf(await audit.verify()), ['head_file_forged']);
    await recordEach(a, [{ user_id: 70 }]);
    await assert.rejects(audit.checkpoint(), /does not hold a checkpoint/);
    assert.equal(await readFile(headFile, 'utf8'), 'root:x:0:0:\n', 'the wrong file is not overwritten');

    await writeFile(headFile, statement.replace(/\.[^.]{4}(?=[^.]*$)/, '.AAAA'));
    assert.deepEqual(codesOf(await audit.verify()), ['head_file_forged']);

    // With a key of somebody else nothing in it can be checked.
    const [header = '', ...rest] = statement.split('.');
    const stranger = { ...JSON.parse(Buffer.from(header, 'base64url').toString()), kid: 'A'.repeat(43) };
    const foreign = Buffer.from(JSON.stringify(stranger)).toString('base64url');
    await writeFile(headFile, [foreign, ...rest].join('.'));
    assert.deepEqual(codesOf(await audit.verify()), ['head_file_forged']);

    await rm(headFile);
    await mkdir(headFile);
    assert.deepEqual(codesOf(await audit.verify()), ['head_file_unreadable']);
    await rm(headFile, { recursive: true });
    assert.deepEqual(codesOf(await audit.verify()), ['head_file_missing']);
    await audit.checkpoint();
    assert.deepEqual(codesOf(await audit.verify()), []);
    assert.match(await readFile(headFile, 'utf8'), /^[\w-]+\.[\w-]+\.[\w-]+\n$/);

    await rm(headFile);
    await mkdir(`${headFile}-folder`);
    const b = await s.open({ AUDIT_HEAD_FILE: `${headFile}-folder/file` });
    await rm(`${headFile}-folder`, { recursive: true });
    await recordEach(b, [{ user_id: 71 }]);
    await b.doorward.audit.checkpoint();
    assert.deepEqual(codesOf(await b.doorward.audit.verify()), ['head_file_missing']);
    const moved = await s.open({ AUDIT_HEAD_FILE: `${headFile}-moved` });
    assert.deepEqual(codesOf(await moved.doorward.audit.verify()), [], 'a start writes it');
  },
);

onInstances('what an event says of somebody who was deleted may be gone, and of nobody else', async (s) => {
  const log = await openWithEvents(s);
  const { audit } = log.a.doorward;
  const event = log.at(-1);
  await tamper(log.a, erase(event));
  const before = await audit.verify();
  assert.deepEqual(
    [before.findings.map(({ code, event_id }) => [code, event_id]), before.erased],
    [[['personal_missing', event.id]], 1],
  );
  await recordEach(log.a, [{ kind: 'user.deleted', user_id: event.actor ?? event.user_id }]);
  const after = await audit.verify();
  assert.deepEqual([after.findings, after.erased], [[], 1]);
});

const emptyChain = (chain: number) => sql`insert into audit_chains values (${chain}, 0, '', 0, '', null, '')`;

onInstances('nothing is recorded in a chain that somebody adds, and it is found', async (s) => {
  const a = await s.open();
  await tamper(a, emptyChain(-1), emptyChain(99));
  await recordEach(
    a,
    Array.from({ length: 40 }, () => ({ user_id: 1 })),
  );
  const b = await s.open();
  await recordEach(b, [{ user_id: 2 }]);
  assert.ok((await allEvents(a)).every(({ chain }) => chain >= 0 && chain < 16));
  const result = await b.doorward.audit.verify();
  assert.deepEqual([codesOf(result), result.findings.length], [['head_inserted'], 2]);
});

const emptied = [
  sql`delete from audit_events`,
  sql`delete from audit_checkpoints`,
  sql`update audit_chains set position = 0, hash = '', base_position = 0, base_hash = '', broken_at = null, mac = ''`,
];

onInstances('a log that somebody empties is not signed as if it were new', async (s) => {
  const a = await s.open({ AUDIT_HEAD_FILE: join(folder, `emptied-${s.database.name}`) });
  await a.signIn();
  await tamper(a, ...emptied);
  // Without the file, so that the chains alone tell.
  const AUDIT_HEAD_FILE = join(folder, `other-${s.database.name}`);
  const b = await s.open({ AUDIT_HEAD_FILE });
  const before = await b.doorward.audit.verify();
  assert.deepEqual(codesOf(before), ['head_forged']);
  for (const instance of [a, b, await s.open({ AUDIT_HEAD_FILE })]) {
    await recordEach(
      instance,
      Array.from({ length: 20 }, () => ({ user_id: 1 })),
    );
    await instance.doorward.audit.checkpoint();
    const codes = codesOf(await b.doorward.audit.verify());
    assert.ok(codes.includes('chain_broken'), String(codes));
  }
});

onInstances(
  'a database with users that gets its log by an upgrade has it signed by that start',
  async (s) => {
    const AUDIT_HEAD_FILE = join(folder, `upgraded-${s.database.name}`);
    const a = await s.open({ AUDIT_HEAD_FILE: `${AUDIT_HEAD_FILE}-before` });
    await a.signIn();
    await tamper(
      a,
      ...['audit_events', 'audit_chains', 'audit_checkpoints'].map(
        (table) => sql`drop table ${sql.table(table)}`,
      ),
      sql`delete from migrations where id = '0009-audit'`,
    );
    const wrong = s.open({ SECRET_KEY: 'another-0f4d6a8b2c1e3957-not-a-sample', AUDIT_HEAD_FILE });
    await assert.rejects(wrong, /SECRET_KEY is not the one/);
    const [b, c] = await Promise.all([s.open({ AUDIT_HEAD_FILE }), s.open({ AUDIT_HEAD_FILE })]);
    await recordEach(b, [{ user_id: 1 }]);
    await recordEach(c, [{ user_id: 1 }]);
    await b.doorward.audit.checkpoint();
    assert.deepEqual((await c.doorward.audit.verify()).findings, []);
  },
);

onInstances('an event at a position that is none is found', async (s) => {
  const { a, ...log } = await openWithEvents(s);
  const putBack = await keepLog(a);
  const positions = [sql`9007199254740993`, sql`9223372036854775807`];
  // Its columns take values of every type.
  if (s.database.name === 'SQLite') positions.push(sql`'text'`, sql`x'00'`, sql`1e300`, sql`2.5`);
  for (const position of positions) {
    await tamper(a, ...insertCopy(log.at(4), { position: 1000 }));
    await tamper(a, sql`update audit_events set position = ${position} where position = 1000`);
    assert.deepEqual(codesOf(await a.doorward.audit.verify()), ['event_inserted']);
    await putBack();
  }
});

onInstances('checkpoints that were deleted are not begun anew', async (s) => {
  const { a, headFile } = await openWithEvents(s);
  const { audit } = a.doorward;
  await audit.checkpoint();
  await recordEach(a, [{ user_id: 50 }]);
  await audit.checkpoint();
  const statement = await readFile(headFile, 'utf8');
  await tamper(a, sql`delete from audit_checkpoints`);
  await recordEach(a, [{ user_id: 51 }]);
  await audit.checkpoint();
  await (await s.open({ AUDIT_HEAD_FILE: headFile })).doorward.audit.checkpoint();
  assert.equal(await readFile(headFile, 'utf8'), statement);
  assert.deepEqual(codesOf(await audit.verify()), ['checkpoint_missing', 'head_file_contradicted']);
});

onInstances('a table that was dropped is found', async (s) => {
  for (const table of ['audit_events', 'audit_chains', 'audit_checkpoints'] as const) {
    const a = await s.open();
    await tamper(a, sql`alter table ${sql.table(table)} rename to gone`);
    const { findings } = await a.doorward.audit.verify();
    assert.deepEqual(
      findings.map(({ code, message }) => [code, message]),
      [['table_missing', `table ${table}: it, or a column of it, was dropped`]],
    );
    await tamper(a, sql`alter table gone rename to ${sql.table(table)}`);
  }
});

onInstances(
  'a change of SECRET_KEY keeps the log provable, and an instance with the old key out',
  async (s) => {
    const { a, headFile } = await openWithEvents(s);
    await a.doorward.audit.checkpoint();
    const next = 'second-0f4d6a8b2c1e3957-not-a-sample';
    const { db, clock, log, settings } = a.doorward.kernel;
    const change = createAuditKeyChange({ db, clock, log, settings }, SECRET_KEY, next);
    await changeSecretKey(db, SECRET_KEY, next, clock.now(), (tx) => change.inTransaction(tx));
    const before = await verifyLog(a.doorward.kernel, next);
    assert.deepEqual(before.findings, [], 'before the file is written');
    await change.afterwards();

    const b = await s.open({ SECRET_KEY: next, AUDIT_HEAD_FILE: headFile });
    await recordEach(
      b,
      Array.from({ length: 5 }, () => ({ user_id: 70 })),
    );
    await b.doorward.audit.checkpoint();
    const result = await b.doorward.audit.verify();
    assert.deepEqual([result.findings, result.checkpoints, result.checkpoints_of_earlier_keys], [[], 4, 2]);
    assert.ok((await allEvents(b)).some(({ kind }) => kind === 'secret_key.changed'));

    await assert.rejects(recordEach(a, [{ user_id: 71 }]), { code: 'database_unavailable' });
    await a.doorward.audit.checkpoint();
    assert.deepEqual((await b.doorward.audit.verify()).findings, []);
    assert.ok(codesOf(await a.doorward.audit.verify()).includes('head_forged'));
  },
);

onInstances('a change of SECRET_KEY does not make a forged head right', async (s) => {
  const log = await openWithEvents(s);
  const next = 'second-0f4d6a8b2c1e3957-not-a-sample';
  await tamper(log.a, sql`update audit_chains set mac = 'x' where chain = ${log.chain}`);
  const change = createAuditKeyChange(log.a.doorward.kernel, SECRET_KEY, next);
  await log.a.doorward.kernel.db.transaction((tx) => change.inTransaction(tx));
  assert.deepEqual(codesOf(await verifyLog(log.a.doorward.kernel, next)), ['chain_broken']);
});

onInstances('no more findings than people can read are kept, and memory with them', async (s) => {
  const log = await openWithEvents(s);
  await recordTogether(
    log.a,
    Array.from({ length: 1200 }, () => ({ user_id: 70 })),
  );
  await tamper(log.a, sql`update audit_events set kind = 'user.created'`);
  const count = (await allEvents(log.a)).length;
  const result = await log.a.doorward.audit.verify();
  assert.deepEqual(
    [result.events, result.findings.length, result.findings_left_out],
    [count, 100, count - 100],
  );
});
