import assert from 'node:assert/strict';
import type { NewAuditEvent } from '../../src/kernel.ts';
import { onThrottled, password, type Throttled, type ThrottleScenario, wrong } from '../support/throttle.ts';

/** What is recorded and counted from now on. */
function watch(s: ThrottleScenario, a: Throttled) {
  const counts: string[] = [];
  a.doorward.kernel.counters.watch((what, label) => counts.push(`${what} ${label}`));
  const record = s.t.mock.method(a.doorward.kernel.audit, 'record');
  return () => {
    const events = record.mock.calls.map(({ arguments: [, event] }): NewAuditEvent => event);
    record.mock.resetCalls();
    return { events, counts: counts.splice(0) };
  };
}

onThrottled('what happens to a log-in is recorded and counted', async (s) => {
  const a = await s.open();
  const user = await a.signIn();
  const off = await a.signIn();
  await a.doorward.admin.change(off.id, { is_active: false });
  const take = watch(s, a);

  const { device_token: device } = (await a.try(user.email, { password })).body;
  const succeeded = { kind: 'login.succeeded', user_id: user.id, actor: user.id } as const;
  assert.deepEqual(take(), {
    events: [{ ...succeeded, detail: { known_device: false } }],
    counts: ['logins succeeded'],
  });
  await a.try(user.email, { password, device });
  assert.deepEqual(take().events, [{ ...succeeded, detail: { known_device: true } }]);

  await a.try('typed-by-mistake!', {});
  assert.deepEqual(take(), {
    events: [{ kind: 'login.failed', user_id: null, detail: { reason: 'unknown_address' } }],
    counts: ['logins failed'],
  });
  await a.try(off.email, { password });
  assert.deepEqual(take(), {
    events: [{ kind: 'login.failed', user_id: off.id, detail: { reason: 'deactivated' } }],
    counts: ['logins deactivated'],
  });

  const failed = { kind: 'login.failed', user_id: user.id, detail: { reason: 'wrong_password' } };
  for (let free = 0; free < 4; free++) await a.try(user.email);
  assert.deepEqual(take().events, [failed, failed, failed, failed]);
  await a.try(user.email);
  assert.deepEqual(take().events, [
    { kind: 'login.throttled', user_id: user.id, detail: { budget: 'account' } },
    failed,
  ]);
  await a.try(user.email);
  assert.deepEqual(take(), { events: [], counts: ['throttled account', 'logins throttled'] });
  s.advance(1);
  await a.try(user.email);
  assert.deepEqual(take().events, [failed]);
});

onThrottled('the network that runs out is told of once, and of nobody', async (s) => {
  const a = await s.open({ THROTTLE_NETWORK_FAILURES_PER_HOUR: 2 });
  const { id, email } = await a.signIn();
  const take = watch(s, a);
  await a.try('x@example.com');
  await a.try(email);
  await a.try(email);
  assert.deepEqual(take(), {
    events: [
      { kind: 'login.failed', user_id: null, detail: { reason: 'unknown_address' } },
      { kind: 'login.throttled', user_id: null, detail: { budget: 'network' } },
      { kind: 'login.failed', user_id: id, detail: { reason: 'wrong_password' } },
    ],
    counts: ['logins failed', 'logins failed', 'throttled network', 'logins throttled'],
  });
});

onThrottled('what happens to a refresh and a password is recorded and counted', async (s) => {
  const a = await s.open({ REFRESH_GRACE_SECONDS: 0 });
  const user = await a.signIn();
  const { id: user_id, access_token: token } = user;
  const take = watch(s, a);
  const next = await a.refreshed(user.refresh_token);
  const last = await a.refreshed(next.refresh_token);
  await a.refresh(last.refresh_token);
  assert.deepEqual(take(), {
    events: [],
    counts: ['refreshes rotated', 'refreshes rotated', 'refreshes rotated'],
  });
  await a.refresh(user.refresh_token);
  const reused = take();
  assert.deepEqual(
    reused.events.filter(({ kind }) => kind !== 'session.ended').map(({ kind, user_id: id }) => [kind, id]),
    [['session.reused', user_id]],
  );
  assert.deepEqual(reused.counts, ['refreshes reused']);
  await a.refresh(user.refresh_token);
  await a.refresh('x');
  assert.deepEqual(take(), {
    events: [
      { kind: 'session.refused', user_id, detail: { reason: 'session_ended' } },
      { kind: 'session.refused', user_id: null, detail: { reason: 'invalid_token' } },
    ],
    counts: ['refreshes refused', 'refreshes refused'],
  });

  const { access_token } = await a.logIn(user.email);
  take();
  assert.notEqual(access_token, token);
  const json = { current_password: wrong, new_password: 'Another-Pass-9!' };
  await a.request('POST', '/auth/me/password', { json, token: access_token });
  await a.request('DELETE', '/auth/me', { json: { current_password: wrong }, token: access_token });
  await a.request('POST', '/auth/me/password', {
    json: { ...json, current_password: password },
    token: access_token,
  });
  const kinds = take().events.map(({ kind, user_id: id }) => [kind, id]);
  assert.deepEqual(
    kinds.filter(([kind]) => kind !== 'session.ended'),
    [
      ['password.refused', user_id],
      ['password.refused', user_id],
      ['password.changed', user_id],
    ],
  );
});

onThrottled('how an account came about is recorded, and who tried to set up', async (s) => {
  const a = await s.open();
  const take = watch(s, a);
  const account = { password, name: 'X' };
  const token = await a.doorward.admin.setupToken();
  await a.request('POST', '/auth/setup', { json: { ...account, token: 'x', email: 'x@example.com' } });
  await a.request('POST', '/auth/setup', { json: { ...account, token, email: 'admin@example.com' } });
  await a.request('POST', '/auth/signup', { json: { ...account, email: 'user@example.com' } });
  const made = await a.doorward.admin.create({ ...account, email: 'made@example.com' });
  assert.deepEqual(take().events, [
    { kind: 'setup.refused', user_id: null },
    { kind: 'setup.completed', user_id: made.id - 2, actor: made.id - 2 },
    { kind: 'user.signed_up', user_id: made.id - 1, actor: made.id - 1 },
    { kind: 'user.created', user_id: made.id },
  ]);
});
