import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeBackup } from '../../src/cli/backups/write.ts';
import { createTestDoorward } from '../../src/testing/index.ts';
import { programEnv } from '../support/command.ts';
import { assertWhole, query } from '../support/fault-inspect.ts';
import { createRandom, seed } from '../support/fault-random.ts';

const rounds = Math.ceil(Number(process.env.DOORWARD_FAULT_ROUNDS ?? 50) / 10);
const SECRET_KEY = 'crash-8c1d5e0f7a3b4926-not-a-sample-secret';

let folder: string;
let database: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'doorward-backup-crash-'));
  database = join(folder, 'doorward.db');
});
after(() => rm(folder, { recursive: true, force: true }));

/** Runs `what`, and kills it after `afterMs` if it still runs. Resolves to how long it ran. */
async function run(what: 'backup' | 'restore', file: string, afterMs?: number): Promise<number> {
  const script = join(import.meta.dirname, '../support/fault-backup.ts');
  const child = spawn(process.execPath, [script, what, database, file], {
    env: { ...programEnv, SECRET_KEY },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  await once(child.stdout, 'data');
  const begin = performance.now();
  child.stdin.write('begin\n');
  if (afterMs !== undefined) {
    await Promise.race([exited, sleep(afterMs)]);
    child.kill('SIGKILL');
  }
  const [code, signal] = await exited;
  assert.ok(code === 0 || (afterMs !== undefined && signal === 'SIGKILL'), `exit code ${code}`);
  return performance.now() - begin;
}

test(`kill -9 during backups and restores, ${rounds} rounds of each`, async (t) => {
  const present = join(folder, 'present');
  const copy = join(folder, 'copy');
  const random = createRandom('backup');
  const a = await createTestDoorward({ DATABASE_URL: `sqlite:${database}`, SECRET_KEY }, { now: new Date() });
  const admin = await a.signIn({ email: 'ann@example.com', is_admin: true });
  await writeBackup(database, copy, { replace: false, readPassphrase: undefined });
  await a.request('POST', '/auth/logout', { token: admin.access_token });
  await a.signIn({ email: 'bob@example.com' });
  await a.close();
  copyFileSync(database, present);

  const emails = async (file: string) =>
    (await query(`sqlite:${file}`, 'select email from users order by id'))
      .map(({ email }) => email)
      .join(' ');
  const names = (part: string) => readdirSync(folder).filter((name) => name.includes(part));
  const outcomes = { present: 0, restored: 0 };
  try {
    const backupMs = await run('backup', join(folder, 'again'));
    for (let round = 1; round <= rounds; round++) {
      await rm(join(folder, 'again'), { force: true });
      await run('backup', join(folder, 'again'), random.below(backupMs));
      if (existsSync(join(folder, 'again'))) await assertWhole(`sqlite:${join(folder, 'again')}`);
      assert.equal(await emails(database), 'ann@example.com bob@example.com');
    }
    const restoreMs = await run('restore', copy);
    for (let round = 1; round <= rounds; round++) {
      for (const name of [...names('.before-restore-'), 'doorward.db']) await rm(join(folder, name));
      copyFileSync(present, database);
      await run('restore', copy, random.below(restoreMs));
      await assertWhole(`sqlite:${database}`);
      const found = await emails(database);
      if (found === 'ann@example.com') {
        outcomes.restored++;
        const [kept = ''] = names('.before-restore-');
        assert.equal(await emails(join(folder, kept)), 'ann@example.com bob@example.com');
      } else {
        outcomes.present++;
        assert.equal(found, 'ann@example.com bob@example.com');
      }
      const live = await query(`sqlite:${database}`, 'select user_id from sessions where ended_at is null');
      assert.ok(
        live.every(({ user_id }) => user_id !== admin.id),
        'a session that had ended is live',
      );
    }
    await run('restore', copy);
    assert.equal(await emails(database), 'ann@example.com');
    assert.deepEqual(names('.restoring-'), []);
  } catch (error) {
    throw new Error(`DOORWARD_SEED=${seed}`, { cause: error });
  }
  t.diagnostic(`DOORWARD_SEED=${seed}: restores that were cut off left ${JSON.stringify(outcomes)}`);
});
