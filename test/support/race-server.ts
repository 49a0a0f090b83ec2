/**
 * One instance as a process, for the race test: RACE_PORT (0 for any), RACE_SETTINGS (JSON). Its clock stands at the
 * time that the last request named, so that a test decides what time it is, and it can be killed.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createDoorward } from '../../src/index.ts';

let now = Number(process.env.RACE_NOW);
const doorward = await createDoorward(
  { RATE_LIMITS: 'off', ...JSON.parse(process.env.RACE_SETTINGS ?? '{}') },
  {
    clock: { now: () => new Date(now) },
  },
);
await doorward.app();
const server = createServer((request, response) => {
  now = Math.max(now, Number(request.headers['x-race-now']));
  doorward.handler(request, response);
});
// No connection is closed for idleness while a request is on its way to it.
server.keepAliveTimeout = 0;
server.listen(Number(process.env.RACE_PORT), '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
// Nobody is left behind when the test ends without stopping it.
process.stdin.resume().on('end', () => process.exit());
