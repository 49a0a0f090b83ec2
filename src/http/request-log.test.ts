import assert from 'node:assert/strict';
import { test } from 'node:test';
import Fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import { createDoorward } from '../app.ts';

/** A log that keeps what it is told of requests. */
function createRequestLog() {
  const entries: Record<string, unknown>[] = [];
  const nothing = () => {};
  const log: FastifyBaseLogger = {
    level: 'info',
    ...{ fatal: nothing, error: nothing, warn: nothing, debug: nothing, trace: nothing, silent: nothing },
    info: (fields: unknown, message?: string) => {
      if (message === 'request') entries.push(fields as Record<string, unknown>);
    },
    child: () => log,
  };
  return { log, entries };
}

const asked = [
  ['GET', '/', 404],
  ['GET', '/wp-login.php?user=admin', 404],
  ['PROPFIND', '/nothing', 404],
  ['POST', '/nothing', 404],
  ['GET', '/auth/nothing', 404],
  ['PROPFIND', '/auth/me', 405],
  ['DELETE', '/auth/me/sessions', 401],
  ['GET', '/auth/me', 401],
  ['GET', '/health/live', 200],
] as const;

test('whatever the standalone server is asked is logged, once, with who asked and without the query', async (t) => {
  const { log, entries } = createRequestLog();
  const doorward = await createDoorward({ DATABASE_URL: 'sqlite::memory:' }, { log });
  t.after(() => doorward.close());
  const app = await doorward.app();
  for (const [method, url] of asked)
    await app.inject({ method: method as 'GET', url, remoteAddress: '198.51.100.7' });
  assert.deepEqual(
    entries.map(({ method, path, status, network }) => [method, path, status, network]),
    asked.map(([method, url, status]) => [method, url.split('?')[0], status, '198.51.100.7']),
  );
});

test('in somebody’s own app the requests of Doorward are logged, and no others', async (t) => {
  const { log, entries } = createRequestLog();
  const doorward = await createDoorward({ DATABASE_URL: 'sqlite::memory:' }, { log });
  const host = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
  });
  t.after(async () => {
    await host.close();
    await doorward.close();
  });
  host.get('/own', () => 'own');
  await host.register(doorward.plugin, { prefix: '/auth' });
  for (const url of ['/own', '/nothing', '/auth/me', '/auth/nothing']) await host.inject(url);
  assert.deepEqual(
    entries.map(({ path }) => path),
    ['/auth/me', '/auth/nothing'],
  );
});
