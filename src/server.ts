import { setTimeout as sleep } from 'node:timers/promises';
import { createDoorward, type Doorward } from './app.ts';
import type { DoorwardOptions } from './doorward.ts';
import { type Observation, observe } from './observability/index.ts';
import { lowerPoolPriority } from './pool-priority.ts';
import type { GivenSettings, Settings } from './settings.ts';

/** A running server. */
export interface RunningServer {
  readonly doorward: Doorward;
  /** Where it listens. */
  readonly url: string;
  /** Where its metrics are, unless they are off. */
  readonly metricsUrl: string | undefined;
  /**
   * Stops accepting, finishes what is under way and closes the database. What is not finished after nine seconds is
   * cut off.
   */
  stop(): Promise<void>;
}

const drainLimitMs = 9_000;
/** What only waited for a request that was cut off ends in order in this time; what hangs in the database does not. */
const cutOffLimitMs = 300;
const idleCheckMs = 50;
/** For the last spans, once all is closed: beside a long drain, and beside a short one. */
const leastFlushMs = 500;
const mostFlushMs = 2_000;

/**
 * Serves an instance on HOST and PORT. `announce` is given the lines an operator reads at the start.
 * @throws as `createCore` does, or the error of `listen`, when nothing is left open.
 */
export async function startServer(
  given: GivenSettings,
  announce: (line: string) => void,
  options: DoorwardOptions = {},
): Promise<RunningServer> {
  const doorward = await createDoorward(given, options);
  // Loading the keys has made libuv's pool.
  lowerPoolPriority();
  const { HOST: host, PORT: port } = doorward.settings;
  let observation: Observation | undefined;
  try {
    observation = await observe(doorward);
    const { watch, metricsUrl, stop: stopObserving } = observation;
    const app = await doorward.app(watch);
    // An expectation that nobody knows may be ignored (RFC 9110, 10.1.1); Node's own 417 has no shape.
    app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
    const url = await app.listen({ host, port, listenTextResolver: () => 'listening' });
    announce(`Doorward listens on ${url}, documentation at ${url}/docs`);
    if (metricsUrl !== undefined) announce(`Metrics at ${metricsUrl}`);
    const token = await doorward.admin.setupToken();
    if (token !== undefined) {
      for (const line of describeSetup(doorward.settings, url, token)) announce(line);
    }

    let stopping: Promise<void> | undefined;
    const stop = async () => {
      const cutOffAt = performance.now() + drainLimitMs;
      const closing = doorward.close();
      // A connection whose request was under way is kept alive after the answer, and would hold up the end.
      const closeIdle = setInterval(() => app.server.closeIdleConnections(), idleCheckMs);
      try {
        const isClosed = closing.then(() => true);
        const isClosedWithin = (ms: number) => Promise.race([isClosed, sleep(ms, false, { ref: false })]);
        if (await isClosedWithin(drainLimitMs)) return;
        doorward.kernel.log.warn({}, 'stopping: requests that took too long are cut off');
        app.server.closeAllConnections();
        if (await isClosedWithin(cutOffLimitMs)) return;
        await doorward.kernel.db.close();
      } finally {
        clearInterval(closeIdle);
        const leftMs = cutOffAt - performance.now();
        await stopObserving(Math.max(leastFlushMs, Math.min(mostFlushMs, leftMs)));
      }
    };
    return {
      doorward,
      url,
      metricsUrl,
      stop() {
        stopping ??= stop();
        return stopping;
      },
    };
  } catch (error) {
    await doorward.close().finally(() => observation?.stop(0));
    throw error;
  }
}

/** How to make the first administrator: by a link where there are pages, and by the token in any case. */
function describeSetup({ PAGES, PUBLIC_URL }: Settings, url: string, token: string): string[] {
  if (PAGES === 'off') return [`No admin yet. Make the first one with this setup token: ${token}`];
  // Whoever takes any free port knows it only now.
  const base = new URL(PUBLIC_URL).port === '0' ? url : PUBLIC_URL.replace(/\/$/, '');
  return [
    `No admin yet. Make the first one: ${base}/console/setup#token=${token}`,
    `Without a browser, with this setup token: ${token}`,
  ];
}
