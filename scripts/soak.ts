/** `npm run soak`: ten minutes of mixed load with faults on both databases, and a report. DOORWARD_SOAK_SECONDS, DOORWARD_SEED. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const { status } = spawnSync(process.execPath, ['--test', '--test-reporter=spec', 'test/soak.test.ts'], {
  cwd: join(import.meta.dirname, '..'),
  stdio: 'inherit',
  env: { DOORWARD_SOAK_SECONDS: '600', ...process.env },
});
process.exitCode = status ?? 1;
