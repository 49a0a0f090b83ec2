import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { readSettings } from '../../settings.ts';
import { closedUntil, createBudgets, expiryOf, waitSeconds } from './budgets.ts';

const budgets = createBudgets(readSettings({}), createSecretKey('a key for tests', 'utf8'));
const now = new Date('2026-01-01T12:00:00Z');

test('five failures in a row are free, then a wait doubles up to 15 minutes, and the hundredth ends it', () => {
  const { rule } = budgets.account('a@example.com');
  assert.ok(rule.kind === 'row');
  const waits = Array.from({ length: 100 }, (_, index) => waitSeconds(rule, index + 1));
  assert.deepEqual(waits.slice(0, 16), [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
  assert.ok(waits.slice(15, 99).every((wait) => wait === 900));
  assert.equal(waits[99], Number.POSITIVE_INFINITY);
});

test('an hourly budget is closed until its hour is over', () => {
  const budget = budgets.signUps('192.0.2.1');
  const expires_at = expiryOf(budget, now).toISOString();
  assert.equal(expires_at, '2026-01-01T13:00:00.000Z');
  assert.equal(closedUntil(budget, { failures: 59, expires_at }, now), undefined);
  assert.equal(closedUntil(budget, { failures: 60, expires_at }, now), expires_at);
});

test('keys differ by what they count, and those of an address or a user begin with it', () => {
  const one = 'a@example.com';
  const keys = [
    budgets.account(one).key,
    budgets.account('b@example.com').key,
    budgets.pair(one, '192.0.2.1').key,
    budgets.pair(one, '192.0.2.2').key,
    budgets.device(1, 'x').key,
    budgets.session(1, 'x').key,
    budgets.session(2, 'x').key,
    ...['192.0.2.1', '192.0.2.2'].flatMap((network) => [
      budgets.logIns(network).key,
      budgets.signUps(network).key,
      budgets.setups(network).key,
      budgets.refreshes(network).key,
    ]),
  ];
  assert.equal(new Set(keys).size, keys.length);
  for (const key of keys.slice(2, 4)) assert.ok(key.startsWith(`${budgets.accountKey(one)}.`));
  for (const key of keys.slice(4, 6)) assert.ok(key.startsWith(`${budgets.userKey(1)}.`));
  const other = createBudgets(readSettings({}), createSecretKey('another key', 'utf8'));
  assert.notEqual(other.accountKey(one), budgets.accountKey(one));
});

test('every text has a key, and no spelling of an address another one', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
      assert.match(budgets.accountKey(text), /^[\w-]{22}$/);
    }),
  );
  fc.assert(
    fc.property(fc.emailAddress(), (email) => {
      assert.equal(budgets.accountKey(` ${email.toUpperCase()} `), budgets.accountKey(email.toLowerCase()));
    }),
  );
});
