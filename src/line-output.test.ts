import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, constants, existsSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLineOutput } from './line-output.ts';

const folder = mkdtempSync(join(tmpdir(), 'doorward-lines-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A pipe that answers EAGAIN when it is full, as that of a container's log does, and what reads all of it. */
function openPipe(name: string) {
  const path = join(folder, name);
  assert.equal(spawnSync('mkfifo', [path]).status, 0);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  after(() => closeSync(fd));
  const chunks: Buffer[] = [];
  const buffer = Buffer.alloc(1 << 16);
  return {
    fd,
    readSome(): string {
      try {
        for (;;) chunks.push(Buffer.from(buffer.subarray(0, readSync(fd, buffer))));
      } catch {}
      return Buffer.concat(chunks).toString();
    },
  };
}

test('a slow reader gets whole lines in order, and is told how many were lost beyond what is kept', async () => {
  const { fd, readSome } = openPipe('slow');
  const output = createLineOutput(fd, (lines) => `lost ${lines}\n`);
  const count = 60_000;
  for (let n = 0; n < count; n++) output.write(`line ${n} ${'é'.repeat(40)}\n`);
  // Nobody reads, and the event loop goes on.
  await sleep(50);
  const written = () => readSome().split('\n').slice(0, -1);
  while (!written().some((line) => line.startsWith('lost'))) {
    output.write('another\n');
    await sleep(1);
  }
  const lines = written();
  const numbers = lines.flatMap((line) => /^line (\d+) é{40}$/.exec(line)?.[1] ?? []).map(Number);
  assert.deepEqual(numbers, [...numbers.keys()], 'from the first on, none left out');
  const [, lost] = /^lost (\d+)$/m.exec(lines.join('\n')) ?? [];
  assert.ok(Number(lost) > 0 && numbers.length + Number(lost) >= count);
  assert.ok(lines.every((line) => /^(line \d+ é{40}|another|lost \d+)$/.test(line)));
});

for (const [what, command] of [
  ['a full disk', 'exec "$0" --input-type=module -e "$1" > /dev/full'],
  ['a reader that has gone', '"$0" --input-type=module -e "$1" | true'],
] as const) {
  test(`${what} neither ends the process nor holds up its end`, {
    timeout: 20_000,
    skip: command.includes('/dev/full') && !existsSync('/dev/full'),
  }, () => {
    const program = `
      import { createLog, openStandardOutput } from ${JSON.stringify(new URL('./log.ts', import.meta.url).href)};
      const log = createLog('info', openStandardOutput());
      log.info({}, 'first');
      await new Promise((done) => setTimeout(done, 300));
      log.info({}, 'second');
      console.error('went on');
      process.exit(0);
    `;
    const { status, stderr } = spawnSync('sh', ['-c', command, process.execPath, program], {
      encoding: 'utf8',
      timeout: 15_000,
    });
    assert.deepEqual([status, stderr], [0, 'went on\n']);
  });
}
