/**
 * Compiles src/ into dist/ and the pages in console/ into dist/pages, from nothing, and makes the command executable. A
 * build that fails changes nothing.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { bundleLibraries } from './bundle-libraries.ts';

const root = join(import.meta.dirname, '..');
const fresh = join(root, 'dist.new');
rmSync(fresh, { recursive: true, force: true });
const tsc = createRequire(import.meta.url)
  .resolve('typescript/package.json')
  .replace('package.json', 'bin/tsc');
const built = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', fresh], {
  cwd: root,
  stdio: 'inherit',
});
if (built.status !== 0) process.exit(built.status ?? 1);
await bundleLibraries(fresh);
for (const folder of ['mail/messages', 'mail/templates']) {
  cpSync(join(root, 'src', folder), join(fresh, folder), { recursive: true });
}
const pages = spawnSync(process.execPath, ['build-pages.ts', join(fresh, 'pages')], {
  cwd: join(root, 'console'),
  stdio: 'inherit',
});
if (pages.status !== 0) process.exit(pages.status ?? 1);
chmodSync(join(fresh, 'cli/main.js'), 0o755);
rmSync(join(root, 'dist'), { recursive: true, force: true });
renameSync(fresh, join(root, 'dist'));
