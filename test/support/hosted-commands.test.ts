import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { runCommand } from './hosted-commands.ts';

const hosts: ChildProcess[] = [];
subscribe('child_process', (message) => {
  hosts.push((message as { process: ChildProcess }).process);
});

const isHosted = process.env.DOORWARD_THOROUGH !== '1';
const run = () => runCommand(['--version'], { cwd: tmpdir() });

test('when the host ends, the command that ran there fails, and those after it have another', {
  skip: !isHosted,
}, async (t) => {
  const limits: AbortController[] = [];
  t.mock.method(AbortSignal, 'timeout', () => {
    const limit = new AbortController();
    limits.push(limit);
    return limit.signal;
  });
  const lost = assert.rejects(run(), /^Error: the host of the commands ended with null$/);
  while (hosts.length === 0) await turn();
  hosts[0]?.kill('SIGKILL');
  await lost;
  assert.equal((await run()).code, 0);

  // The command that was lost is over, and its limit no matter of the host that is there now.
  limits[0]?.abort();
  await turn();
  assert.equal((await run()).code, 0);
  assert.equal(hosts.length, 2);

  const idle = hosts[1] ?? assert.fail();
  idle.kill('SIGKILL');
  await once(idle, 'exit');
  assert.equal((await run()).code, 0);
  assert.equal(hosts.length, 3);
});
