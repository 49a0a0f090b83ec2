import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import pino from 'pino';
import { type Collector, startCollector } from '../../test/support/collector.ts';
import { onEachDatabase } from '../../test/support/databases.ts';
import { createClient } from '../../test/support/fault-client.ts';
import type { Log } from '../kernel.ts';
import { startServer } from '../server.ts';
import type { GivenSettings } from '../settings.ts';

const password = 'SecurePass123!';
const ann = { email: 'ann@example.com', name: 'Ann', password };
const trace = '0af7651916cd43dd8448eb211c80319c';
const span = 'b7ad6b7169203331';

async function serve(t: TestContext, settings: GivenSettings, log?: Log) {
  const server = await startServer(
    {
      PORT: 0,
      LOG_LEVEL: 'silent',
      SECRET_KEY: 'tracing-3f9c1b7e5a2d4860-not-a-sample',
      ARGON2_MEMORY_KIB: 7168,
      ARGON2_PASSES: 5,
      ARGON2_LANES: 1,
      ...settings,
    },
    () => {},
    log === undefined ? {} : { log },
  );
  t.after(() => server.stop());
  const client = createClient(server.url);
  t.after(() => client.close());
  return { server, client };
}

const named = ({ spans }: Collector, name: string) => spans.filter((sent) => sent.name === name);

onEachDatabase(({ createReadyUrl }) => {
  test('a span for each request, and below it one for the hash and one for the transaction', async (t) => {
    const collector = await startCollector(t);
    const settings = { DATABASE_URL: await createReadyUrl(), OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
    const { server, client } = await serve(t, settings);
    const marked = 'MaRkEd';
    const traceparent = ['traceparent', `00-${trace}-${span}-01`, 'tracestate', 'a=b'];
    const signUp = await client.send({
      method: 'POST',
      path: `/auth/signup?token=${marked}`,
      headers: ['content-type', 'application/json', 'user-agent', marked, ...traceparent],
      body: JSON.stringify(ann),
    });
    assert.equal(signUp.status, 201);
    const { body: tokens } = await client.ask('POST', '/auth/login', {
      json: { username: ann.email, password },
    });
    await client.ask('GET', '/auth/me', { token: tokens.access_token });
    await client.ask('GET', `/auth/users/987654`, { token: tokens.access_token });
    await client.ask('GET', `/${marked}`);
    await client.ask('POST', '/auth/signup', { json: ann });
    await client.send({
      method: 'GET',
      path: '/health/live',
      headers: ['traceparent', `00-${trace}-${span}-00`],
    });
    await server.stop();

    assert.ok(collector.paths.every((path) => path === 'POST /v1/traces'));
    const [root, conflict, ...others] = named(collector, 'POST /auth/signup');
    assert.ok(root !== undefined && conflict !== undefined);
    assert.deepEqual(others, []);
    assert.deepEqual([root.traceId, root.parentSpanId, root.kind, root.traceState], [trace, span, 2, 'a=b']);
    assert.deepEqual(root.attributes, {
      'http.request.method': 'POST',
      'http.route': '/auth/signup',
      'http.response.status_code': 201,
      'url.scheme': 'http',
      'doorward.request_id': signUp.headers['x-request-id'],
    });
    const below = collector.spans.filter(({ parentSpanId }) => parentSpanId === root.spanId);
    assert.ok(below.some(({ name }) => name === 'password hash'));
    assert.ok(below.some(({ name }) => name === 'database transaction'));
    assert.ok(below.every(({ traceId, kind }) => traceId === trace && kind === 1));
    // A refusal is no fault.
    assert.equal(conflict.attributes['http.response.status_code'], 409);
    assert.equal(conflict.status.code, 0);
    assert.notEqual(conflict.traceId, trace);
    assert.equal(conflict.parentSpanId, undefined);

    assert.equal(named(collector, 'GET /auth/me').length, 1);
    assert.equal(named(collector, 'GET /auth/users/:user_id').length, 1);
    const [unmatched] = named(collector, 'GET');
    assert.equal(unmatched?.attributes['http.response.status_code'], 404);
    assert.equal(unmatched?.attributes['http.route'], undefined);
    assert.deepEqual(named(collector, 'GET /health/live'), [], 'the caller said not to');
    assert.equal(collector.resource['service.name'], 'doorward');

    const sent = collector.received.join('\n');
    for (const secret of [marked, password, ann.email, ann.name, tokens.access_token, tokens.refresh_token]) {
      assert.ok(!sent.includes(secret), secret);
    }
    assert.doesNotMatch(sent, /987654|eyJ|\$argon2|127\.0\.0\.1/);
  });

  test('a failure of the database is a span with an error, and its words are not told', async (t) => {
    const collector = await startCollector(t);
    const settings = {
      DATABASE_URL: await createReadyUrl(),
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/elsewhere`,
    };
    const { server, client } = await serve(t, settings);
    await server.doorward.kernel.db.close();
    assert.equal((await client.ask('POST', '/auth/signup', { json: ann })).status, 503);
    await server.stop();
    assert.ok(collector.paths.every((path) => path === 'POST /elsewhere'));
    const [root] = named(collector, 'POST /auth/signup');
    assert.deepEqual([root?.status.code, root?.attributes['error.type']], [2, '503']);
    for (const { status } of collector.spans) assert.ok(!('message' in status));
    const [transaction] = named(collector, 'database transaction');
    if (transaction !== undefined) {
      assert.equal(transaction.attributes['error.type'], 'database_unavailable');
      assert.deepEqual(transaction.status, { code: 2 });
    }
  });
});

test('a collector that refuses, hangs or is not there delays and fails nothing', async (t) => {
  process.env.OTEL_EXPORTER_OTLP_TIMEOUT = '500';
  t.after(() => delete process.env.OTEL_EXPORTER_OTLP_TIMEOUT);
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.after(() => silent.close());
  const address = silent.address();
  assert.ok(address !== null && typeof address === 'object');
  const hanging = await startCollector(t, () => {});
  const refusing = await startCollector(t, (response) => void response.writeHead(400).end());
  const nobody = 'http://127.0.0.1:1';
  for (const url of [nobody, hanging.url, refusing.url, `http://127.0.0.1:${address.port}`]) {
    const told: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => void told.push(line) });
    const settings = { DATABASE_URL: 'sqlite::memory:', OTEL_EXPORTER_OTLP_ENDPOINT: url };
    const { server, client } = await serve(t, settings, log);
    // More than a batch and than the queue holds, so that sending begins at once, and spans are dropped.
    for (let round = 0; round < 30; round++) {
      const answers = await Promise.all(Array.from({ length: 100 }, () => client.ask('GET', '/health/live')));
      assert.ok(answers.every(({ status }) => status === 200));
    }
    await server.stop();
    const failures = told.filter((line) => line.includes('traces could not be sent'));
    assert.ok(failures.length <= 1, `${url}: ${failures.length}`);
    if (url === refusing.url) assert.equal(failures.length, 1);
    client.close();
  }
});
