import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { after, type TestContext, test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import workerThreads from 'node:worker_threads';
import { type RawBuilder, sql } from 'kysely';
import { onEachDatabase, type TestDatabase } from '../../test/support/databases.ts';
import type { Database, Migration } from './database.ts';
import { openDatabase } from './open.ts';

const unavailable = { name: 'DoorwardError', code: 'database_unavailable' };

const notes: Migration = {
  id: '0001-notes',
  statements: (ddl) => [
    `create table notes (id ${ddl.identity}, text ${ddl.text} not null, is_new ${ddl.boolean} not null)`,
    ...ddl.substringIndex('notes', 'text'),
    ...ddl.substringIndexInParts('notes', 'text'),
  ],
};

async function open(url: string, onError: (error: unknown) => void = () => {}): Promise<Database> {
  const db = await openDatabase({ url, onError });
  after(() => db.close());
  await db.migrate([notes]);
  return db;
}

const add = (db: Database, text: string) =>
  db.transaction((tx) => sql`insert into notes (text, is_new) values (${text}, ${true})`.execute(tx));

async function texts(db: Database): Promise<string[]> {
  const { rows } = await sql<{ text: string }>`select text from notes order by id`.execute(db.longRead);
  return rows.map(({ text }) => text);
}

/** Counts up to a number, and has the database open meanwhile. */
const counting = (upTo: number) => sql<{ counted: number }>`
  with recursive n(i) as (select min(1, count(*) + 1) from notes union all select i + 1 from n where i < ${upTo})
  select max(i) as counted from n`;
const takesLong = counting(500_000);

/** Has every thread that is started be made by `make`, and counts them. */
function replaceThreads(t: TestContext, make: (...given: ConstructorParameters<typeof Worker>) => object) {
  // A constructor, as an arrow function is not.
  const { mock } = t.mock.method(workerThreads, 'Worker', function worker(...given) {
    return make(...given);
  } as typeof make);
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  return mock;
}

const { Worker } = workerThreads;

onEachDatabase((database) => {
  test('a long read gives what a read gives, and sees every commit', async () => {
    const db = await open(await database.createUrl());
    for (let number = 1; number <= 20; number++) {
      await add(db, `note ${number}`);
      assert.equal((await texts(db)).length, number);
    }
    const some: RawBuilder<object> = sql`select * from notes where is_new = ${true} and id < ${4} order by id`;
    const { rows } = await some.execute(db.longRead);
    assert.deepEqual(rows, (await some.execute(db.read)).rows);
    assert.deepEqual(rows[0], { id: 1, text: 'note 1', is_new: true });
    await assert.rejects(sql`select nothing from notes`.execute(db.longRead), /nothing/);
    const many = await Promise.all(Array.from({ length: 30 }, () => texts(db)));
    assert.ok(many.every((each) => each.length === 20));
    await db.close();
    await assert.rejects(texts(db), unavailable);
  });

  test('what matches is in one part each, be it little or much, also when more comes meanwhile', async () => {
    const db = await open(await database.createUrl());
    const fill = (from: number, upTo: number, word: string) =>
      db.transaction(async (tx) => {
        const values = Array.from({ length: upTo - from }, (_, index) => `${word} ${from + index}`);
        while (values.length > 0) {
          const rows = values.splice(0, 1000).map((value) => sql`(${value}, ${false})`);
          await sql`insert into notes (text, is_new) values ${sql.join(rows)}`.execute(tx);
        }
      });
    await fill(0, 3000, 'oak');
    await fill(3000, 9001, 'ash');
    await fill(9001, 9100, 'elm');
    const find = async (text: string) => {
      const found = await db.findMatches('notes', 'text', text);
      await add(db, `${text} that was added`);
      const selections = found.parts.map((part) =>
        sql<{ text: string }>`select text from ${part} as found`.execute(db.longRead),
      );
      const rows = (await Promise.all(selections)).flatMap((each) => each.rows.map((row) => row.text));
      return { about: found.about, rows: rows.filter((row) => !row.includes('added')).sort() };
    };
    const named = (from: number, upTo: number, word: string) =>
      Array.from({ length: upTo - from }, (_, index) => `${word} ${from + index}`).sort();
    assert.deepEqual((await find('oak')).rows, named(0, 3000, 'oak'));
    assert.deepEqual((await find('ash')).rows, named(3000, 9001, 'ash'));
    assert.deepEqual((await find('elm')).rows, named(9001, 9100, 'elm'));
    assert.deepEqual((await find('fir')).rows, []);
    if (database.name === 'SQLite') {
      assert.equal((await find('elm')).about, 101 - 1);
      // Too many, for those that were met stand close together.
      assert.ok(Math.abs((await find('ash')).about - 6001) < 200, `${(await find('ash')).about}`);
    }
  });

  if (database.name === 'SQLite') onThreads(database);
});

function onThreads({ createUrl }: Pick<TestDatabase, 'createUrl'>): void {
  test('a long read refuses to write', async () => {
    const db = await open(await createUrl());
    await add(db, 'a');
    await assert.rejects(sql`delete from notes`.execute(db.longRead), /takes a transaction/);
    await assert.rejects(
      db.longRead.transaction().execute(async () => {}),
      /single reads/,
    );
    assert.deepEqual(await texts(db), ['a']);
  });

  test('the event loop goes on during long reads, of which two run at the same time, and closing waits for them', async () => {
    const db = await open(await createUrl(), assert.ifError);
    await takesLong.execute(db.longRead);
    const ended: number[] = [];
    const reads = [0, 1].map(async (each) => {
      const { rows } = await takesLong.execute(db.longRead);
      ended.push(each);
      return rows[0]?.counted;
    });
    let turns = 0;
    while (ended.length === 0) {
      await nextTurn();
      turns++;
    }
    assert.ok(turns > 20, `${turns} turns`);
    await db.close();
    assert.equal(ended.length, 2);
    assert.deepEqual(await Promise.all(reads), [500_000, 500_000]);
  });

  test('a thread that has had nothing to do for long ends, and another one is started when it is needed', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const workers: workerThreads.Worker[] = [];
    replaceThreads(t, (...given) => {
      const worker = new Worker(...given);
      workers.push(worker);
      return worker;
    });
    const db = await open(await createUrl());
    await add(db, 'a');
    const hasEnded = () => new Promise((resolve) => workers.at(-1)?.once('exit', resolve));
    for (const started of [1, 2]) {
      assert.deepEqual(await texts(db), ['a']);
      assert.equal(workers.length, started);
      t.mock.timers.tick(599_000);
      assert.deepEqual(await texts(db), ['a']);
      t.mock.timers.tick(599_000);
      assert.equal(workers.length, started);
      const ended = hasEnded();
      t.mock.timers.tick(1_000);
      // Asked for while it ends.
      const [read] = await Promise.all([started === 1 ? ['a'] : texts(db), ended]);
      assert.deepEqual(read, ['a']);
    }
    assert.equal(workers.length, 3);
  });

  test('where threads cannot start, or end, long reads are done all the same', async (t) => {
    const errors: unknown[] = [];
    const ways: [RegExp, (...given: ConstructorParameters<typeof Worker>) => object][] = [
      [
        /not permitted/,
        () => {
          throw new Error('not permitted');
        },
      ],
      [/has ended/, () => new Worker('process.exit()', { eval: true })],
      [/broken/, () => new Worker('throw new Error("broken")', { eval: true })],
    ];
    for (const [message, make] of ways) {
      const started = replaceThreads(t, make);
      const db = await open(await createUrl(), (error) => errors.push(error));
      await add(db, 'a');
      assert.deepEqual(await texts(db), ['a']);
      assert.deepEqual(await texts(db), ['a']);
      // Nor is it tried again at once.
      assert.equal(started.callCount(), 1);
      assert.match(String(errors.splice(0)), message);
      await db.close();
      assert.deepEqual(errors, []);
      t.mock.restoreAll();
    }
  });

  test('of those who wait for a thread that cannot start, none tries to start it again', async (t) => {
    const errors: unknown[] = [];
    const started = replaceThreads(t, () => new Worker('throw new Error("broken")', { eval: true }));
    const db = await open(await createUrl(), (error) => errors.push(error));
    await add(db, 'a');
    const read = await Promise.all(Array.from({ length: 10 }, () => texts(db)));
    assert.ok(read.every(([text]) => text === 'a'));
    // One for each thread.
    assert.equal(started.callCount(), 2);
    assert.equal(errors.length, 2);
  });

  test('closing waits for reads that take longer than others may wait, and leaves no thread', async (t) => {
    const workers: workerThreads.Worker[] = [];
    replaceThreads(t, (...given) => {
      const worker = new Worker(...given);
      workers.push(worker);
      return worker;
    });
    const url = await createUrl();
    await (await open(url)).close();
    const db = await openDatabase({ url, waitMs: 20, onError: assert.ifError });
    const reads = Promise.allSettled(Array.from({ length: 6 }, () => takesLong.execute(db.longRead)));
    // Those who wait give up, those who read do not.
    await sleep(10);
    await db.close();
    const outcomes = (await reads).map(({ status }) => status);
    assert.deepEqual(outcomes.slice(0, 2), ['fulfilled', 'fulfilled']);
    assert.equal(workers.length, 2);
    assert.ok(workers.every(({ threadId }) => threadId === -1));
  });

  test('the log is emptied and written back though reads never stop', async () => {
    const url = await createUrl();
    const db = await open(url);
    const logSize = () => statSync(`${url.slice('sqlite:'.length)}-wal`).size;
    let isOver = false;
    const readOn = async () => {
      while (!isOver) await counting(100_000).execute(db.longRead);
    };
    const reading = Array.from({ length: 6 }, readOn);
    try {
      await db.transaction((tx) => db.scrub(tx));
      for (let waited = 0; logSize() > 0; waited += 10) {
        assert.ok(waited < 2_000, 'the log was not emptied');
        await sleep(10);
      }
      let longest = 0;
      for (let number = 0; number < 250; number++) {
        await add(db, 'x'.repeat(20_000));
        longest = Math.max(longest, logSize());
        await sleep(3);
      }
      assert.ok(longest < 30 * 1024 * 1024, `the log had ${longest} bytes`);
    } finally {
      isOver = true;
      await Promise.all(reading);
      await db.close();
    }
  });

  test('in memory, where there is one connection, a long read waits for who writes', async (t) => {
    const started = replaceThreads(t, () => assert.fail('a thread was started'));
    const db = await open('sqlite::memory:');
    const begun = Promise.withResolvers<void>();
    const writing = db.transaction(async (tx) => {
      await sql`insert into notes (text, is_new) values ('a', 1)`.execute(tx);
      begun.resolve();
      await sleep(20);
      await sql`update notes set text = 'b'`.execute(tx);
    });
    await begun.promise;
    assert.deepEqual(await texts(db), ['b']);
    await writing;
    assert.equal(started.callCount(), 0);
  });

  test('damage that a thread meets is database_unavailable', async () => {
    const url = await createUrl();
    const path = url.slice('sqlite:'.length);
    const whole = await open(url);
    await whole.transaction((tx) =>
      sql`insert into notes (text, is_new) select hex(randomblob(3000)), 1 from
        (with recursive n(i) as (select 1 union all select i + 1 from n where i < 50) select i from n)`.execute(
        tx,
      ),
    );
    await whole.close();
    const file = readFileSync(path);
    writeFileSync(path, file.fill(0x55, 100_000, 200_000));
    const errors: unknown[] = [];
    const db = await openDatabase({ url, onError: (error) => errors.push(error) });
    after(() => db.close());
    await assert.rejects(texts(db), unavailable);
    // It was the database, not the thread.
    assert.deepEqual(errors, []);
  });
}
