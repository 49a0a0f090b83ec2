import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { test } from 'node:test';
import { openText, sealText } from './sealed-text.ts';

const key = createSecretKey(Buffer.alloc(32, 7));
const otherKey = createSecretKey(Buffer.alloc(32));

test('a sealed text opens with its key, in its context, as it was', () => {
  for (const text of ['', 'link', 'Grüße 👋'.repeat(100)]) {
    const sealed = sealText(key, text, 'mail 1');
    assert.match(sealed, /^[\w-]+$/);
    assert.equal(openText(key, sealed, 'mail 1'), text);
    assert.notEqual(sealText(key, text, 'mail 1'), sealed);
    assert.equal(openText(otherKey, sealed, 'mail 1'), undefined);
    assert.equal(openText(key, sealed, 'mail 2'), undefined);
    const bytes = Buffer.from(sealed, 'base64url');
    for (let place = 0; place < Math.min(bytes.length, 40); place++) {
      const changed = Buffer.from(bytes);
      changed[place] = (changed[place] ?? 0) ^ 1;
      assert.equal(openText(key, changed.toString('base64url'), 'mail 1'), undefined);
    }
    assert.equal(openText(key, sealed.slice(0, 20), 'mail 1'), undefined);
  }
});
