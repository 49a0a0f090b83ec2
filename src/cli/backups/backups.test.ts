import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs, {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import fsPromises, { mkdtemp, rm } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { Decrypter, Encrypter } from 'age-encryption';
import BetterSqlite3 from 'better-sqlite3';
import { main, programEnv, runCommand, startServe } from '../../../test/support/command.ts';
import { onEachDatabase } from '../../../test/support/databases.ts';
import { createClient } from '../../../test/support/fault-client.ts';
import { assertWhole, query } from '../../../test/support/fault-inspect.ts';
import { claimsOf } from '../../../test/support/instances.ts';
import { startPostgres } from '../../../test/support/postgres.ts';
import { DatabaseInUseError, holdSqlite } from '../../database/backup.ts';
import { stateOf } from '../../features/accounts/index.ts';
import type { GivenSettings } from '../../settings.ts';
import { createTestDoorward, type TestDoorward } from '../../testing/index.ts';
import { finishRestore, restoreBackup } from './restore.ts';
import { writeBackup } from './write.ts';

const password = 'SecurePass123!';
const passphrase = 'three words battery';

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'doorward-backup-'));
});
after(() => rm(root, { recursive: true, force: true }));

interface OpenOptions {
  secondsAgo?: number;
  settings?: GivenSettings;
}

interface Tokens {
  access_token: string;
  refresh_token: string;
}

/** A folder with a database, and what is done there. */
async function createSite(SECRET_KEY = 'backups-8c1d5e0f7a3b4926-not-a-sample') {
  const folder = await mkdtemp(join(root, 'site-'));
  const file = (name: string) => join(folder, name);
  const database = file('doorward.db');
  const DATABASE_URL = `sqlite:${database}`;
  // A grace of nothing: a refresh token is spent as soon as it was used.
  const AUDIT_HEAD_FILE = file('audit-head');
  const settings = { DATABASE_URL, SECRET_KEY, AUDIT_HEAD_FILE, REFRESH_GRACE_SECONDS: 0 };
  const restore = (name: string, given = '', isEncrypted = false) =>
    restoreBackup(database, file(name), settings, {
      isEncrypted,
      passphraseReader: () => async () => given,
      confirmation: () => async () => {},
    });
  return {
    file,
    database,
    settings,
    /** An instance on the database as it is now. Its clock stands where that of commands is, or some time before. */
    async open(t: TestContext, { secondsAgo = 0, settings: more = {} }: OpenOptions = {}) {
      const now = new Date(Date.now() - secondsAgo * 1000);
      const instance = await createTestDoorward({ ...settings, ...more }, { now });
      t.after(() => instance.close());
      return instance;
    },
    backUp: (name: string) =>
      writeBackup(database, file(name), { replace: false, readPassphrase: undefined }),
    restore,
    refused: (name: string, reason: RegExp, given = '') =>
      assert.rejects(restore(name, given), ({ message }) => reason.test(message) || assert.fail(message)),
    files: () => readdirSync(folder).sort(),
    emails: async () =>
      (await query(DATABASE_URL, 'select email from users order by id')).map(({ email }) => email),
  };
}

async function logIn({ request }: TestDoorward, name: string): Promise<Tokens> {
  const answer = await request('POST', '/auth/login', {
    form: { username: `${name}@example.com`, password },
  });
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
}

/** Of keys that were made in one instant chance decides which one signs, so that time goes by before each. */
async function rotateKey({ clock, doorward }: TestDoorward): Promise<void> {
  clock.advance(1);
  const { state } = (await doorward.keys.rotate({ immediately: true })).key;
  assert.equal(state, 'signing');
}

const refresh = ({ request }: TestDoorward, { refresh_token }: Tokens) =>
  request('POST', '/auth/refresh', { json: { refresh_token } });

const statusOf = async ({ request }: TestDoorward, { access_token: token }: Tokens) =>
  (await request('GET', '/auth/me', { token })).status;

/** What the feed of revocations says after `cursor`. */
async function readFeed({ request }: Pick<TestDoorward, 'request'>, cursor: number) {
  const feed = claimsOf((await request('GET', `/auth/revocations?cursor=${cursor}`)).text);
  return { cursor: Number(feed.cursor), sids: feed.revoked.map(({ sid }: { sid: string }): string => sid) };
}

const sidOf = ({ access_token }: Tokens): string => claimsOf(access_token).sid;

test('restoring revives nothing that ended, ends nothing that lives, and tells what came back', async (t) => {
  const site = await createSite();
  let a = await site.open(t, { secondsAgo: 60 });
  const [withdrawn] = await a.doorward.keys.list();
  await rotateKey(a);
  const users = new Map<string, Tokens & { id: number }>();
  for (const name of ['ann', 'bob', 'cleo', 'dan', 'eve', 'fay']) {
    const is_admin = name === 'ann' || name === 'fay';
    users.set(name, await a.signIn({ email: `${name}@example.com`, password, is_admin }));
  }
  const of = (name: string) => users.get(name) ?? assert.fail(name);
  await a.doorward.services.create('ledger');
  const loggedOut = await logIn(a, 'bob');
  await site.backUp('copy.db');

  const ask = async (name: string, method: 'POST' | 'PATCH' | 'DELETE', path: string, json?: unknown) => {
    const answer = await a.request(method, path, { token: of(name).access_token, json });
    assert.ok(answer.status < 300, answer.text);
    return answer.body;
  };
  const generations: Tokens[] = [of('bob')];
  for (let n = 0; n < 3; n++) generations.push((await refresh(a, generations.at(-1) ?? of('bob'))).body);
  await a.request('POST', '/auth/logout', { token: loggedOut.access_token });
  await ask('ann', 'POST', `/auth/users/${of('cleo').id}/deactivate`);
  await ask('ann', 'DELETE', `/auth/users/${of('dan').id}`);
  const change = { current_password: password, new_password: `${password}-new` };
  await ask('eve', 'POST', '/auth/me/password', change);
  await ask('ann', 'PATCH', `/auth/users/${of('fay').id}`, { is_admin: false });
  const begunSince = await logIn(a, 'bob');
  const gus = await a.signIn({ email: 'gus@example.com', password });
  await a.doorward.services.delete('ledger');
  await rotateKey(a);
  await a.doorward.keys.retire(withdrawn?.kid ?? '');
  const { keys } = a.doorward.keys.jwks();
  assert.equal(keys.length, 2);
  const before = await readFeed(a, 0);
  await a.close();

  const told = await site.restore('copy.db');
  assert.match(told[0] ?? '', /^Restored \S+ from \S+\. 4 sessions go on, 5 have ended\.$/);
  assert.deepEqual(
    told.filter((line) => /^(user|service) /.test(line)),
    [
      `user ${of('cleo').id}, cleo@example.com: was deactivated since, and is active`,
      `user ${of('eve').id}, eve@example.com: has the password of that time`,
      `user ${of('fay').id}, fay@example.com: was demoted since, and is an admin`,
      'service ledger: was deleted since, and is back',
    ],
  );
  assert.equal(told[1], '1 user who was erased since is erased again.');
  assert.ok(!told.some((line) => /audit log is not/.test(line)));
  const [, formerHead = '', , , keptAs = ''] = site.files();
  assert.match(keptAs, /^doorward\.db\.before-restore-\d{8}T\d{9}Z$/);
  assert.match(formerHead, /^audit-head\.until-/);
  assert.deepEqual(site.files(), ['audit-head', formerHead, 'copy.db', 'doorward.db', keptAs]);
  const kept = await query(`sqlite:${site.file(keptAs)}`, 'select email from users order by id');
  assert.equal(kept.at(-1)?.email, 'gus@example.com');
  await rm(site.file(keptAs));

  a = await site.open(t);
  const log = await a.doorward.audit.verify();
  assert.deepEqual(log.findings, []);
  const { events } = await a.doorward.audit.list({ kind: 'database.restored', limit: 2 });
  assert.equal(events.length, 1);
  const { previous_heads, ...detail } = events[0]?.detail ?? {};
  assert.deepEqual(detail, {
    from: 'a backup',
    sessions_kept: 4,
    sessions_ended: 5,
    users_erased: 1,
    via: 'command_line',
  });
  assert.match(String(previous_heads), /^\d+:\d+:[\w-]{43}(,|$)/);
  for (const over of [loggedOut, of('cleo'), of('dan'), begunSince, gus]) {
    assert.equal(await statusOf(a, over), 401);
    assert.equal((await refresh(a, over)).status, 401);
  }
  for (const name of ['ann', 'eve', 'fay']) {
    assert.equal(await statusOf(a, of(name)), 200, name);
    assert.equal((await refresh(a, of(name))).status, 200, name);
  }
  const renewed = await refresh(a, generations.at(-1) ?? of('bob'));
  assert.equal(renewed.status, 200, renewed.text);
  assert.equal(await statusOf(a, renewed.body), 200);
  assert.equal((await refresh(a, generations[1] ?? of('bob'))).status, 401, 'a spent refresh token is spent');
  assert.equal(await statusOf(a, renewed.body), 401, 'and ends its session');
  assert.deepEqual(new Set(a.doorward.keys.jwks().keys), new Set(keys));

  // Whoever has read all before learns of all that ended, and no number comes twice.
  const news = await readFeed(a, before.cursor);
  assert.ok(news.cursor > before.cursor);
  const over = [loggedOut, of('cleo'), of('dan'), begunSince, gus, renewed.body].map(sidOf);
  assert.deepEqual([...new Set(news.sids)].sort(), over.sort());
  const { id } = await a.signIn();
  assert.ok(id > gus.id, 'an id is given again');
  await a.close();
  await assertWhole(site.settings.DATABASE_URL);
});

test('a backup whose audit log somebody changed is put back, and told as that', async (t) => {
  const site = await createSite();
  const a = await site.open(t);
  await a.signIn();
  await site.backUp('copy.db');
  await a.close();
  for (const change of [
    `update audit_events set kind = 'user.updated' where id = (select max(id) from audit_events)`,
    'delete from audit_checkpoints',
  ]) {
    copyFileSync(site.file('copy.db'), site.file('changed.db'));
    const copy = new BetterSqlite3(site.file('changed.db'));
    assert.ok(copy.prepare(change).run().changes > 0);
    copy.close();
    const told = await site.restore('changed.db');
    assert.ok(
      told.some((line) => /^Its audit log is not as it was written/.test(line)),
      change,
    );
  }
});

test('a restore brings nobody back who left, lets nobody go who came back, and mails nothing again', async (t) => {
  const site = await createSite();
  const settings = { DELETION_GRACE_DAYS: 5, UNVERIFIED_EXPIRE_DAYS: 5 };
  const day = 86_400;
  let a = await site.open(t, { secondsAgo: 10 * day, settings });
  const users = new Map<string, Tokens & { id: number }>();
  const names = ['ann', 'gone', 'closed', 'back', 'kept', 'chief'];
  for (const name of names) {
    const is_admin = name === 'ann' || name === 'chief';
    users.set(name, await a.signIn({ email: `${name}@example.com`, password, is_admin }));
  }
  const of = (name: string) => users.get(name) ?? assert.fail(name);
  const close = async (name: string) => {
    const { access_token: token } = await logIn(a, name);
    const answer = await a.request('DELETE', '/auth/me', { token, json: { current_password: password } });
    assert.equal(answer.status, 204, answer.text);
  };
  const state = async (name: string) => {
    const user = await a.doorward.accounts.find(of(name).id);
    return user === undefined ? 'erased' : stateOf(user);
  };
  const signedUp = await a.request('POST', '/auth/signup', {
    json: { email: 'new@example.com', password, name: 'New' },
  });
  users.set('new', { ...(await logIn(a, 'new')), id: signedUp.body.id });
  await close('back');
  await close('kept');
  const invitation = { email: 'guest@example.com', name: 'Guest' };
  const { access_token: token } = await logIn(a, 'ann');
  assert.equal((await a.request('POST', '/auth/invitations', { token, json: invitation })).status, 201);
  await a.doorward.outbox.work();
  const { db } = a.doorward.kernel;
  assert.ok((await db.read.selectFrom('mail_links').select('id').execute()).length > 0);
  await site.backUp('copy.db');

  await logIn(a, 'back');
  await close('closed');
  await close('chief');
  assert.equal((await a.request('DELETE', `/auth/users/${of('gone').id}`, { token })).status, 204);
  await a.close();

  // Also of a database that was restored before.
  for (const round of [1, 2]) {
    const told = await site.restore('copy.db');
    assert.equal(told[1], '1 user who was erased since is erased again.');
    assert.ok(!told.some((line) => /audit log is not/.test(line)));
    assert.ok(!told.some((line) => line.includes('gone@example.com')), `round ${round}`);
    assert.ok(told.some((line) => /chief@example.com: was deactivated since, and is active/.test(line)));
    a = await site.open(t, { secondsAgo: 9 * day, settings });
    assert.deepEqual(await Promise.all([...names, 'new'].map(state)), [
      'active',
      'erased',
      'deletion_scheduled',
      'active',
      'deletion_scheduled',
      'active',
      'pending',
    ]);
    const read = a.doorward.kernel.db.read;
    assert.deepEqual(await read.selectFrom('mail_links').select('id').execute(), []);
    const mails = await read.selectFrom('outbox').select(['kind', 'state', 'secret', 'last_error']).execute();
    assert.ok(mails.length > 0);
    for (const { kind, state, secret, last_error } of mails)
      assert.deepEqual([kind, state, secret, last_error], [kind, 'dead', null, 'restored']);
    assert.ok(!mails.some(({ kind }) => kind === 'account_deleted'));
    assert.deepEqual((await a.doorward.audit.verify()).findings, []);
    await a.close();
    const file = readFileSync(site.database, 'latin1');
    assert.ok(!file.includes('gone@example.com'), 'what was erased again is in the file');
    // The schedules of the test go on from the state that was restored, for the second round.
    if (round === 1) {
      a = await site.open(t, { secondsAgo: 9 * day, settings });
      await close('chief');
      await a.close();
    }
  }

  // Nobody knows who came back: everybody gets some days, whoever has not proved the address as well.
  await rm(site.database);
  await site.restore('copy.db');
  a = await site.open(t, { settings });
  await a.doorward.leaving.eraseDue();
  await a.doorward.leaving.eraseUnverified();
  assert.deepEqual(await Promise.all(['gone', 'back', 'kept', 'new'].map(state)), [
    'active',
    'deletion_scheduled',
    'deletion_scheduled',
    'pending',
  ]);
  a.clock.advance(7 * day);
  await a.doorward.leaving.eraseDue();
  assert.deepEqual(await Promise.all(['gone', 'back', 'kept'].map(state)), ['active', 'erased', 'erased']);
  await a.close();
});

/** What a crash leaves, and then the file goes. Its log holds sessions that live. */
function leaveLogAlone(path: string): void {
  const handle = new BetterSqlite3(path);
  handle.pragma('journal_mode = wal');
  handle.exec('update sessions set last_seen_at = expires_at');
  copyFileSync(`${path}-wal`, `${path}.log`);
  handle.close();
  rmSync(path);
  renameSync(`${path}.log`, `${path}-wal`);
}

for (const [what, destroy] of [
  ['gone', (path: string) => rm(path)],
  ['gone, and its log is not', leaveLogAlone],
  ['no database any more', (path: string) => writeFileSync(path, 'x'.repeat(50_000))],
  ['damaged', (path: string) => writeFileSync(path, readFileSync(path).fill(0x55, 8192, 40_960))],
] as const) {
  test(`where the present database is ${what}, every session ends, and numbers go on`, async (t) => {
    const site = await createSite();
    let a = await site.open(t);
    const session = await a.signIn({ email: 'ann@example.com', password, is_admin: true });
    await site.backUp('copy.db');
    const other = await logIn(a, 'ann');
    await a.request('POST', '/auth/logout', { token: other.access_token });
    let { cursor } = await readFeed(a, 0);
    await a.close();
    // Also the second time: what the first restored database gave is not given again.
    for (const round of [1, 2]) {
      await destroy(site.database);
      const told = await site.restore('copy.db');
      assert.match(told[0] ?? '', /0 sessions go on, 1 has ended/);
      assert.match(told.at(-1) ?? '', /keys rotate --now/);
      const logs = told.filter((line) => /left behind is kept as \S+-wal\.$/.test(line));
      assert.equal(logs.length, destroy === leaveLogAlone ? 1 : 0);
      a = await site.open(t);
      assert.equal(await statusOf(a, session), 401);
      assert.equal((await refresh(a, session)).status, 401);
      const news = await readFeed(a, cursor);
      assert.deepEqual(news.sids, [sidOf(session)], `round ${round}`);
      assert.ok(news.cursor > cursor);
      cursor = news.cursor;
      assert.equal(await statusOf(a, await logIn(a, 'ann')), 200);
      await a.close();
    }
    await assertWhole(site.settings.DATABASE_URL);
  });
}

test('what is no whole backup of this database is refused, and nothing is changed', async (t) => {
  const site = await createSite();
  const a = await site.open(t);
  await a.signIn({ email: 'ann@example.com', is_admin: true });
  await site.backUp('copy.db');
  await a.signIn({ email: 'bob@example.com' });
  await a.close();

  const variants: [name: string, reason: RegExp, change: string][] = [
    ['newer', /newer version/, `insert into migrations values ('9999-later', 'x', 'x')`],
    ['history', /is not the one that was applied/, `update migrations set checksum = 'x'`],
    ['secret', /SECRET_KEY is not the one/, `update secret_key_checks set fingerprint = 'x'`],
    ['orphans', /a row of \w+ refers to nothing/, 'pragma foreign_keys = off; delete from users'],
    ['waiting', /lacks what is in \S+-wal/, 'select 1'],
  ];
  for (const [name, , change] of variants) {
    copyFileSync(site.file('copy.db'), site.file(name));
    new BetterSqlite3(site.file(name)).exec(change).close();
  }
  writeFileSync(site.file('waiting-wal'), '');
  const copy = readFileSync(site.file('copy.db'));
  writeFileSync(site.file('damaged'), Buffer.from(copy).fill(0x55, 8192, 20_480));
  writeFileSync(site.file('cut'), copy.subarray(0, 6000));
  writeFileSync(site.file('text'), 'This is no database.'.repeat(100));
  new BetterSqlite3(site.file('stranger')).exec('create table t (x)').close();

  // Cheaply encrypted, as the cost of the passphrase is not what this is about.
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  encrypter.setScryptWorkFactor(10);
  const encrypted = Buffer.from(await encrypter.encrypt(copy));
  const changed = Buffer.from(encrypted);
  changed.writeUInt8(changed.readUInt8(100_000) ^ 1, 100_000);
  writeFileSync(site.file('encrypted.age'), encrypted);
  writeFileSync(site.file('changed.age'), changed);
  // At the end of a part, where nothing is missing of what is there.
  const header = encrypted.indexOf('\n---') + 1;
  const body = encrypted.indexOf('\n', header) + 1 + 16;
  writeFileSync(site.file('cut.age'), encrypted.subarray(0, body + 65_536 + 16));

  const files = site.files();
  for (const [name, reason] of variants) await site.refused(name, reason);
  await site.refused('damaged', /damaged: /);
  await site.refused('cut', /damaged: /);
  await site.refused('text', /text is no backup/);
  await site.refused('stranger', /no database of Doorward/);
  await site.refused('missing', /there is no file \S+missing$/);
  await site.refused('doorward.db', /is the database itself/);
  await assert.rejects(site.restore('copy.db', '', true), /copy\.db is not encrypted/);
  await site.refused('encrypted.age', /the passphrase is wrong, or/, `${passphrase}s`);
  await site.refused('changed.age', /the file is damaged, or was changed/, passphrase);
  await site.refused('cut.age', /the file is damaged, or was changed/, passphrase);
  assert.deepEqual(site.files(), files);
  assert.deepEqual(await site.emails(), ['ann@example.com', 'bob@example.com']);

  const elsewhere = await createSite('another-5e0f7a3b49268c1d-not-a-sample');
  const b = await elsewhere.open(t);
  await b.signIn({ email: 'eve@example.com', is_admin: true });
  await b.close();
  copyFileSync(site.file('copy.db'), elsewhere.file('copy.db'));
  await elsewhere.refused('copy.db', /SECRET_KEY is not the one/);
  assert.deepEqual(await elsewhere.emails(), ['eve@example.com']);
  await site.restore('encrypted.age', passphrase);
  assert.deepEqual(await site.emails(), ['ann@example.com']);
});

for (const isDamaged of [false, true]) {
  test(`of two restores at once one is refused, also of a ${isDamaged ? 'damaged' : 'sound'} database`, async (t) => {
    const site = await createSite();
    const a = await site.open(t);
    await a.signIn({ email: 'ann@example.com', is_admin: true });
    await a.close();
    await site.backUp('copy.db');
    await site.backUp('other.db');
    if (isDamaged) writeFileSync(site.database, 'x'.repeat(50_000));
    const first = await holdSqlite(site.database, 0);
    const second = holdSqlite(site.database, 2000);
    // That one is damaged only the attempt to replace it tells.
    const refused = isDamaged ? (await second).replaceBy : () => second;
    await first.replaceBy(site.file('copy.db'), site.file('kept'));
    first.release();
    await assert.rejects(refused(site.file('other.db'), site.file('kept-too')), DatabaseInUseError);
    if (isDamaged) (await second).release();
    await assertWhole(site.settings.DATABASE_URL);
    assert.equal(readFileSync(site.file('kept'), 'latin1').startsWith('SQLite format 3'), !isDamaged);
  });
}

test('a backup replaces nothing but a backup, and leaves nothing half done', async (t) => {
  const site = await createSite();
  await (await site.open(t)).signIn({ email: 'ann@example.com', is_admin: true });
  await site.backUp('copy.db');
  assert.equal(statSync(site.file('copy.db')).mode & 0o777, 0o600);
  const again = (name: string, replace: boolean) =>
    writeBackup(site.database, site.file(name), { replace, readPassphrase: undefined });
  await assert.rejects(again('copy.db', false), /copy\.db is there already; --force replaces it/);
  await again('copy.db', true);
  writeFileSync(site.file('notes'), 'These are notes.');
  new BetterSqlite3(site.file('stranger')).exec('create table users (id)').close();
  copyFileSync(site.file('copy.db'), site.file('begun'));
  new BetterSqlite3(site.file('begun')).exec('pragma journal_mode = wal').close();
  for (const name of ['logged', 'open']) copyFileSync(site.file('copy.db'), site.file(name));
  writeFileSync(site.file('logged-wal'), '');
  const reader = new BetterSqlite3(site.file('open')).exec('begin');
  reader.prepare('select * from users').all();
  const kept = ['notes', 'stranger', 'begun', 'logged', 'open'];
  const contents = () => kept.map((name) => readFileSync(site.file(name), 'base64'));
  const before = contents();
  for (const other of [...kept, 'doorward.db']) {
    await assert.rejects(again(other, true), /is no backup, or is in use, and is not replaced/, other);
  }
  for (const replace of [false, true])
    await assert.rejects(again('.', replace), { message: `${site.file('.')} is a folder` });
  assert.deepEqual(contents(), before);
  reader.close();
  await again('open', true);
  await assert.rejects(
    again('x'.repeat(250), false),
    /^CommandError: \S+\/x{250} was not written: name too long in \S+\/site-\w+$/,
  );
  await assert.rejects(again('nowhere/copy.db', true), /there is no folder/);
  const short = { replace: false, readPassphrase: async () => 'short' };
  await assert.rejects(writeBackup(site.database, site.file('x'), short), /at least 12 characters/);
  assert.deepEqual(
    site.files().filter((name) => !/-(wal|shm)$/.test(name)),
    ['audit-head', 'begun', 'copy.db', 'doorward.db', 'logged', 'notes', 'open', 'stranger'],
  );
});

/** Lets streams write so many bytes, as a disk does that is nearly full. */
function leaveRoom(t: TestContext, bytes: number): void {
  let left = bytes;
  for (const name of ['write', 'writev'] as const) {
    const write = fs[name] as (...args: unknown[]) => void;
    t.mock.method(fs, name, (...args: unknown[]) => {
      for (const { byteLength } of [args[1]].flat() as Uint8Array[]) left -= byteLength;
      if (left >= 0) return write(...args);
      const error = Object.assign(new Error('full'), { code: 'ENOSPC', errno: -constants.errno.ENOSPC });
      setImmediate(args.at(-1) as (error: Error) => void, error);
    });
  }
}

test('a disk that is full is told of as that, and keeps nothing half done', async (t) => {
  const site = await createSite();
  const a = await site.open(t);
  await a.signIn({ email: 'ann@example.com', is_admin: true });
  await a.close();
  new BetterSqlite3(site.database)
    .exec('create table filler as select randomblob(5000000) as content')
    .close();
  await site.backUp('copy.db');
  const before = site.files();

  leaveRoom(t, 1_000_000);
  const encrypted = { replace: false, readPassphrase: async () => passphrase };
  await assert.rejects(writeBackup(site.database, site.file('copy.age'), encrypted), {
    name: 'CommandError',
    message: /copy\.age was not written: no space left on device$/,
  });
  assert.deepEqual(site.files(), before);

  // Enough for the copy of the backup, and not to keep what is replaced.
  t.mock.restoreAll();
  leaveRoom(t, statSync(site.file('copy.db')).size + 1_000_000);
  await assert.rejects(site.restore('copy.db'), {
    name: 'CommandError',
    message: /doorward\.db was not restored: no space left on device/,
  });
  t.mock.restoreAll();
  assert.deepEqual(site.files(), before);
  assert.deepEqual(await site.emails(), ['ann@example.com']);
  await site.restore('copy.db');
});

test('what a backup left that was killed a later one removes, and nothing else', async (t) => {
  const site = await createSite();
  await (await site.open(t)).close();
  mkdirSync(site.file('backups'));
  const put = (name: string, hoursAgo: number) => {
    writeFileSync(site.file(name), 'every password hash');
    const time = new Date(Date.now() - hoursAgo * 3_600_000);
    utimesSync(site.file(name), time, time);
    return site.file(name);
  };
  const left = [
    put('doorward.db.unfinished-backup-01234567', 13),
    put('doorward.db.unfinished-backup-01234567-wal', 13),
    put('backups/monday.db.unfinished-backup-89abcdef', 13),
  ];
  const kept = [
    put('doorward.db.unfinished-backup-76543210', 11),
    put('doorward.db.backup-20261129', 100),
    put('unfinished-backup-2026112', 100),
  ];
  await site.backUp('backups/copy.db');
  assert.deepEqual([...left, ...kept].filter(existsSync), kept);
});

test('a restore whose AUDIT_HEAD_FILE cannot be written is one, and says so; the next start writes it', async (t) => {
  const site = await createSite();
  let a = await site.open(t);
  await a.signIn({ email: 'ann@example.com', is_admin: true });
  await site.backUp('copy.db');
  await a.signIn({ email: 'bob@example.com' });
  await a.close();
  const { open } = fsPromises;
  const head = site.settings.AUDIT_HEAD_FILE;
  t.mock.method(fsPromises, 'open', (path: string, ...rest: [string, number]) => {
    if (path.startsWith(`${head}.`)) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
    return open(path, ...rest);
  });
  syncBuiltinESMExports();
  const told = await site.restore('copy.db').finally(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  assert.ok(
    told.includes('AUDIT_HEAD_FILE was not written (ENOSPC): the next start writes it.'),
    told.join(),
  );
  assert.ok(!site.files().includes('audit-head'));
  a = await site.open(t);
  assert.deepEqual((await a.doorward.audit.verify()).findings, []);
  assert.ok(site.files().includes('audit-head'));
});

test('a restore that is cut off at last keeps no second copy, and none is written over', async (t) => {
  const site = await createSite();
  await (await site.open(t)).close();
  await site.backUp('copy.db');
  t.mock.timers.enable({ apis: ['Date'], now: Date.parse('2026-11-30T00:00:00Z') });
  const before = site.files();
  const { renameSync } = fs;
  t.mock.method(fs, 'renameSync', (from: string, to: string) => {
    if (from === site.settings.AUDIT_HEAD_FILE)
      throw Object.assign(new Error('no'), { code: 'EACCES', errno: -constants.errno.EACCES });
    renameSync(from, to);
  });
  syncBuiltinESMExports();
  await site.refused('copy.db', /doorward\.db was not restored: permission denied/).finally(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  assert.deepEqual(site.files(), before);

  await site.restore('copy.db');
  const kept = site.file('doorward.db.before-restore-20261130T000000000Z');
  const content = readFileSync(kept);
  await site.refused('copy.db', /doorward\.db was not restored: file already exists/);
  assert.deepEqual(readFileSync(kept), content);
});

test('a backup goes to where a link leads, and does not take its place', async (t) => {
  const site = await createSite();
  await (await site.open(t)).close();
  symlinkSync('disk/copy.db', site.file('link'));
  await assert.rejects(site.backUp('link'), { message: /^there is no folder / });
  mkdirSync(site.file('disk'));
  await site.backUp('link');
  assert.ok(lstatSync(site.file('link')).isSymbolicLink());
  assert.deepEqual(readdirSync(site.file('disk')), ['copy.db']);
  await assert.rejects(site.backUp('link'), { message: /is there already/ });
  // A link in a folder that is one itself, elsewhere.
  mkdirSync(site.file('far/folder'), { recursive: true });
  symlinkSync('far/folder', site.file('near'));
  symlinkSync('../up.db', site.file('far/folder/link'));
  await site.backUp('near/link');
  assert.ok(readdirSync(site.file('far')).includes('up.db'));
});

test('a link to the database stays one, also where it leads nowhere', async (t) => {
  const site = await createSite();
  const a = await site.open(t);
  await a.signIn({ email: 'ann@example.com', is_admin: true });
  await site.backUp('copy.db');
  await a.signIn({ email: 'bob@example.com' });
  await a.close();
  mkdirSync(site.file('disk'));
  const real = site.file('disk/data.db');
  renameSync(site.database, real);
  symlinkSync('disk/data.db', site.database);
  for (const destroy of [() => {}, () => rmSync(real), () => leaveLogAlone(real)]) {
    destroy();
    await site.restore('copy.db');
    assert.ok(lstatSync(site.database).isSymbolicLink());
    assert.deepEqual(await site.emails(), ['ann@example.com']);
  }
  const suffixes = readdirSync(site.file('disk')).map((name) => name.replace(/\d{8}T\d{9}Z/, 'TIME'));
  assert.deepEqual(suffixes.sort(), [
    'data.db',
    'data.db.before-restore-TIME',
    'data.db.before-restore-TIME-wal',
  ]);
});

describe('the commands', { concurrency: 2 }, () => {
  test('beside a server that writes, a backup is whole and opens with its passphrase; nothing is restored there', async (t) => {
    const cwd = await mkdtemp(join(root, 'cwd-'));
    const options = { cwd, env: { RATE_LIMITS: 'off' } };
    const server = await startServe(options);
    t.after(() => server.signal('SIGKILL'));
    const client = createClient(server.url);
    t.after(() => client.close());
    let made = 0;
    let isOver = false;
    const signUp = async () => {
      const json = { email: `user${made}@example.com`, name: 'User', password };
      assert.equal((await client.ask('POST', '/auth/signup', { json })).status, 201);
      made++;
    };
    for (let n = 0; n < 5; n++) await signUp();
    const atLeast = made;
    const writing = (async () => {
      while (!isOver) await signUp();
    })();
    const encrypt = ['backup', 'copy.age', '--encrypt', '--passphrase-stdin'];
    const { code, stdout, stderr } = await runCommand(encrypt, { ...options, input: `${passphrase}\n` });
    isOver = true;
    await writing;
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(
      stdout,
      /^Backed up \d+ users to copy\.age \(\d+ bytes, schema \d{4}-\S+, encrypted\), verified\.\n/,
    );
    assert.match(stdout, /SECRET_KEY \(secret\.key beside the database\) is not in it/);
    const copied = Number(/\d+/.exec(stdout)?.[0]);
    assert.ok(copied >= atLeast && copied <= made, `${atLeast} ${copied} ${made}`);

    const encrypted = readFileSync(join(cwd, 'copy.age'));
    assert.equal(statSync(join(cwd, 'copy.age')).mode & 0o777, 0o600);
    const decrypter = new Decrypter();
    decrypter.addPassphrase(passphrase);
    const plain = Buffer.from(await decrypter.decrypt(encrypted));
    assert.ok(!plain.includes(readFileSync(join(cwd, 'data/secret.key'), 'utf8').trim()));
    writeFileSync(join(cwd, 'copy.db'), plain);
    assert.equal((await query(`sqlite:${join(cwd, 'copy.db')}`, 'select * from users')).length, copied);

    const restore = (...args: string[]) =>
      runCommand(['restore', 'copy.db', ...args], { ...options, input: 'x' });
    assert.match((await restore('--yes')).stderr, /^doorward: The database is in use: stop every server/);
    const asked = await restore();
    assert.deepEqual([asked.code, asked.stderr], [2, 'doorward: without a terminal, this needs --yes\n']);
    await signUp();
    client.close();
    server.signal('SIGTERM');
    assert.equal(await server.ended, 0);
    assert.equal((await restore('--yes')).code, 0);
    assert.equal(
      (await query(`sqlite:${join(cwd, 'data/doorward.db')}`, 'select * from users')).length,
      copied,
    );
  });

  test('a file needs a name', async () => {
    const { code, stderr } = await runCommand(['backup', ''], { cwd: root });
    assert.deepEqual([code, stderr], [2, 'doorward: the name of the file is empty\n']);
  });

  test('a path that cannot be looked at is not told as one where nothing is', async () => {
    // Root may look into every folder; no name may be as long as this.
    const name = 'x'.repeat(300);
    for (const [args, DATABASE_URL] of [
      [['backup', 'copy.db'], `sqlite:${name}`],
      [['audit', 'verify'], `sqlite:${name}`],
      [['restore', name, '--yes'], 'sqlite:doorward.db'],
    ] as const) {
      const { code, stderr } = await runCommand(args, { cwd: root, env: { DATABASE_URL } });
      assert.deepEqual([code, /^doorward: ENAMETOOLONG: name too long, /.test(stderr)], [1, true], stderr);
    }
  });

  test('a name may have a line break', async (t) => {
    const site = await createSite();
    const a = await site.open(t);
    await a.signIn({ email: 'ann@example.com' });
    await a.close();
    await site.backUp('two\nlines.db');
    await site.restore('two\nlines.db');
    assert.deepEqual(await site.emails(), ['ann@example.com']);
  });

  const skip = spawnSync('unshare', ['--mount', 'true']).status !== 0 && 'only root mounts a disk';
  test('a full disk of the backups is not told as one of the database', { skip }, async (t) => {
    const site = await createSite();
    await (await site.open(t)).close();
    mkdirSync(site.file('full'));
    const command = [process.execPath, main, 'backup', 'full/copy.db'];
    const mounted = 'mount -t tmpfs -o size=64k none full && exec "$@"';
    const { REFRESH_GRACE_SECONDS: _, ...settings } = site.settings;
    const { status, stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', mounted, 'sh', ...command], {
      cwd: site.file('.'),
      env: { ...programEnv, ...settings },
      encoding: 'utf8',
    });
    const told = `doorward: full/copy.db was not written: no space is left in ${site.file('full')}\n`;
    assert.deepEqual([status, stderr], [1, told]);
  });

  test('a database in memory has no backup', async () => {
    const options = { cwd: root, env: { DATABASE_URL: 'sqlite::memory:' } };
    for (const command of ['backup', 'restore']) {
      const { code, stderr } = await runCommand([command, 'copy.db'], options);
      assert.deepEqual([code, /in memory/.test(stderr)], [1, true], stderr);
    }
  });

  test('PostgreSQL: backup says what to use, and fails until something is in use', async (t) => {
    const postgres = await startPostgres({ settings: { archive_mode: 'on', archive_command: 'true' } });
    t.after(() => postgres.stop());
    const DATABASE_URL = await postgres.createDatabase();
    const run = (...args: string[]) =>
      runCommand(args, { cwd: root, env: { DATABASE_URL, PATH: '/nonexistent' } });
    const bare = await run('backup');
    assert.match(bare.stdout, /pg_dump --format=custom.*\n.*pg_basebackup/);
    assert.match(bare.stdout, /wal_level replica, archive_mode on\n/);
    assert.match(bare.stdout, /not ok pg_dump: not found.*\nnot ok archiving: nothing was archived yet/);
    assert.deepEqual([bare.code, bare.stderr], [1, 'doorward: nothing backs this database up\n']);
    await query(DATABASE_URL, 'select pg_switch_wal()');
    const archived = 'select 1 from pg_stat_archiver where last_archived_time is not null';
    while ((await query(DATABASE_URL, archived)).length === 0);
    const checked = await run('backup');
    assert.match(checked.stdout, /\nok {5}archiving: last archived 2\S+Z\n$/);
    assert.deepEqual([checked.code, checked.stderr], [0, '']);
    const unwritten = await run('backup', 'copy.pg');
    assert.match(unwritten.stderr, /copy\.pg was not written: the database is PostgreSQL/);
    assert.deepEqual([unwritten.code, existsSync(join(root, 'copy.pg'))], [1, false]);
    const restored = await run('restore', 'copy.pg');
    assert.match(restored.stderr, /pg_restore .* "doorward restore --finish"/);
    await postgres.kill();
    assert.match((await run('backup')).stderr, /Database is unavailable/);
  });
});

onEachDatabase(({ createUrl }) => {
  test('after a restore by other means, --finish ends every session and moves the numbers on', async (t) => {
    const SECRET_KEY = 'finish-8c1d5e0f7a3b4926-not-a-sample';
    const env = { DATABASE_URL: await createUrl(), SECRET_KEY };
    const asked = async () => assert.fail('asked');
    await assert.rejects(finishRestore(env.DATABASE_URL, asked), /there is no database of Doorward/);
    if (env.DATABASE_URL.startsWith('sqlite:'))
      assert.ok(!existsSync(env.DATABASE_URL.slice('sqlite:'.length)));
    const a = await createTestDoorward(env, { now: new Date() });
    t.after(() => a.close());
    const session = await a.signIn();
    const { cursor } = await readFeed(a, 0);
    const run = (...args: string[]) => runCommand(['restore', '--finish', ...args], { cwd: root, env });
    assert.equal((await run()).code, 2);
    assert.deepEqual(await run('--yes'), { code: 0, stdout: 'Ended 1 session.\n', stderr: '' });
    assert.equal(await statusOf(a, session), 401);
    assert.equal((await refresh(a, session)).status, 401);
    const news = await readFeed(a, cursor);
    assert.deepEqual(news.sids, [sidOf(session)]);
    assert.ok(news.cursor >= Date.parse('2026-01-01'));
  });
});
