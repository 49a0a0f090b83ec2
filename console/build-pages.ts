/** Builds the pages into the folder that is named, and packs each file, so that the server need not: `node build-pages.ts FOLDER`. */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'vite';

const folder = resolve(process.argv[2] ?? 'dist');
await build({ root: import.meta.dirname, logLevel: 'warn', build: { outDir: folder } });
for (const file of globSync('assets/*.{js,css,svg}', { cwd: folder })) {
  const path = join(folder, file);
  const content = readFileSync(path);
  writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
  writeFileSync(
    `${path}.br`,
    brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
  );
}
