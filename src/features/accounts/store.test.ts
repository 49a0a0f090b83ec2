import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foldText, searchable } from './store.ts';

test('a folded text has no capitals of ASCII, so that they are free to stand for punctuation', () => {
  for (let code = 0; code <= 0x10_ffff; code++) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    assert.doesNotMatch(foldText(String.fromCodePoint(code)), /[A-Z]/, `U+${code.toString(16)}`);
  }
});

test('punctuation of addresses and names is searchable as letters, each as its own', () => {
  assert.equal(searchable('a.b-c_d+e@f g'), 'aXbJcVdZeQfWg');
  assert.equal(searchable("o'hara 100%"), "o'haraW100%");
});
