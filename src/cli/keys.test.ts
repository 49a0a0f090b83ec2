import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { main, type Outcome, programEnv, runCommand as runProcess } from '../../test/support/command.ts';
import { onEachDatabase } from '../../test/support/databases.ts';
import { runCommand } from '../../test/support/hosted-commands.ts';
import { signingKeysLock } from '../database/lock-names.ts';
import { openDatabase } from '../database/open.ts';
import { createInstances } from '../features/status/index.ts';

const former = 'cli-keys-3f9c1b7e5a2d4860-the-first-one';
const next = 'cli-keys-7a41d0c9be635f82-the-second-one';

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'doorward-cli-keys-'));
});
after(() => rm(root, { recursive: true, force: true }));

const linesOf = ({ stdout }: Outcome) => stdout.split('\n').filter((line) => line !== '');

/** Runs commands in an empty folder with these settings. */
async function commands(env: Record<string, string>) {
  const cwd = await mkdtemp(join(root, 'cwd-'));
  const run = (args: string[], { input = '', more = {} }: { input?: string; more?: object } = {}) =>
    runCommand(args, { cwd, env: { ...env, ...more }, input });
  return {
    cwd,
    run,
    async succeeds(args: string[], options: { input?: string; more?: object } = {}) {
      const outcome = await run(args, options);
      assert.deepEqual([outcome.code, outcome.stderr], [0, ''], args.join(' '));
      return outcome;
    },
    async fails(args: string[], line: string, options: { input?: string; more?: object } = {}) {
      const outcome = await run(args, options);
      assert.deepEqual(outcome, { code: 1, stdout: '', stderr: `doorward: ${line}\n` }, args.join(' '));
    },
  };
}

onEachDatabase(
  ({ createReadyUrl }) => {
    test('secret-key change: after two at once secret.key fits', async () => {
      const DATABASE_URL = await createReadyUrl();
      const { cwd, succeeds } = await commands({ DATABASE_URL });
      await succeeds(['keys', 'list']);
      const db = await openDatabase({ url: DATABASE_URL });
      // Both are to wait for their turn, the second behind the first.
      const held = db.transaction(async (tx) => {
        await db.lock(tx, signingKeysLock);
        await sleep(3_000);
      });
      const changes = await Promise.all(
        [0, 300].map(async (ms) => {
          await sleep(ms);
          return runProcess(['secret-key', 'change'], { cwd, env: { DATABASE_URL } });
        }),
      );
      await held;
      await db.close();
      assert.ok(changes.some(({ code }) => code === 0));
      for (const { code, stderr } of changes)
        if (code !== 0) assert.match(stderr, /^doorward: SECRET_KEY is not the one .*\n$/);
      await succeeds(['keys', 'list']);
    });
  },
  // On SQLite they wait for each other before they read the secret that is to be changed.
  { mainly: 'PostgreSQL' },
);

onEachDatabase(
  ({ createReadyUrl }) => {
    test('keys: list, rotate, retire', async () => {
      const { run, succeeds, fails } = await commands({
        DATABASE_URL: await createReadyUrl(),
        SECRET_KEY: former,
      });
      const list = async () =>
        linesOf(await succeeds(['keys', 'list', '--json'])).map((line) => JSON.parse(line));
      const states = async () => Object.fromEntries((await list()).map(({ kid, state }) => [kid, state]));

      const [first] = await list();
      assert.deepEqual(Object.keys(first), [
        'kid',
        'algorithm',
        'created_at',
        'signs_from',
        'state',
        'retires_at',
      ]);
      assert.deepEqual([first.algorithm, first.state], ['ES256', 'signing']);
      const table = linesOf(await succeeds(['keys', 'list']));
      assert.match(table[0] ?? '', /^KID +ALGORITHM +STATE +CREATED +SIGNS FROM$/);
      assert.match(table[1] ?? '', new RegExp(`^${first.kid} +ES256 +signing +\\S+Z +\\S+Z$`));
      assert.equal(table.length, 2);
      await fails(['keys', 'retire', first.kid], 'The only usable key cannot be retired');

      const published = linesOf(await succeeds(['keys', 'rotate']));
      const [, publishedKid = ''] = /^(\S+) +ES256 +next /.exec(published[1] ?? '') ?? [];
      assert.deepEqual(await states(), { [first.kid]: 'signing', [publishedKid]: 'next' });
      const again = await run(['keys', 'rotate', '--json']);
      assert.deepEqual([again.code, JSON.parse(again.stdout).kid], [0, publishedKid]);
      assert.equal(again.stderr, 'doorward: a new key is published already, and signs later\n');
      const now = JSON.parse((await succeeds(['keys', 'rotate', '--now', '--json'])).stdout);
      assert.equal(now.state, 'signing');
      const after = await states();
      assert.deepEqual([after[now.kid], after[first.kid]], ['signing', 'former']);

      await fails(['keys', 'retire', 'nothing'], 'Key not found');
      const retired = await succeeds(['keys', 'retire', first.kid]);
      assert.equal(retired.stdout, `Retired ${first.kid}\n`);
      assert.ok(!(first.kid in (await states())));

      const withSharedSecret = { more: { ALGORITHM: 'HS256' } };
      await fails(
        ['keys', 'rotate'],
        'ALGORITHM is HS256: SECRET_KEY itself signs, and has its own command to change it',
        withSharedSecret,
      );
    });

    test('keys: under HS256 there are none', async () => {
      const { succeeds } = await commands({ DATABASE_URL: await createReadyUrl(), ALGORITHM: 'HS256' });
      assert.equal((await succeeds(['keys', 'list', '--json'])).stdout, '');
      assert.equal(linesOf(await succeeds(['keys', 'list'])).length, 1);
    });

    test('services: create, list, delete; a secret is told once', async () => {
      const { succeeds, fails } = await commands({
        DATABASE_URL: await createReadyUrl(),
        SECRET_KEY: former,
      });
      assert.match((await succeeds(['services', 'list'])).stdout, /^NAME +CREATED\n$/);

      const created = await succeeds(['services', 'create', 'billing']);
      const [, secret = ''] = /^Secret of billing: ([\w-]{43})\n$/.exec(created.stdout) ?? [];
      assert.notEqual(secret, '');
      const mailer = JSON.parse((await succeeds(['services', 'create', 'mailer', '--json'])).stdout);
      assert.deepEqual(Object.keys(mailer), ['id', 'name', 'created_at', 'secret']);
      assert.notEqual(mailer.secret, secret);
      await fails(['services', 'create', 'billing'], 'Service name already taken');
      await fails(
        ['services', 'create', 'Billing'],
        'name: use 1 to 64 of a-z, 0-9, dot, dash and underscore',
      );

      const listed = await succeeds(['services', 'list', '--json']);
      assert.deepEqual(
        linesOf(listed).map((line) => Object.keys(JSON.parse(line))),
        Array.from({ length: 2 }, () => ['id', 'name', 'created_at']),
      );
      assert.ok(!listed.stdout.includes(secret) && !listed.stdout.includes(mailer.secret));
      assert.match((await succeeds(['services', 'list'])).stdout, /^billing +\S+Z$/m);

      assert.equal((await succeeds(['services', 'delete', 'billing'])).stdout, 'Deleted billing\n');
      await fails(['services', 'delete', 'billing'], 'Service not found');
    });

    test('secret-key change: the one in secret.key is replaced, and no key is lost', async () => {
      const { cwd, succeeds, run } = await commands({ DATABASE_URL: await createReadyUrl() });
      const before = (await succeeds(['keys', 'list', '--json'])).stdout;
      // Beside the database where that is a file, else in the working folder.
      const file = join(folderOfKey((await succeeds(['config', '--json'])).stdout, cwd), 'secret.key');
      const old = await readFile(file, 'utf8');
      const changed = await succeeds(['secret-key', 'change']);
      assert.equal(
        changed.stdout,
        'Changed. Start again.\nBackups made before need the former secret.key, which is kept beside it.\n',
      );
      const made = await readFile(file, 'utf8');
      const kept = (await readdir(dirname(file))).filter((name) => name.startsWith('secret.key.'));
      assert.equal(kept.length, 1);
      assert.match(kept[0] ?? '', /^secret\.key\.until-\d{8}T\d{9}Z$/);
      assert.equal(await readFile(join(dirname(file), kept[0] ?? ''), 'utf8'), old);
      assert.notEqual(made, old);
      assert.equal((await stat(file)).mode & 0o777, 0o600);
      assert.equal((await succeeds(['keys', 'list', '--json'])).stdout, before);

      const withOld = await run(['keys', 'list'], { more: { SECRET_KEY: old.trim() } });
      assert.equal(withOld.code, 1);
      assert.match(withOld.stderr, /^doorward: .*SECRET_KEY.*\n$/);
      assert.ok(!withOld.stderr.includes(old.trim()));
    });

    test('secret-key change: where nothing was begun before, the audit log is as it was written', async () => {
      const { succeeds } = await commands({ DATABASE_URL: await createReadyUrl() });
      await succeeds(['secret-key', 'change']);
      await succeeds(['audit', 'verify']);
    });

    test('secret-key change: while a server runs it refuses, and changes nothing', async () => {
      const DATABASE_URL = await createReadyUrl();
      const { cwd, succeeds, run } = await commands({ DATABASE_URL });
      const file = join(folderOfKey((await succeeds(['config', '--json'])).stdout, cwd), 'secret.key');
      await succeeds(['keys', 'list']);
      const old = await readFile(file, 'utf8');
      const db = await openDatabase({ url: DATABASE_URL });
      const server = createInstances({ db });
      await server.join();
      const refused = await run(['secret-key', 'change']);
      assert.equal(refused.code, 1);
      assert.match(
        refused.stderr,
        /^doorward: a server runs on this database, last seen at 2[^\n]*Z: stop [^\n]*\n$/,
      );
      assert.equal(await readFile(file, 'utf8'), old);
      await server.leave();
      await db.close();
      await succeeds(['secret-key', 'change']);
    });

    test('secret.key that is missing is not replaced where it belongs to a database', async () => {
      const { cwd, succeeds, fails } = await commands({ DATABASE_URL: await createReadyUrl() });
      const file = join(folderOfKey((await succeeds(['config', '--json'])).stdout, cwd), 'secret.key');
      await succeeds(['keys', 'list']);
      await rename(file, `${file}.elsewhere`);
      for (const args of [
        ['keys', 'list'],
        ['users', 'list'],
        ['secret-key', 'change'],
      ])
        await fails(args, 'There is no SECRET_KEY: set it, or put secret.key in its place');
      await assert.rejects(readFile(file), { code: 'ENOENT' });
      await rename(`${file}.elsewhere`, file);
      await succeeds(['keys', 'list']);
    });

    test('secret-key change: one that is a setting is replaced by the one on standard input', async () => {
      const { cwd, succeeds, fails, run } = await commands({
        DATABASE_URL: await createReadyUrl(),
        SECRET_KEY: former,
      });
      const change = ['secret-key', 'change', '--new-stdin'];
      const before = (await succeeds(['keys', 'list', '--json'])).stdout;
      await fails(
        ['secret-key', 'change'],
        'SECRET_KEY is a setting; give the new one with --new-stdin and set it afterwards',
      );
      const sample = 'your-secret-key-your-secret-key-2026';
      await fails(change, 'the new SECRET_KEY must be at least 32 bytes, not a sample value', {
        input: sample,
      });
      for (const unkept of [`${next} \n`, `\t${next}`, `${next}\n\n`, `${next}\0`])
        await fails(
          change,
          'the new SECRET_KEY must be one line, without spaces around it or control characters',
          { input: unkept },
        );
      await fails(change, 'the new SECRET_KEY is the present one', { input: `${former}\n` });

      const { stdout } = await succeeds(change, { input: `${next}\n` });
      assert.equal(
        stdout,
        'Changed. Set SECRET_KEY to the new one, then start.\nBackups made before need the former one.\n',
      );
      const kept = await succeeds(['keys', 'list', '--json'], { more: { SECRET_KEY: next } });
      assert.equal(kept.stdout, before);
      const withOld = await run(['keys', 'list']);
      assert.equal(withOld.code, 1);
      assert.match(withOld.stderr, /^doorward: [^\n]*SECRET_KEY[^\n]*\n$/);
      assert.ok(!withOld.stderr.includes(former));
      assert.ok(!(await readdir(cwd)).includes('secret.key'));
    });
  },
  { mainly: 'SQLite' },
);

/** Where `secret.key` is kept, by what `config` tells of DATABASE_URL. */
function folderOfKey(config: string, cwd: string): string {
  const [, path] = /^sqlite:(.+)\/[^/]+$/.exec(JSON.parse(config).DATABASE_URL.value) ?? [];
  return path ?? join(cwd, 'data');
}

test('a failure of the settings is told before anything is touched', async () => {
  const cwd = await mkdtemp(join(root, 'cwd-'));
  for (const args of [
    ['keys', 'list'],
    ['services', 'create', 'billing'],
    ['secret-key', 'change'],
  ]) {
    const outcome = await runCommand(args, { cwd, env: { ALGORITHM: 'none' } });
    const stderr = 'doorward: ALGORITHM must be one of ES256, EdDSA, RS256, HS256\n';
    assert.deepEqual(outcome, { code: 2, stdout: '', stderr }, args.join(' '));
    assert.deepEqual(await readdir(cwd), []);
  }
});

test('services: a credential whose secret reached nobody is not kept', async () => {
  const { cwd, succeeds } = await commands({});
  const create = ['services', 'create', 'billing'];
  for (const [where, reason] of [
    ['> /dev/full', 'standard output cannot be written (ENOSPC)'],
    ['| true', 'nobody reads standard output'],
  ] as const) {
    if (!existsSync('/dev/full') && where.includes('/dev/full')) continue;
    const command = ['-c', `"$0" "$@" ${where}`, process.execPath, main, ...create];
    const { stderr } = spawnSync('sh', command, { cwd, env: programEnv, encoding: 'utf8' });
    assert.equal(stderr, `doorward: ${reason}\n`);
  }
  await succeeds(create);
});

test('a mistyped path is no database without users: where there is none it is told, and none is made', async () => {
  const cwd = await mkdtemp(join(root, 'nowhere-'));
  for (const args of [
    ['users', 'list'],
    ['users', 'show', '1'],
    ['users', 'promote', '1'],
    ['users', 'delete', '1', '--yes'],
    ['invitations', 'list'],
    ['keys', 'list'],
    ['keys', 'rotate'],
    ['services', 'list'],
    ['audit', 'verify'],
    ['audit', 'export'],
    ['backup', 'copy.db'],
  ]) {
    const outcome = await runCommand(args, { cwd, env: { DATABASE_URL: 'sqlite:none/q.db' } });
    const stderr = `doorward: there is no database at ${join(await realpath(cwd), 'none/q.db')}\n`;
    assert.deepEqual(outcome, { code: 1, stdout: '', stderr }, args.join(' '));
    assert.deepEqual(await readdir(cwd), []);
  }
});

describe('wrong usage ends with 2, one line on standard error, and touches nothing', () => {
  const scenarios: [args: string[], stderr: string][] = [
    [['keys', 'foo'], "unknown command 'foo'"],
    [['keys', 'list', '--all'], "unknown option '--all'"],
    [['keys', 'list', 'x'], "too many arguments for 'list'. Expected 0 arguments but got 1"],
    [['keys', 'rotate', 'x'], "too many arguments for 'rotate'. Expected 0 arguments but got 1"],
    [['keys', 'retire'], "missing required argument 'kid'"],
    [['keys', 'retire', 'a', 'b'], "too many arguments for 'retire'. Expected 1 argument but got 2"],
    [['services', 'foo'], "unknown command 'foo'"],
    [['services', 'create'], "missing required argument 'name'"],
    [
      ['services', 'create', 'billing', 'hunter2'],
      "too many arguments for 'create'. Expected 1 argument but got 2",
    ],
    [['services', 'list', '--secrets'], "unknown option '--secrets'"],
    [['services', 'delete'], "missing required argument 'name'"],
    [['secret-key', 'foo'], "unknown command 'foo'"],
    [['secret-key', "Hunter'2"], 'unknown command'],
    [['keys', 'rotate', "--now=Hunter'2"], "unknown option '--now'"],
    [['secret-key', 'change', 'hunter2'], "too many arguments for 'change'. Expected 0 arguments but got 1"],
    [['secret-key', 'change', '--new', 'hunter2'], "unknown option '--new'"],
  ];
  for (const [args, line] of scenarios) {
    test(args.join(' '), async () => {
      const cwd = await mkdtemp(join(root, 'usage-'));
      const outcome = await runCommand(args, { cwd });
      assert.deepEqual(outcome, { code: 2, stdout: '', stderr: `doorward: ${line}\n` });
      assert.deepEqual(await readdir(cwd), []);
    });
  }
});

test('every command has help, which needs no database; a group alone shows its own and ends with 2', async () => {
  const cwd = await mkdtemp(join(root, 'help-'));
  const groups: [group: string, commands: string[]][] = [
    ['keys', ['list', 'rotate', 'retire']],
    ['services', ['create', 'list', 'delete']],
    ['secret-key', ['change']],
  ];
  for (const [group, commands] of groups) {
    const help = await runCommand([group, '--help'], { cwd });
    assert.deepEqual([help.code, help.stderr], [0, '']);
    const alone = await runCommand([group], { cwd });
    assert.deepEqual([alone.code, alone.stdout, alone.stderr], [2, '', help.stdout]);
    for (const command of commands) {
      assert.match(help.stdout, new RegExp(`^  ${command} `, 'm'));
      const { code, stdout, stderr } = await runCommand([group, command, '--help'], { cwd });
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, new RegExp(`^Usage: doorward ${group} ${command} .*\\n\\n[A-Z].*[.:;,]`));
    }
  }
  assert.deepEqual(await readdir(cwd), []);
});
