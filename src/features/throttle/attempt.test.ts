import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { onEachDatabase } from '../../../test/support/databases.ts';
import type { Database, Transaction } from '../../database/database.ts';
import { createTestDoorward } from '../../testing/index.ts';
import { beginAttempt } from './attempt.ts';
import type { Budget } from './budgets.ts';

const row: Budget = {
  name: 'account',
  key: 'row',
  rule: { kind: 'row', free: 2, maxWaitSeconds: 4, max: 6 },
};
const hourly: Budget = { name: 'network', key: 'hourly', rule: { kind: 'hourly', max: 4 } };

/** The rules in their simplest form, for one try after the other. */
function createModel() {
  let [inRow, waitsUntil, rowEnds] = [0, 0, 0];
  let [inHour, hourEnds] = [0, 0];
  return {
    take(now: number): boolean {
      if (now >= rowEnds) [inRow, waitsUntil] = [0, 0];
      if (now >= hourEnds) [inHour, hourEnds] = [0, now + 3600];
      if (inHour >= 4 || now < waitsUntil) {
        if (inHour === 0) hourEnds = 0;
        return false;
      }
      inHour += 1;
      inRow += 1;
      rowEnds = now + 30 * 86_400;
      waitsUntil = inRow >= 6 ? rowEnds : inRow < 2 ? 0 : now + Math.min(4, 2 ** (inRow - 2));
      return true;
    },
    succeed() {
      [inRow, waitsUntil] = [0, 0];
      inHour -= 1;
    },
    giveBack() {
      inRow -= 1;
      waitsUntil = 0;
      inHour -= 1;
    },
  };
}

onEachDatabase((database) => {
  test('whatever is tried, in whatever order, the counters follow the rules', async (t) => {
    const { doorward, clock, close } = await createTestDoorward({
      DATABASE_URL: await database.createReadyUrl(),
      SECRET_KEY: 'attempts-3f9c1b7e5a2d4860-not-a-sample',
    });
    t.after(() => close());
    const { kernel } = doorward;
    const plan = { policy: 'login', budgets: [row, hourly], isKnown: false } as const;
    const step = fc.record({
      outcome: fc.constantFrom('fail', 'fail', 'fail', 'succeed', 'giveBack'),
      wait: fc.constantFrom(0, 0, 1, 2, 4, 3600, 31 * 86_400),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        await kernel.db.transaction((tx) => tx.deleteFrom('throttle_counters').execute());
        const model = createModel();
        for (const { outcome, wait } of steps) {
          clock.advance(wait);
          const attempt = await beginAttempt(kernel, plan).catch(() => undefined);
          const isTaken =
            attempt !== undefined &&
            (await attempt.take().then(
              () => true,
              () => false,
            ));
          assert.equal(isTaken, model.take(clock.now().getTime() / 1000));
          if (!isTaken) continue;
          if (outcome === 'fail') await kernel.db.transaction((tx) => attempt.fail(tx, null));
          if (outcome === 'succeed') await kernel.db.transaction(attempt.succeed);
          if (outcome === 'giveBack') {
            const work = () => Promise.reject(new Error('no failure of that kind'));
            await assert.rejects(attempt.within(work, () => false));
          }
          if (outcome !== 'fail') model[outcome]();
        }
      }),
      { numRuns: database.name === 'SQLite' ? 60 : 25 },
    );
  });

  test('of tries at once as many get through as of tries in turn, and all budgets count or none', async (t) => {
    const { doorward, close } = await createTestDoorward({
      DATABASE_URL: await database.createReadyUrl(),
      SECRET_KEY: 'attempts-3f9c1b7e5a2d4860-not-a-sample',
    });
    t.after(() => close());
    const { kernel } = doorward;
    const other: Budget = { ...hourly, key: 'a', rule: { kind: 'hourly', max: 100 } };
    const plan = { policy: 'login', budgets: [hourly, other], isKnown: false } as const;
    const attempts = await Promise.all(Array.from({ length: 40 }, () => beginAttempt(kernel, plan)));
    const outcomes = await Promise.allSettled(attempts.map((attempt) => attempt.take()));
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 4);
    const counters = await kernel.db.read
      .selectFrom('throttle_counters')
      .selectAll()
      .orderBy('key')
      .execute();
    assert.deepEqual(
      counters.map(({ key, failures }) => [key, failures]),
      [
        ['a', 4],
        ['hourly', 4],
      ],
    );
  });

  test('tries that begin and tries that succeed change the same rows and never wait in a ring', async (t) => {
    const { doorward, close } = await createTestDoorward({
      DATABASE_URL: await database.createReadyUrl(),
      SECRET_KEY: 'attempts-3f9c1b7e5a2d4860-not-a-sample',
    });
    t.after(() => close());
    const { kernel } = doorward;
    // PostgreSQL ends a ring by undoing one transaction, which is then run again.
    let [transactions, runs] = [0, 0];
    const transaction = kernel.db.transaction.bind(kernel.db) as Database['transaction'];
    t.mock.method(kernel.db, 'transaction', (work: (tx: Transaction) => Promise<unknown>) => {
      transactions += 1;
      return transaction((tx) => {
        runs += 1;
        return work(tx);
      });
    });
    // The row's key comes first in one plan and last in the other.
    const rule = { kind: 'row', free: 1000, maxWaitSeconds: 4, max: 2000 } as const;
    const middle: Budget = { ...hourly, key: 'm', rule: { kind: 'hourly', max: 1000 } };
    const forgets = { ...row, key: 'a', rule };
    const plans = ['b', 'z'].map((key) => ({ ...row, key, rule }));
    const run = async (number: number) => {
      const own = plans[number % 2] ?? forgets;
      const alsoForgets = [number % 4 < 2 ? 'a' : 'y'];
      const budgets = number % 3 === 0 ? [forgets, own, middle] : [own, middle];
      const attempt = await beginAttempt(kernel, { policy: 'login', budgets, alsoForgets, isKnown: false });
      await attempt.take();
      await kernel.db.transaction(attempt.succeed);
    };
    for (let round = 0; round < 3; round++) {
      const outcomes = await Promise.allSettled(Array.from({ length: 60 }, (_, number) => run(number)));
      assert.deepEqual(
        outcomes.filter(({ status }) => status === 'rejected'),
        [],
      );
    }
    assert.equal(runs, transactions);
  });
});
