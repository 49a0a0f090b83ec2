import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Follower } from './feed.ts';
import type { Revocations, SignedMessage } from './index.ts';
import { type EventStream, openStream } from './stream.ts';

function message(since: number, cursor: number, jws = `jws-${since}-${cursor}`): SignedMessage {
  return { jws, since, cursor, digest: '' };
}

const event = ({ jws, cursor }: SignedMessage) => `id: ${cursor}\nevent: revocations\ndata: ${jws}\n\n`;

/** A stream of which the test is the feed, the reader and the time. */
function follow(t: TestContext) {
  let elapsed = 0;
  t.mock.method(performance, 'now', () => elapsed);
  const raw = Object.assign(new EventEmitter(), {
    text: '',
    reads: true,
    isGone: false,
    write(piece: string) {
      raw.text += piece;
      return raw.reads;
    },
    end: () => raw.destroy(),
    destroy() {
      raw.isGone = true;
    },
  });
  const asked: number[] = [];
  let last = 0;
  let tell: Follower = () => assert.fail('it does not follow');
  const revocations = {
    follow(follower) {
      tell = follower;
      return () => {};
    },
    async since(cursor) {
      asked.push(cursor);
      return message(cursor, last);
    },
  } as Pick<Revocations, 'follow' | 'since'> as Revocations;
  const stream = openStream(raw as unknown as ServerResponse, revocations, new Set<EventStream>());
  return {
    raw,
    asked,
    stream,
    /** Tells what came, and lets the stream do what it will. */
    async told(one: SignedMessage) {
      last = one.cursor;
      tell(one);
      await turn();
    },
    async drain() {
      raw.emit('drain');
      await turn();
    },
    pass(milliseconds: number) {
      elapsed += milliseconds;
    },
  };
}

const long = message(0, 5, 'x'.repeat(1_000_000));

test('a long message is told as it is read, and what came meanwhile after it', async (t) => {
  const s = follow(t);
  s.raw.reads = false;
  void s.stream.tell(long);
  let cursor = 5;
  while (s.raw.text.length < event(long).length) {
    const { length } = s.raw.text;
    await s.told(message(cursor, ++cursor));
    assert.equal(s.raw.text.length, length, 'nothing is added to what is not read');
    s.pass(5000);
    await s.drain();
    assert.ok(s.raw.text.length - length < 100_000);
  }
  s.raw.reads = true;
  await s.drain();
  assert.ok(s.raw.text === event(long) + event(message(5, cursor)), 'all of it, in order');
  assert.deepEqual(s.asked, [5], 'once for all that came');
  await s.told(message(cursor, cursor + 1));
  assert.ok(s.raw.text.endsWith(event(message(cursor, cursor + 1))));
  assert.deepEqual(s.asked, [5]);
});

test('who reads nothing is cut off', async (t) => {
  const s = follow(t);
  s.raw.reads = false;
  void s.stream.tell(long);
  s.pass(9000);
  await s.told(message(5, 5));
  assert.equal(s.raw.isGone, false);
  s.pass(9000);
  await s.told(message(5, 5));
  assert.equal(s.raw.isGone, true);
});

test('who reads a message for more than two minutes is cut off', async (t) => {
  const s = follow(t);
  s.raw.reads = false;
  void s.stream.tell(message(0, 5, 'x'.repeat(10_000_000)));
  for (let passed = 0; passed <= 120_000; passed += 5000) {
    assert.equal(s.raw.isGone, false);
    await s.drain();
    s.pass(5000);
    await s.told(message(5, 5));
  }
  assert.equal(s.raw.isGone, true);
});

test('what is missing before a message is asked for', async (t) => {
  const s = follow(t);
  void s.stream.tell(message(0, 5));
  await s.told(message(7, 8));
  assert.equal(s.raw.text, event(message(0, 5)) + event(message(5, 8)));
});
