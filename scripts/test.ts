/** `npm test`: the build, every check and every test. Ends with what it ran and `N passed, N failed`. */
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const results: { name: string; isOk: boolean; seconds: number }[] = [];

function run(name: string, program: string, args: readonly string[]): boolean {
  console.log(`\n── ${name}`);
  const begin = performance.now();
  const { status, error } = spawnSync(program, args, { cwd: root, stdio: 'inherit' });
  if (error !== undefined) console.error(error.message);
  const isOk = status === 0;
  results.push({ name, isOk, seconds: (performance.now() - begin) / 1000 });
  return isOk;
}

/** A command of a development dependency. */
function command(name: string): string {
  return join(root, 'node_modules', '.bin', name);
}

function newest(files: readonly string[]): number {
  return Math.max(0, ...files.map((file) => statSync(join(root, file)).mtimeMs));
}

function isBuilt(): boolean {
  const built = globSync('dist/cli/main.js', { cwd: root });
  const sources = globSync(['src/**/*.ts', 'src/mail/{messages,templates}/*', 'console/{*.*,src/**/*.*}'], {
    cwd: root,
  }).filter((file) => !file.endsWith('.test.ts'));
  return (
    built.length > 0 &&
    newest(built) > newest([...sources, 'tsconfig.json', 'tsconfig.build.json', 'package.json'])
  );
}

const begin = performance.now();
if (!isBuilt()) run('Build (scripts/build.ts)', process.execPath, ['scripts/build.ts']);
run('Format and lint (biome check)', command('biome'), ['check', '.']);
run('Types (tsc)', command('tsc'), ['--noEmit']);
// Each of the two documents has a router of its own, which the types of all its links are made of.
for (const project of ['console', 'console/src/account', 'console/src/console'])
  run(`Types of the pages (tsc, ${project})`, command('tsc'), ['-p', project]);
run('Directions of imports (depcruise)', command('depcruise'), ['--config', '.dependency-cruiser.js', 'src']);

const folder = mkdtempSync(join(tmpdir(), 'doorward-test-'));
const countsFile = join(folder, 'counts.json');
// The many processes that tests start load the same sources.
process.env.NODE_COMPILE_CACHE = join(folder, 'compiled');
const files = globSync(['src/**/*.test.ts', 'test/**/*.test.ts'], { cwd: root }).sort();
run(`Tests (node --test, ${files.length} files)`, process.execPath, [
  '--test',
  '--test-global-setup=test/support/global-setup.ts',
  // Many tests wait for processes, pages and clocks more than for a core.
  `--test-concurrency=${Math.max(5, availableParallelism())}`,
  // A test that waits for what never comes fails, and the run ends.
  '--test-timeout=300000',
  '--test-reporter=spec',
  '--test-reporter-destination=stdout',
  '--test-reporter=./scripts/count-reporter.ts',
  `--test-reporter-destination=${countsFile}`,
  ...files,
]);
let counts = { passed: 0, failed: 0 };
try {
  counts = JSON.parse(readFileSync(countsFile, 'utf8'));
} catch {
  results.push({ name: 'The test runner ended before it counted', isOk: false, seconds: 0 });
}
rmSync(folder, { recursive: true, force: true, maxRetries: 3 });

console.log('\n── What was run');
for (const { name, isOk, seconds } of results) {
  console.log(`${isOk ? 'ok    ' : 'FAILED'} ${name}, ${seconds.toFixed(1)} s`);
}
console.log(`in ${((performance.now() - begin) / 1000).toFixed(0)} s on Node ${process.versions.node}`);
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = results.every(({ isOk }) => isOk) && counts.failed === 0 ? 0 : 1;
