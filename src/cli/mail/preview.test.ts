import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runCommand } from '../../../test/support/command.ts';

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'doorward-cli-mail-'));
});
after(() => rm(root, { recursive: true }));

/** Runs `doorward mail preview` in an empty folder, which stays without a database. */
async function preview(args: string[], env: Record<string, string> = {}) {
  const cwd = await mkdtemp(join(root, 'cwd-'));
  const outcome = await runCommand(['mail', 'preview', ...args], { cwd, env });
  return { ...outcome, cwd, files: await readdir(cwd) };
}

test("it lists kinds and languages, and what a language of one's own lacks", async () => {
  const { code, stdout, stderr, files } = await preview([]);
  assert.deepEqual([code, stderr, files], [0, '', []]);
  const [kinds = '', languages, end] = stdout.split('\n');
  assert.match(kinds, /^Kinds: verify_email, reset_password, .*account_deleted$/);
  assert.deepEqual([languages, end], ['Languages: de, en, es, fr, ja', '']);

  const MAIL_TEMPLATES = await mkdtemp(join(root, 'templates-'));
  await mkdir(join(MAIL_TEMPLATES, 'messages'));
  await writeFile(join(MAIL_TEMPLATES, 'messages/nl.json'), '{"details": {"time": "Tijd"}}');
  const own = await preview([], { MAIL_TEMPLATES });
  assert.match(own.stdout, /^Languages: .*, nl$/m);
  assert.match(own.stdout, /^In nl these are English: .*\bdetails\.network\b/m);
  assert.doesNotMatch(own.stdout, /details\.time|In de/);
});

test('it prints one mail, made with the settings', async () => {
  const env = { PRODUCT_NAME: 'Acme', PRODUCT_COLOR: '#ffd400', ACCOUNT_URL: 'https://acme.example/me' };
  const args = ['--kind', 'reset_password'];
  const text = await preview(args, env);
  assert.deepEqual([text.code, text.stderr, text.files], [0, '', []]);
  assert.match(text.stdout, /^Acme\n\nSet a new password\n/);
  assert.match(text.stdout, /^https:\/\/acme\.example\/me\/reset-password#token=[\w-]{43}$/m);
  const html = await preview([...args, '--format', 'html'], env);
  assert.match(html.stdout, /^<!doctype html>[\s\S]*bgcolor="#ffd400"/);
  const subject = await preview([...args, '--format', 'subject', '--language', 'ja'], env);
  assert.equal(subject.stdout, '新しいパスワードの設定\n');
});

test('it writes all mails in all languages, with a page that leads to them', async () => {
  const { code, stdout, cwd } = await preview(['--out', 'mails/here']);
  assert.deepEqual([code, stdout], [0, 'Wrote 171 files; open mails/here/index.html\n']);
  const folder = join(cwd, 'mails/here');
  const files = await readdir(folder);
  assert.equal(files.length, 171);
  const index = await readFile(join(folder, 'index.html'), 'utf8');
  const targets = [...index.matchAll(/href="([^"]*)"/g)].map(([, target]) => target);
  assert.deepEqual([...targets, 'index.html'].sort(), files.sort());
  assert.match(await readFile(join(folder, 'new_device.de.txt'), 'utf8'), /^Subject: Neue Anmeldung/);
  const again = await preview(['--out', folder]);
  assert.equal(again.code, 0);

  const unnamed = await preview(['--out', '']);
  assert.deepEqual([unnamed.code, unnamed.stderr], [2, 'doorward: the name of the folder is empty\n']);
  const taken = await preview(['--out', join(folder, 'index.html')]);
  assert.deepEqual([taken.code, taken.stdout], [1, '']);
  assert.match(taken.stderr, /^doorward: .*index\.html cannot be written \(EEXIST\)\n$/);
});

test('a template that cannot be used ends it with one line that names the file', async () => {
  const MAIL_TEMPLATES = await mkdtemp(join(root, 'templates-'));
  await writeFile(join(MAIL_TEMPLATES, 'layout.html'), '{% if %}');
  const { code, stdout, stderr } = await preview([], { MAIL_TEMPLATES });
  assert.deepEqual([code, stdout], [2, '']);
  assert.ok(stderr.startsWith(`doorward: MAIL_TEMPLATES: ${MAIL_TEMPLATES}/layout.html: `), stderr);
  assert.equal(stderr.split('\n').length, 2);
});

describe('wrong usage ends with 2 and one line', () => {
  const scenarios: [args: string[], line: RegExp][] = [
    [['x'], /^too many arguments/],
    [['--kinds'], /^unknown option '--kinds'/],
    [['--kind'], /argument missing/],
    [['--kind', 'news'], /^--kind must be one of verify_email, /],
    [['--kind', '__proto__'], /^--kind must be one of verify_email, /],
    [['--kind', 'invitation', '--language', 'xx'], /^--language must be one of de, en, es, fr, ja$/],
    [['--kind', 'invitation', '--format', 'pdf'], /^--format must be one of text, html, subject$/],
    [['--language', 'de'], /^--language and --format are for --kind$/],
    [['--out', 'x', '--kind', 'invitation'], /^--out writes every mail/],
  ];
  for (const [args, line] of scenarios) {
    test(args.join(' '), async () => {
      const { code, stdout, stderr, files } = await preview(args);
      assert.deepEqual([code, stdout, files], [2, '', []]);
      assert.match(stderr, /^doorward: [^\n]*\n$/);
      assert.match(stderr.slice('doorward: '.length, -1), line);
    });
  }
});

test('it has help, and so has its group', async () => {
  const { code, stdout } = await preview(['--help']);
  assert.equal(code, 0);
  assert.match(stdout, /^Usage: doorward mail preview \[options\]\n\nShow mails/);
  const alone = await runCommand(['mail'], { cwd: root });
  assert.deepEqual([alone.code, alone.stdout], [2, '']);
  assert.match(alone.stderr, /^ {2}preview /m);
});
