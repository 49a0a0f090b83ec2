/** The load, in a process of its own, so that it does not share an event loop with what it measures. */
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import autocannon from 'autocannon';
import { serveMessages } from './processes.ts';

/** As many requests as are answered. Connection n sends `headers[n]`, counted round. */
export interface Flood {
  do: 'flood';
  url: string;
  method: 'GET' | 'POST';
  headers: Record<string, string>[];
  body?: string;
  connections: number;
  seconds: number;
}

/** A fixed rate, whatever the answers take. */
export interface Drip {
  do: 'drip';
  url: string;
  headers: Record<string, string>;
  perSecond: number;
  seconds: number;
}

export interface Flooded {
  perSecond: number;
  answered: number;
  failed: number;
}

export interface Dripped {
  p50: number;
  p99: number;
  failed: number;
}

async function flood({ url, method, headers, body, connections, seconds }: Flood): Promise<Flooded> {
  let started = 0;
  const result = await autocannon({
    url,
    method,
    connections,
    duration: seconds,
    ...(body === undefined ? {} : { body }),
    setupClient: (client) => client.setHeaders(headers[started++ % headers.length] ?? {}),
  });
  return {
    perSecond: result['2xx'] / result.duration,
    answered: result['2xx'],
    failed: result.non2xx + result.errors,
  };
}

async function drip({ url, headers, perSecond, seconds }: Drip): Promise<Dripped> {
  const agent = new Agent({ keepAlive: true });
  const times: number[] = [];
  let failed = 0;
  const once = (due: number) =>
    new Promise<void>((done) => {
      const sent = request(url, { agent, headers }, (answer) => {
        answer.resume().on('end', () => {
          if (answer.statusCode === 200) times.push(performance.now() - due);
          else failed++;
          done();
        });
      });
      sent.on('error', () => {
        failed++;
        done();
      });
      sent.end();
    });
  const startedAt = performance.now();
  const underWay: Promise<void>[] = [];
  for (let number = 0; number < perSecond * seconds; number++) {
    const due = startedAt + (number * 1000) / perSecond;
    const early = due - performance.now();
    if (early > 0) await sleep(early);
    // From when it is sent, not from when it was due: a late timer of the client is not the server's doing.
    underWay.push(once(performance.now()));
  }
  await Promise.all(underWay);
  agent.destroy();
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), failed };
}

serveMessages<Flood | Drip>((message) => (message.do === 'flood' ? flood(message) : drip(message)));
