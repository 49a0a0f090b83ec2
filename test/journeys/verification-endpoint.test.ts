import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { sql } from 'kysely';
import { recordTogether, tamper } from '../support/audit.ts';
import { journey } from '../support/journey.ts';

journey('administrators have the log verified, and are told the first fault', async (open) => {
  const instance = await open();
  const { access_token: token } = await instance.signIn({ is_admin: true });
  const ask = async (method: 'GET' | 'POST', path: string, status: number) => {
    const answer = await instance.request(method, `/auth/audit-events/${path}`, { token });
    assert.equal(answer.status, status, answer.text);
    return answer.body;
  };
  const never = await ask('GET', 'verification', 200);
  assert.deepEqual([never.state, never.started_at, never.result], ['none', null, null]);
  const done = await ask('POST', 'verify', 200);
  const { events } = await instance.doorward.audit.list({ limit: 200 });
  assert.deepEqual([done.state, done.result.ok, done.result.findings], ['done', true, []]);
  assert.deepEqual([done.events_checked, done.events_total], [events.length, events.length]);
  assert.equal(done.instance_id, never.instance_id);
  assert.deepEqual(await ask('GET', 'verification', 200), done);

  const [first] = events;
  await tamper(instance, sql`update audit_events set kind = 'login.failed' where id = ${first?.id}`);
  const found = await ask('POST', 'verify', 200);
  assert.equal(found.result.ok, false);
  const [finding] = found.result.findings;
  assert.deepEqual([finding.code, finding.event_id], ['event_changed', first?.id]);
});

journey('what somebody wrote in the place of numbers is told, and no failure', async (open, { database }) => {
  const instance = await open();
  const { access_token: token } = await instance.signIn({ is_admin: true });
  const verify = () => instance.request('POST', '/auth/audit-events/verify', { token });
  const copy = (chain: unknown, position: unknown) =>
    tamper(
      instance,
      sql`insert into audit_events (id, chain, position, time, kind, result, hash)
        values (${`${chain}-${position}`}, ${chain}, ${position}, 'then', 'login.failed', 'failure', 'x')`,
    );
  const odd =
    database.name === 'SQLite'
      ? [
          [3, 'x'],
          [3, 1.5],
          [3.5, 1],
          ['x', 1],
          [-1, 1],
        ]
      : [
          [-1, 1],
          [16, 1],
        ];
  for (const [chain, position] of odd) {
    await copy(chain, position);
    const answer = await verify();
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.body.result.ok, false, `${chain}, ${position}`);
    await tamper(instance, sql`delete from audit_events where time = 'then'`);
    assert.equal((await verify()).body.result.ok, true);
  }
});

journey('a long one goes on beside everything else, once, and can be asked for', async (open) => {
  const instance = await open();
  const { access_token: token } = await instance.signIn({ is_admin: true });
  for (let round = 0; round < 8; round++)
    await recordTogether(
      instance,
      Array.from({ length: 1_000 }, () => ({})),
    );
  const { verifier } = instance.doorward.audit;
  let turns = 0;
  let isOver = false;
  const watching = (async () => {
    for (; !isOver; turns++) await nextTurn();
  })();
  const [begun, joined] = await Promise.all([verifier.run(0), verifier.run(0)]);
  assert.deepEqual([begun.state, joined.state], ['running', 'running']);
  assert.equal(begun.started_at, joined.started_at);
  const asked = await instance.request('GET', '/auth/audit-events/verification', { token });
  assert.deepEqual([asked.body.state, asked.body.result], ['running', null]);
  assert.ok(asked.body.events_total > 8_000);
  const { body, status } = await instance.request('POST', '/auth/audit-events/verify', { token });
  isOver = true;
  await watching;
  assert.deepEqual([status, body.state, body.result.ok], [200, 'done', true]);
  assert.ok(body.events_checked >= body.events_total);
  // The event loop had its turn between the portions.
  assert.ok(turns >= 16, String(turns));
});

journey('one that cannot be finished says so, and the next one can', async (open, { t }) => {
  const instance = await open();
  const { access_token: token } = await instance.signIn({ is_admin: true });
  const { db } = instance.doorward.kernel;
  const lost = t.mock.method(db.read, 'selectFrom', () => {
    throw new Error('the connection is gone');
  });
  await assert.rejects(instance.doorward.audit.verifier.run(1_000));
  lost.mock.restore();
  const failed = await instance.request('GET', '/auth/audit-events/verification', { token });
  assert.deepEqual([failed.body.state, failed.body.result], ['failed', null]);
  const again = await instance.request('POST', '/auth/audit-events/verify', { token });
  assert.deepEqual([again.status, again.body.state], [200, 'done']);
});
