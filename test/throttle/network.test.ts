import assert from 'node:assert/strict';
import { assertRefused } from '../support/instances.ts';
import { assertThrottled, countStatuses, onThrottled, password, wrong } from '../support/throttle.ts';

let accounts = 0;
const somebody = () => `somebody${++accounts}@example.com`;

onThrottled('a network has so many failed logins an hour, whatever the accounts', async (s) => {
  const a = await s.open({ THROTTLE_NETWORK_FAILURES_PER_HOUR: 10 });
  const user = await a.signIn();
  const b = await s.open({ THROTTLE_NETWORK_FAILURES_PER_HOUR: 10 });
  s.advance(10);
  const race = Array.from({ length: 30 }, (_, number) => (number % 2 === 0 ? a : b).try(somebody()));
  assert.deepEqual(countStatuses(await Promise.all(race)), { 401: 10, 429: 20 });
  assert.equal(assertThrottled(await a.try(somebody())), 3600);
  assertThrottled(await a.try(user.email, { password }));
  assert.equal((await a.try(user.email, { password, from: '192.0.2.2' })).status, 200);
  s.advance(3599);
  assert.equal(assertThrottled(await a.try(somebody())), 1);
  s.advance(1);
  assert.equal((await a.try(user.email, { password })).status, 200);
  // What succeeds is given back.
  for (let times = 0; times < 12; times++) assert.equal((await a.try(user.email, { password })).status, 200);
  assert.equal((await a.try(somebody())).status, 401);
});

onThrottled('an account takes so many failures from one network an hour', async (s) => {
  const a = await s.open({ THROTTLE_PAIR_FAILURES_PER_HOUR: 6 });
  const { email } = await a.signIn();
  for (let round = 0; round < 2; round++) {
    for (let times = 0; times < 3; times++) assert.equal((await a.try(email)).status, 401);
    // The owner's success elsewhere forgets the row of failures, not those of the network.
    assert.equal((await a.try(email, { password, from: '203.0.113.1' })).status, 200);
  }
  assert.equal(assertThrottled(await a.try(email, { password })), 3600);
  assert.equal((await a.try(somebody())).status, 401);
  assert.equal((await a.try(email, { password, from: '203.0.113.1' })).status, 200);
});

onThrottled('IPv6 counts by /64, and IPv4 in IPv6 as IPv4', async (s) => {
  const a = await s.open({ THROTTLE_NETWORK_FAILURES_PER_HOUR: 2 });
  const from = (address: string) => a.try(somebody(), { from: address });
  assert.equal((await from('2001:db8:1:2::1')).status, 401);
  assert.equal((await from('2001:db8:1:2:ffff:ffff:ffff:ffff')).status, 401);
  assertThrottled(await from('2001:db8:1:2:3::4'));
  assert.equal((await from('2001:db8:1:3::1')).status, 401);
  assert.equal((await from('198.51.100.1')).status, 401);
  assert.equal((await from('::ffff:198.51.100.1')).status, 401);
  assertThrottled(await from('::ffff:c633:6401'));
  assertThrottled(await from('198.51.100.1'));
  assert.equal((await from('198.51.100.2')).status, 401);
});

onThrottled('nobody changes the network by a header', async (s) => {
  const settings = { THROTTLE_NETWORK_FAILURES_PER_HOUR: 3 };
  const spoof = (number: number) => ({
    'x-forwarded-for': `198.51.100.${number}`,
    forwarded: `for=198.51.100.${number}`,
    'x-real-ip': `198.51.100.${number}`,
  });
  const form = () => ({ username: somebody(), password: wrong });
  const direct = await s.open({ ...settings, TRUSTED_PROXIES: '' });
  for (let number = 0; number < 3; number++) {
    const answer = await direct.request('POST', '/auth/login', { form: form(), headers: spoof(number) });
    assert.equal(answer.status, 401);
  }
  assertThrottled(await direct.request('POST', '/auth/login', { form: form(), headers: spoof(9) }));

  // Behind a proxy, which appends the address that it sees.
  for (const [header, entry, TRUSTED_PROXY_HEADER] of [
    ['x-forwarded-for', '203.0.113.7', 'x-forwarded-for'],
    ['forwarded', 'for=203.0.113.8', 'forwarded'],
  ] as const) {
    const a = await s.open({ ...settings, TRUSTED_PROXY_HEADER });
    const ask = (number: number) => {
      const spoofed: Record<string, string> = spoof(number);
      const headers = { ...spoofed, [header]: `${spoofed[header]}, ${entry}` };
      return a.request('POST', '/auth/login', { form: form(), headers });
    };
    for (let number = 0; number < 3; number++) assert.equal((await ask(number)).status, 401);
    assertThrottled(await ask(9));
  }
  const { read } = direct.doorward.kernel.db;
  const networks = await read
    .selectFrom('throttle_counters')
    .select('key')
    .where('failures', '=', 3)
    .execute();
  assert.equal(networks.length, 3);
});

onThrottled('a network has so many sign-ups an hour, and an address that is taken counts', async (s) => {
  const a = await s.open({ THROTTLE_NETWORK_SIGN_UPS_PER_HOUR: 5 });
  const { email: taken } = await a.signIn();
  const record = s.t.mock.method(a.doorward.kernel.audit, 'record');
  const signUp = (email: string, from = '192.0.2.1', more = {}) =>
    a.from(from)('POST', '/auth/signup', { json: { email, password, name: 'X', ...more } });
  // What is malformed does not count.
  for (let times = 0; times < 6; times++) {
    assert.equal((await signUp('none')).status, 422);
    assert.equal((await signUp(somebody(), '192.0.2.1', { password: 'password' })).status, 422);
  }
  assert.equal((await signUp(taken)).status, 409);
  assert.equal((await signUp(taken)).status, 409);
  const race = await Promise.all(Array.from({ length: 10 }, () => signUp(somebody())));
  assert.deepEqual(countStatuses(race), { 201: 3, 429: 7 });
  assert.equal(assertThrottled(await signUp(taken), 'signup'), 3600);
  assert.equal((await signUp(somebody(), '192.0.2.2')).status, 201);
  assert.equal((await a.try(taken, { password })).status, 200, 'a login is something else');
  const kinds = record.mock.calls.map(({ arguments: [, event] }) => event.kind);
  assert.equal(kinds.filter((kind) => kind === 'sign_up.throttled').length, 1);
  assert.equal(kinds.filter((kind) => kind === 'user.signed_up').length, 4);
});

onThrottled('a sign-up that found no place gives back what it took', async (s) => {
  const a = await s.open({
    THROTTLE_NETWORK_SIGN_UPS_PER_HOUR: 2,
    HASH_CONCURRENCY: 1,
    HASH_QUEUE_LIMIT: 0,
  });
  const gate = Promise.withResolvers<void>();
  const held = a.doorward.passwords.queue.run(() => gate.promise);
  const signUp = () =>
    a.from('192.0.2.1')('POST', '/auth/signup', { json: { email: somebody(), password, name: 'X' } });
  for (let times = 0; times < 5; times++) assert.equal((await signUp()).status, 503);
  gate.resolve();
  await held;
  assert.deepEqual([(await signUp()).status, (await signUp()).status], [201, 201]);
  assertThrottled(await signUp(), 'signup');
});

onThrottled('a network has so many tries at the setup token', async (s) => {
  const a = await s.open({ THROTTLE_NETWORK_SETUPS_PER_HOUR: 3 });
  const token = (await a.doorward.admin.setupToken()) ?? '';
  const setUp = (given: string, from: string, email = somebody()) =>
    a.from(from)('POST', '/auth/setup', { json: { token: given, email, password, name: 'X' } });
  const race = Array.from({ length: 10 }, () => setUp('wrong', '192.0.2.1'));
  assert.deepEqual(countStatuses(await Promise.all(race)), { 403: 3, 429: 7 });
  assertThrottled(await setUp(token, '192.0.2.1'), 'setup');
  // With the right token nothing else that is wrong uses up a try.
  const { email } = await a.signIn();
  for (let times = 0; times < 4; times++) assert.equal((await setUp(token, '192.0.2.2', email)).status, 409);
  assert.equal((await setUp(token, '192.0.2.2')).status, 201);
});

onThrottled('refused refreshes run out, valid ones never', async (s) => {
  const a = await s.open({ THROTTLE_NETWORK_REFUSED_REFRESHES_PER_HOUR: 4, REFRESH_GRACE_SECONDS: 0 });
  const { refresh_token: first } = await a.signIn();
  const ask = a.from('192.0.2.1');
  const refresh = (refresh_token: string) => ask('POST', '/auth/refresh', { json: { refresh_token } });
  const record = s.t.mock.method(a.doorward.kernel.audit, 'record');
  for (let times = 0; times < 4; times++) assertRefused(await refresh('x.y.z'));
  assert.deepEqual(
    record.mock.calls.map(({ arguments: [, event] }) => event.kind),
    Array(4).fill('session.refused'),
  );
  record.mock.resetCalls();
  const transaction = s.t.mock.method(a.doorward.kernel.db, 'transaction');
  for (let times = 0; times < 4; times++) assertThrottled(await refresh('x.y.z'), 'refresh');
  assert.deepEqual([record.mock.callCount(), transaction.mock.callCount()], [0, 0]);
  transaction.mock.restore();

  const second = await refresh(first);
  assert.equal(second.status, 200);
  const third = await refresh(second.body.refresh_token);
  assert.equal(third.status, 200);
  // A spent token ends its session, whether its refusal is counted or not.
  assertThrottled(await refresh(first), 'refresh');
  assert.equal((await a.me(third.body.access_token)).status, 401);
  const kinds = record.mock.calls.map(({ arguments: [, event] }) => event.kind);
  assert.ok(kinds.includes('session.reused') && !kinds.includes('session.refused'));
  assertRefused(await a.refresh(first));
});

onThrottled('whoever comes without an address counts on no network', async (s) => {
  const a = await s.open({ THROTTLE_NETWORK_FAILURES_PER_HOUR: 1, TRUSTED_PROXIES: '' });
  const user = await a.signIn();
  const logIn = (username: string, given: string, options?: { remoteAddress?: string }) =>
    a.doorward.fetch(
      new Request('http://localhost/auth/login', {
        method: 'POST',
        body: new URLSearchParams({ username, password: given }),
      }),
      options,
    );
  for (const options of [undefined, {}, { remoteAddress: '' }, { remoteAddress: '/run/client.sock' }]) {
    for (let times = 0; times < 2; times++)
      assert.equal((await logIn(somebody(), wrong, options)).status, 401);
  }
  const from = { remoteAddress: '192.0.2.1' };
  assert.equal((await logIn(somebody(), wrong, from)).status, 401);
  assert.equal((await logIn(somebody(), wrong, from)).status, 429);
  assert.equal((await logIn(user.email, password)).status, 200);
});
