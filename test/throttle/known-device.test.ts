import assert from 'node:assert/strict';
import type { TestResponse } from '../../src/testing/index.ts';
import { assertFailure } from '../support/instances.ts';
import {
  assertThrottled,
  countStatuses,
  onThrottled,
  password,
  type Throttled,
} from '../support/throttle.ts';

/** What a login from a new device gives to it. */
async function deviceOf(
  a: Throttled,
  username: string,
  given = password,
  from = '192.0.2.1',
): Promise<string> {
  const answer = await a.try(username, { password: given, from });
  assert.equal(answer.status, 200, answer.text);
  assert.match(answer.body.device_token, /^\d+\.\d+\.[\w-]{16}\.\d+\.[\w-]{43}$/);
  return answer.body.device_token;
}

/** Locks an account for unknown devices. */
async function attack(a: Throttled, username: string): Promise<void> {
  for (let free = 0; free < 5; free++)
    assert.equal((await a.try(username, { from: '198.51.100.66' })).status, 401);
  assertThrottled(await a.try(username, { from: '198.51.100.66' }));
}

/** The device cookie that an answer sets: name, value and attributes. */
function deviceCookie(answer: TestResponse): [name: string, value: string, attributes: string] | undefined {
  const lines = [answer.headers['set-cookie'] ?? []].flat();
  const line = lines.find((each) => each.includes('doorward_device='));
  const [, name = '', value = '', attributes = ''] = /^([^=]+)=([^;]*); (.*)$/.exec(line ?? '') ?? [];
  return line === undefined ? undefined : [name, value, attributes];
}

onThrottled('the owner gets in from a known device while the account is under attack', async (s) => {
  const a = await s.open({ PUBLIC_URL: 'https://id.example.com' });
  const { email } = await a.signIn();
  const device = await deviceOf(a, email);
  await attack(a, email);
  assertThrottled(await a.try(email, { password }));

  const byHeader = await a.try(email, { password, device });
  assert.equal(byHeader.status, 200, byHeader.text);
  // The same device, told anew.
  assert.equal(byHeader.body.device_token.split('.')[2], device.split('.')[2]);
  await attack(a, email);
  const cookie = `__Host-doorward_device=${device}`;
  const sameOrigin = { 'sec-fetch-site': 'same-origin', origin: 'https://id.example.com' };
  const byCookie = await a.request('POST', '/auth/login?transport=cookie', {
    form: { username: email, password },
    headers: { cookie, ...sameOrigin },
  });
  assert.equal(byCookie.status, 200, byCookie.text);
  assert.ok(!byCookie.text.includes(device.slice(-43)), 'with cookies the body has no token');
  // A header that is none of ours counts before the cookie.
  await attack(a, email);
  assertThrottled(await a.try(email, { password, device: 'x', headers: { cookie } }));
  assert.equal((await a.try(email, { password, headers: { cookie } })).status, 200);
});

onThrottled(
  'the cookie is set for pages of ours, in both transports, and stays after a log-out',
  async (s) => {
    const a = await s.open({ PUBLIC_URL: 'https://id.example.com', CORS_ORIGINS: 'https://app.example.com' });
    const { email } = await a.signIn();
    const form = { username: email, password };
    const ours: Record<string, string>[] = [
      { 'sec-fetch-site': 'same-origin' },
      { origin: 'https://id.example.com' },
      { 'sec-fetch-site': 'same-site', origin: 'https://app.example.com' },
    ];
    for (const transport of ['body', 'cookie']) {
      for (const headers of ours) {
        const answer = await a.request('POST', `/auth/login?transport=${transport}`, { form, headers });
        const [name, value, attributes] = deviceCookie(answer) ?? [];
        assert.equal(name, '__Host-doorward_device', JSON.stringify(headers));
        assert.equal(attributes, 'Max-Age=34560000; Path=/; HttpOnly; Secure; SameSite=Lax');
        assert.equal((await a.try(email, { password, headers: { cookie: `${name}=${value}` } })).status, 200);
      }
    }
    const others: Record<string, string>[] = [
      {},
      { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
      { 'sec-fetch-site': 'none' },
    ];
    for (const headers of others)
      assert.equal(deviceCookie(await a.request('POST', '/auth/login', { form, headers })), undefined);

    const login = await a.request('POST', '/auth/login?transport=cookie', { form, headers: ours[0] ?? {} });
    const cookie = [login.headers['set-cookie'] ?? []]
      .flat()
      .map((line) => line.split(';')[0])
      .join('; ');
    const logout = await a.request('POST', '/auth/logout', { headers: { cookie, ...ours[0] } });
    assert.equal(logout.status, 204);
    assert.equal(deviceCookie(logout), undefined);

    const plain = await s.open({ PUBLIC_URL: 'http://id.example.com' });
    assert.equal(deviceCookie(await plain.request('POST', '/auth/login', { form })), undefined);
    const local = await s.open({ PUBLIC_URL: 'http://localhost:8000' });
    const headers = { 'sec-fetch-site': 'same-origin' };
    const [name] = deviceCookie(await local.request('POST', '/auth/login', { form, headers })) ?? [];
    assert.equal(name, 'doorward_device');
  },
);

onThrottled('a known device has a budget of its own, which stands beside the account’s', async (s) => {
  const a = await s.open({ THROTTLE_ACCOUNT_MAX_FAILURES: 8 });
  const { email } = await a.signIn();
  const device = await deviceOf(a, email);
  const other = await deviceOf(a, email, password, '203.0.113.1');
  const spray = Array.from({ length: 20 }, () => a.try(email, { device }));
  assert.deepEqual(countStatuses(await Promise.all(spray)), { 401: 5, 429: 15 });
  assertThrottled(await a.try(email, { password, device }));
  // Neither another device nor a stranger is held by that.
  assert.equal((await a.try(email, { password, device: other })).status, 200);
  assert.equal((await a.try(email, { password })).status, 200);
  for (const wait of [1, 2, 4]) {
    assert.equal(assertThrottled(await a.try(email, { device })), wait);
    s.advance(wait);
    assert.equal((await a.try(email, { device })).status, 401);
  }
  assert.equal(assertThrottled(await a.try(email, { password, device })), 30 * 86_400);
});

onThrottled('devices of one network guess from one budget, which counts at the network too', async (s) => {
  const a = await s.open({ THROTTLE_NETWORK_FAILURES_PER_HOUR: 6 });
  const { email } = await a.signIn();
  const devices = [];
  for (let minted = 0; minted < 4; minted++) devices.push(await deviceOf(a, email));
  for (let failures = 0; failures < 5; failures++)
    assert.equal((await a.try(email, { device: devices[failures % 4] })).status, 401);
  for (const device of devices) assertThrottled(await a.try(email, { device, from: '203.0.113.1' }));
  const other = await deviceOf(a, email, password, '203.0.113.1');
  assert.equal((await a.try(email, { device: other })).status, 401);
  // Six from the network, which holds strangers and no device.
  assertThrottled(await a.try('x@example.com'));
  assert.equal((await a.try(email, { password, device: other })).status, 200);
});

onThrottled('a changed address gives a device and a session no further guesses', async (s) => {
  const a = await s.open();
  const user = await a.signIn();
  const device = await deviceOf(a, user.email);
  const { access_token: token } = user;
  const guesses = { session: 0, device: 0 };
  for (let number = 0; number < 16; number++) {
    const json = { current_password: 'wrong', new_password: 'Another-Pass-9!' };
    const answer = await (number % 2 === 0
      ? a.request('DELETE', '/auth/me', { json, token })
      : a.request('POST', '/auth/me/password', { json, token }));
    if (answer.status === 400) guesses.session += 1;
    const email = `changed${number}@example.com`;
    assert.equal((await a.request('PATCH', '/auth/me', { json: { email }, token })).status, 200);
    if ((await a.try(email, { device })).status === 401) guesses.device += 1;
  }
  assert.deepEqual(guesses, { session: 5, device: 5 });
  // Nor to strangers: the row of failures goes with the account, and what was guessed at the new address does not.
  const other = await a.signIn();
  for (let number = 0; number < 8; number++) {
    const email = `moved${number}@example.com`;
    for (let failures = 0; failures < 5; failures++) await a.try(email, { from: '203.0.113.9' });
    const change = { json: { email }, token: other.access_token };
    assert.equal((await a.request('PATCH', '/auth/me', change)).status, 200);
    const answer = await a.try(email, { from: `203.0.113.${number + 10}` });
    if (number < 5) assert.equal(answer.status, 401);
    else assertThrottled(answer);
  }
});

onThrottled('a known device is held by no network', async (s) => {
  const a = await s.open({ THROTTLE_NETWORK_FAILURES_PER_HOUR: 2, THROTTLE_PAIR_FAILURES_PER_HOUR: 1 });
  const { email } = await a.signIn();
  const device = await deviceOf(a, email);
  for (const username of ['x@example.com', 'y@example.com'])
    assert.equal((await a.try(username)).status, 401);
  assertThrottled(await a.try(email, { password }));
  assert.equal((await a.try(email, { password, device })).status, 200);
  assertThrottled(await a.try('x@example.com', { device }));
});

onThrottled(
  'a token of another user, a forged, old or forgotten one is that of an unknown device',
  async (s) => {
    const a = await s.open();
    const { id, email } = await a.signIn();
    const other = await a.signIn();
    const device = await deviceOf(a, email);
    const [user, epoch, name, issued, signature] = device.split('.');
    const theirs = await deviceOf(a, other.email);
    const isUnknown = async (token: string, why: string) =>
      assertThrottled(await a.try(email, { password: 'x', device: token, headers: { 'x-why': why } }));
    await attack(a, email);
    await isUnknown(theirs, 'of another user');
    await isUnknown([user, epoch, name, issued, theirs.split('.')[4]].join('.'), 'signature of another');
    await isUnknown([user, epoch, name, Number(issued) + 1, signature].join('.'), 'another time');
    await isUnknown([user, Number(epoch) + 1, name, issued, signature].join('.'), 'another epoch');
    await isUnknown(device.slice(0, -1), 'cut');
    await isUnknown(`${device}A`, 'longer');
    await isUnknown(`${device} `, 'space');
    await isUnknown('', 'empty');
    await isUnknown('x'.repeat(8000), 'long');
    const { access_token } = other;
    await isUnknown(access_token, 'an access token');
    // It proves nothing else.
    assert.equal((await a.request('GET', '/auth/me', { token: device })).status, 401);
    assert.equal((await a.refresh(device)).status, 401);

    const secret = await s
      .open({ SECRET_KEY: 'other-8c1d5e0f7a3b4926-not-a-sample' })
      .catch((error) => error);
    assert.ok(secret instanceof Error);
    assert.equal((await a.try(email, { password, device })).status, 200);
    s.advance(400 * 86_400);
    await attack(a, email);
    await isUnknown(device, 'too old');

    s.advance(1000);
    const renewed = await deviceOf(a, email);
    const { kernel, passwords } = a.doorward;
    const hash = await passwords.hash('Another-Pass-9!');
    await kernel.db.transaction((tx) => passwords.replace(tx, id, hash, null));
    await attack(a, email);
    assertThrottled(await a.try(email, { password: 'Another-Pass-9!', device: renewed }));
    s.advance(1000);
    assert.equal((await deviceOf(a, email, 'Another-Pass-9!')).split('.')[1], '1');
  },
);

onThrottled('the owner’s own change of the password keeps the devices', async (s) => {
  const a = await s.open();
  const user = await a.signIn();
  const device = await deviceOf(a, user.email);
  const change = { current_password: password, new_password: 'Another-Pass-9!' };
  const { access_token: token } = user;
  assert.equal((await a.request('POST', '/auth/me/password', { json: change, token })).status, 200);
  await attack(a, user.email);
  assert.equal((await a.try(user.email, { password: 'Another-Pass-9!', device })).status, 200);
});

onThrottled('a live session does not notice an attack on its account', async (s) => {
  const a = await s.open({ REFRESH_GRACE_SECONDS: 0, THROTTLE_NETWORK_FAILURES_PER_HOUR: 10 });
  const user = await a.signIn();
  const { email, access_token: token } = user;
  await attack(a, email);
  const attacker = a.from('198.51.100.66');
  assert.equal((await a.me(token)).status, 200);
  const { access_token, refresh_token } = await a.refreshed(user.refresh_token);
  // Even from the attacker's network.
  const again = await attacker('POST', '/auth/refresh', { json: { refresh_token } });
  assert.equal(again.status, 200);
  const change = { current_password: password, new_password: 'Another-Pass-9!' };
  const asked = { json: change, token: access_token };
  assert.equal((await attacker('POST', '/auth/me/password', asked)).status, 200);
  await attack(a, email);
  const close = { json: { current_password: 'Another-Pass-9!' }, token: access_token };
  assert.equal((await attacker('DELETE', '/auth/me', close)).status, 204);
});

onThrottled(
  'guessing in a session has a budget of its own, and counts for account and network',
  async (s) => {
    const a = await s.open({ THROTTLE_NETWORK_FAILURES_PER_HOUR: 7 });
    const user = await a.signIn();
    const mine = await a.logIn(user.email);
    const ask = a.from('192.0.2.9');
    const guess = (number: number, token = user.access_token) =>
      number % 2 === 0
        ? ask('DELETE', '/auth/me', { json: { current_password: 'wrong' }, token })
        : ask('POST', '/auth/me/password', {
            json: { current_password: 'wrong', new_password: 'Another-Pass-9!' },
            token,
          });
    const answers = await Promise.all(Array.from({ length: 20 }, (_, number) => guess(number)));
    assert.deepEqual(countStatuses(answers), { 400: 5, 429: 15 });
    assert.equal(assertThrottled(await guess(0), 'password'), 1);
    // The account is held for strangers, whatever their network.
    assertThrottled(await a.try(user.email, { password, from: '203.0.113.5' }));
    // Another session is not held; it does not make the network's two left a way around either.
    for (const number of [0, 1]) {
      const answer = await guess(number, mine.access_token);
      assertFailure(answer, 400, 'Current password is incorrect', 'current_password_incorrect');
    }
    assertThrottled(await a.try('somebody@example.com', { from: '192.0.2.9' }));
    assert.equal((await a.try('somebody@example.com', { from: '203.0.113.5' })).status, 401);

    // The right password opens it all again.
    s.advance(1);
    const change = { current_password: password, new_password: 'Another-Pass-9!' };
    const changed = await ask('POST', '/auth/me/password', { json: change, token: user.access_token });
    assert.equal(changed.status, 200, changed.text);
    assert.equal((await a.try(user.email, { password: 'Another-Pass-9!', from: '203.0.113.5' })).status, 200);
    assert.equal((await guess(0)).status, 400);
  },
);
