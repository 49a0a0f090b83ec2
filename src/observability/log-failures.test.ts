import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logFailures } from './log-failures.ts';

test('failures to send spans are told once a minute at most, with how many there were', () => {
  const told: object[] = [];
  const quiet = () => {};
  const log = {
    debug: quiet,
    info: quiet,
    warn: (fields: object) => void told.push(fields),
    error: quiet,
  };
  let now = 5;
  let error: Error | undefined = new Error('connect ECONNREFUSED');
  const exporter = logFailures(
    {
      export: (_spans, done) => done(error === undefined ? { code: 0 } : { code: 1, error }),
      shutdown: async () => {},
    },
    log,
    () => now,
  );
  const results: number[] = [];
  const send = () => exporter.export([], ({ code }) => void results.push(code));
  for (let second = 0; second < 90; second++) {
    send();
    now += 1000;
  }
  assert.deepEqual(told, [
    { reason: 'connect ECONNREFUSED', batches_lost: 1 },
    { reason: 'connect ECONNREFUSED', batches_lost: 60 },
  ]);
  error = undefined;
  now += 600_000;
  send();
  assert.equal(told.length, 2);
  assert.equal(results.at(-1), 0);
  assert.equal(results.length, 91);
});
