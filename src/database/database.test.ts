import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { type Expression, type SqlBool, sql } from 'kysely';
import { onEachDatabase, type TestDatabase } from '../../test/support/databases.ts';
import { DoorwardError } from '../errors.ts';
import type { Database, Migration, Transaction } from './database.ts';
import { isUniqueViolation } from './database-errors.ts';
import { openDatabase } from './open.ts';

const people: Migration = {
  id: '0001-people',
  statements: (ddl) => [
    `create table people (
      id ${ddl.identity},
      name ${ddl.text} not null,
      email ${ddl.text} not null,
      active ${ddl.boolean} not null default true,
      seen_at ${ddl.timestamp},
      constraint people_email_key unique (email)
    )`,
    ...ddl.substringIndex('people', 'name'),
    ...ddl.substringIndexInParts('people', 'name'),
  ],
};

interface Person {
  id: number;
  name: string;
  email: string;
  active: boolean;
  seen_at: string | null;
}

async function openMigrated(url: string): Promise<Database> {
  const db = await openDatabase({ url });
  after(() => db.close());
  await db.migrate([people]);
  return db;
}

async function add(db: Database, name: string, email = `${name}@example.org`): Promise<Person> {
  return db.transaction(async (tx) => {
    const { rows } = await sql<Person>`insert into people (name, email, active, seen_at)
      values (${name}, ${email}, ${true}, ${'2026-11-23T12:00:00.120Z'}) returning *`.execute(tx);
    assert.ok(rows[0]);
    return rows[0];
  });
}

const names = async (db: Database) =>
  (await sql<Person>`select name from people order by name`.execute(db.read)).rows.map(({ name }) => name);

function defineTests(database: { createUrl(): Promise<string> }): void {
  test('booleans, timestamps and ids are the same going in and coming out', async () => {
    const db = await openMigrated(await database.createUrl());
    const ada = await add(db, 'ada');
    const expected = {
      id: 1,
      name: 'ada',
      email: 'ada@example.org',
      active: true,
      seen_at: '2026-11-23T12:00:00.120Z',
    };
    assert.deepEqual(ada, expected);
    const { rows } = await sql<Person>`select * from people where active = ${true}`.execute(db.read);
    assert.deepEqual({ ...rows[0] }, expected);
    await db.transaction((tx) => sql`update people set active = ${false}, seen_at = null`.execute(tx));
    const changed = await sql<Person>`select active, seen_at from people where active = ${false}`.execute(
      db.read,
    );
    assert.deepEqual(
      changed.rows.map((row) => ({ ...row })),
      [{ active: false, seen_at: null }],
    );
  });

  test('an id is not used again after its row is deleted', async () => {
    const db = await openMigrated(await database.createUrl());
    await add(db, 'ada');
    const { id } = await add(db, 'bob');
    const { numAffectedRows } = await db.transaction((tx) =>
      sql`delete from people where id = ${id}`.execute(tx),
    );
    assert.equal(numAffectedRows, 1n);
    assert.equal((await add(db, 'bob')).id, id + 1);
  });

  test('a transaction that throws leaves nothing and passes the error through', async () => {
    const db = await openMigrated(await database.createUrl());
    const thrown = new DoorwardError('last_admin');
    const failing = db.transaction(async (tx) => {
      await sql`insert into people (name, email) values ('ada', 'a')`.execute(tx);
      throw thrown;
    });
    await assert.rejects(failing, (error) => error === thrown);
    assert.deepEqual(await names(db), []);
    await add(db, 'bob');
    assert.deepEqual(await names(db), ['bob']);
  });

  test('of single statements that write on the same condition one wins, and one that fails changes nothing', async () => {
    const db = await openMigrated(await database.createUrl());
    await add(db, 'free');
    const take = (name: string) =>
      db.write(async (one) => {
        const { numAffectedRows } =
          await sql`update people set name = ${name} where name = ${'free'}`.execute(one);
        return numAffectedRows === 1n;
      });
    const taken = await Promise.all(Array.from({ length: 20 }, (_, number) => take(`taken by ${number}`)));
    assert.equal(taken.filter(Boolean).length, 1);
    assert.deepEqual(await names(db), [`taken by ${taken.indexOf(true)}`]);

    await add(db, 'grace');
    const clash = sql`update people set email = ${'same@example.org'}`;
    await assert.rejects(
      db.write((one) => clash.execute(one)),
      (error) => isUniqueViolation(error, 'people', 'email'),
    );
    const { rows } = await sql`select 1 from people where email = ${'same@example.org'}`.execute(db.read);
    assert.equal(rows.length, 0);
  });

  test('what a transaction began and did not wait for is never written outside of it', async () => {
    const db = await openMigrated(await database.createUrl());
    for (let round = 0; round < 50; round++) {
      const strays: Promise<unknown>[] = [];
      const failing = db.transaction(async (tx) => {
        for (let stray = 0; stray < 5; stray++)
          strays.push(
            sql`insert into people (name, email) values ('stray', ${`${round} ${stray}`})`
              .execute(tx)
              .catch(() => {}),
          );
        for (let turn = 0; turn < round % 5; turn++) await strays[turn];
        throw new Error('failed');
      });
      await assert.rejects(failing, /failed/);
      await Promise.all([...strays, add(db, `ada ${round}`)]);
    }
    assert.ok((await names(db)).every((name) => name !== 'stray'));
  });

  test('a read does not see what is not committed', async () => {
    const db = await openMigrated(await database.createUrl());
    const seen: Promise<string[]>[] = [];
    const committed = db.transaction(async (tx) => {
      await sql`insert into people (name, email) values ('ada', 'a')`.execute(tx);
      seen.push(names(db));
      await new Promise(setImmediate);
      await sql`delete from people`.execute(tx);
      await sql`insert into people (name, email) values ('bob', 'b')`.execute(tx);
    });
    await committed;
    const [during] = await Promise.all(seen);
    assert.ok(!during?.includes('ada'), String(during));
  });

  test('transactions that read and then write the same row lose no update', async () => {
    const db = await openMigrated(await database.createUrl());
    await add(db, 'x');
    const increment = () =>
      db.transaction(async (tx) => {
        await db.lock(tx, 'counter');
        const { rows } = await sql<Person>`select email from people`.execute(tx);
        const next = (Number.parseInt(rows[0]?.email ?? '', 10) || 0) + 1;
        await sql`update people set email = ${String(next)}`.execute(tx);
      });
    await Promise.all(Array.from({ length: 30 }, increment));
    const { rows } = await sql<Person>`select email from people`.execute(db.read);
    assert.equal(rows[0]?.email, '30');
  });

  test('a row that is locked is one that nobody else holds, and is read as it has become', async () => {
    const db = await openMigrated(await database.createUrl());
    for (const email of ['ada', 'bob', 'cy']) await add(db, '0', email);
    const ids = await sql<{ id: number }>`select id from people where email <> 'cy'`.execute(db.read);
    const lockAny = (tx: Transaction) =>
      db.lockAnyRow(
        tx,
        'people' as never,
        'id' as never,
        ids.rows.map(({ id }) => id),
      );
    const count = () =>
      db.transaction(async (tx) => {
        const row = (await lockAny(tx)) as Person | undefined;
        const name = String(Number(row?.name) + 1);
        await sql`update people set name = ${name} where id = ${row?.id}`.execute(tx);
      });
    await Promise.all(Array.from({ length: 40 }, count));
    const { rows } = await sql<Person>`select email, name from people`.execute(db.read);
    assert.equal(
      rows.reduce((sum, { name }) => sum + Number(name), 0),
      40,
    );
    assert.equal(
      rows.find(({ email }) => email === 'cy')?.name,
      '0',
      'one that was not asked for is left alone',
    );
    await db.transaction((tx) => sql`delete from people`.execute(tx));
    assert.equal(await db.transaction(lockAny), undefined);
  });

  test('prepared writes are all done, each with its own parameters, or none', async () => {
    const db = await openMigrated(await database.createUrl());
    await add(db, 'ada');
    const write = db.preparedWrites([
      sql`insert into people (name, email) values (${''}, ${''})`.compile(db.read),
      sql`update people set email = ${''}, active = ${true} where name = ${''}`.compile(db.read),
      sql`delete from people where name = ${''}`.compile(db.read),
    ]);
    for (const name of ['bob', 'cy']) {
      await db.transaction((tx) => write(tx, [[name, `${name}@x`], [`with ${name}`, false, 'ada'], ['bob']]));
      await db.transaction((tx) => write(tx, [[`${name}2`, `${name}2`], ['again', true, 'ada'], ['nobody']]));
    }
    assert.deepEqual(await names(db), ['ada', 'bob2', 'cy', 'cy2']);
    const failing = db.transaction((tx) => write(tx, [['cy', 'cy@x'], ['not this', true, 'ada'], ['cy2']]));
    await assert.rejects(failing);
    const { rows } = await sql<Person>`select name, email from people order by name`.execute(db.read);
    assert.deepEqual([rows.length, rows[0]?.email], [4, 'again']);
  });

  test('only the violation of the named uniqueness counts as one', async () => {
    const db = await openMigrated(await database.createUrl());
    await add(db, 'ada');
    const error: unknown = await add(db, 'ada').catch((caught: unknown) => caught);
    assert.ok(isUniqueViolation(error, 'people', 'email'));
    assert.ok(!isUniqueViolation(error, 'people', 'name'));
    assert.ok(!isUniqueViolation(error, 'users', 'email'));
    const other: unknown = await db
      .transaction((tx) => sql`insert into people (name) values ('no email')`.execute(tx))
      .catch((caught: unknown) => caught);
    assert.ok(other instanceof Error && !(other instanceof DoorwardError));
    assert.ok(!isUniqueViolation(other, 'people', 'email'));
    assert.deepEqual(await names(db), ['ada']);
  });

  test('a database that belongs to something else is left as it is, and told as that', async () => {
    const db = await openDatabase({ url: await database.createUrl() });
    after(() => db.close());
    await db.transaction((tx) => sql`create table people (who text)`.execute(tx));
    const reason = '(relation "people"|table people) already exists';
    const message = new RegExp(
      `^The database belongs to something else \\(${reason}\\)\\. Give Doorward one of its own`,
    );
    await assert.rejects(db.migrate([people]), { message });
    const { rows } = await sql`select who from people`.execute(db.read);
    assert.deepEqual(rows, []);
    assert.equal((await db.pendingMigrations([people])).length, 1);
  });

  test('keyed reads give each key its own row', async () => {
    const db = await openMigrated(await database.createUrl());
    for (const name of ['ada', 'bob', 'cy']) await add(db, name);
    const lookup = db.keyedRead<{ lookup_key: string; id: number; active: boolean; seen_at: string }>(
      'select name as lookup_key, id, active, seen_at from people where people.name = key_placeholder',
    );
    const found = await Promise.all(['cy', 'ada', 'nobody', 'ada', "o'hara"].map(async (key) => lookup(key)));
    assert.deepEqual(
      found.map((row) => row?.id),
      [3, 1, undefined, 1, undefined],
    );
    assert.deepEqual(
      { ...found[0] },
      { lookup_key: 'cy', id: 3, active: true, seen_at: '2026-11-23T12:00:00.120Z' },
    );
    await db.transaction((tx) => sql`delete from people where name = 'ada'`.execute(tx));
    assert.equal(await lookup('ada'), undefined);
  });

  test('a keyed read of what cannot be read fails alone', async () => {
    const db = await openMigrated(await database.createUrl());
    for (const name of ['ada', 'bob', 'cy', 'dan']) await add(db, name);
    // The one number that has no absolute value.
    const lookup = db.keyedRead<{ id: number }>(
      `select name as lookup_key, id, abs(case id when 3 then -9223372036854775807 - 1 else id end) as distance
       from people where people.name = key_placeholder`,
    );
    const found = await Promise.allSettled(
      ['ada', 'bob', 'cy', 'dan', 'nobody'].map(async (key) => lookup(key)),
    );
    assert.deepEqual(
      found.map((one) => (one.status === 'fulfilled' ? one.value?.id : 'refused')),
      [1, 2, 'refused', 4, undefined],
    );
  });

  test('keyed reads that arrive while many others are under way are all answered', async () => {
    const db = await openMigrated(await database.createUrl());
    await add(db, 'ada');
    const lookup = db.keyedRead<{ id: number }>(
      'select name as lookup_key, id from people where people.name = key_placeholder',
    );
    const keys = Array.from({ length: 1800 }, (_, index) => (index % 3 === 0 ? 'ada' : `nobody ${index}`));
    const found = await Promise.all(keys.map(async (key) => lookup(key)));
    assert.equal(found.filter((row) => row?.id === 1).length, 600);
    assert.equal(found.filter((row) => row === undefined).length, 1200);
  });

  test('a fenced selection has the rows of the selection, in the order and number asked for around it', async () => {
    const db = await openMigrated(await database.createUrl());
    for (const name of ['ada', 'bob', 'cid', 'dan']) await add(db, name);
    const fenced = db.fenced(sql<Person>`select * from people where name <> ${'bob'}`);
    const { rows } = await sql<Person>`select name from ${fenced} as found where name < ${'dan'}
      order by name desc limit 5`.execute(db.read);
    assert.deepEqual(
      rows.map(({ name }) => name),
      ['cid', 'ada'],
    );
  });

  test('how many rows a selection has is estimated, and how many match', async () => {
    const db = await openMigrated(await database.createUrl());
    const estimate = (prefix: string) =>
      db.estimateRows(sql`select id from people where name >= ${prefix} and name < ${`${prefix}~`}`, 50);
    for (let number = 0; number < 60; number++) await add(db, `p${number}`);
    assert.ok((await estimate('p')) >= 1);
    assert.ok((await estimate('p42')) >= 1);
    assert.ok((await estimate('q')) <= 50);
    assert.ok((await db.findMatches('people', 'name', 'p42')).about >= 1);
    assert.ok((await db.findMatches('people', 'name', 'xyz')).about <= 50);
  });

  test('contains and matching, whole and in parts, find exactly the rows that contain the text', async () => {
    const db = await openMigrated(await database.createUrl());
    const values = [
      '100% sure', '100 sure', 'snake_case', 'snakeXcase', 'say "hi" now', "o'hara", 'back\\slash', 'back\\\\slash',
      'naïve 😀 face', 'naive face', 'Anna Karenina', 'anna', 'иван петров', 'a*b AND c', 'NEAR(a b)', '{x}:y^z', '---',
    ]; // biome-ignore format: a list
    for (const [index, value] of values.entries()) {
      // Into each part of an index that has some.
      if (index === 9) await db.transaction((tx) => db.raiseIdentity(tx, 'people', 4095));
      await add(db, value);
    }
    const namesWhere = async (condition: Expression<SqlBool>) => {
      const { rows } = await sql<Person>`select name from people where ${condition} order by id`.execute(
        db.read,
      );
      return rows.map(({ name }) => name);
    };
    const find = async (text: string) => {
      const found = await namesWhere(db.contains('people', 'name', text));
      const matching = sql<Person>`select name from ${db.matching('people', 'name', text)} as found order by id`;
      const parts = (await db.findMatches('people', 'name', text)).parts.map((part) =>
        sql<Person>`select name from ${part} as found order by id`.execute(db.longRead),
      );
      assert.deepEqual(
        (await matching.execute(db.read)).rows.map(({ name }) => name),
        found,
        text,
      );
      const inParts = (await Promise.all(parts)).flatMap(({ rows }) => rows.map(({ name }) => name));
      if (parts.length > 0 || found.length === 0) assert.deepEqual(inParts.sort(), found.toSorted(), text);
      return found;
    };
    const texts = [
      '0% ', '00%', 'e_c', 'eXc', '"hi"', "o'h", 'k\\s', 'k\\\\s', '\\\\s', ' 😀 ', 'e 😀', 'nna', 'Ann', 'ann', 'ван',
      'AND', '*b ', 'R(a', '}:y^', '---', 'zzz', '%%%', '___', '"""', 'naïve 😀 face', 'Karen', ' hi', 'NEAR(a b)',
    ]; // biome-ignore format: a list
    for (const text of texts)
      assert.deepEqual(
        await find(text),
        values.filter((value) => value.includes(text)),
        text,
      );

    await db.transaction(async (tx) => {
      await sql`update people set name = 'renamed' where name = 'anna'`.execute(tx);
      await sql`delete from people where name = 'Anna Karenina'`.execute(tx);
    });
    assert.deepEqual(await find('nna'), []);
    assert.deepEqual(await find('rename'), ['renamed']);
  });

  test('where an index is in parts each is read for a text, and the table once for one that no index finds', async () => {
    const url = await database.createUrl();
    if (!url.startsWith('postgres')) return;
    const db = await openMigrated(url);
    const readFor = async (text: string) => {
      const reads = [];
      for (const part of (await db.findMatches('people', 'name', text)).parts) {
        const { rows } = await sql<object>`explain select id from ${part} as found`.execute(db.read);
        reads.push(rows.filter((row) => JSON.stringify(row).includes(' on people ')).length);
      }
      return reads;
    };
    assert.deepEqual(await readFor('anna'), [1, 1]);
    assert.deepEqual(await readFor('%%%'), [1, 0]);
    assert.deepEqual(await readFor('😀"😀'), [1, 0]);
  });

  test('after it is closed everything fails with database_unavailable', async () => {
    const db = await openMigrated(await database.createUrl());
    const lookup = db.keyedRead('select name as lookup_key from people where people.name = key_placeholder');
    await lookup('x');
    await db.close();
    const unavailable = { name: 'DoorwardError', code: 'database_unavailable' };
    await assert.rejects(db.ping(), unavailable);
    await assert.rejects(async () => lookup('x'), unavailable);
    await assert.rejects(
      db.transaction((tx) => sql`select 1`.execute(tx)),
      unavailable,
    );
    await db.close();
  });
}

onEachDatabase((database: TestDatabase) => defineTests(database));

describe('on SQLite in memory', () => defineTests({ createUrl: async () => 'sqlite::memory:' }));
