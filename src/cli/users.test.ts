import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { main, programEnv } from '../../test/support/command.ts';
import { onEachDatabase } from '../../test/support/databases.ts';
import { runCommand } from '../../test/support/hosted-commands.ts';

const password = 'Zq7!correct-horse';
/** What argon2-cffi makes of `password` with cheap parameters is of no matter here: only its form is looked at. */
const hash = `$argon2id$v=19$m=65536,t=3,p=4$${'c'.repeat(22)}$${'d'.repeat(43)}`;

let cwd: string;
before(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'doorward-cli-'));
});
after(() => rm(cwd, { recursive: true, force: true }));

const header = /^ID +EMAIL +STATE +ROLE +CREATED +NAME$/;

onEachDatabase(
  ({ createUrl }) => {
    test('the life of an account', async () => {
      const env = { DATABASE_URL: await createUrl(), HASH_CONCURRENCY: '1' };
      const run = (args: string[], input = '') => runCommand(['users', ...args], { cwd, env, input });
      const fails = async (args: string[], stderr: string, input = '') => {
        const outcome = await run(args, input);
        assert.deepEqual(outcome, { code: 1, stdout: '', stderr: `doorward: ${stderr}\n` });
      };
      const create = (email: string, name: string, ...more: string[]) => [
        'create',
        '--email',
        email,
        '--name',
        name,
        '--password-stdin',
        ...more,
      ];

      const ann = await run(create(' Ann@Example.com', ' Ann ', '--admin', '--json'), `${password}\n`);
      assert.equal(ann.stderr, '');
      const { id, created_at, ...others } = JSON.parse(ann.stdout);
      assert.deepEqual(others, {
        email: 'Ann@Example.com',
        name: 'Ann',
        is_active: true,
        is_admin: true,
        email_verified: true,
        pending_email: null,
        locale: null,
        delete_after: null,
      });
      assert.match(created_at, /Z$/);
      const bob = await run(create('bob@example.com', 'B\u{1b}[31mob'), `${password}\r\n`);
      assert.equal(bob.code, 0);
      const [titles = '', row = ''] = bob.stdout.split('\n');
      assert.match(titles, header);
      assert.match(row, /^\d+ +bob@example\.com +active +user +\S+Z +B\u{fffd}\[31mob$/u);

      await fails(create('ANN@example.com', 'Ann'), 'Email already registered', password);
      await fails(
        create('cleo@example.com', 'Cleo'),
        'password: String should have at least 8 characters',
        'short\n',
      );
      await fails(
        create('cleo@example.com', 'Cleo'),
        'password: Password must contain at least one uppercase letter',
        'zq7!correct-horse',
      );
      await fails(create('no address', 'Cleo'), 'email: value is not a valid email address', password);
      await fails(create('cleo@example.com', ' '), 'name: String should have at least 1 character', password);
      await fails(['show', 'nobody@example.com'], 'User not found');
      await fails(['show', '99999999999999999999'], 'User not found');
      await fails(['demote', 'ann@example.com'], 'At least one active admin must remain');
      await fails(['delete', String(id), '--yes'], 'At least one active admin must remain');

      const promoted = await run(['promote', 'BOB@example.com', '--json']);
      assert.equal(JSON.parse(promoted.stdout).is_admin, true);
      const deactivated = await run(['deactivate', String(id), '--json']);
      assert.equal(JSON.parse(deactivated.stdout).is_active, false);
      const inactive = await run(['list', '--inactive', '--json']);
      assert.deepEqual(
        inactive.stdout
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line).id),
        [id],
      );
      const admins = await run(['list', '--admins', '--sort', '-email', '--limit', '1', '--json']);
      assert.equal(JSON.parse(admins.stdout).email, 'bob@example.com');
      assert.match((await run(['list', '--q', 'zzz'])).stdout, /^ID.*\n$/);

      const refused = await run(['delete', String(id)]);
      assert.equal(refused.code, 2);
      const deleted = await run(['delete', String(id), '--yes']);
      assert.deepEqual(deleted, { code: 0, stdout: `Deleted user ${id}, Ann@Example.com\n`, stderr: '' });
      await fails(['show', String(id)], 'User not found');
    });

    test('accounts move in with their hashes; what is refused is told by its line, without the hash', async () => {
      const env = { DATABASE_URL: await createUrl() };
      const file = join(await mkdtemp(join(cwd, 'import-')), 'users.jsonl');
      const lines = [
        { id: 7, email: 'ann@example.com', name: 'Ann', hashed_password: hash, is_active: 1, is_admin: 0 },
        {
          email: 'bob@example.com',
          name: 'Bob',
          hashed_password: hash,
          created_at: '2024-01-02 03:04:05.678901',
        },
        { email: 'ANN@example.com', name: 'Ann again', hashed_password: hash },
        { email: 'cleo@example.com', name: 'Cleo', hashed_password: 'md5$secret-digest' },
        { email: 'no address', hashed_password: hash },
      ].map((line) => JSON.stringify(line));
      await writeFile(file, `${[...lines, '{"email": "secret-digest', '', '[]'].join('\n')}\n`);
      const problems = [
        'line 4: hashed_password: unknown or malformed hash',
        'line 5: email: value is not a valid email address',
        'line 5: name: Field required',
        'line 6: not valid JSON',
        'line 8: not a JSON object',
      ];
      const taken = 'line 3: Email already registered, skipped';
      const stderr = (...told: string[]) =>
        [...told, 'of 8 lines 4 were refused', ''].join('\n').replaceAll(/^(?=.)/gm, 'doorward: ');

      const dry = await runCommand(['users', 'import', file, '--dry-run'], { cwd, env });
      assert.equal(dry.code, 1);
      assert.equal(dry.stdout, 'Would import 2, skipped 1, refused 4\n');
      assert.equal((await runCommand(['users', 'list', '--json'], { cwd, env })).stdout, '');

      const done = await runCommand(['users', 'import', file], { cwd, env });
      assert.deepEqual(done, {
        code: 1,
        stdout: 'Imported 2, skipped 1, refused 4\n',
        stderr: stderr(...problems, taken),
      });
      const listed = await runCommand(['users', 'list', '--json'], { cwd, env });
      const users = listed.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      assert.deepEqual(
        users.map(({ email, is_active, is_admin }) => ({ email, is_active, is_admin })),
        ['ann@example.com', 'bob@example.com'].map((email) => ({ email, is_active: true, is_admin: false })),
      );
      assert.equal(users[1].created_at, '2024-01-02T03:04:05.678Z');

      const again = await runCommand(['users', 'import', '-'], {
        cwd,
        env,
        input: lines.slice(0, 2).join('\n'),
      });
      assert.equal(again.code, 0);
      assert.equal(again.stdout, 'Imported 0, skipped 2, refused 0\n');
    });

    test('a list of many pages is whole, and ends quietly when its reader does', async () => {
      const env = { DATABASE_URL: await createUrl() };
      const input = Array.from({ length: 450 }, (_, i) =>
        JSON.stringify({ email: `user-${i}@example.com`, name: `User ${i}`, hashed_password: hash }),
      ).join('\n');
      assert.equal((await runCommand(['users', 'import', '-'], { cwd, env, input })).code, 0);
      const { stdout } = await runCommand(['users', 'list', '--json', '--sort', '-id'], { cwd, env });
      const ids = stdout
        .trim()
        .split('\n')
        .map((line): number => JSON.parse(line).id);
      assert.equal(new Set(ids).size, 450);
      assert.deepEqual(
        ids,
        ids.toSorted((a, b) => b - a),
      );
      const some = await runCommand(['users', 'list', '--limit', '201'], { cwd, env });
      assert.equal(some.stdout.trim().split('\n').length, 1 + 201);

      const child = spawn(process.execPath, [main, 'users', 'list'], {
        cwd,
        env: { ...programEnv, ...env },
      });
      child.stdout.destroy();
      let stderr = '';
      child.stderr.on('data', (chunk) => {
        stderr += chunk;
      });
      assert.deepEqual(await once(child, 'close'), [0, null]);
      assert.equal(stderr, '');
    });

    test('migrate --dry-run prints and changes nothing; migrate applies; then nothing is left', async () => {
      const options = { cwd, env: { DATABASE_URL: await createUrl() } };
      for (let time = 0; time < 2; time++) {
        const dry = await runCommand(['migrate', '--dry-run'], options);
        assert.equal(dry.code, 0);
        assert.match(dry.stdout, /^-- 0001-users\ncreate table users \(/);
      }
      const applied = await runCommand(['migrate'], options);
      assert.equal(applied.code, 0);
      assert.match(applied.stdout, /^(Applied \d{4}-\S+\n)+$/);
      for (const args of [['migrate'], ['migrate', '--dry-run']]) {
        assert.deepEqual(await runCommand(args, options), {
          code: 0,
          stdout: 'The schema is up to date.\n',
          stderr: '',
        });
      }
    });
  },
  { mainly: 'SQLite' },
);

describe('wrong usage ends with 2, one line on standard error, and touches nothing', () => {
  const scenarios: [args: string[], stderr: string][] = [
    [['foo'], "unknown command 'foo'"],
    [['users', 'foo'], "unknown command 'foo'"],
    [['help', 'foo'], "unknown command 'foo'"],
    [['help', 'users', 'foo'], "unknown command 'foo'"],
    [['help', 'users', 'create', 'Hunter2'], 'unknown command'],
    [['serve', '--port', '80'], "unknown option '--port'"],
    [['serve', 'hunter2'], "too many arguments for 'serve'. Expected 0 arguments but got 1"],
    [['users', 'show'], "missing required argument 'user'"],
    [
      ['users', 'set-password', '1', 'hunter2'],
      "too many arguments for 'set-password'. Expected 1 argument but got 2",
    ],
    [['users', 'create', '--name', 'Ann'], "required option '--email <email>' not specified"],
    [
      ['users', 'create', '--email', 'ann@example.com', '--name', 'Ann'],
      'a password is asked for on a terminal; elsewhere give it on standard input with --password-stdin',
    ],
    [['users', 'import', ''], 'the name of the file is empty'],
    [['audit', 'verify', '--file', ''], 'the name of the file is empty'],
    [['audit', 'verify', '--checkpoint', ''], 'the name of the file is empty'],
    [['users', 'delete', '1'], 'without a terminal, this needs --yes'],
    [
      ['users', 'list', '--limit', '0'],
      "option '--limit <number>' argument '0' is invalid. It must be a whole number from 1.",
    ],
    [
      ['users', 'list', '--active', '--inactive'],
      "option '--active' cannot be used with option '--inactive'",
    ],
  ];
  for (const [args, line] of scenarios) {
    test(args.join(' '), async () => {
      const folder = await mkdtemp(join(cwd, 'usage-'));
      assert.deepEqual(await runCommand(args, { cwd: folder }), {
        code: 2,
        stdout: '',
        stderr: `doorward: ${line}\n`,
      });
      assert.deepEqual(await readdir(folder), []);
    });
  }
});

test('every command has help', async () => {
  const groups: [group: string[], commands: string[]][] = [
    [[], ['serve', 'migrate', 'backup', 'restore', 'config', 'users']],
    [
      ['users'],
      [
        'create',
        'list',
        'show',
        'promote',
        'demote',
        'activate',
        'deactivate',
        'set-password',
        'delete',
        'import',
      ],
    ],
  ];
  for (const [group, commands] of groups) {
    const { code, stdout } = await runCommand([...group, '--help'], { cwd });
    assert.equal(code, 0);
    for (const command of commands) {
      assert.match(stdout, new RegExp(`^  ${command} `, 'm'));
      const help = await runCommand([...group, command, '--help'], { cwd });
      assert.equal(help.code, 0);
      assert.match(help.stdout, /^Usage: doorward .*\n\n[A-Z].*[.;]/);
      assert.deepEqual(await runCommand(['help', ...group, command], { cwd }), help);
    }
    assert.equal((await runCommand(['help', ...group], { cwd })).stdout, stdout);
  }
});
