import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { inTurn } from './in-turn.ts';

test('it runs once at a time, and once more for all who asked meanwhile', async () => {
  let runs = 0;
  let running = 0;
  const work = inTurn(async () => {
    running += 1;
    assert.equal(running, 1);
    await sleep(5);
    running -= 1;
    runs += 1;
    if (runs === 1) throw new Error('the first fails');
  });
  const first = work.run();
  const others = [work.run(), work.run(), work.run()];
  await assert.rejects(first, /the first fails/);
  assert.equal(runs, 1);
  await Promise.all(others);
  assert.equal(runs, 2);
  await work.run();
  assert.equal(runs, 3);
  void work.run();
  void work.run();
  await work.idle();
  assert.equal(runs, 5);
});

test('who asks between a run and the one that follows it shares that one', async () => {
  // In how many microtasks that moment is, is the engine's affair.
  for (let microtasks = 0; microtasks < 10; microtasks++) {
    const first = Promise.withResolvers<void>();
    let runs = 0;
    let running = 0;
    let most = 0;
    const work = inTurn(async () => {
      runs += 1;
      running += 1;
      most = Math.max(most, running);
      await (runs === 1 ? first.promise : sleep(1));
      running -= 1;
    });
    const asked = [work.run(), work.run()];
    first.resolve();
    for (let passed = 0; passed < microtasks; passed++) await undefined;
    asked.push(work.run());
    await Promise.all(asked);
    assert.equal(most, 1, `${microtasks} microtasks later`);
  }
});
