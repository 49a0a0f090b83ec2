import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DoorwardError } from './errors.ts';
import { repeat } from './repeat.ts';

test('work that fails each second is told of once a minute, without stacks, and once when it works again', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const told: object[] = [];
  const tell = (level: string) => (fields: object, message: string) =>
    told.push({ level, ...fields, message });
  const log = { debug: tell('debug'), info: tell('info'), warn: tell('warn'), error: tell('error') };
  let now = 5;
  let failure: Error | undefined;
  const cause = Object.assign(new Error('no room'), { code: '53100' });
  const unavailable = new DoorwardError('database_unavailable', { reason: cause.message, cause });
  const work = async () => {
    if (failure !== undefined) throw failure;
  };
  repeat(work, { intervalMs: 1000, what: 'sweeping', log, now: () => now });
  const pass = async (seconds: number) => {
    for (let second = 0; second < seconds; second++) {
      now += 1000;
      t.mock.timers.tick(1000);
      await new Promise(setImmediate);
    }
    return told.splice(0);
  };
  assert.deepEqual(await pass(10), []);
  failure = unavailable;
  const brief = { code: 'database_unavailable', reason: 'no room', cause_code: '53100' };
  const failed = (failures: number) => ({ level: 'warn', ...brief, failures, message: 'sweeping failed' });
  assert.deepEqual(await pass(130), [failed(1), failed(60), failed(60)]);
  failure = undefined;
  assert.deepEqual(await pass(10), [{ level: 'info', message: 'sweeping works again' }]);
  // What comes and goes is no more than that.
  failure = unavailable;
  assert.deepEqual(await pass(1), []);
  failure = undefined;
  assert.deepEqual(await pass(100), []);
  failure = new TypeError('a mistake');
  const [mistake] = await pass(1);
  assert.deepEqual(mistake, { level: 'warn', err: failure, failures: 11, message: 'sweeping failed' });
});

test('work that takes longer than its interval runs once at a time', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const quiet = () => {};
  const ended = Promise.withResolvers<void>();
  let runs = 0;
  const work = () => {
    runs += 1;
    return ended.promise;
  };
  repeat(work, {
    intervalMs: 1000,
    what: 'sweeping',
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  });
  t.mock.timers.tick(3000);
  assert.equal(runs, 1);
  ended.resolve();
  await new Promise(setImmediate);
  t.mock.timers.tick(1000);
  assert.equal(runs, 2);
});
