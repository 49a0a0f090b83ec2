import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCollector } from './support/collector.ts';
import { runCommand, startServe } from './support/command.ts';
import { onEachDatabase } from './support/databases.ts';
import { scrape } from './support/metrics-text.ts';

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'doorward-observed-'));
});
after(() => rm(root, { recursive: true, force: true }));
const emptyFolder = () => mkdtemp(join(root, 'cwd-'));
const ask = (url: string) => fetch(url, { headers: { connection: 'close' } });

onEachDatabase(({ createReadyUrl }) => {
  test('a start tells where the metrics are; SIGTERM sends the last spans and closes both listeners', async (t) => {
    const collector = await startCollector(t);
    const env = {
      DATABASE_URL: await createReadyUrl(),
      METRICS_PORT: '0',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_SERVICE_NAME: 'door',
    };
    const server = await startServe({ cwd: await emptyFolder(), env });
    const metricsUrl = await (async () => {
      for (;;) {
        const [, url] = /^Metrics at (http:\S+)$/m.exec(server.output.stdout) ?? [];
        if (url !== undefined) return url;
        await sleep(10);
      }
    })();
    assert.equal((await ask(`${server.url}/health/ready`)).status, 200);
    const page = await scrape(metricsUrl);
    assert.equal(page.value('doorward_logins_total'), 0);
    server.signal('SIGTERM');
    assert.equal(await server.ended, 0, server.output.stderr);
    for (const url of [metricsUrl, server.url]) await assert.rejects(ask(url));
    assert.ok(collector.spans.some(({ name }) => name === 'GET /health/ready'));
    assert.equal(collector.resource['service.name'], 'door');
    assert.equal(server.output.stderr, '');
  });
});

test('a METRICS_PORT that is taken stops the start with one line that names it', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const address = other.address();
  assert.ok(address !== null && typeof address === 'object');
  const port = String(address.port);
  const env = { DATABASE_URL: 'sqlite::memory:', PORT: '0', METRICS_PORT: port };
  const taken = await runCommand(['serve'], { cwd: await emptyFolder(), env });
  other.close();
  assert.equal(taken.code, 1);
  assert.match(taken.stderr, /^doorward: METRICS_PORT: listen EADDRINUSE.*\n$/);
  assert.doesNotMatch(taken.stdout, /listens on/);
});

test('METRICS_PORT that is PORT is refused as a setting', async () => {
  const env = { DATABASE_URL: 'sqlite::memory:', METRICS_PORT: '8000' };
  const same = await runCommand(['serve'], { cwd: await emptyFolder(), env });
  assert.equal(same.code, 2);
  assert.equal(same.stderr, 'doorward: METRICS_PORT must be another port than PORT\n');
});

test('a collector that never answers holds up the end for little', async (t) => {
  const collector = await startCollector(t, () => {});
  const env = { DATABASE_URL: 'sqlite::memory:', OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  const server = await startServe({ cwd: await emptyFolder(), env });
  assert.equal((await ask(`${server.url}/health/ready`)).status, 200);
  server.signal('SIGTERM');
  assert.equal(await server.ended, 0);
  // Not cut off by the limit of the process, which would say so.
  assert.doesNotMatch(server.output.stdout, /cut off/);
  assert.equal(server.output.stderr, '');
});

test('what is off is not loaded', async (t) => {
  const collector = await startCollector(t);
  const report = `import { registerHooks } from 'node:module';
    registerHooks({ resolve(name, context, next) {
      const found = next(name, context);
      const [library] = /prom-client|@opentelemetry/.exec(found.url) ?? [];
      if (library) process.stderr.write(library + '\\n');
      return found;
    } });`;
  const base = {
    DATABASE_URL: 'sqlite::memory:',
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(report)}`,
  };
  for (const [env, libraries] of [
    [{}, []],
    [{ METRICS_PORT: '0' }, ['prom-client']],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url }, ['@opentelemetry']],
  ] as const) {
    const server = await startServe({ cwd: await emptyFolder(), env: { ...base, ...env } });
    assert.equal((await ask(`${server.url}/health/ready`)).status, 200);
    server.signal('SIGTERM');
    assert.equal(await server.ended, 0);
    const loaded = new Set(server.output.stderr.trim().split('\n').filter(Boolean));
    // Prometheus' client depends on OpenTelemetry's interface, and loads it with itself.
    if (loaded.has('prom-client')) loaded.delete('@opentelemetry');
    assert.deepEqual([...loaded], libraries);
  }
});
