import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import BetterSqlite3 from 'better-sqlite3';
import { main, programEnv } from '../../test/support/command.ts';
import { runCommand } from '../../test/support/hosted-commands.ts';
import { confirmation, passphraseReader, passwordReader, readLines } from './input.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'doorward-cli-input-'));
});
after(() => rm(folder, { recursive: true, force: true }));

/** Runs a command whose standard input stays open after this text. */
async function runBesideWriter(t: TestContext, args: string[], env: Record<string, string>, text: string) {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: folder,
    env: { ...programEnv, ...env },
  });
  t.after(() => child.kill('SIGKILL'));
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  child.stdin.on('error', () => {});
  child.stdin.write(text);
  const [code] = await once(child, 'exit', { signal: AbortSignal.timeout(30_000) }).catch(() => ['waits']);
  return { code, stderr };
}

describe('a command that has read enough ends while whoever writes its standard input stays', () => {
  test('audit verify', async (t) => {
    const { code, stderr } = await runBesideWriter(t, ['audit', 'verify', '--file', '-'], {}, 'no export\n');
    assert.deepEqual([code, stderr], [1, 'doorward: - is no audit export that this version reads\n']);
  });

  test('users import', async (t) => {
    const file = join(folder, 'refuses.db');
    const env = { DATABASE_URL: `sqlite:${file}` };
    assert.equal((await runCommand(['migrate'], { cwd: folder, env })).code, 0);
    const database = new BetterSqlite3(file);
    database.exec("create trigger no before insert on users begin select raise(abort, 'it is refused'); end");
    database.close();
    const hashed_password = `$2b$04$${'a'.repeat(53)}`;
    const lines = Array.from({ length: 250 }, (_, i) =>
      JSON.stringify({ email: `user-${i}@example.com`, name: 'User', hashed_password }),
    );
    const outcome = await runBesideWriter(t, ['users', 'import', '-'], env, `${lines.join('\n')}\n`);
    assert.deepEqual(outcome, { code: 1, stderr: 'doorward: it is refused\n' });
  });
});

test('of a file no more is read than is asked for', async (t) => {
  const file = join(folder, 'long');
  await writeFile(file, `${'x'.repeat(99)}\n`.repeat(100_000));
  const read = t.mock.method(fs, 'read');
  const close = t.mock.method(fs, 'close');
  for await (const line of readLines(file)) {
    assert.equal(line.length, 99);
    break;
  }
  while (close.mock.callCount() === 0) await sleep(1);
  const reads = read.mock.callCount();
  assert.ok(reads > 0 && reads < 5, `${reads} reads`);
});

test('lines end at a line feed and nowhere else, whatever is in them and wherever parts of the file end', async () => {
  const file = join(folder, 'lines');
  const linesOf = async (octets: string | Buffer) => {
    await writeFile(file, octets);
    const lines: string[] = [];
    for await (const line of readLines(file)) lines.push(line);
    return lines;
  };
  const separators = '{"bio":"a\u2028b\u2029c\u0085d\re"}';
  assert.deepEqual(await linesOf(`\ufeff${separators}\r\n\n  \nlast`), [separators, '', '  ', 'last']);
  assert.deepEqual(await linesOf(''), []);
  assert.deepEqual(await linesOf('\n'), ['']);
  const long = Array.from({ length: 5_000 }, (_, n) => 'é€😀'.repeat(n % 97));
  assert.deepEqual(await linesOf(`${long.join('\n')}\n`), long);
  const refuse = (octets: Buffer, message: string) =>
    assert.rejects(linesOf(octets), { name: 'CommandError', message: `${file} ${message}` });
  await refuse(Buffer.from('one\nP\xe9ter\n', 'latin1'), 'is not UTF-8, behind line 0');
  await refuse(Buffer.from([0x61, 0x0a, 0xe2, 0x82]), 'is not UTF-8, behind line 1');
  await refuse(Buffer.alloc(17_000_000, 'x'), 'has no line break behind line 0');
});

test('why a file cannot be read is told, by each command and in the middle too', async (t) => {
  const env = { DATABASE_URL: `sqlite:${join(folder, 'reads.db')}` };
  assert.equal((await runCommand(['migrate'], { cwd: folder, env })).code, 0);
  for (const [file, code] of [
    ['nowhere', 'ENOENT'],
    ['.', 'EISDIR'],
  ] as const) {
    for (const args of [
      ['users', 'import', file],
      ['audit', 'verify', '--file', file],
    ]) {
      const stderr = `doorward: ${file} cannot be read (${code})\n`;
      assert.deepEqual(await runCommand(args, { cwd: folder, env }), { code: 1, stdout: '', stderr });
    }
  }

  const file = join(folder, 'fails');
  await writeFile(file, 'x\n'.repeat(100_000));
  const { read } = fs;
  let reads = 0;
  t.mock.method(fs, 'read', ((...args: Parameters<typeof read>) => {
    if (reads++ === 0) return read(...args);
    const done = args.at(-1) as unknown as (error: Error) => void;
    setImmediate(done, Object.assign(new Error('read failed'), { code: 'EIO' }));
  }) as typeof read);
  const all = async () => {
    for await (const _ of readLines(file));
  };
  await assert.rejects(all, { name: 'CommandError', message: `${file} cannot be read (EIO)` });
});

/** Takes the place of standard input and error, and notes what a terminal would be told. */
function createTerminal(t: TestContext) {
  const told: string[] = [];
  const typed = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode(isRaw: boolean) {
      told.push(isRaw ? '<echo off>' : '<echo on>');
    },
  });
  const stdin = Object.getOwnPropertyDescriptor(process, 'stdin') ?? assert.fail();
  Object.defineProperty(process, 'stdin', { value: typed, configurable: true });
  t.after(() => Object.defineProperty(process, 'stdin', stdin));
  t.mock.method(process.stderr, 'write', (text: string) => told.push(text) > 0);
  return { typed, told };
}

describe('on a terminal', () => {
  const [first, second] = ['Password: ', 'Password again: '];
  const ctrlC = '\x03';
  const ctrlD = '\x04';

  for (const lines of ['secret\rsecret\r', 'secret\r\nsecret\r\n']) {
    test(`a new password may come at once: ${JSON.stringify(lines)}`, async (t) => {
      const { typed, told } = createTerminal(t);
      typed.write(lines);
      assert.equal(await passwordReader({})(), 'secret');
      assert.deepEqual(told, ['<echo off>', first, '\n', second, '\n', '<echo on>']);
    });
  }

  test('a new password is typed twice the same, what is not new once', async (t) => {
    const { typed, told } = createTerminal(t);
    const differs = assert.rejects(passwordReader({})(), /^CommandError: the passwords differ$/);
    typed.write('secret\r');
    await sleep(1);
    typed.write('other\r');
    await differs;
    told.length = 0;
    typed.write('secret\r');
    assert.equal(await passphraseReader({}, { isNew: false })(), 'secret');
    assert.deepEqual(told, ['<echo off>', 'Passphrase: ', '\n', '<echo on>']);
  });

  for (const lines of [ctrlC, ctrlD, `sec${ctrlC}`, `secret\r${ctrlC}`, `secret\r${ctrlD}`]) {
    test(`${JSON.stringify(lines)} ends it`, async (t) => {
      const { typed, told } = createTerminal(t);
      typed.write(lines);
      await assert.rejects(passwordReader({})(), /^CommandError: nothing was done$/);
      const asked = lines.includes('\r') ? [first, '\n', second, '\n'] : [first, '\n'];
      assert.deepEqual(
        told.filter((text) => !text.startsWith('<')),
        asked,
      );
      assert.equal(told.filter((text) => text.startsWith('<')).at(-1), '<echo on>');
    });
  }

  test('a confirmation is shown, and anything but yes is no', async (t) => {
    const { typed, told } = createTerminal(t);
    typed.write('y\r');
    await confirmation({})('Delete?');
    assert.equal(told.join(''), '<echo off>Delete? [y/N] y\r\n<echo on>');
    for (const answer of ['\r', 'n\r', ctrlC]) {
      typed.write(answer);
      await assert.rejects(confirmation({})('Delete?'), /^CommandError: nothing was done$/);
    }
  });
});
