import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { DoorwardError } from '../errors.ts';
import { createHashQueue } from './hash-queue.ts';

const tick = () => new Promise<void>(setImmediate);

/** Jobs that end when told to, and note when they start. */
function createJobs() {
  const started: number[] = [];
  const ends: Record<number, PromiseWithResolvers<number>> = {};
  return {
    started,
    job: (id: number) => () => {
      started.push(id);
      const end = Promise.withResolvers<number>();
      ends[id] = end;
      return end.promise;
    },
    end: (id: number) => ends[id]?.resolve(id),
    fail: (id: number, error: Error) => ends[id]?.reject(error),
  };
}

const isOverloaded = (error: unknown) =>
  error instanceof DoorwardError &&
  error.code === 'overloaded' &&
  error.status === 503 &&
  Number.isInteger(error.retryAfterSeconds) &&
  (error.retryAfterSeconds ?? 0) >= 1;

describe('createHashQueue', () => {
  test('runs as many at once as it may, the rest in order of arrival', async () => {
    const queue = createHashQueue({ concurrency: 2, limit: 10 });
    const jobs = createJobs();
    const results = [1, 2, 3, 4, 5].map((id) => queue.run(jobs.job(id)));
    await tick();
    assert.deepEqual(jobs.started, [1, 2]);
    assert.deepEqual([queue.running, queue.waiting], [2, 3]);

    jobs.end(2);
    await tick();
    assert.deepEqual(jobs.started, [1, 2, 3]);
    assert.deepEqual([queue.running, queue.waiting], [2, 2]);

    jobs.end(1);
    jobs.end(3);
    await tick();
    assert.deepEqual(jobs.started, [1, 2, 3, 4, 5]);
    jobs.end(4);
    jobs.end(5);
    assert.deepEqual(await Promise.all(results), [1, 2, 3, 4, 5]);
    assert.deepEqual([queue.running, queue.waiting], [0, 0]);
  });

  test('refuses beyond its limit without starting the job, and takes jobs again afterwards', async () => {
    const queue = createHashQueue({ concurrency: 1, limit: 1 });
    const jobs = createJobs();
    const first = queue.run(jobs.job(1));
    const second = queue.run(jobs.job(2));
    await assert.rejects(queue.run(jobs.job(3)), isOverloaded);
    jobs.end(1);
    await first;
    await tick();
    jobs.end(2);
    await second;
    assert.deepEqual(jobs.started, [1, 2]);
    assert.equal(await queue.run(async () => 'again'), 'again');
  });

  test('those that go first pass the others, and in a full queue take the place of the newest of them', async () => {
    const queue = createHashQueue({ concurrency: 1, limit: 2 });
    const jobs = createJobs();
    const running = queue.run(jobs.job(1));
    const stays = queue.run(jobs.job(2));
    const displaced = assert.rejects(queue.run(jobs.job(3)), isOverloaded);
    const first = queue.run(jobs.job(4), 'somebody');
    await displaced;
    await assert.rejects(queue.run(jobs.job(5)), isOverloaded);
    assert.equal(queue.waiting, 2);
    const alsoFirst = queue.run(jobs.job(6), 'somebody else');
    await assert.rejects(stays, isOverloaded);
    await assert.rejects(queue.run(jobs.job(7), 'a third'), isOverloaded);
    for (const id of [1, 4, 6]) {
      jobs.end(id);
      await tick();
    }
    assert.deepEqual(await Promise.all([running, first, alsoFirst]), [1, 4, 6]);
    assert.deepEqual(jobs.started, [1, 4, 6]);
    assert.deepEqual([queue.running, queue.waiting], [0, 0]);
  });

  for (const [concurrency, most] of [
    [1, 1],
    [2, 2],
    [3, 2],
  ] as const) {
    test(`of ${concurrency} at once, one user goes first with ${most}, and waits in line with the others`, async () => {
      const queue = createHashQueue({ concurrency, limit: 4 });
      const jobs = createJobs();
      const running = Array.from({ length: concurrency }, (_, id) => queue.run(jobs.job(id), 'greedy'));
      const strangers = [10, 11].map((id) => queue.run(jobs.job(id)));
      const greedy = [20, 21].map((id) => queue.run(jobs.job(id), 'greedy'));
      await assert.rejects(queue.run(jobs.job(22), 'greedy'), isOverloaded);
      for (let id = 0; id < concurrency; id++) jobs.end(id);
      await Promise.all(running);
      await tick();
      assert.equal(jobs.started[concurrency], 10);
      // Once those have ended, the user goes first again.
      const again = queue.run(jobs.job(30), 'greedy');
      for (const id of [10, 11, 20, 21, 30, 10, 11, 20, 21, 30]) {
        jobs.end(id);
        await tick();
      }
      await Promise.all([...strangers, ...greedy, again]);
      if (concurrency === 1) assert.deepEqual(jobs.started.slice(1, 3), [10, 30]);
      assert.deepEqual([queue.running, queue.waiting], [0, 0]);
    });
  }

  test('a limit of 0 lets nobody wait', async () => {
    const queue = createHashQueue({ concurrency: 1, limit: 0 });
    const jobs = createJobs();
    const first = queue.run(jobs.job(1));
    await assert.rejects(queue.run(jobs.job(2)), isOverloaded);
    jobs.end(1);
    await first;
  });

  test('a caller that gave up frees no slot: the job keeps it until it ends', async () => {
    const queue = createHashQueue({ concurrency: 1, limit: 5 });
    const jobs = createJobs();
    const gaveUp = Promise.race([queue.run(jobs.job(1)), Promise.resolve('hung up')]);
    assert.equal(await gaveUp, 'hung up');
    const second = queue.run(jobs.job(2));
    await tick();
    assert.deepEqual(jobs.started, [1]);
    assert.deepEqual([queue.running, queue.waiting], [1, 1]);
    jobs.end(1);
    await tick();
    jobs.end(2);
    assert.equal(await second, 2);
  });

  test('a job that fails, or throws at once, gives its slot back and its error to its caller alone', async () => {
    const queue = createHashQueue({ concurrency: 1, limit: 5 });
    const jobs = createJobs();
    const failing = queue.run(jobs.job(1));
    const throwing = queue.run(() => {
      throw new Error('at once');
    });
    const fine = queue.run(async () => 'fine');
    await tick();
    jobs.fail(1, new Error('later'));
    await assert.rejects(failing, /^Error: later$/);
    await assert.rejects(throwing, /^Error: at once$/);
    assert.equal(await fine, 'fine');
    assert.equal(queue.running, 0);
  });

  test('drain waits for what runs and what waits', async () => {
    const queue = createHashQueue({ concurrency: 1, limit: 5 });
    await queue.drain();
    const jobs = createJobs();
    const results = [queue.run(jobs.job(1)), queue.run(jobs.job(2))];
    let drained = false;
    const drain = queue.drain().then(() => {
      drained = true;
    });
    await tick();
    jobs.end(1);
    await tick();
    assert.equal(drained, false);
    jobs.end(2);
    await drain;
    await Promise.all(results);
    assert.deepEqual([queue.running, queue.waiting], [0, 0]);
  });

  test('whatever comes, never more than its share runs or waits, and every job it takes is run once', async () => {
    const property = fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.nat(6),
      fc.array(fc.nat(3), { maxLength: 60 }),
      async (concurrency, limit, delays) => {
        const queue = createHashQueue({ concurrency, limit });
        const order: number[] = [];
        const taken: number[] = [];
        let active = 0;
        const results: Promise<void>[] = [];
        for (const [index, delay] of delays.entries()) {
          const room = queue.running < concurrency || queue.waiting < limit;
          const result = queue.run(async () => {
            order.push(index);
            active += 1;
            assert.ok(active <= concurrency);
            for (let turn = 0; turn < delay; turn += 1) await tick();
            active -= 1;
          });
          if (room) {
            taken.push(index);
            results.push(result);
          } else {
            results.push(assert.rejects(result, isOverloaded));
          }
          assert.ok(queue.running <= concurrency && queue.waiting <= limit);
          if (delay === 0) await tick();
        }
        await queue.drain();
        await Promise.all(results);
        assert.deepEqual(order, taken);
        assert.deepEqual([queue.running, queue.waiting], [0, 0]);
      },
    );
    await fc.assert(property, { numRuns: 100 });
  });
});
