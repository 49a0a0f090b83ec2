import assert from 'node:assert/strict';
import {
  chownSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../test/support/hosted-commands.ts';
import { createTestDoorward } from '../testing/index.ts';

const service = 65_534;
const skip = process.getuid?.() !== 0 && 'only root gives files away';

test('what root makes beside the database of a service user is theirs', { skip }, async (t) => {
  const cwd = mkdtempSync(join(tmpdir(), 'doorward-as-root-'));
  t.after(() => rmSync(cwd, { recursive: true }));
  chownSync(cwd, service, service);
  const env = { DATABASE_URL: `sqlite:${join(cwd, 'doorward.db')}` };
  const run = async (...args: string[]) => {
    const { code, stderr } = await runCommand(args, { cwd, env });
    assert.equal(code, 0, stderr);
  };
  const assertTheirs = () => {
    const owners = readdirSync(cwd).map((name) => [name, statSync(join(cwd, name)).uid]);
    assert.deepEqual(
      owners.filter(([, uid]) => uid !== service),
      [],
    );
    return owners.map(([name]) => name);
  };

  await run('services', 'create', 'billing');
  assert.deepEqual(assertTheirs(), ['doorward.db', 'doorward.db.audit-head', 'secret.key']);
  await run('keys', 'rotate');
  await run('secret-key', 'change');
  await run('backup', 'copy.db');
  await run('restore', 'copy.db', '--yes');
  assertTheirs();

  // Of the two users the one that the database belongs to.
  chownSync(cwd, 0, 0);
  const server = await createTestDoorward(env);
  t.after(() => server.close());
  await run('keys', 'rotate');
  const names = assertTheirs();
  assert.ok(names.includes('doorward.db-wal') && names.includes('doorward.db-shm'), String(names));
});

test('folders that root makes for the database of a service user are theirs', { skip }, async (t) => {
  const cwd = mkdtempSync(join(tmpdir(), 'doorward-as-root-'));
  t.after(() => rmSync(cwd, { recursive: true }));
  chownSync(cwd, service, service);
  const outcome = await runCommand(['migrate'], { cwd, env: { DATABASE_URL: 'sqlite:./a/b/doorward.db' } });
  assert.equal(outcome.code, 0, outcome.stderr);
  for (const name of ['a', 'a/b', 'a/b/doorward.db'])
    assert.equal(statSync(join(cwd, name)).uid, service, name);
});

test('a link in the place of a new SECRET_KEY is not followed', async (t) => {
  const cwd = mkdtempSync(join(tmpdir(), 'doorward-as-root-'));
  t.after(() => rmSync(cwd, { recursive: true }));
  const env = { DATABASE_URL: 'sqlite:doorward.db' };
  const run = async (...args: string[]) => {
    const { code, stderr } = await runCommand(args, { cwd, env });
    assert.equal(code, 0, stderr);
  };
  await run('services', 'create', 'billing');
  const victim = join(cwd, 'victim');
  writeFileSync(victim, 'untouched');
  symlinkSync(victim, join(cwd, 'secret.key.new'));
  await run('secret-key', 'change');
  assert.equal(readFileSync(victim, 'utf8'), 'untouched');
  assert.ok(lstatSync(join(cwd, 'secret.key')).isFile());
  await run('keys', 'list');
});
