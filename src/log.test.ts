import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

test('an entry is one JSON object a line, without fields that could be secrets', () => {
  const program = `
    import { createLog } from ${JSON.stringify(new URL('./log.ts', import.meta.url).href)};
    const log = createLog('info');
    log.debug({ user_id: 1 }, 'unseen');
    log.child({ request_id: 'r' }).info({ user_id: 1, token: 'zz', password: 'zz', cookie: 'zz' }, 'seen');
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  const { time, ...entry } = JSON.parse(stdout);
  assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.deepEqual(entry, { level: 'info', request_id: 'r', user_id: 1, msg: 'seen' });
});
