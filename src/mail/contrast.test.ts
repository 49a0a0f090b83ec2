import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { buttonColors, contrast } from './contrast.ts';

it('contrast is that of WCAG', () => {
  assert.equal(contrast('#000000', '#ffffff'), 21);
  assert.equal(contrast('#ffffff', '#ffffff'), 1);
  assert.equal(contrast('#767676', '#ffffff').toFixed(2), '4.54');
});

it('the text of a button is black or white, whichever is read better, and never below 4.5', () => {
  assert.equal(buttonColors('#1f6feb').text, '#ffffff');
  assert.equal(buttonColors('#ffd400').text, '#000000');
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffff }), (value) => {
      const color = `#${value.toString(16).padStart(6, '0')}`;
      assert.ok(contrast(color, buttonColors(color).text) >= 4.5, color);
    }),
  );
});

it('a button that would not stand out from the mail has an edge', () => {
  assert.deepEqual(buttonColors('#ffffff'), {
    background: '#ffffff',
    text: '#000000',
    border: '#7d8790',
    dark_border: '#ffffff',
  });
  assert.equal(buttonColors('#222222').dark_border, '#7d8790');
  assert.equal(buttonColors('#222222').border, '#222222');
});
