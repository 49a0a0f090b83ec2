import assert from 'node:assert/strict';
import { mkdtemp, open, readdir, readFile, rm, stat, watch, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import { recordTogether, tamper } from '../../test/support/audit.ts';
import { beginCommand } from '../../test/support/command.ts';
import { onEachDatabase } from '../../test/support/databases.ts';
import { runCommand } from '../../test/support/hosted-commands.ts';
import { DoorwardError } from '../errors.ts';
import { assertHeadFile } from '../features/audit/index.ts';
import { createTestDoorward } from '../testing/index.ts';
import { writeParts } from './audit.ts';

let cwd: string;
before(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'doorward-cli-audit-'));
});
after(() => rm(cwd, { recursive: true, force: true }));

const SECRET_KEY = 'command-3f9c1b7e5a2d4860-not-a-sample';
const findingOf = (stdout: string) => stdout.split('\n').filter((line) => line.startsWith('chain '));

onEachDatabase(
  ({ createUrl }) => {
    test('the log is exported and checked, here and elsewhere', async () => {
      const DATABASE_URL = await createUrl();
      const folder = await mkdtemp(join(cwd, 'log-'));
      const env = { DATABASE_URL, SECRET_KEY, AUDIT_HEAD_FILE: join(folder, 'head') };
      const run = (...args: string[]) => runCommand(['audit', ...args], { cwd: folder, env });
      const elsewhere = (args: string[], input = '') =>
        runCommand(['audit', 'verify', ...args], { cwd: folder, env: {}, input });

      const empty = await run('verify');
      assert.equal(empty.code, 1);
      assert.match(empty.stderr, /^doorward: the database is new or older.*"doorward migrate" first\n$/);
      const instance = await createTestDoorward(env);
      await instance.signIn({ is_admin: true });
      await instance.signIn();
      const { public_key } = await instance.doorward.audit.verify();

      const whole = await run('verify');
      assert.deepEqual([whole.code, whole.stderr], [0, '']);
      assert.match(whole.stdout, /^\d+ events were checked, the newest of 2026-01-01T12:00:00\.000Z\. /);
      assert.ok(
        whole.stdout.includes(`The public key is ${public_key}.\nThe audit log is as it was written.\n`),
      );
      const result = JSON.parse((await run('verify', '--json')).stdout);
      assert.deepEqual([result.ok, result.findings, result.public_key], [true, [], public_key]);

      const unreadable = await runCommand(['audit', 'verify'], {
        cwd: folder,
        env: { ...env, AUDIT_HEAD_FILE: folder },
      });
      assert.equal(unreadable.code, 1);
      assert.match(unreadable.stdout, /^AUDIT_HEAD_FILE cannot be read \(EISDIR/);
      const told = 'doorward: nothing else was found, but AUDIT_HEAD_FILE cannot be read\n';
      assert.equal(unreadable.stderr, told);

      const file = join(folder, 'log.jsonl');
      assert.deepEqual(await run('export', file), { code: 0, stdout: '', stderr: '' });
      assert.equal((await stat(file)).mode & 0o777, 0o600);
      const text = await readFile(file, 'utf8');
      const again = await run('export', file);
      assert.deepEqual([again.code, again.stderr], [1, `doorward: ${file} exists already\n`]);
      assert.equal(await readFile(file, 'utf8'), text, 'what is there is never written over');
      const onOutput = await run('export');
      // The time of the statement apart.
      assert.equal(onOutput.stdout.split('\n').slice(0, -2).join(), text.split('\n').slice(0, -2).join());
      const checked = await elsewhere(['--file', file, '--public-key', public_key]);
      assert.deepEqual([checked.code, checked.stderr], [0, '']);
      const believed = await elsewhere(['--file', '-'], text);
      assert.equal(believed.code, 0);
      assert.match(believed.stdout, /which the export itself names: compare it/);
      // Read in one go, before the checkpoint is: the lines are to wait for it.
      const kept = await elsewhere(['--file', '-', '--checkpoint', env.AUDIT_HEAD_FILE], text);
      assert.deepEqual([kept.code, kept.stderr, findingOf(kept.stdout)], [0, '', []]);
      const stranger = await elsewhere(['--file', file, '--public-key', 'A'.repeat(43)]);
      assert.equal(stranger.code, 1);
      await writeFile(file, text.replace('"result":"success"', '"result":"failure"'));
      const edited = await elsewhere(['--file', file]);
      assert.equal(edited.code, 1);
      assert.equal(findingOf(edited.stdout).length, 1);
      assert.match(edited.stderr, /^doorward: the audit log is not as it was written: 1 finding\n$/);
      await writeFile(file, '');
      assert.deepEqual(await elsewhere(['--file', file]), {
        code: 1,
        stdout: '',
        stderr: `doorward: ${file} is no audit export that this version reads\n`,
      });
      const part = await run('export', '--from', '2030-01-01');
      assert.deepEqual([part.code, part.stdout.includes('"id"')], [0, false]);

      await tamper(instance, sql`delete from audit_events where kind = 'user.created'`);
      const tampered = await run('verify');
      assert.equal(tampered.code, 1);
      assert.ok(findingOf(tampered.stdout).length >= 1, tampered.stdout);
      const asJson = await run('verify', '--json');
      assert.deepEqual([asJson.code, JSON.parse(asJson.stdout).ok], [1, false]);
      const head = await elsewhere(['--file', file, '--checkpoint', env.AUDIT_HEAD_FILE]);
      assert.equal(head.code, 1);
      await instance.close();
    });

    test('"migrate" signs what the log of a database with users begins with', async () => {
      const DATABASE_URL = await createUrl();
      const folder = await mkdtemp(join(cwd, 'upgrade-'));
      const env = { DATABASE_URL, SECRET_KEY, AUDIT_HEAD_FILE: join(folder, 'head') };
      const instance = await createTestDoorward(env);
      await instance.signIn();
      await tamper(
        instance,
        sql`drop table audit_events`,
        sql`drop table audit_chains`,
        sql`drop table audit_checkpoints`,
        sql`delete from migrations where id = '0009-audit'`,
      );
      await instance.close();
      await rm(env.AUDIT_HEAD_FILE);
      const run = (args: string[], changes = {}) =>
        runCommand(args, { cwd: folder, env: { ...env, ...changes } });
      const wrong = await run(['migrate'], { SECRET_KEY: 'another-0f4d6a8b2c1e3957-not-a-sample' });
      assert.deepEqual([wrong.code, wrong.stdout], [1, '']);
      assert.match(wrong.stderr, /SECRET_KEY is not the one/);
      const migrated = await run(['migrate']);
      assert.deepEqual([migrated.code, migrated.stdout], [0, 'Applied 0009-audit\n']);
      const verified = await run(['audit', 'verify']);
      assert.deepEqual([verified.code, verified.stderr], [0, '']);
    });

    test('SECRET_KEY is changed with the log, and what is wrong is told in one line', async () => {
      const DATABASE_URL = await createUrl();
      const folder = await mkdtemp(join(cwd, 'key-'));
      const env = { DATABASE_URL, SECRET_KEY, AUDIT_HEAD_FILE: join(folder, 'head') };
      const instance = await createTestDoorward(env);
      await instance.signIn();
      await instance.close();
      const next = 'second-0f4d6a8b2c1e3957-not-a-sample';
      const changed = await runCommand(['secret-key', 'change', '--new-stdin'], {
        cwd: folder,
        env,
        input: next,
      });
      assert.equal(changed.code, 0, changed.stderr);
      const whole = await runCommand(['audit', 'verify', '--json'], {
        cwd: folder,
        env: { ...env, SECRET_KEY: next },
      });
      const { findings, checkpoints_of_earlier_keys: earlier } = JSON.parse(whole.stdout);
      assert.deepEqual([whole.code, findings, earlier], [0, [], 2]);
      const exported = await runCommand(['audit', 'export'], {
        cwd: folder,
        env: { ...env, SECRET_KEY: next },
      });
      assert.match(exported.stdout, /"kind":"secret_key\.changed".*"via":"command_line"/);

      for (const [args, code, message, changes] of [
        [['verify'], 1, /SECRET_KEY is not the one that this database was made with/, {}],
        [['verify', '--public-key', 'x'], 2, /--public-key is for --file/, {}],
        [['verify', '--file', 'nowhere'], 1, /nowhere cannot be read \(ENOENT\)/, {}],
        [['verify', '--checkpoint', 'nowhere'], 1, /nowhere cannot be read \(ENOENT\)/, {}],
        [['export', ''], 2, /the name of the file is empty/, {}],
        [['verify', '--file', '.'], 1, /\. cannot be read \(EISDIR\)/, {}],
        [['export', '--from', 'yesterday'], 2, /--from must be a date or a date-time of RFC 3339/, {}],
        [['export', 'nowhere/file'], 1, /ENOENT/, { SECRET_KEY: next }],
        [['verify'], 1, /a database in memory/, { DATABASE_URL: 'sqlite::memory:' }],
      ] as const) {
        const outcome = await runCommand(['audit', ...args], { cwd: folder, env: { ...env, ...changes } });
        assert.equal(outcome.code, code, `${args}: ${outcome.stderr}`);
        assert.match(outcome.stderr, message);
        assert.equal(outcome.stderr.trim().split('\n').length, 1, outcome.stderr);
      }
    });
  },
  { mainly: 'PostgreSQL' },
);

test('a file of the head that can never be written stops the server before anything is made, and no command', async () => {
  const folder = await mkdtemp(join(cwd, 'head-'));
  await writeFile(join(folder, 'file'), '');
  const run = (AUDIT_HEAD_FILE: string, ...args: string[]) =>
    runCommand(args, {
      cwd: folder,
      env: { DATABASE_URL: 'sqlite:new/doorward.db', AUDIT_HEAD_FILE },
    });
  for (const [path, line] of [
    ['.', 'AUDIT_HEAD_FILE must be a file, and is a folder'],
    ['none/head', 'AUDIT_HEAD_FILE must be in a folder that is there and can be written (ENOENT)'],
    ['file/head', 'AUDIT_HEAD_FILE must be in a folder that is there and can be written (ENOTDIR)'],
  ] as const)
    assert.deepEqual(await run(path, 'serve'), { code: 2, stdout: '', stderr: `doorward: ${line}\n` });
  assert.deepEqual(await readdir(folder), ['file']);
  const { code, stderr } = await run('new/head', 'services', 'create', 'billing');
  assert.deepEqual([code, stderr], [0, '']);
  assert.ok((await readdir(join(folder, 'new'))).includes('head'));
  assert.equal((await run('none/head', 'services', 'list')).code, 0);
  // What the start will make: the folder of secret.key.
  await assertHeadFile({ AUDIT_HEAD_FILE: 'data/head', DATABASE_URL: 'postgres://127.0.0.1/none' });
});

test('an export for which there is no room names its file, and leaves nothing', async (t) => {
  const folder = await mkdtemp(join(cwd, 'full-'));
  const file = join(folder, 'log.jsonl');
  const handle = await open(cwd);
  for (const name of ['write', 'writev'] as const)
    t.mock.method(Object.getPrototypeOf(handle), name, async () => {
      throw Object.assign(new Error('full'), { code: 'ENOSPC', errno: -constants.errno.ENOSPC });
    });
  await handle.close();
  async function* parts(failure?: Error) {
    yield 'a line';
    if (failure) throw failure;
  }
  await assert.rejects(writeParts(file, parts()), {
    name: 'CommandError',
    message: `${file} cannot be written (ENOSPC)`,
  });
  t.mock.restoreAll();
  const lost = new DoorwardError('database_unavailable');
  await assert.rejects(writeParts(file, parts(lost)), lost);
  assert.deepEqual(await readdir(folder), []);
});

test('an export that Ctrl-C ends leaves nothing', async (t) => {
  const folder = await mkdtemp(join(cwd, 'cut-off-'));
  const env = { DATABASE_URL: `sqlite:${join(folder, 'doorward.db')}`, SECRET_KEY };
  const instance = await createTestDoorward(env);
  t.after(() => instance.close());
  await recordTogether(
    instance,
    Array.from({ length: 20_000 }, (_, index) => ({ user_id: index })),
  );
  const out = await mkdtemp(join(cwd, 'out-'));
  const export_ = beginCommand(['audit', 'export', join(out, 'log.jsonl')], { cwd: folder, env });
  for await (const _ of watch(out)) break;
  export_.signal('SIGINT');
  assert.equal(await export_.ended, 1);
  assert.deepEqual(await readdir(out), []);
});
