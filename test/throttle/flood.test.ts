import assert from 'node:assert/strict';
import { countStatuses, onThrottled, password } from '../support/throttle.ts';

/** Waits for what comes about by itself; gives up after a minute, so that a defect fails instead of hanging. */
async function until(isTrue: () => boolean): Promise<void> {
  for (const end = performance.now() + 60_000; !isTrue(); ) {
    if (performance.now() > end) throw new Error(`it never came about: ${isTrue}`);
    await new Promise(setImmediate);
  }
}

onThrottled('in a flood of logins the queue is bounded, and sessions and known devices go on', async (s) => {
  const a = await s.open({ HASH_CONCURRENCY: 1, HASH_QUEUE_LIMIT: 10 });
  const user = await a.signIn();
  const other = await a.signIn();
  const device = (await a.try(user.email, { password })).body.device_token;
  const { kernel, passwords } = a.doorward;
  const { queue } = passwords;
  const countCounters = async () =>
    (await kernel.db.read.selectFrom('throttle_counters').select('key').execute()).length;
  const before = await countCounters();
  let settled = 0;
  const gate = Promise.withResolvers<void>();
  const held = queue.run(() => gate.promise);
  const hashed: string[] = [];
  const { run } = queue;
  s.t.mock.method(queue, 'run', <T>(job: () => Promise<T>, known?: string) =>
    run(() => {
      hashed.push(known === undefined ? 'stranger' : 'known');
      return job();
    }, known),
  );
  const flood = Array.from({ length: 300 }, (_, number) => {
    const from = `203.0.${Math.floor(number / 200)}.${(number % 200) + 1}`;
    return a.try(`stranger${number}@example.com`, { from }).finally(() => settled++);
  });
  await until(() => settled === 290);
  assert.equal(queue.waiting, 10);
  assert.equal(await countCounters(), before, 'whoever waits or is put off writes nothing');

  // What needs no hash is answered meanwhile.
  assert.equal((await a.me(user.access_token)).status, 200);
  assert.equal((await a.refresh(user.refresh_token)).status, 200);
  // What comes from a known device or a session is hashed next, in the place of two strangers.
  const known = a.try(user.email, { password, device });
  await until(() => settled === 291);
  const json = { current_password: password };
  const closed = a.request('DELETE', '/auth/me', { json, token: other.access_token });
  await until(() => settled === 292);
  assert.equal(queue.waiting, 10);
  gate.resolve();
  await held;
  assert.deepEqual([(await known).status, (await closed).status], [200, 204]);
  assert.deepEqual(countStatuses(await Promise.all(flood)), { 401: 8, 503: 292 });
  assert.deepEqual(hashed, ['known', 'known', ...Array(8).fill('stranger')]);
  assert.deepEqual([queue.running, queue.waiting], [0, 0]);
});
