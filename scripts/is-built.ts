import { globSync, statSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

function newest(files: readonly string[]): number {
  return Math.max(0, ...files.map((file) => statSync(join(root, file)).mtimeMs));
}

/** Whether `dist` is what a build would make of the sources as they are. */
export function isBuilt(): boolean {
  const built = globSync('dist/cli/main.js', { cwd: root });
  const sources = globSync(
    ['src/**/*.ts', 'src/mail/{messages,templates}/*', 'console/{*.*,src/**/*.*}', 'scripts/bu*.ts'],
    { cwd: root },
  ).filter((file) => !file.endsWith('.test.ts'));
  return (
    built.length > 0 &&
    newest(built) > newest([...sources, 'tsconfig.json', 'tsconfig.build.json', 'package.json'])
  );
}
