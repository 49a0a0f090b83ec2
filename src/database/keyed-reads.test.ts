import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { DoorwardError } from '../errors.ts';
import { databaseError } from './database-errors.ts';
import { shareReads } from './keyed-reads.ts';

/** Reads that end when they are told to. */
function startReads(waitMs = 10_000) {
  const reads: { keys: string[]; end: (error?: Error) => void }[] = [];
  const find = shareReads<string>(waitMs, (keys) => {
    const { promise, resolve, reject } = Promise.withResolvers<Map<string, string>>();
    const found = new Map(keys.filter((key) => key !== 'none').map((key) => [key, `row ${key}`]));
    reads.push({ keys, end: (error) => (error ? reject(error) : resolve(found)) });
    return promise;
  });
  return { reads, find };
}

/** Until what was asked for before is read. */
const someTurns = async () => {
  for (let turn = 0; turn < 5; turn++) await nextTurn();
};

test('what is asked for in one turn is one read, each key once, and each gets its own row', async () => {
  const { reads, find } = startReads();
  const answers = Promise.all(['a', 'b', 'a', 'none'].map(find));
  await someTurns();
  assert.deepEqual(
    reads.map(({ keys }) => keys),
    [['a', 'b', 'none']],
  );
  reads[0]?.end();
  assert.deepEqual(await answers, ['row a', 'row b', 'row a', undefined]);
});

test('nobody is given what was read before they asked', async () => {
  const { reads, find } = startReads();
  const first = find('a');
  await someTurns();
  const second = find('a');
  await someTurns();
  assert.equal(reads.length, 2);
  // Two are under way; these gather until one of them is over.
  const third = Promise.all([find('a'), find('b')]);
  await someTurns();
  assert.equal(reads.length, 2);
  reads[0]?.end();
  assert.equal(await first, 'row a');
  await someTurns();
  assert.deepEqual(reads[2]?.keys, ['a', 'b']);
  for (const { end } of reads) end();
  assert.deepEqual(await Promise.all([second, third]), ['row a', ['row a', 'row b']]);
});

test('a row that cannot be read fails those that ask for it, and nobody else', async () => {
  const damaged = Object.assign(new Error('invalid page in block 7'), { code: 'XX001' });
  for (const error of [new Error('bigint out of range'), databaseError(damaged)]) {
    let reads = 0;
    const find = shareReads<string>(10_000, async (keys) => {
      reads++;
      if (keys.includes('k42')) throw error;
      return new Map(keys.map((key) => [key, `row ${key}`]));
    });
    const keys = Array.from({ length: 100 }, (_, index) => `k${index}`);
    const answers = await Promise.allSettled([...keys, 'k42'].map(find));
    for (const [index, key] of [...keys, 'k42'].entries()) {
      const expected =
        key === 'k42' ? { status: 'rejected', reason: error } : { status: 'fulfilled', value: `row ${key}` };
      assert.deepEqual(answers[index], expected);
    }
    assert.ok(reads < 20, `${reads} reads`);
  }
});

test('where no row can be read it is not tried for each', async () => {
  let reads = 0;
  const find = shareReads<string>(10_000, async () => {
    reads++;
    throw new Error('no such column');
  });
  const keys = Array.from({ length: 500 }, (_, index) => `k${index}`);
  const answers = await Promise.allSettled(keys.map(find));
  assert.ok(answers.every(({ status }) => status === 'rejected'));
  assert.ok(reads <= 61, `${reads} reads`);
});

test('a database that cannot serve fails those that share a read, and nobody else', async () => {
  const { reads, find } = startReads();
  const failing = Promise.allSettled([find('a'), find('b')]);
  await someTurns();
  const sound = find('a');
  await someTurns();
  reads[0]?.end(new DoorwardError('database_unavailable', { reason: 'restarting' }));
  reads[1]?.end();
  assert.deepEqual(
    (await failing).map((one) => one.status === 'rejected' && one.reason.code),
    ['database_unavailable', 'database_unavailable'],
  );
  assert.equal(await sound, 'row a');
  const later = find('a');
  await someTurns();
  reads[2]?.end();
  assert.equal(await later, 'row a');
});

test('more keys than fit one read are shared out in the order in which they were asked for', async () => {
  const { reads, find } = startReads();
  const keys = Array.from({ length: 1_200 }, (_, index) => `key ${index}`);
  const answers = Promise.all(keys.map(find));
  for (let read = 0; read < 3; read++) {
    await someTurns();
    reads[read]?.end();
  }
  assert.deepEqual(
    reads.map((read) => read.keys.length),
    [500, 500, 200],
  );
  assert.deepEqual(
    await answers,
    keys.map((key) => `row ${key}`),
  );
});

test('whose turn does not come in time is told so, and is not read later', async () => {
  const { reads, find } = startReads(50);
  const underWay = [find('a')];
  await someTurns();
  underWay.push(find('b'));
  await someTurns();
  // Reads of a test keep no process going.
  const [refused] = await Promise.allSettled([find('late'), sleep(100)]);
  assert.ok(refused.status === 'rejected' && refused.reason instanceof DoorwardError);
  assert.equal(refused.reason.code, 'database_unavailable');
  for (const { end } of reads) end();
  assert.deepEqual(await Promise.all(underWay), ['row a', 'row b']);
  await someTurns();
  assert.equal(reads.length, 2);
  const next = find('late');
  await someTurns();
  reads[2]?.end();
  assert.equal(await next, 'row late');
});
