import { copyFileSync, globSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { rolldown } from 'rolldown';

const root = join(import.meta.dirname, '..');

/** Libraries of hundreds of files, which it takes Node half of a start to find and read: docs/decisions/libraries-in-one-file.md. */
const libraries = ['kysely', 'typebox'];

/**
 * Puts each of these libraries into one file of `dist/libraries`, with its licence, and has what is compiled in `dist` import that.
 * @throws when something imports a part of one by another name, which would be there twice.
 */
export async function bundleLibraries(dist: string): Promise<void> {
  for (const name of libraries) {
    const bundle = await rolldown({ input: name, cwd: root, platform: 'node', external: /^node:/ });
    await bundle.write({ file: join(dist, 'libraries', `${name}.js`), format: 'esm' });
    await bundle.close();
    const folder = join(root, 'node_modules', name);
    const licence = readdirSync(folder).find((file) => /^licen[cs]e(\.|$)/i.test(file));
    if (licence === undefined) throw new Error(`${name} has no licence`);
    copyFileSync(join(folder, licence), join(dist, 'libraries', `${name}.LICENSE.txt`));
  }
  const imported = new RegExp(`((?:from|import)[ (]?['"])(${libraries.join('|')})(['"])`, 'g');
  const partly = new RegExp(`['"](?:${libraries.join('|')})/[^'"]*['"]`);
  for (const file of globSync('**/*.js', { cwd: dist, exclude: ['pages/**', 'libraries/**'] })) {
    const text = readFileSync(join(dist, file), 'utf8');
    const [part] = partly.exec(text) ?? [];
    if (part !== undefined)
      throw new Error(`${file} imports ${part}, which is not among the libraries in one file`);
    const here = dirname(file).replaceAll('\\', '/');
    const path = (name: string) => posix.relative(here, `libraries/${name}.js`).replace(/^(?!\.)/, './');
    const changed = text.replaceAll(imported, (_, before, name, after) => `${before}${path(name)}${after}`);
    if (changed !== text) writeFileSync(join(dist, file), changed);
  }
}
