import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bodySchemas, clientTypes } from '../../scripts/write-client-types.ts';

test('the client types are those of the routes', async () => {
  const written = readFileSync(join(import.meta.dirname, 'api.ts'), 'utf8');
  assert.equal(written, await clientTypes(), 'run: node scripts/write-client-types.ts');
});

test('the pages check by the schemas of the routes', async () => {
  const written = join(import.meta.dirname, '../../console/src/shared/body-schemas.json');
  assert.equal(readFileSync(written, 'utf8'), await bodySchemas(), 'run: node scripts/write-client-types.ts');
});
