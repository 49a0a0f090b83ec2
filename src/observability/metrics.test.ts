import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { onEachDatabase } from '../../test/support/databases.ts';
import { createClient } from '../../test/support/fault-client.ts';
import { type MetricsPage, scrape } from '../../test/support/metrics-text.ts';
import { startSmtp } from '../../test/support/smtp.ts';
import { startServer } from '../server.ts';
import type { GivenSettings } from '../settings.ts';

const root = join(import.meta.dirname, '../..');
const password = 'SecurePass123!';
const ann = { email: 'ann@example.com', name: 'Ann', password };
const requests = 'doorward_http_request_duration_seconds';

async function serve(t: TestContext, settings: GivenSettings) {
  const server = await startServer(
    {
      PORT: 0,
      METRICS_PORT: 0,
      LOG_LEVEL: 'silent',
      SECRET_KEY: 'metrics-3f9c1b7e5a2d4860-not-a-sample',
      ARGON2_MEMORY_KIB: 7168,
      ARGON2_PASSES: 5,
      ARGON2_LANES: 1,
      ...settings,
    },
    () => {},
  );
  t.after(() => server.stop());
  const client = createClient(server.url);
  t.after(() => client.close());
  return { server, client, metrics: () => scrape(server.metricsUrl ?? '') };
}

/** Scrapes until the page is as wanted: a request is counted once its connection has taken the answer. */
async function until(metrics: () => Promise<MetricsPage>, isReached: (page: MetricsPage) => boolean) {
  for (;;) {
    const page = await metrics();
    if (isReached(page)) return page;
    await sleep(10);
  }
}

onEachDatabase(({ name, createReadyUrl }) => {
  test('requests are counted by method, route and status, and nothing of what was sent is told', async (t) => {
    const { client, server, metrics } = await serve(t, { DATABASE_URL: await createReadyUrl() });
    const marked = 'MaRkEd';
    // So long that no figure has it by chance.
    const anId = '804625697166532';
    await client.ask('POST', `/auth/signup?token=${marked}`, { json: ann });
    const login = await client.ask('POST', '/auth/login', { json: { username: ann.email, password } });
    await client.ask('POST', '/auth/login', { json: { username: ann.email, password: `${marked}-1aA!` } });
    const { access_token: token, refresh_token } = login.body;
    for (let count = 0; count < 3; count++)
      await client.ask('GET', `/auth/me?access_token=${token}`, { token });
    await client.ask('GET', `/auth/users/${anId}`, { token });
    await client.ask('GET', `/auth/${marked}`);
    await client.ask('DELETE', '/auth/signup');
    const page = await until(metrics, (seen) => seen.value(`${requests}_count`) >= 9);

    const count = (method: string, route: string, status: string) =>
      page.value(`${requests}_count`, { method, route, status });
    assert.equal(count('POST', '/auth/signup', '201'), 1);
    assert.equal(count('POST', '/auth/login', '200'), 1);
    assert.equal(count('POST', '/auth/login', '401'), 1);
    assert.equal(count('GET', '/auth/me', '200'), 3);
    assert.equal(count('GET', '/auth/users/:user_id', '403'), 1);
    assert.equal(count('GET', 'unmatched', '404'), 1);
    assert.equal(count('DELETE', '/auth/signup', '405'), 1);
    assert.equal(page.types.get(requests), 'histogram');
    assert.ok(page.value(`${requests}_bucket`, { route: '/auth/login', status: '200', le: '+Inf' }) === 1);
    assert.ok(page.value(`${requests}_sum`, { route: '/auth/login' }) > 0);

    for (const secret of [marked, token, refresh_token, ann.email, password, anId]) {
      assert.ok(!page.text.includes(secret), secret);
    }
    assert.equal(page.value('doorward_build_info', { version: packageVersion }), 1);
    assert.ok(page.value('doorward_http_connections') >= 1);
    assert.ok(page.value('process_resident_memory_bytes') > 1e6);
    assert.ok(page.types.has('nodejs_eventloop_lag_p99_seconds'));
    assert.equal(server.doorward.settings.METRICS_PORT, 0);
  });

  test('logins, refreshes and password hashes are counted by how they ended', async (t) => {
    const { client, metrics } = await serve(t, {
      DATABASE_URL: await createReadyUrl(),
      REFRESH_GRACE_SECONDS: 0,
    });
    const logIn = (given: string) =>
      client.ask('POST', '/auth/login', { json: { username: ann.email, password: given } });
    const refresh = (refresh_token: string) =>
      client.ask('POST', '/auth/refresh', { json: { refresh_token } });
    const before = await metrics();
    for (const result of ['succeeded', 'failed', 'throttled', 'deactivated']) {
      assert.equal(before.value('doorward_logins_total', { result }), 0);
      assert.match(before.text, new RegExp(`doorward_logins_total\\{result="${result}"\\} 0\n`));
    }
    await client.ask('POST', '/auth/signup', { json: ann });
    const { refresh_token } = (await logIn(password)).body;
    await logIn('Wrong-pass-1!');
    await refresh(refresh_token);
    await refresh(refresh_token);
    await refresh('nonsense');
    const page = await metrics();
    const logins = (result: string) => page.value('doorward_logins_total', { result });
    assert.deepEqual([logins('succeeded'), logins('failed')], [1, 1]);
    const refreshes = (result: string) => page.value('doorward_refreshes_total', { result });
    assert.deepEqual([refreshes('rotated'), refreshes('reused'), refreshes('refused')], [1, 1, 1]);
    // A sign-up and two logins.
    assert.equal(page.value('doorward_hash_run_seconds_count'), 3);
    assert.equal(page.value('doorward_hash_wait_seconds_count'), 3);
    assert.ok(page.value('doorward_hash_run_seconds_sum') > 0);
  });

  test('mails are counted by how they ended, and by state while they are there', async (t) => {
    const smtp = await startSmtp(t);
    smtp.behave({ does: 'refuse', at: 'RCPT TO', code: 550 });
    const { server, metrics } = await serve(t, { DATABASE_URL: await createReadyUrl(), MAIL_URL: smtp.url });
    const { outbox, kernel } = server.doorward;
    const ask = async (to: string) => {
      const mail = { kind: 'account_restored', user_id: null, locale: 'en', params: {}, to } as const;
      await kernel.db.transaction((tx) => outbox.enqueue(tx, mail));
      await outbox.work();
    };
    await ask('refused@example.com');
    smtp.behave({ does: 'accept' });
    await ask('ada@example.com');
    await smtp.stop();
    await ask('later@example.com');
    const page = await metrics();
    const tries = (outcome: string) => page.value('doorward_mails_total', { outcome });
    assert.deepEqual(['sent', 'postponed', 'refused', 'expired'].map(tries), [1, 1, 1, 0]);
    const mails = (state: string) => page.value('doorward_outbox_mails', { state });
    assert.deepEqual(['asked', 'queued', 'dead'].map(mails), [0, 1, 1]);
  });

  test('the hash queue: running, waiting, refused', async (t) => {
    const settings = { DATABASE_URL: await createReadyUrl(), HASH_CONCURRENCY: 1, HASH_QUEUE_LIMIT: 1 };
    const { server, client, metrics } = await serve(t, settings);
    const { queue } = server.doorward.passwords;
    const held = Promise.withResolvers<void>();
    const running = [queue.run(() => held.promise), queue.run(() => held.promise)];
    const full = await metrics();
    assert.deepEqual(
      [full.value('doorward_hash_queue_running'), full.value('doorward_hash_queue_waiting')],
      [1, 1],
    );
    const answer = await client.ask('POST', '/auth/signup', { json: ann });
    assert.equal(answer.status, 503);
    assert.equal((await metrics()).value('doorward_hash_refused_total'), 1);
    held.resolve();
    await Promise.all(running);
    const idle = await metrics();
    assert.deepEqual(
      [idle.value('doorward_hash_queue_running'), idle.value('doorward_hash_queue_waiting')],
      [0, 0],
    );
  });

  test('whatever is sent, the series stay as many', async (t) => {
    const { client, server, metrics } = await serve(t, { DATABASE_URL: await createReadyUrl() });
    const methods = ['GET', 'POST', 'PROPFIND', 'PURGE', 'M-SEARCH', 'TRACE', 'QUERY', 'OPTIONS'];
    const flood = async (round: number) => {
      for (let i = 0; i < 60; i++) {
        const noise = `r${round}n${i}`;
        const path =
          [`/${noise}`, `/auth/users/${noise}`, `/auth/${noise}/x`, `/%zz${noise}`, `//auth/me/${noise}`][
            i % 5
          ] ?? '';
        const method = methods[i % methods.length] ?? '';
        await client.send({ method, path: `${path}?${noise}`, headers: ['x-noise', noise] });
      }
    };
    await flood(1);
    const isCounted = (times: number) => (page: MetricsPage) => page.value(`${requests}_count`) >= times * 60;
    const first = await until(metrics, isCounted(1));
    await flood(2);
    const second = await until(metrics, isCounted(2));
    const ours = (page: MetricsPage) => page.samples.filter((sample) => sample.name.startsWith('doorward_'));
    assert.equal(ours(second).length, ours(first).length);
    assert.doesNotMatch(second.text, /r\dn\d/);

    const app = await server.doorward.app();
    const routes = new Set(second.samples.flatMap(({ labels }) => labels.route ?? []));
    for (const route of routes) {
      const isRoute = app.supportedMethods.some((method) => app.hasRoute({ method, url: route }));
      assert.ok(route === 'unmatched' || isRoute, route);
    }
    for (const { labels } of second.samples) {
      if (labels.method === undefined) continue;
      assert.ok(['other', ...app.supportedMethods].includes(labels.method), labels.method);
    }
    // What the router itself refuses is a request, too.
    assert.ok(second.value(`${requests}_count`, { route: 'unmatched', status: '400' }) > 0);
  });

  test('clients that hang up and what is no HTTP are seen', async (t) => {
    const { server, metrics } = await serve(t, { DATABASE_URL: await createReadyUrl(), HASH_CONCURRENCY: 1 });
    const { port, hostname } = new URL(server.url);
    const held = Promise.withResolvers<void>();
    const running = server.doorward.passwords.queue.run(() => held.promise);
    const body = JSON.stringify({ username: 'nobody@example.com', password });
    const hangingUp = connect(Number(port), hostname);
    hangingUp.write('POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n');
    hangingUp.write(`content-length: ${body.length}\r\n\r\n${body}`);
    await until(metrics, (page) => page.value('doorward_hash_queue_waiting') === 1);
    hangingUp.destroy();
    await until(
      metrics,
      (page) => page.value(`${requests}_count`, { route: '/auth/login', status: 'aborted' }) === 1,
    );
    held.resolve();
    await running;

    const nonsense = connect(Number(port), hostname);
    nonsense.write('nonsense\r\n\r\n');
    nonsense.resume();
    await once(nonsense, 'close');
    await until(metrics, (page) => page.value('doorward_http_connections_refused_total') === 1);
  });

  test('the pool of connections, where there is one', async (t) => {
    const { client, metrics } = await serve(t, {
      DATABASE_URL: await createReadyUrl(),
      DATABASE_POOL_SIZE: 3,
    });
    await client.ask('GET', '/health/ready');
    const page = await metrics();
    const pool = page.samples.filter((sample) => sample.name.startsWith('doorward_database_pool_'));
    if (name === 'SQLite') {
      assert.deepEqual(pool, []);
      return;
    }
    assert.equal(page.value('doorward_database_pool_limit'), 3);
    assert.ok(page.value('doorward_database_pool_total') >= 1);
    assert.ok(page.value('doorward_database_pool_idle') <= page.value('doorward_database_pool_total'));
    assert.equal(page.value('doorward_database_pool_waiting'), 0);
  });

  test('the dashboard and the page on operations name metrics that exist, and every one of ours', async (t) => {
    const { client, metrics } = await serve(t, { DATABASE_URL: await createReadyUrl() });
    await client.ask('GET', '/health/live');
    const page = await until(metrics, (seen) => seen.value(`${requests}_count`) >= 1);
    const exists = (metric: string) =>
      page.samples.some((sample) => sample.name === metric) ||
      page.types.has(metric) ||
      // SQLite has no pool.
      (name === 'SQLite' && metric.startsWith('doorward_database_pool_'));
    const namesIn = (text: string) => [
      ...new Set(
        [...text.matchAll(/\b(?:doorward|nodejs|process)_[a-z0-9_]+[a-z0-9]/g)].map(([found]) => found),
      ),
    ];
    const operations = readFileSync(join(root, 'docs/operations.md'), 'utf8');
    const dashboard = JSON.parse(readFileSync(join(root, 'docs/grafana-dashboard.json'), 'utf8'));
    const expressions = expressionsIn(dashboard);
    assert.ok(expressions.length > 10);
    for (const expression of expressions) {
      assert.ok(namesIn(expression).length > 0, expression);
      for (const metric of namesIn(expression)) assert.ok(exists(metric), `the dashboard: ${metric}`);
      for (const [, metric = '', matchers = ''] of expression.matchAll(/\b([a-z]+_\w+)\{([^}]*)\}/g)) {
        const known = new Set(
          page.samples
            .filter((sample) => sample.name === metric || sample.name.startsWith(`${metric}_`))
            .flatMap(({ labels }) => Object.keys(labels)),
        );
        for (const [, label = ''] of matchers.matchAll(/(\w+)\s*[=!]/g)) {
          assert.ok(['instance', 'job'].includes(label) || known.has(label), `${metric}{${label}}`);
        }
      }
    }
    for (const metric of namesIn(operations)) assert.ok(exists(metric), `docs/operations.md: ${metric}`);
    for (const metric of page.types.keys()) {
      if (metric.startsWith('doorward_'))
        assert.ok(operations.includes(`\`${metric}\``), `${metric} is not told`);
    }
    for (const [, metric, label = '', told = ''] of operations.matchAll(
      /^\| `(doorward_\w+)` \| `(result|budget|outcome|state)` \| (.*) \|$/gm,
    )) {
      const values = page.samples
        .filter((sample) => sample.name === metric)
        .map(({ labels }) => labels[label]);
      const named = [...told.matchAll(/`(\w+)`/g)].map(([, value]) => value);
      assert.deepEqual(named.sort(), values.sort(), metric);
    }
  });
});

const packageVersion: string = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;

/** Every `expr` of a Grafana dashboard. */
function expressionsIn(value: unknown): string[] {
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'expr' && typeof inner === 'string' ? [inner] : expressionsIn(inner),
  );
}

test('the listener serves GET /metrics and nothing else', async (t) => {
  const { server } = await serve(t, { DATABASE_URL: 'sqlite::memory:' });
  const client = createClient(server.metricsUrl ?? '');
  t.after(() => client.close());
  for (const [method, path] of [
    ['GET', '/'],
    ['GET', '/metrics/'],
    ['GET', '/METRICS'],
    ['GET', '/auth/me'],
    ['POST', '/auth/login'],
    ['GET', '/health/ready'],
    ['GET', '/openapi.json'],
    ['POST', '/metrics'],
    ['DELETE', '/metrics'],
  ] as const) {
    assert.equal((await client.send({ method, path })).status, 404, `${method} ${path}`);
  }
  assert.equal((await client.send({ method: 'GET', path: '/metrics?x=1' })).status, 200);
  const main = createClient(server.url);
  t.after(() => main.close());
  assert.equal((await main.ask('GET', '/metrics')).status, 404);
});

test('without METRICS_PORT there is no listener and nothing watches the requests', async (t) => {
  const { server, client } = await serve(t, { DATABASE_URL: 'sqlite::memory:', METRICS_PORT: undefined });
  assert.equal(server.metricsUrl, undefined);
  const off = (await server.doorward.app()).server;
  const { server: watched } = await serve(t, { DATABASE_URL: 'sqlite::memory:' });
  const on = (await watched.doorward.app()).server;
  assert.equal(off.listenerCount('request'), on.listenerCount('request') - 1);
  assert.equal(off.listenerCount('clientError'), on.listenerCount('clientError') - 1);
  assert.equal((await client.ask('GET', '/metrics')).status, 404);
});
