import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { HashQueue } from '../crypto/hash-queue.ts';
import type { Database } from '../database/database.ts';
import type { Core } from '../doorward.ts';
import { DoorwardError } from '../errors.ts';
import type { Counters, Counts } from '../kernel.ts';
import { version } from '../version.ts';

export interface Metrics {
  readonly registry: Registry;
  /** Counts and times the requests of a Fastify application that has no routes yet. */
  watch(app: FastifyInstance): void;
}

const requestSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const databasePatienceMs = 1000;
/** Requests that are counted at once. */
const batchLength = 256;
const hashSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * The metrics of one instance, in a registry of its own. No label holds what a client sent: a route is its pattern, a
 * method one that the router knows, so that nobody can make series without end.
 */
export function createMetrics({ kernel, outbox, passwords, settings }: Core): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'doorward_build_info',
    help: 'Always 1; the labels tell the versions.',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version, node: process.versions.node }, 1);
  countEvents(registry, kernel.counters);
  watchHashQueue(registry, passwords.queue);
  watchPool(registry, kernel.db, settings.DATABASE_POOL_SIZE);
  // After the pool, where what it asks would be seen.
  watchOutbox(registry, outbox);
  return { registry, watch: (app) => watchRequests(registry, app) };
}

function watchRequests(registry: Registry, app: FastifyInstance): void {
  const registers = [registry];
  const seconds = new Histogram({
    name: 'doorward_http_request_duration_seconds',
    help:
      'Requests, from their headers to the end of the answer. status is "aborted" when the client went before that, ' +
      'route is "unmatched" when there is none.',
    labelNames: ['method', 'route', 'status'],
    buckets: requestSeconds,
    registers,
    collect: () => flush(),
  });
  new Gauge({
    name: 'doorward_http_connections',
    help: 'Open connections of clients.',
    registers,
    async collect() {
      this.set(await new Promise((count) => app.server.getConnections((_error, open) => count(open ?? 0))));
    },
  });
  const refused = new Counter({
    name: 'doorward_http_connections_refused_total',
    help: 'Connections ended because what came was no HTTP, too large or too slow.',
    registers,
  });

  // Handed over in batches: observed one by one, between requests, each costs three times as much.
  let ended: { labels: { method: string; route: string; status: string | number }; seconds: number }[] = [];
  function flush(): void {
    for (const request of ended) seconds.observe(request.labels, request.seconds);
    ended = [];
  }

  const methods = new Set(app.supportedMethods);
  /** Not Fastify's hooks for the end of a request: they do not see an answer that nobody waited for. */
  function observeEnd(response: ServerResponse, method = '', route = 'unmatched'): void {
    const startedAt = performance.now();
    response.once('close', () => {
      const labels = {
        method: methods.has(method) ? method : 'other',
        route,
        status: response.writableFinished ? response.statusCode : 'aborted',
      };
      ended.push({ labels, seconds: (performance.now() - startedAt) / 1000 });
      if (ended.length >= batchLength) flush();
    });
  }

  let latest: ServerResponse | undefined;
  app.addHook('onRequest', (request, reply, done) => {
    latest = reply.raw;
    observeEnd(reply.raw, request.method, request.routeOptions.url);
    done();
  });
  // Called after Fastify's own listener, which has run the hook by then, unless its router refused the request.
  app.server.on('request', ({ method }, response) => {
    if (response !== latest) observeEnd(response, method);
    latest = undefined;
  });
  app.server.on('clientError', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ECONNRESET') refused.inc();
  });
}

interface Counted<Value extends string> {
  readonly help: string;
  readonly label: string;
  /** All there are, so that each series is there from the start: a rate needs a zero to rise from. */
  readonly values: Readonly<Record<Value, 0>>;
}

const counted: { readonly [K in keyof Counts]: Counted<Counts[K]> } = {
  logins: {
    help: 'Logins, by how they ended.',
    label: 'result',
    values: { succeeded: 0, failed: 0, throttled: 0, deactivated: 0, unverified: 0 },
  },
  refreshes: {
    help: 'Refreshes, by how they ended; "reused" ended its session.',
    label: 'result',
    values: { rotated: 0, given: 0, refused: 0, reused: 0, throttled: 0 },
  },
  throttled: {
    help: 'Tries refused because a budget was spent, by the budget.',
    label: 'budget',
    values: { account: 0, pair: 0, network: 0, device: 0 },
  },
  mails: {
    help: 'Tries to send a mail, by how they ended; "refused" and "expired" mails are dead letters.',
    label: 'outcome',
    values: { sent: 0, postponed: 0, refused: 0, expired: 0 },
  },
};

function countEvents(registry: Registry, counters: Counters): void {
  const count = new Map<string, (value: string, by: number) => void>();
  for (const [what, { help, label, values }] of Object.entries(counted)) {
    const total = new Counter({
      name: `doorward_${what}_total`,
      help,
      labelNames: [label],
      registers: [registry],
    });
    for (const value of Object.keys(values)) total.inc({ [label]: value }, 0);
    count.set(what, (value, by) => total.inc({ [label]: value }, by));
  }
  counters.watch((what, value) => count.get(what)?.(value, 1));
}

function watchOutbox(registry: Registry, outbox: Core['outbox']): void {
  new Gauge({
    name: 'doorward_outbox_mails',
    help: 'Mails in the database that are not sent yet ("asked", "queued") or never will be ("dead").',
    labelNames: ['state'],
    registers: [registry],
    async collect() {
      // A database that is away or busy has nothing to tell, and the other metrics are wanted all the more.
      const counted = Promise.race([outbox.count(), sleep(databasePatienceMs, {}, { ref: false })]);
      const counts = await counted.catch(() => ({}));
      this.reset();
      for (const [state, mails] of Object.entries(counts)) this.set({ state }, mails);
    },
  });
}

function watchHashQueue(registry: Registry, queue: HashQueue): void {
  const registers = [registry];
  new Gauge({
    name: 'doorward_hash_queue_running',
    help: 'Password hashes being computed.',
    registers,
    collect() {
      this.set(queue.running);
    },
  });
  new Gauge({
    name: 'doorward_hash_queue_waiting',
    help: 'Password hashes waiting for a slot.',
    registers,
    collect() {
      this.set(queue.waiting);
    },
  });
  const refused = new Counter({
    name: 'doorward_hash_refused_total',
    help: 'Password hashes refused because too many waited.',
    registers,
  });
  const wait = new Histogram({
    name: 'doorward_hash_wait_seconds',
    help: 'How long password hashes waited for a slot.',
    buckets: hashSeconds,
    registers,
  });
  const work = new Histogram({
    name: 'doorward_hash_run_seconds',
    help: 'How long password hashes took once they had a slot.',
    buckets: hashSeconds,
    registers,
  });

  const run = queue.run.bind(queue);
  queue.run = async (job, ...more) => {
    const askedAt = performance.now();
    const timed = async () => {
      const startedAt = performance.now();
      wait.observe((startedAt - askedAt) / 1000);
      try {
        return await job();
      } finally {
        work.observe((performance.now() - startedAt) / 1000);
      }
    };
    try {
      return await run(timed, ...more);
    } catch (error) {
      if (error instanceof DoorwardError && error.code === 'overloaded') refused.inc();
      throw error;
    }
  };
}

function watchPool(registry: Registry, db: Database, limit: number): void {
  if (db.pool === undefined) return;
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number | undefined) =>
    new Gauge({
      name: `doorward_database_pool_${name}`,
      help,
      registers,
      collect() {
        this.set(read() ?? 0);
      },
    });
  gauge('limit', 'Connections to the database that may be open.', () => limit);
  gauge('total', 'Open connections to the database.', () => db.pool?.total);
  gauge('idle', 'Open connections to the database that nobody uses.', () => db.pool?.idle);
  gauge('waiting', 'Those who wait for a connection to the database.', () => db.pool?.waiting);
}
