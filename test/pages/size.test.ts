import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pageTests } from '../support/pages.ts';

const pages = join(import.meta.dirname, '../../dist/pages');
const limit = 200_000;

pageTests({
  async 'the first load of the sign-in is below 200 kB, packed by gzip'(open, t) {
    const site = await open();
    const page = await site.visit('/account/login');
    await page.waitForLoadState('networkidle');
    const loaded = await page.evaluate<string[]>(
      `performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname)`,
    );
    const files = loaded.filter((path) => path.startsWith('/account/assets/'));
    assert.ok(files.some((path) => path.endsWith('.js')) && files.some((path) => path.endsWith('.css')));
    const sizes = new Map(
      files.map((path) => [path, statSync(join(pages, 'assets', `${basename(path)}.gz`)).size]),
    );
    sizes.set('/account/login', gzipSync(readFileSync(join(pages, 'account.html'))).length);
    const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    t.diagnostic(`${total} bytes in ${sizes.size} files`);
    assert.ok(
      total < limit,
      JSON.stringify(
        [...sizes].sort(([, one], [, other]) => other - one),
        null,
        2,
      ),
    );
  },
});
