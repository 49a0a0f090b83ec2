import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as immediate } from 'node:timers/promises';
import { Mutex } from './mutex.ts';

test('a turn that comes as the patience ends is had or passed on, never lost', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const mutex = new Mutex();
  await mutex.acquire(100);
  const second = mutex.acquire(100);
  const third = mutex.acquire(200);
  mutex.release();
  t.mock.timers.tick(100);
  await second;
  mutex.release();
  await third;
  mutex.release();
  await mutex.acquire(100);
});

test('who waits too long is refused, and the others keep their turns', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const mutex = new Mutex();
  await mutex.acquire(100);
  const turns: string[] = [];
  const late = assert.rejects(mutex.acquire(50), { code: 'database_unavailable' });
  const first = mutex.acquire(200).then(() => turns.push('first'));
  const second = mutex.acquire(200).then(() => turns.push('second'));
  t.mock.timers.tick(50);
  await late;
  mutex.release();
  await first;
  await immediate();
  assert.deepEqual(turns, ['first']);
  mutex.release();
  await second;
});

test('turns whose work does not wait follow each other until they have held the event loop long enough', async (t) => {
  const mutex = new Mutex();
  const turns: string[] = [];
  let elapsed = 0;
  t.mock.method(performance, 'now', () => elapsed);
  const takeTurn = async (name: string, ms: number) => {
    await mutex.acquire(100);
    turns.push(name);
    elapsed += ms;
    mutex.release();
  };
  const all = [takeTurn('a', 0.4), takeTurn('b', 0.4), takeTurn('c', 0.4), takeTurn('d', 0)];
  setImmediate(() => turns.push('others'));
  await Promise.all(all);
  assert.deepEqual(turns, ['a', 'b', 'c', 'others', 'd']);
});
