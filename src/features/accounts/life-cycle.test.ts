import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { DoorwardError } from '../../errors.ts';
import {
  type AccountState,
  assertTransition,
  type Mover,
  mayMove,
  stateOf,
  transitions,
} from './life-cycle.ts';

const states = Object.keys(transitions) as AccountState[];
const movers: readonly Mover[] = ['owner', 'administrator', 'system'];

test('the page of the documentation has the same steps as the code', () => {
  const page = readFileSync(new URL('../../../docs/account-life.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `(\w+)` \| `(\w+)` \| ([a-z, ]+) \|$/gm)];
  const documented = rows.map(([, from, to, by]) => [from, to, by?.split(', ')]);
  const steps = states.flatMap((from) =>
    Object.entries(transitions[from]).map(([to, by]) => [from, to, [...by]]),
  );
  assert.deepEqual(documented, steps);
  const described = [...page.matchAll(/^\| `(\w+)` \| (?!`)/gm)].map(([, state]) => state);
  assert.deepEqual(described, states);
});

test('a step is allowed exactly where the table has it, and staying always is', () => {
  for (const from of states) {
    for (const to of states) {
      for (const mover of movers) {
        const isAllowed = from === to || (transitions[from][to] ?? []).includes(mover);
        assert.equal(mayMove(from, to, mover), isAllowed);
        const move = () => assertTransition(from, to, mover);
        if (isAllowed) move();
        else if (mover === 'owner')
          assert.throws(move, (error) => error instanceof DoorwardError && error.code === 'inactive_user');
        else assert.throws(move, new RegExp(`${from} to ${to} by ${mover}`));
      }
    }
  }
});

test('nothing comes back from the dead, no owner ends a suspension, and the clock only erases', () => {
  assert.deepEqual(transitions.erased, {});
  for (const by of Object.values(transitions.suspended)) assert.deepEqual(by, ['administrator']);
  for (const from of states)
    for (const [to, by] of Object.entries(transitions[from]))
      if (by.includes('system')) assert.equal(to, 'erased');
  for (const from of ['active', 'suspended'] as const)
    assert.ok(!transitions[from].erased?.includes('system'), `the clock erases ${from} accounts`);
});

test('every account is in one state', () => {
  const found = new Set<string>();
  for (const is_active of [true, false])
    for (const email_verified of [true, false])
      for (const delete_after of [null, '2026-01-08T12:00:00.000Z'])
        found.add(stateOf({ is_active, email_verified, delete_after }));
  assert.deepEqual([...found].sort(), ['active', 'deletion_scheduled', 'pending', 'suspended']);
});
