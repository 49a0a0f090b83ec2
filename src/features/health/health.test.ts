import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { sql } from 'kysely';
import { journey } from '../../../test/support/journey.ts';
import { DoorwardError } from '../../errors.ts';
import type { TestResponse } from '../../testing/index.ts';
import { changeSecretKey } from '../keys/index.ts';

const allOk = { process: 'ok', database: 'ok', migrations: 'ok', keys: 'ok' };

/** Asserts the shape of every failure, and beside it what is not ready. */
function assertNotReady(answer: TestResponse, code: keyof typeof details, checks: object): void {
  assert.deepEqual(
    [answer.status, answer.body],
    [503, { detail: details[code], code, status: 'unavailable', checks: { ...allOk, ...checks } }],
  );
  assert.equal(answer.headers['retry-after'], '1');
  assert.equal(answer.headers['cache-control'], 'no-store');
}
const details = {
  database_unavailable: 'Database is unavailable',
  shutting_down: 'Service is shutting down',
};

journey('a database that is away is told by ready, not by live', async (open, { t }) => {
  const { doorward, request } = await open();
  const ping = t.mock.method(doorward.kernel.db, 'ping', async () => {
    throw new DoorwardError('database_unavailable', { reason: 'connection refused at 10.0.0.1' });
  });
  const warn = t.mock.method(doorward.kernel.log, 'warn');
  const ready = await request('GET', '/health/ready');
  const told = { code: 'database_unavailable', reason: 'connection refused at 10.0.0.1', check: 'database' };
  assert.deepEqual(warn.mock.calls[0]?.arguments, [told, 'not ready']);
  assertNotReady(ready, 'database_unavailable', {
    database: 'unavailable',
    migrations: 'unknown',
    keys: 'unknown',
  });
  assert.equal((await request('GET', '/health/live')).status, 200);
  ping.mock.restore();
  const again = await request('GET', '/health/ready');
  assert.deepEqual([again.status, again.body], [200, { status: 'ok' }]);
});

journey('migrations that are missing are told; those of a newer version are no fault', async (open) => {
  const { doorward, request } = await open();
  const { db } = doorward.kernel;
  const [last] = (
    await sql<{ id: string; checksum: string; applied_at: string }>`
      select * from migrations order by id desc limit 1`.execute(db.read)
  ).rows;
  assert.ok(last);
  await db.transaction((tx) => sql`delete from migrations where id = ${last.id}`.execute(tx));
  assertNotReady(await request('GET', '/health/ready'), 'database_unavailable', { migrations: 'pending' });
  await db.transaction((tx) =>
    sql`insert into migrations (id, checksum, applied_at)
      values (${last.id}, ${last.checksum}, ${last.applied_at}), ('9999-newer', 'x', ${last.applied_at})`.execute(
      tx,
    ),
  );
  assert.equal((await request('GET', '/health/ready')).status, 200);
});

journey('signing keys that are gone, or that SECRET_KEY does not open, are told', async (open) => {
  const { doorward, request } = await open();
  const { db } = doorward.kernel;
  const keys = (await sql<{ private_jwe: string }>`select * from signing_keys`.execute(db.read)).rows;
  await db.transaction((tx) => sql`delete from signing_keys`.execute(tx));
  assertNotReady(await request('GET', '/health/ready'), 'database_unavailable', { keys: 'unavailable' });
  assert.equal((await request('GET', '/health/live')).status, 200);

  const [key] = keys as Record<string, string>[];
  assert.ok(key);
  const insert = (private_jwe: string | undefined) =>
    db.transaction((tx) =>
      sql`insert into signing_keys (kid, algorithm, public_jwk, private_jwe, created_at, signs_from)
        values (${key.kid}, ${key.algorithm}, ${key.public_jwk}, ${private_jwe}, ${key.created_at}, ${key.signs_from})`.execute(
        tx,
      ),
    );
  await insert('nothing.that.can.be.opened');
  assertNotReady(await request('GET', '/health/ready'), 'database_unavailable', { keys: 'unavailable' });
  await db.transaction((tx) => sql`delete from signing_keys`.execute(tx));
  await insert(key.private_jwe);
  assert.equal((await request('GET', '/health/ready')).status, 200);
});

journey('a SECRET_KEY that was changed without a restart is told', async (open) => {
  const { doorward, request } = await open();
  const { db, clock, settings } = doorward.kernel;
  await changeSecretKey(
    db,
    settings.SECRET_KEY ?? '',
    'another-0f4d6a8b2c1e3957-not-a-sample',
    clock.now(),
    async () => {},
  );
  assertNotReady(await request('GET', '/health/ready'), 'database_unavailable', { keys: 'unavailable' });
});

journey('ALGORITHM that has no keys of its own, or is new, is no fault', async (open) => {
  const { databaseUrl, request, close } = await open();
  assert.equal((await request('GET', '/health/ready')).status, 200);
  await close();
  for (const ALGORITHM of ['EdDSA', 'HS256']) {
    const changed = await open({ DATABASE_URL: databaseUrl, ALGORITHM });
    assert.equal((await changed.request('GET', '/health/ready')).status, 200, ALGORITHM);
    await changed.close();
  }
});

journey('a full hash queue is no part of it', async (open) => {
  const { doorward, request } = await open({ HASH_CONCURRENCY: 1, HASH_QUEUE_LIMIT: 0 });
  const end = Promise.withResolvers<void>();
  const running = doorward.passwords.queue.run(() => end.promise);
  await assert.rejects(
    doorward.passwords.queue.run(async () => {}),
    { code: 'overloaded' },
  );
  assert.equal((await request('GET', '/health/ready')).status, 200);
  end.resolve();
  await running;
});

journey('a process that drains tells it on the connections that are still open', async (open) => {
  const { app, doorward } = await open();
  await app.listen({ port: 0, host: '127.0.0.1' });
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1').setEncoding('utf8');
  let answers = '';
  socket.on('data', (text: string) => {
    answers += text;
  });
  const arrived = once(app.server, 'request');
  socket.write('POST /auth/signup HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n');
  socket.write('content-length: 2\r\n\r\n{');
  await arrived;
  const closing = doorward.close();
  socket.write('}GET /health/ready HTTP/1.1\r\nhost: x\r\n\r\n');
  await once(socket, 'close');
  await closing;
  const [first, second = ''] = answers.split(/(?<=.)(?=HTTP\/1\.1 )/s);
  assert.match(first ?? '', /^HTTP\/1\.1 422 /);
  assert.match(second, /^HTTP\/1\.1 503 /);
  const body = JSON.parse(second.slice(second.indexOf('\r\n\r\n')));
  assert.deepEqual(
    [body.code, body.detail, body.checks],
    ['shutting_down', details.shutting_down, { ...allOk, process: 'draining' }],
  );
});
