import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTraceparent } from './traceparent.ts';

const trace = '0af7651916cd43dd8448eb211c80319c';
const span = 'b7ad6b7169203331';

test('a valid traceparent is continued', () => {
  for (const [header, traceFlags] of [
    [`00-${trace}-${span}-01`, 1],
    [`00-${trace}-${span}-00`, 0],
    [`00-${trace}-${span}-03`, 1],
    [`cc-${trace}-${span}-01`, 1],
    [`cc-${trace}-${span}-01-what-comes-later`, 1],
  ] as const) {
    const found = readTraceparent(header, undefined);
    assert.deepEqual(found, { traceId: trace, spanId: span, traceFlags, isRemote: true }, header);
  }
  assert.equal(readTraceparent(`00-${trace}-${span}-01`, 'a=b,c=d')?.traceState?.serialize(), 'a=b,c=d');
});

test('anything else begins a trace', () => {
  for (const header of [
    undefined,
    '',
    'nonsense',
    `ff-${trace}-${span}-01`,
    `00-${trace}-${span}-01-more`,
    `00-${trace}-${span}`,
    `00-${trace}-${span}-1`,
    `00-${trace.toUpperCase()}-${span}-01`,
    `00-${'0'.repeat(32)}-${span}-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    ` 00-${trace}-${span}-01`,
    `00-${trace}-${span}-01, 00-${trace}-${span}-01`,
    [`00-${trace}-${span}-01`],
  ]) {
    assert.equal(readTraceparent(header, 'a=b'), undefined, String(header));
  }
});

test('a tracestate of any size and shape harms nobody', () => {
  for (const state of ['=', ',,,', 'a', 'x'.repeat(100_000), 'a=b,'.repeat(10_000), 'ключ=1']) {
    const found = readTraceparent(`00-${trace}-${span}-01`, state);
    assert.ok((found?.traceState?.serialize().length ?? 0) <= 512);
  }
});
