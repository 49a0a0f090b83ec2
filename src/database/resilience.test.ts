import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs, { chmodSync, existsSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import workerThreads from 'node:worker_threads';
import BetterSqlite3 from 'better-sqlite3';
import { type Kysely, sql } from 'kysely';
import pg from 'pg';
import { onEachDatabase } from '../../test/support/databases.ts';
import { startDatabaseProxy } from '../../test/support/fault-proxy.ts';
import { administrate, startPostgres, type TestPostgres } from '../../test/support/postgres.ts';
import type { Database, Migration, Tables } from './database.ts';
import { openDatabase } from './open.ts';

const unavailable = { name: 'DoorwardError', code: 'database_unavailable' };

const counters: Migration = {
  id: '0001-counters',
  statements: (ddl) => [
    `create table counters (id ${ddl.identity}, name ${ddl.text} not null, value ${ddl.integer} not null)`,
    `insert into counters (name, value) values ('a', 0), ('b', 0)`,
    ...ddl.substringIndex('counters', 'name'),
  ],
};
const second: Migration = { id: '0002-flag', statements: () => [`alter table counters add flag integer`] };

async function open(url: string, waitMs = 5000): Promise<Database> {
  const db = await openDatabase({ url, waitMs });
  after(() => db.close());
  return db;
}

const increment = (db: Database, name: string) =>
  db.transaction((tx) => sql`update counters set value = value + 1 where name = ${name}`.execute(tx));

/** The syncs of this process, which last as long as the test wants. */
function holdSyncs(t: TestContext) {
  let isHeld = true;
  let failure: NodeJS.ErrnoException | null = null;
  const waiting: (() => void)[] = [];
  t.mock.method(fs, 'fdatasync', (_file: number, done: fs.NoParamCallback) => {
    const finish = () => done(failure);
    if (isHeld) waiting.push(finish);
    else setImmediate(finish);
  });
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  const set = (held: boolean, error: NodeJS.ErrnoException | null) => {
    isHeld = held;
    failure = error;
    if (!held) for (const finish of waiting.splice(0)) finish();
  };
  return {
    hold: () => set(true, null),
    release: () => set(false, null),
    fail: () => set(false, Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })),
    releaseOne: () => waiting.shift()?.(),
    get waiting() {
      return waiting.length;
    },
  };
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isSo()); tries++) {
    assert.ok(tries < 2_000, `never: ${isSo}`);
    await sleep(5);
  }
}

const texts: Migration = { id: '0002-texts', statements: (ddl) => [`create table texts (text ${ddl.text})`] };
/** Adds more pages to the log than it may have before it is written into the database. */
const growLog = sql`insert into texts select hex(randomblob(3000)) from
  (with recursive n(i) as (select 1 union all select i + 1 from n where i < 900) select i from n)`;

/** A database with a long log, and when its file was written before. */
async function openWithLongLog(url: string) {
  const errors: unknown[] = [];
  const path = url.slice('sqlite:'.length);
  const db = await openDatabase({ url, onError: (error) => errors.push(error) });
  await db.migrate([counters, texts]);
  const before = statSync(path).mtimeMs;
  await db.transaction((tx) => growLog.execute(tx));
  return { db, url, path, before, errors };
}

async function counterValue(db: Database, name: string): Promise<number | undefined> {
  const { rows } = await sql<{ value: number }>`select value from counters where name = ${name}`.execute(
    db.read,
  );
  return rows[0]?.value;
}

/** Runs a module's text in a process of its own; resolves to what it prints. */
async function inProcess(source: string, argument: string): Promise<string> {
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', source, argument], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(code, 0);
  return output.trim();
}

const openModule = JSON.stringify(new URL('./open.ts', import.meta.url).href);
const migrateInProcess = `
  import { openDatabase } from ${openModule};
  const migration = {
    id: '0001-counters',
    statements: (ddl) => [
      'create table counters (id ' + ddl.identity + ', name ' + ddl.text + ')',
      ...ddl.substringIndex('counters', 'name'),
    ],
  };
  const db = await openDatabase({ url: process.argv.at(-1) });
  const applied = await db.migrate([migration]);
  await db.close();
  console.log(applied.length);
`;

onEachDatabase((database) => {
  test('of ten processes that migrate an empty database at once, one applies each step', async () => {
    const url = await database.createUrl();
    const applied = await Promise.all(Array.from({ length: 10 }, () => inProcess(migrateInProcess, url)));
    assert.deepEqual(applied.toSorted(), [...Array(9).fill('0'), '1']);
  });

  test('pending migrations are told without a trace in the database', async () => {
    const url = await database.createUrl();
    const db = await open(url);
    const pending = await db.pendingMigrations([second, counters]);
    assert.deepEqual(
      pending.map(({ id }) => id),
      ['0001-counters', '0002-flag'],
    );
    assert.match(pending[0]?.statements[0] ?? '', /^create table counters/);
    if (database.name === 'SQLite') assert.ok(!existsSync(url.slice('sqlite:'.length)));
    await assert.rejects(sql`select * from migrations`.execute(db.read), /migrations/);
    await db.migrate([counters]);
    assert.deepEqual(
      (await db.pendingMigrations([counters, second])).map(({ id }) => id),
      ['0002-flag'],
    );
    assert.equal((await db.migrate([counters, second])).length, 1);
    assert.equal((await db.migrate([counters, second])).length, 0);
  });

  test('a step that fails leaves none of the steps before it', async () => {
    const db = await open(await database.createUrl());
    const broken: Migration = {
      id: '0003-broken',
      statements: () => ['create table broken (id integer)', 'nonsense'],
    };
    await assert.rejects(db.migrate([counters, broken]), /nonsense/);
    await assert.rejects(sql`select * from counters`.execute(db.read), /counters/);
    assert.equal((await db.migrate([counters])).length, 1);
  });

  test('a database of a newer version, or with another history, is refused', async () => {
    const db = await open(await database.createUrl());
    await db.migrate([counters, second]);
    await assert.rejects(db.migrate([counters]), /newer version.*0002-flag/);
    await assert.rejects(db.pendingMigrations([counters]), /newer version.*0002-flag/);
    const other: Migration = {
      id: '0002-flag',
      statements: () => ['alter table counters add other integer'],
    };
    await assert.rejects(db.migrate([counters, other]), /0002-flag is not the one that was applied/);
    await assert.rejects(db.migrate([counters, second, second]), /Two migrations/);
  });
});

describe('SQLite', () => {
  onlySqlite((createUrl) => {
    test('file and folder are for their owner alone, and the log of writes is ours to sync', async () => {
      const url = `${(await createUrl()).slice(0, -'doorward.db'.length)}data/doorward.db`;
      const path = url.slice('sqlite:'.length);
      const db = await open(url);
      await db.migrate([counters]);
      const modes = [path, `${path}-wal`, path.slice(0, -'/doorward.db'.length)].map(
        (each) => statSync(each).mode,
      );
      assert.deepEqual(
        modes.map((mode) => mode & 0o777),
        [0o600, 0o600, 0o700],
      );
      const pragmas = await db.transaction(async (tx) => {
        const { rows: synchronous } = await sql`pragma synchronous`.execute(tx);
        const { rows: foreignKeys } = await sql`pragma foreign_keys`.execute(tx);
        const { rows: journal } = await sql`pragma journal_mode`.execute(tx);
        return Object.assign({}, synchronous[0], foreignKeys[0], journal[0]);
      });
      assert.deepEqual(pragmas, { synchronous: 1, foreign_keys: 1, journal_mode: 'wal' });
    });

    test('a commit resolves when the disk has it, and several share one sync', async (t) => {
      const disk = holdSyncs(t);
      const db = await open(await createUrl());
      disk.release();
      await db.migrate([counters]);
      disk.hold();
      const committed: number[] = [];
      const commit = (number: number) => increment(db, 'a').then(() => committed.push(number));
      const first = commit(1);
      await until(async () => (await counterValue(db, 'a')) === 1);
      const others = [commit(2), commit(3), commit(4)];
      await until(async () => (await counterValue(db, 'a')) === 4);
      assert.deepEqual([committed, disk.waiting], [[], 1]);
      // It began before the others committed, so that it is not theirs.
      disk.releaseOne();
      await first;
      await until(() => disk.waiting === 1);
      assert.deepEqual(committed, [1]);
      disk.releaseOne();
      await Promise.all(others);
      assert.deepEqual([committed, disk.waiting], [[1, 2, 3, 4], 0]);
    });

    test('after a failed sync nothing is acknowledged, nor written into the database, before the log is on disk', async (t) => {
      const disk = holdSyncs(t);
      const url = await createUrl();
      const path = url.slice('sqlite:'.length);
      const db = await open(url, 50);
      disk.release();
      await db.migrate([counters, texts]);
      const rewritten = t.mock.method(fs, 'fdatasyncSync');
      syncBuiltinESMExports();
      disk.fail();
      const before = statSync(path).mtimeMs;
      await assert.rejects(
        db.transaction((tx) => growLog.execute(tx)),
        unavailable,
      );
      const asleep = (connection: BetterSqlite3.Database) => {
        connection.exec('begin immediate');
        return () => connection.close();
      };
      // Another process that writes keeps the log from being written anew.
      const wake = asleep(new BetterSqlite3(path));
      await assert.rejects(increment(db, 'a'), unavailable);
      wake();
      assert.equal(rewritten.mock.callCount(), 0);
      await sleep(200);
      assert.equal(statSync(path).mtimeMs, before, 'no checkpoint was made of a log with a gap');
      await increment(db, 'a');
      assert.equal(rewritten.mock.callCount(), 1);
      disk.release();
      await until(async () => {
        await increment(db, 'b');
        return statSync(path).mtimeMs > before;
      });
      assert.equal(await counterValue(db, 'a'), 1);
    });

    test('one who waited behind a failed sync mends the log, and checkpoints are made again', async (t) => {
      const disk = holdSyncs(t);
      const path = (await createUrl()).slice('sqlite:'.length);
      const db = await open(`sqlite:${path}`);
      disk.release();
      await db.migrate([counters]);
      disk.hold();
      const refused = assert.rejects(increment(db, 'a'), unavailable);
      await until(() => disk.waiting === 1);
      const waited = increment(db, 'b');
      await until(async () => (await counterValue(db, 'b')) === 1);
      disk.fail();
      await Promise.all([refused, waited]);
      disk.release();
      await db.transaction((tx) => db.scrub(tx));
      await until(() => statSync(`${path}-wal`).size === 0);
    });

    test('a long log is written into the database beside those who write, and begins anew', async () => {
      const { db, url, path, before, errors } = await openWithLongLog(await createUrl());
      // As another process has it.
      const beside = await open(url);
      // Whoever writes without a pause leaves no moment at which the database would have all of the log.
      let isLong = true;
      const writing = Promise.all(
        Array.from({ length: 8 }, async (_, index) => {
          const writer = index % 2 === 0 ? db : beside;
          while (isLong) await increment(writer, 'a');
        }),
      );
      const watch = new BetterSqlite3(path);
      const logPages = () => (watch.pragma('wal_checkpoint(noop)') as { log: number }[])[0]?.log ?? 0;
      let most = 0;
      await until(() => {
        most = Math.max(most, logPages());
        return logPages() < 1000;
      });
      isLong = false;
      watch.close();
      await writing;
      assert.ok(most < 5_000, `${most} pages`);
      assert.ok(statSync(path).mtimeMs > before);
      await db.close();
      assert.deepEqual(errors, []);
    });

    test('where a thread cannot start the log is written into the database all the same', async (t) => {
      // What is no constructor throws.
      t.mock.method(workerThreads, 'Worker', () => {});
      syncBuiltinESMExports();
      t.after(() => {
        t.mock.restoreAll();
        syncBuiltinESMExports();
      });
      const { db, path, before, errors } = await openWithLongLog(await createUrl());
      await until(async () => {
        await increment(db, 'a');
        return statSync(path).mtimeMs > before;
      });
      await db.close();
      assert.match(String(errors), /^TypeError: .* is not a constructor$/);
    });

    test('a path that is a link to the file', async () => {
      const url = await createUrl();
      const link = `${url.slice('sqlite:'.length)}-link`;
      symlinkSync(url.slice('sqlite:'.length), link);
      const db = await open(`sqlite:${link}`);
      await db.migrate([counters]);
      await increment(db, 'a');
      assert.equal(await counterValue(await open(url), 'a'), 1);
    });

    for (const url of ['file', ':memory:']) {
      test(`reading refuses to write (${url})`, async () => {
        const db = await open(url === 'file' ? await createUrl() : 'sqlite::memory:');
        await db.migrate([counters]);
        await assert.rejects(sql`delete from counters`.execute(db.read), /takes a transaction/);
        await assert.rejects(
          sql`insert into counters (name, value) values ('c', 1) returning *`.execute(db.read),
        );
        await assert.rejects(db.read.transaction().execute((tx) => sql`select 1`.execute(tx)));
        assert.equal(await counterValue(db, 'a'), 0);
        await increment(db, 'a');
        assert.equal(await counterValue(db, 'a'), 1);
      });
    }

    test('while another process holds the lock the event loop turns, reads go on and writes fail in the end', async () => {
      const url = await createUrl();
      const db = await open(url, 300);
      await db.migrate([counters]);
      const holder = new BetterSqlite3(url.slice('sqlite:'.length));
      holder.exec('begin immediate');
      let ticks = 0;
      const ticking = setInterval(() => ticks++, 1);
      const writes = ['a', 'b', 'a', 'b'].map((name) => increment(db, name));
      const outcomes = Promise.allSettled(writes);
      assert.equal(await counterValue(db, 'a'), 0);
      for (const outcome of await outcomes) {
        assert.ok(outcome.status === 'rejected' && outcome.reason.code === 'database_unavailable');
      }
      clearInterval(ticking);
      assert.ok(ticks > 20, `${ticks} ticks`);

      const waiting = increment(db, 'a');
      await sleep(20);
      holder.exec('rollback');
      holder.close();
      await waiting;
      assert.equal(await counterValue(db, 'a'), 1);
    });

    for (const url of ['file', ':memory:']) {
      test(`a long transaction lets the event loop turn, and nobody see what it has not committed (${url})`, async () => {
        const db = await open(url === 'file' ? await createUrl() : 'sqlite::memory:');
        await db.migrate([counters]);
        const slowly = sql`with recursive n (i) as (select 1 union all select i + 1 from n where i < 20000)
          select count(*) from n`;
        let turns = 0;
        let isOver = false;
        const turn = () => {
          turns++;
          if (!isOver) setImmediate(turn);
        };
        setImmediate(turn);
        const seen: Promise<number | undefined>[] = [];
        await db.transaction(async (tx) => {
          for (let statement = 0; statement < 10; statement++) {
            await sql`update counters set value = value + 1 where name = 'a'`.execute(tx);
            await slowly.execute(tx);
            if (statement < 9) seen.push(counterValue(db, 'a'));
          }
        });
        isOver = true;
        assert.ok(turns > 5, `${turns} turns`);
        assert.deepEqual(new Set(await Promise.all(seen)), new Set([url === 'file' ? 0 : 10]));
        assert.equal(await counterValue(db, 'a'), 10);
      });
    }

    for (const url of ['file', ':memory:']) {
      test(`closing waits for who writes, however often it is asked for (${url})`, async () => {
        const db = await open(url === 'file' ? await createUrl() : 'sqlite::memory:');
        await db.migrate([counters]);
        const begun = Promise.withResolvers<void>();
        let isWritten = false;
        const writing = db.transaction(async (tx) => {
          begun.resolve();
          await sleep(50);
          await sql`update counters set value = 1`.execute(tx);
          isWritten = true;
        });
        await begun.promise;
        const closing = db.close();
        await db.close();
        assert.ok(isWritten);
        await Promise.all([closing, writing]);
      });
    }

    test('the first to write to a database in memory that is being closed is refused', async () => {
      const db = await open('sqlite::memory:');
      await db.ping();
      const closing = db.close();
      await assert.rejects(increment(db, 'a'), unavailable);
      await closing;
    });

    test('a transaction that waits for itself fails instead of hanging', async () => {
      const db = await open(await createUrl(), 50);
      await db.migrate([counters]);
      await assert.rejects(
        db.transaction(() => increment(db, 'a')),
        unavailable,
      );
      await increment(db, 'a');
      assert.equal(await counterValue(db, 'a'), 1);
    });

    test('a file that is no database is database_unavailable', async () => {
      const url = await createUrl();
      writeFileSync(url.slice('sqlite:'.length), 'This is not a database. '.repeat(500));
      const db = await open(url);
      await assert.rejects(db.ping(), unavailable);
      await assert.rejects(increment(db, 'a'), unavailable);
    });

    test('where no file can be made is database_unavailable, without trying for ever', async () => {
      const file = (await createUrl()).slice('sqlite:'.length);
      writeFileSync(file, 'a file, and no folder');
      symlinkSync('/gone', `${file}.link`);
      const proc = existsSync('/proc/self') ? ['/proc/nowhere/a.db'] : [];
      for (const path of [
        `${file}/a.db`,
        `${file}/b/a.db`,
        `${file}.link/a.db`,
        `${file}.link/b/a.db`,
        ...proc,
      ])
        await assert.rejects((await open(`sqlite:${path}`)).ping(), unavailable, path);
      const db = await open(`sqlite:${file}.new/of/several/a.db`);
      await db.ping();
      assert.equal(statSync(`${file}.new/of/several`).mode & 0o777, 0o700);
    });

    test('a full disk fails the transaction alone', async () => {
      const db = await open(await createUrl());
      await db.migrate([counters]);
      await db.transaction((tx) => sql`pragma max_page_count = 40`.execute(tx));
      const large = 'x'.repeat(300_000);
      const insert = () =>
        db.transaction((tx) => sql`insert into counters (name, value) values (${large}, 0)`.execute(tx));
      await assert.rejects(insert, unavailable);
      await increment(db, 'a');
      assert.equal(await counterValue(db, 'a'), 1);
    });
  });
});

describe('PostgreSQL', () => {
  let server: TestPostgres | undefined;
  after(() => server?.stop());
  const startServer = async () => {
    server ??= await startPostgres({ settings: { deadlock_timeout: '50ms' } });
    return server;
  };

  test('a database that is not UTF-8 is refused before anything is made, and told as that', async () => {
    const postgres = await startServer();
    const url = new URL(await postgres.createDatabase());
    const db = await openDatabase({ url: url.href });
    await sql`create database latin encoding 'LATIN1' locale 'C' template template0`.execute(db.read);
    await db.close();
    url.pathname = '/latin';
    const latin = await openDatabase({ url: url.href });
    after(() => latin.close());
    await assert.rejects(latin.migrate([counters]), {
      message:
        /^The database has the encoding LATIN1: make one with ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8' TEMPLATE template0$/,
    });
    assert.equal((await latin.pendingMigrations([counters])).length, 1);
  });

  test('a database that went away gives database_unavailable and recovers by itself', async () => {
    const postgres = await startServer();
    const errors: unknown[] = [];
    const db = await openDatabase({
      url: await postgres.createDatabase(),
      onError: (error) => errors.push(error),
    });
    after(() => db.close());
    await db.migrate([counters]);
    const lookup = db.keyedRead<{ value: number }>(
      'select name as lookup_key, value from counters where counters.name = key_placeholder',
    );
    assert.equal((await lookup('a'))?.value, 0);

    const begun = Promise.withResolvers<void>();
    const interrupted = Promise.withResolvers<void>();
    const open = assert.rejects(
      db.transaction(async (tx) => {
        await sql`update counters set value = 99 where name = 'a'`.execute(tx);
        begun.resolve();
        await interrupted.promise;
        await sql`update counters set value = 99 where name = 'b'`.execute(tx);
      }),
      unavailable,
    );
    await begun.promise;
    await postgres.kill();
    interrupted.resolve();
    await open;
    await assert.rejects(db.ping(), unavailable);
    await assert.rejects(increment(db, 'a'), unavailable);
    await assert.rejects(Promise.resolve(lookup('a')), unavailable);
    await assert.rejects(db.migrate([counters]), unavailable);

    await postgres.restart();
    await increment(db, 'a');
    assert.equal(await counterValue(db, 'a'), 1);
    assert.equal(await counterValue(db, 'b'), 0);
    assert.equal((await lookup('a'))?.value, 1);
    assert.ok(errors.length > 0);
  });

  test('in a transaction, too, a server that does not answer any more is waited for once', async () => {
    const proxy = await startDatabaseProxy(await (await startServer()).createDatabase());
    after(() => proxy.stop());
    const errors: unknown[] = [];
    const db = await openDatabase({
      url: `${proxy.url}?query_timeout=500`,
      onError: (error) => errors.push(error),
    });
    after(() => db.close());
    await db.migrate([counters]);
    const work = db.transaction(async (tx) => {
      await sql`update counters set value = 1`.execute(tx);
      proxy.hangAt('update');
      await sql`update counters set value = 2`.execute(tx);
    });
    await assert.rejects(work, unavailable);
    // Such as a rollback that was not answered either.
    assert.deepEqual(errors, []);
    proxy.heal();
    await increment(db, 'a');
    assert.equal(await counterValue(db, 'a'), 1);
    assert.equal(await counterValue(db, 'b'), 0);
  });

  test('a start does not wait for ever for a server that lets us in and then does not answer', {
    timeout: 10_000,
  }, async () => {
    const proxy = await startDatabaseProxy(await (await startServer()).createDatabase());
    after(() => proxy.stop());
    const db = await open(proxy.url, 300);
    await db.migrate([counters]);
    // Only what migrates may take as long as it likes.
    proxy.hangAt('set statement_timeout = 0');
    assert.deepEqual(await db.migrate([counters]), []);
    await assert.rejects(db.migrate([counters, second]), unavailable);
    proxy.hangAt('set statement_timeout');
    await assert.rejects((await open(proxy.url, 300)).migrate([counters]), unavailable);
    proxy.heal();
    assert.equal((await db.migrate([counters, second])).length, 1);
  });

  test('a deadlock is resolved by running the transaction again', async () => {
    const db = await open(await (await startServer()).createDatabase());
    await db.migrate([counters]);
    let runs = 0;
    let holding = 0;
    const bothHoldOne = Promise.withResolvers<void>();
    const crosswise = (first: string, then: string) =>
      db.transaction(async (tx) => {
        runs++;
        await sql`update counters set value = value + 1 where name = ${first}`.execute(tx);
        if (++holding === 2) bothHoldOne.resolve();
        await bothHoldOne.promise;
        await sql`update counters set value = value + 1 where name = ${then}`.execute(tx);
      });
    await Promise.all([crosswise('a', 'b'), crosswise('b', 'a')]);
    assert.ok(runs >= 3);
    assert.equal(await counterValue(db, 'a'), 2);
    assert.equal(await counterValue(db, 'b'), 2);
  });

  test('what recurs is prepared once on a connection, and anew when a newer version has changed the table', async (t) => {
    const url = await (await startServer()).createDatabase();
    const db = await open(url);
    await db.migrate([counters]);
    const lookup = db.keyedRead<{ value: number }>(
      'select name as lookup_key, counters.* from counters where counters.name = key_placeholder',
    );
    const change = () =>
      db.transaction(async (tx) => {
        await sql`update counters set value = value + 1 where name = ${'a'} returning *`.execute(tx);
        // Several connections have it prepared.
        await sleep(20);
      });
    const query = t.mock.method(pg.Client.prototype, 'query');
    const namesOfUpdates = () =>
      query.mock.calls
        .map(({ arguments: [statement] }): pg.QueryConfig => Object(statement))
        .filter(({ text }) => text?.startsWith('update'))
        .map(({ name }) => name);
    for (let round = 0; round < 5; round++) await Promise.all([change(), change(), lookup('a')]);
    const before = namesOfUpdates();
    assert.equal(before[0], undefined);
    assert.ok(before.at(-1) !== undefined && before.at(-1) === before.at(-2));

    await (await open(url)).migrate([counters, second]);
    await Promise.all([change(), change()]);
    assert.equal((await lookup('a'))?.value, 12);
    assert.notEqual(namesOfUpdates().at(-1), before.at(-1));
  });

  test('a failed statement that work goes on after fails the transaction', async () => {
    const db = await open(await (await startServer()).createDatabase());
    await db.migrate([counters]);
    const work = db.transaction(async (tx) => {
      await sql`update counters set value = 1`.execute(tx);
      await sql`select 1/0`.execute(tx).catch(() => {});
    });
    await assert.rejects(work, /rolled back instead of committed/);
    assert.equal(await counterValue(db, 'a'), 0);
  });

  test('a read-only server is database_unavailable for writers alone', async () => {
    const postgres = await startServer();
    const url = await postgres.createDatabase();
    await (await open(url)).migrate([counters]);
    const db = await open(`${url}?options=-c%20default_transaction_read_only%3Don`);
    await assert.rejects(increment(db, 'a'), unavailable);
    assert.equal(await counterValue(db, 'a'), 0);
  });

  test('files that PostgreSQL may not open are database_unavailable, on a connection that is kept; a right that we lack is not', async () => {
    const postgres = await startServer();
    const url = await postgres.createDatabase();
    await (await open(url)).migrate([counters]);
    const db = await openDatabase({ url, poolSize: 1 });
    after(() => db.close());
    const ask = async (query: string) =>
      (await sql.raw<{ found: unknown }>(query).execute(db.read)).rows[0]?.found;
    const file = join(
      String(await ask(`select current_setting('data_directory') as found`)),
      String(await ask(`select pg_relation_filepath('counters') as found`)),
    );
    const connection = await ask('select pg_backend_pid() as found');
    chmodSync(file, 0);
    await assert.rejects(counterValue(db, 'a'), unavailable);
    await assert.rejects(increment(db, 'a'), unavailable);
    chmodSync(file, 0o600);
    await increment(db, 'a');
    assert.equal(await counterValue(db, 'a'), 1);
    assert.equal(await ask('select pg_backend_pid() as found'), connection);

    await administrate(url, 'create role without login');
    await ask('set role without');
    await assert.rejects(counterValue(db, 'a'), { name: 'error', code: '42501' });
  });

  test('lookups of one tick share one query, and those that come during it share the next', async (t) => {
    const db = await open(await (await startServer()).createDatabase());
    await db.migrate([counters]);
    const lookup = db.keyedRead<{ value: number }>(
      'select name as lookup_key, value from counters where counters.name = key_placeholder',
    );
    await lookup('a');
    const query = t.mock.method(pg.Client.prototype, 'query');
    const keys = ['a', 'b', 'a', ...Array.from({ length: 60 }, (_, index) => `none ${index}`)];
    const found = await Promise.all(keys.map(async (key) => lookup(key)));
    assert.deepEqual(found.slice(0, 4), [
      { lookup_key: 'a', value: 0 },
      { lookup_key: 'b', value: 0 },
      { lookup_key: 'a', value: 0 },
      undefined,
    ]);
    assert.equal(query.mock.callCount(), 1);
  });

  test('a lookup whose turn does not come fails after the time that a connection is waited for', async () => {
    const postgres = await startServer();
    const url = await postgres.createDatabase();
    const db = await open(url, 300);
    await db.migrate([counters]);
    const lookup = db.keyedRead<{ value: number }>(
      'select name as lookup_key, value from counters where counters.name = key_placeholder',
    );
    const holder = new pg.Client({ connectionString: url });
    await holder.connect();
    await holder.query('begin; lock table counters in access exclusive mode');
    const underWay = lookup('a');
    await sleep(20);
    const alsoUnderWay = lookup('b');
    await sleep(20);
    await assert.rejects(Promise.all([lookup('c'), lookup('d')]), unavailable);
    await holder.end();
    assert.deepEqual([(await underWay)?.value, (await alsoUnderWay)?.value], [0, 0]);
    assert.equal(await lookup('c'), undefined);
  });

  test('commits are on disk before they are answered, whatever the database says', async () => {
    const postgres = await startServer();
    const commitsOf = async (setting: string) => {
      const url = await postgres.createDatabase();
      await administrate(
        url,
        `alter database ${new URL(url).pathname.slice(1)} set synchronous_commit = ${setting}`,
      );
      const db = await open(url);
      const show = async (tx: Kysely<Tables>) =>
        (await sql<{ synchronous_commit: string }>`show synchronous_commit`.execute(tx)).rows[0]
          ?.synchronous_commit;
      // What a migration commits is read where it was written down.
      const note = `insert into commits select current_setting('synchronous_commit')`;
      await db.migrate([
        { id: '0001-commits', statements: () => ['create table commits (setting text)', note] },
      ]);
      const { rows } = await sql<{ setting: string }>`select setting from commits`.execute(db.read);
      return [await db.transaction(show), await db.write(show), rows[0]?.setting];
    };
    assert.deepEqual(await commitsOf('off'), ['on', 'on', 'on']);
    for (const other of ['remote_apply', 'local']) {
      assert.deepEqual(await commitsOf(other), [other, other, other]);
    }
  });

  test('a role that may not create the extension is told what to run', async () => {
    const postgres = await startServer();
    const url = new URL(await postgres.createDatabase());
    const admin = new pg.Client({ connectionString: url.href });
    await admin.connect();
    await admin.query('create role plain login; grant create on schema public to plain');
    url.username = 'plain';
    const db = await open(url.href);
    await assert.rejects(db.migrate([counters]), /run CREATE EXTENSION pg_trgm/);
    await admin.query('create extension pg_trgm');
    await admin.end();
    assert.equal((await db.migrate([counters])).length, 1);
  });
});

/** Tests of what only SQLite does, with folders that are cleaned up. */
function onlySqlite(define: (createUrl: () => Promise<string>) => void): void {
  onEachDatabase((database) => {
    if (database.name === 'SQLite') define(database.createUrl);
  });
}
