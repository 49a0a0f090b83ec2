import assert from 'node:assert/strict';
import fs, { fstatSync, readdirSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  assertRefused,
  headerOf,
  type Instance,
  onInstances,
  type Scenario,
  SECRET_KEY,
} from '../../../test/support/instances.ts';
import type { Database } from '../../database/database.ts';
import { openDatabase } from '../../database/open.ts';
import { migrations } from '../../doorward.ts';
import { readSettings } from '../../settings.ts';
import { createAuditKeyChange } from '../audit/index.ts';
import { changeSecretKey, SecretKeyMismatchError, settleSecretKey, writePendingSecretKey } from './index.ts';
import { makeSecretKeyFile, readPendingSecretKey } from './secret-key.ts';

const secrets = [SECRET_KEY, 'second-0f4d6a8b2c1e3957-not-a-sample', 'third-5b7a9c2d4e6f8013-not-a-sample'];
const [first, second, third] = secrets as [string, string, string];
const day = 86_400;

/** The audit log's part of a change. */
function auditKeyChange(db: Database, from: string, to: string, now: Date) {
  const settings = readSettings({ DATABASE_URL: 'sqlite::memory:' });
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  return createAuditKeyChange({ db, settings, log, clock: { now: () => now } }, from, to).inTransaction;
}

/** Changes the secret as the command does. */
async function change(s: Scenario, from: string, to: string, now: Date): Promise<void> {
  const db = await openDatabase({ url: s.databaseUrl });
  try {
    await changeSecretKey(db, from, to, now, auditKeyChange(db, from, to, now));
  } finally {
    await db.close();
  }
}

for (const ALGORITHM of ['ES256', 'EdDSA', 'RS256', 'HS256'] as const) {
  onInstances(`${ALGORITHM}: a change of SECRET_KEY signs nobody out, twice in a row`, async (s) => {
    const a = await s.open({ ALGORITHM });
    const user = await a.signIn();
    const kept = await a.logIn(user.email);
    await a.close();
    let tokens = { access_token: user.access_token, refresh_token: user.refresh_token };
    for (const [from, to] of [
      [first, second],
      [second, third],
    ] as const) {
      s.advance(20);
      await change(s, from, to, a.clock.now());
      s.advance(20);
      const b = await s.open({ ALGORITHM, SECRET_KEY: to });
      assert.equal((await b.me(tokens.access_token)).status, 200);
      assert.equal((await b.me(kept.access_token)).status, 200);
      tokens = await b.refreshed(tokens.refresh_token);
      assert.equal((await b.me(tokens.access_token)).status, 200);
      assert.equal((await b.refreshed(tokens.refresh_token)).refresh_token, tokens.refresh_token);
      await b.close();
    }
    const c = await s.open({ ALGORITHM, SECRET_KEY: third });
    assert.equal((await c.refresh(kept.refresh_token)).status, 200, 'a token of two secrets ago');
    assert.equal(headerOf((await c.logIn(user.email)).access_token).alg, ALGORITHM);
  });
}

onInstances('a generation has one text across a change of SECRET_KEY', async (s) => {
  const a = await s.open();
  const user = await a.signIn();
  s.advance(10);
  const parent = user.refresh_token;
  const { refresh_token: child } = await a.refreshed(parent);
  s.advance(1);
  await change(s, first, second, a.clock.now());
  s.advance(1);
  const b = await s.open({ SECRET_KEY: second });
  assert.equal((await b.refreshed(parent)).refresh_token, child, 'a reply that was lost before the change');
  assert.equal((await b.refreshed(child)).refresh_token, child);
});

onInstances('a former secret serves until the tokens of its time are gone, and nobody else', async (s) => {
  const a = await s.open({ REFRESH_TOKEN_EXPIRE_DAYS: 2 });
  const user = await a.signIn();
  await change(s, first, second, a.clock.now());
  const open = (secret: string) => s.open({ REFRESH_TOKEN_EXPIRE_DAYS: 2, SECRET_KEY: secret });
  await assert.rejects(open(first), SecretKeyMismatchError);
  await assert.rejects(change(s, first, third, a.clock.now()), SecretKeyMismatchError);
  const b = await open(second);
  const former = () => b.doorward.kernel.db.read.selectFrom('former_secret_keys').selectAll().execute();
  s.advance(2 * day);
  await b.doorward.keys.maintain();
  assert.equal((await former()).length, 1);
  const stored = JSON.stringify(await former());
  for (const secret of secrets) assert.ok(!stored.includes(secret));
  s.advance(1);
  await b.doorward.keys.maintain();
  assert.equal((await former()).length, 0);
  const c = await open(second);
  assertRefused(await c.refresh(user.refresh_token));
  assert.equal((await c.me((await c.logIn(user.email)).access_token)).status, 200);
});

onInstances('there and back again', async (s) => {
  const a = await s.open();
  const user = await a.signIn();
  s.advance(20);
  await change(s, first, second, a.clock.now());
  s.advance(20);
  const b = await s.open({ SECRET_KEY: second });
  const tokens = await b.refreshed(user.refresh_token);
  s.advance(20);
  await change(s, second, first, a.clock.now());
  const c = await s.open();
  assert.equal((await c.refresh(tokens.refresh_token)).status, 200);
  assert.equal((await c.me(tokens.access_token)).status, 200);
});

onInstances('an instance with the old secret makes no key that the new one cannot read', async (s) => {
  const a = await s.open();
  await change(s, first, second, a.clock.now());
  await assert.rejects(a.doorward.keys.rotate({ immediately: true }), SecretKeyMismatchError);
  s.advance(91 * day);
  await assert.rejects(a.doorward.keys.maintain(), SecretKeyMismatchError);
  const b = await s.open({ SECRET_KEY: second });
  await b.doorward.keys.rotate({ immediately: true });
  s.advance(10);
  const user = await b.signIn();
  assert.equal((await b.me(user.access_token)).status, 200);
  // Nor can the old one read the new one's, and says which of the two is at fault.
  const answer = await a.me(user.access_token);
  assert.deepEqual([answer.status, answer.body.code], [503, 'database_unavailable']);
});

onInstances('a change that fails at any statement leaves everything as it was', async (s) => {
  const a = await s.open();
  const user = await a.signIn();
  await change(s, first, second, a.clock.now());
  await change(s, second, first, a.clock.now());
  const db = await openDatabase({ url: s.databaseUrl });
  s.t.after(() => db.close());
  const opensWith = async (secret: string) => {
    const b = await s.open({ SECRET_KEY: secret });
    assert.equal((await b.me(user.access_token)).status, 200);
    assert.equal((await b.refresh(user.refresh_token)).status, 200);
    await b.close();
  };
  let statements = 0;
  for (let failing = 1; ; failing++) {
    statements = 0;
    const transaction = db.transaction.bind(db);
    const mocked = s.t.mock.method(db, 'transaction', (work: Parameters<typeof transaction>[0]) =>
      transaction((tx) =>
        work(
          new Proxy(tx, {
            get(target, name, receiver) {
              if (/^(insertInto|updateTable)$/.test(String(name)) && ++statements === failing) {
                throw new Error('the process dies here');
              }
              const value = Reflect.get(target, name, receiver);
              return typeof value === 'function' ? value.bind(target) : value;
            },
          }),
        ),
      ),
    );
    const outcome = await changeSecretKey(
      db,
      first,
      third,
      a.clock.now(),
      auditKeyChange(db, first, third, a.clock.now()),
    ).catch((error: Error) => error);
    mocked.mock.restore();
    if (outcome === undefined) break;
    assert.match(outcome.message, /dies here/);
    await opensWith(first);
  }
  assert.ok(statements >= 4);
  await opensWith(third);
});

/** An instance whose secret is in its file, beside a SQLite database. */
async function openWithFile(s: Scenario): Promise<Instance> {
  return s.open({ SECRET_KEY: undefined });
}

onInstances('a crash before, between and after database and file leaves one usable key', async (s) => {
  // Beside a PostgreSQL the file is in the working directory's ./data, which a test leaves alone.
  if (s.database.name === 'PostgreSQL') return;
  const file = join(dirname(s.databaseUrl.slice('sqlite:'.length)), 'secret.key');
  const a = await openWithFile(s);
  const user = await a.signIn();
  await a.close();
  const secret = (await readFile(file, 'utf8')).trim();
  const opens = async () => {
    const b = await openWithFile(s);
    assert.equal((await b.me(user.access_token)).status, 200);
    assert.equal((await b.refresh(user.refresh_token)).status, 200);
    await b.close();
    return (await readFile(file, 'utf8')).trim();
  };

  writePendingSecretKey(s.databaseUrl, second);
  assert.equal(await opens(), secret, 'the new secret was written, the database not changed');
  writePendingSecretKey(s.databaseUrl, third);
  await change(s, secret, third, a.clock.now());
  assert.equal(await opens(), third, 'the database was changed, the file not put in place');
  assert.equal(await opens(), third);

  writePendingSecretKey(s.databaseUrl, second);
  await writeFile(`${file}.new`, 'half');
  assert.equal(await opens(), third, 'the new secret was half written');

  const formers = await readdir(dirname(file));
  const [former = ''] = formers.filter((name) => name.startsWith('secret.key.until-'));
  assert.equal((await readFile(join(dirname(file), former), 'utf8')).trim(), secret, 'for older backups');
  await rename(file, join(dirname(file), 'secret.key.until-now'));
  writePendingSecretKey(s.databaseUrl, third);
  assert.equal(await opens(), third, 'the former file was put aside, the new one not put in place');
});

onInstances(
  'what a process left that was killed while it wrote a secret goes with a later start',
  async (s) => {
    if (s.database.name === 'PostgreSQL') return;
    const folder = dirname(s.databaseUrl.slice('sqlite:'.length));
    await (await openWithFile(s)).close();
    for (const [name, secondsAgo] of [
      ['secret.key.4711.0123abcd', 120],
      ['secret.key.4712.0123abcd', 0],
      ['secret.key.until-20261130T000000000Z', 120],
      ['secret.key.mine.1.20261130', 120],
    ] as const) {
      const time = new Date(Date.now() - secondsAgo * 1000);
      await writeFile(join(folder, name), 'a secret');
      await utimes(join(folder, name), time, time);
    }
    await (await openWithFile(s)).close();
    const left = (await readdir(folder)).filter((name) => name.startsWith('secret.key.'));
    assert.deepEqual(left.sort(), [
      'secret.key.4712.0123abcd',
      'secret.key.mine.1.20261130',
      'secret.key.until-20261130T000000000Z',
    ]);
  },
);

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'doorward-secret-key-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

test('no former secret is written over, by a clock that stands either', async (t) => {
  const folder = await makeFolder(t);
  const databaseUrl = `sqlite:${join(folder, 'doorward.db')}`;
  t.mock.timers.enable({ apis: ['Date'], now: Date.parse('2026-11-30T00:00:00Z') });
  makeSecretKeyFile(databaseUrl);
  for (const secret of secrets) {
    writePendingSecretKey(databaseUrl, secret);
    readPendingSecretKey(databaseUrl)?.putInPlace();
  }
  const files = await readdir(folder);
  const kept = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')));
  assert.equal(files.length, 4);
  for (const secret of secrets) assert.ok(kept.includes(`${secret}\n`));
});

test('the name of a secret survives a power cut from before a database needs it', async (t) => {
  const folder = await makeFolder(t);
  const databaseUrl = `sqlite:${join(folder, 'doorward.db')}`;
  const found: string[][] = [];
  const sync = fs.fsyncSync;
  const mocked = t.mock.method(fs, 'fsyncSync', (descriptor: number) => {
    if (fstatSync(descriptor).isDirectory()) found.push(readdirSync(folder).sort());
    sync(descriptor);
  });
  syncBuiltinESMExports();
  makeSecretKeyFile(databaseUrl);
  writePendingSecretKey(databaseUrl, second);
  mocked.mock.restore();
  syncBuiltinESMExports();
  assert.deepEqual(found, [['secret.key'], ['secret.key', 'secret.key.new']]);
});

onInstances('the settings win over the file of an unfinished change', async (s) => {
  const db = await openDatabase({ url: s.databaseUrl });
  s.t.after(() => db.close());
  await db.migrate(migrations);
  assert.equal(await settleSecretKey(db, first, s.databaseUrl), first);
});
