/** `npm test`: the build, every check and every test. Ends with what it ran and `N passed, N failed`. */
import { execFile, spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { finished } from 'node:stream/promises';
import { type RunOptions, run as runTests } from 'node:test';
import { spec } from 'node:test/reporters';
import { isBuilt } from './is-built.ts';

const root = join(import.meta.dirname, '..');
const results: { name: string; isOk: boolean; seconds: number }[] = [];

async function step(name: string, run: () => boolean | Promise<boolean>): Promise<void> {
  console.log(`\n── ${name}`);
  const begin = performance.now();
  const isOk = await run();
  results.push({ name, isOk, seconds: (performance.now() - begin) / 1000 });
}

function run(program: string, args: readonly string[]): boolean {
  const { status, error } = spawnSync(program, args, { cwd: root, stdio: 'inherit' });
  if (error !== undefined) console.error(error.message);
  return status === 0;
}

/** A command of a development dependency: its name, and its arguments. */
type Check = readonly [name: string, program: string, args: readonly string[]];

/** Runs checks one after the other, and tells of each when it is over: others run beside them. */
async function checkInTurn(checks: readonly Check[]): Promise<void> {
  for (const [name, program, args] of checks) {
    const begin = performance.now();
    const path = join(root, 'node_modules', '.bin', program);
    const { failure, stdout, stderr } = await new Promise<{
      failure: Error | null;
      stdout: string;
      stderr: string;
    }>((done) =>
      execFile(path, args, { cwd: root, maxBuffer: 1e8 }, (failure, stdout, stderr) =>
        done({ failure, stdout, stderr }),
      ),
    );
    console.log(`\n── ${name}`);
    process.stdout.write(`${stdout}${stderr}`);
    const isOk = failure === null;
    if (!isOk && stdout === '' && stderr === '') console.error(failure.message);
    results.push({ name, isOk, seconds: (performance.now() - begin) / 1000 });
  }
}

/** Ends the tests in order, so that what they share is put away. */
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort());

async function test(files: readonly string[]): Promise<boolean> {
  const options: RunOptions & { globalSetupPath: string } = {
    files: [...files],
    cwd: root,
    globalSetupPath: join(root, 'test/support/global-setup.ts'),
    // Most of what a test makes is soon forgotten; with room for it the collector has a twentieth less to do.
    execArgv: ['--max-semi-space-size=64', '--import', join(root, 'test/support/test-process.ts')],
    // Many tests wait for processes, pages and clocks more than for a core.
    concurrency: Math.max(5, availableParallelism()),
    // A test that waits for what never comes fails; a file that does not end is ended by test-process.ts.
    timeout: 300_000,
    signal: stop.signal,
  };
  const events = runTests(options);
  let isOk = false;
  events.on('test:summary', ({ file, success, duration_ms, counts: { tests, passed, skipped, todo } }) => {
    // One summary a file, and the last one, without a file, of the whole run.
    if (file !== undefined) {
      fileSeconds.set(relative(root, file), duration_ms / 1000);
      return;
    }
    counts = { passed, failed: tests - passed - skipped - todo };
    // A group of tests can fail with none of its tests.
    isOk = success && passed > 0;
  });
  const report = events.compose(spec);
  report.pipe(process.stdout, { end: false });
  await finished(report);
  return isOk;
}

const begin = performance.now();
if (!isBuilt()) await step('Build (scripts/build.ts)', () => run(process.execPath, ['scripts/build.ts']));
console.log('\n── Checks: format and lint, types, directions of imports');
await Promise.all([
  checkInTurn([
    ['Types (tsc)', 'tsc', ['--noEmit']],
    ['Format and lint (biome check)', 'biome', ['check', '.']],
    ['Directions of imports (depcruise)', 'depcruise', ['--config', '.dependency-cruiser.js', 'src']],
  ]),
  // Each of the two documents has a router of its own, which the types of all its links are made of.
  checkInTurn(
    ['console', 'console/src/account', 'console/src/console'].map((project) => [
      `Types of the pages (tsc, ${project})`,
      'tsc',
      ['-p', project],
    ]),
  ),
]);

const folder = mkdtempSync(join(tmpdir(), 'doorward-test-'));
// The many processes that tests start load the same sources.
process.env.NODE_COMPILE_CACHE = join(folder, 'compiled');
/** From a file's start to its end; several run at once. */
const fileSeconds = new Map<string, number>();
let counts: { passed: number; failed: number } | undefined;
// The long ones, which are below test/, first: at the end a core would wait for the last of them.
const files = globSync(['src/**/*.test.ts', 'test/**/*.test.ts'], { cwd: root }).sort().reverse();
await step(`Tests (${files.length} files)`, () => test(files.map((file) => join(root, file))));
rmSync(folder, { recursive: true, force: true, maxRetries: 3 });

console.log('\n── What was run');
for (const { name, isOk, seconds } of results) {
  console.log(`${isOk ? 'ok    ' : 'FAILED'} ${name}, ${seconds.toFixed(1)} s`);
}
const slowest = [...fileSeconds].sort(([, a], [, b]) => b - a).slice(0, 5);
for (const [file, seconds] of slowest) console.log(`       ${seconds.toFixed(1).padStart(5)} s ${file}`);
console.log(`in ${((performance.now() - begin) / 1000).toFixed(0)} s on Node ${process.versions.node}`);
console.log(
  counts ? `${counts.passed} passed, ${counts.failed} failed` : 'The tests ended before they were counted',
);
process.exitCode = results.every(({ isOk }) => isOk) ? 0 : 1;
