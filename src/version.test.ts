import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCore } from './doorward.ts';
import { describeOldNode } from './version.ts';

test('a Node that is too old is told so, in words', async (t) => {
  assert.equal(describeOldNode('24.0.0'), undefined);
  assert.equal(describeOldNode('26.1.0'), undefined);
  const complaint = 'Node 24 or newer is needed, and this is 20.20.2';
  assert.equal(describeOldNode('20.20.2'), complaint);
  const { versions } = process;
  Object.defineProperty(process, 'versions', { value: { ...versions, node: '20.20.2' } });
  t.after(() => Object.defineProperty(process, 'versions', { value: versions }));
  await assert.rejects(createCore({ DATABASE_URL: 'sqlite::memory:' }), { message: complaint });
});
