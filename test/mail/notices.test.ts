import assert from 'node:assert/strict';
import { type Journey, journey, password } from '../support/journey.ts';

const browsers = {
  firefox: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  firefoxLater: 'Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0',
  chrome:
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
};

/** The notices in the outbox since the last time they were asked for, the oldest first. */
function watchNotices({ doorward }: Journey) {
  let seen = 0;
  return async () => {
    await doorward.outbox.work();
    const { mails } = await doorward.outbox.list({ limit: 200 });
    const fresh = mails.filter(({ id, kind }) => id > seen && kind !== 'verify_email').toReversed();
    seen = Math.max(seen, ...mails.map(({ id }) => id));
    return Promise.all(fresh.map(({ id }) => doorward.outbox.read(id)));
  };
}

const kinds = (mails: readonly { kind: string; to: string }[]) =>
  mails.map(({ kind, to }) => `${kind} ${to}`).sort();

function logInFrom(instance: Journey, email: string, userAgent: string, more: Record<string, string> = {}) {
  return instance.request('POST', '/auth/login', {
    form: { username: email, password },
    headers: { 'user-agent': userAgent, ...more },
  });
}

journey('a login from a new browser and network is told, the first and a known one are not', async (open) => {
  const instance = await open();
  const notices = watchNotices(instance);
  await instance.doorward.admin.create({ email: 'ann@example.com', password, name: 'Ann', locale: 'de' });
  const first = await logInFrom(instance, 'ann@example.com', browsers.firefox);
  assert.deepEqual(await notices(), [], 'the login after sign-up');
  await logInFrom(instance, 'ann@example.com', browsers.firefoxLater);
  assert.deepEqual(await notices(), [], 'another version of the same browser');

  await logInFrom(instance, 'ann@example.com', browsers.chrome, {
    'x-device-token': first.body.device_token,
  });
  assert.deepEqual(await notices(), [], 'a device that shows its mark');

  // Nobody would know it again had it been forgotten that it was there.
  await instance.doorward.kernel.db.transaction((tx) =>
    tx.deleteFrom('sessions').where('user_agent', '=', browsers.chrome).execute(),
  );
  await logInFrom(instance, 'ann@example.com', browsers.chrome);
  const [told, ...others] = await notices();
  assert.deepEqual([told?.kind, told?.to, told?.locale, others], ['new_device', 'ann@example.com', 'de', []]);
  assert.match(told?.text ?? '', /^Gerät: Chrome unter Windows$/m);
  assert.match(told?.text ?? '', /127\.0\.0\.1/);
  await logInFrom(instance, 'ann@example.com', browsers.chrome);
  assert.deepEqual(await notices(), [], 'it is not new any more');
  assert.equal((await instance.logIn('ann@example.com', 'WrongPass123!')).status, 401);
  assert.deepEqual(await notices(), [], 'a refused login');
});

journey('a login to an account that nobody has used for long is told', async (open) => {
  const instance = await open();
  const notices = watchNotices(instance);
  await instance.doorward.admin.create({ email: 'ann@example.com', password, name: 'Ann' });
  const { body } = await logInFrom(instance, 'ann@example.com', browsers.firefox);
  instance.clock.advance(40 * 86_400);
  await instance.doorward.sessions.deleteExpired();
  await logInFrom(instance, 'ann@example.com', browsers.firefox, { 'x-device-token': body.device_token });
  assert.deepEqual(await notices(), [], 'a device that shows its mark');
  instance.clock.advance(40 * 86_400);
  await instance.doorward.sessions.deleteExpired();
  await logInFrom(instance, 'ann@example.com', browsers.chrome);
  assert.deepEqual(kinds(await notices()), ['new_device ann@example.com']);
});

journey('a user agent that is markup stays text, and one that is a link no link', async (open) => {
  const instance = await open();
  const notices = watchNotices(instance);
  await instance.doorward.admin.create({ email: 'ann@example.com', password, name: 'Ann' });
  await logInFrom(instance, 'ann@example.com', browsers.firefox);
  await logInFrom(instance, 'ann@example.com', '<img src=x onerror=alert(1)> http://evil.example/reset');
  const [told] = await notices();
  assert.equal(told?.kind, 'new_device');
  assert.doesNotMatch(told?.html ?? '', /<img src=x|href="http:\/\/evil/);
  assert.doesNotMatch(told?.text ?? '', /http:\/\/evil\.example/);
});

journey('a new password is told to its owner, and by whom it was set', async (open) => {
  const instance = await open();
  const notices = watchNotices(instance);
  const user = await instance.signIn({ email: 'ann@example.com' });
  const json = { current_password: password, new_password: 'NewSecure456!' };
  const changed = await instance.request('POST', '/auth/me/password', { token: user.access_token, json });
  assert.equal(changed.status, 200);
  assert.deepEqual(kinds(await notices()), ['password_changed ann@example.com']);
  const wrong = await instance.request('POST', '/auth/me/password', { token: user.access_token, json });
  assert.equal(wrong.status, 400);
  assert.deepEqual(await notices(), []);
});

journey('what an administrator does is told, each thing, and what one does oneself is not', async (open) => {
  const instance = await open();
  const notices = watchNotices(instance);
  const admin = await instance.signIn({ email: 'admin@example.com', is_admin: true });
  const user = await instance.signIn({ email: 'ann@example.com' });
  await notices();
  const patch = async (id: number, json: object) => {
    const answer = await instance.request('PATCH', `/auth/users/${id}`, { token: admin.access_token, json });
    assert.equal(answer.status, 200, answer.text);
    return notices();
  };
  const [promoted, ...rest] = await patch(user.id, { is_admin: true });
  assert.deepEqual([promoted?.kind, promoted?.to, rest], ['changed_by_administrator', 'ann@example.com', []]);
  const both = await patch(user.id, { is_admin: false, name: 'Anna' });
  assert.equal(both.length, 2);
  assert.notEqual(both[0]?.text, both[1]?.text);
  assert.deepEqual(kinds(await patch(user.id, { is_active: false })), [
    'changed_by_administrator ann@example.com',
  ]);
  assert.deepEqual(await patch(user.id, { is_active: false }), [], 'nothing changed');
  assert.deepEqual(
    kinds(await patch(user.id, { email: 'anna@example.com' })),
    ['changed_by_administrator ann@example.com'],
    'the former address',
  );
  assert.deepEqual(await patch(admin.id, { name: 'The Admin' }), [], 'oneself');
});

journey('a spent refresh token is told, once a day', async (open) => {
  const instance = await open();
  const notices = watchNotices(instance);
  await instance.doorward.admin.create({ email: 'ann@example.com', password, name: 'Ann' });
  const steal = async () => {
    const { body: login } = await logInFrom(instance, 'ann@example.com', browsers.firefox);
    const refresh = () =>
      instance.request('POST', '/auth/refresh', { json: { refresh_token: login.refresh_token } });
    instance.clock.advance(60);
    const { body: next } = await refresh();
    await instance.request('GET', '/auth/me', { token: next.access_token });
    instance.clock.advance(60);
    assert.equal((await refresh()).status, 401);
    return kinds(await notices());
  };
  assert.deepEqual(await steal(), ['session_reused ann@example.com']);
  assert.deepEqual(await steal(), []);
  instance.clock.advance(86_400);
  assert.deepEqual(await steal(), ['session_reused ann@example.com']);
});

journey('an account that is guessed at is told, once, and a mistyped password is not', async (open) => {
  const instance = await open({ RATE_LIMITS: 'on', THROTTLE_PAIR_FAILURES_PER_HOUR: 1000 });
  const notices = watchNotices(instance);
  await instance.doorward.admin.create({ email: 'ann@example.com', password, name: 'Ann' });
  const told: string[][] = [];
  for (let failure = 1; failure <= 30; failure++) {
    assert.equal((await instance.logIn('ann@example.com', 'WrongPass123!')).status, 401);
    told.push(kinds(await notices()));
    instance.clock.advance(901);
  }
  assert.deepEqual(told.flat(), ['account_attacked ann@example.com']);
  assert.deepEqual(told.slice(0, 19).flat(), []);
  for (let failure = 1; failure <= 30; failure++) {
    await instance.logIn('nobody@example.com', 'WrongPass123!');
    instance.clock.advance(901);
  }
  assert.deepEqual(await notices(), [], 'nobody is told of an address without an account');
});

journey('to an address that nobody proved, one notice of a kind goes a day', async (open) => {
  const instance = await open();
  const notices = watchNotices(instance);
  await instance.signUp('victim@example.com');
  await instance.logIn('victim@example.com');
  await logInFrom(instance, 'victim@example.com', browsers.firefox);
  await logInFrom(instance, 'victim@example.com', browsers.chrome);
  assert.deepEqual(kinds(await notices()), ['new_device victim@example.com']);
});

journey('a transaction that fails tells nothing', async (open) => {
  const instance = await open();
  const notices = watchNotices(instance);
  const admin = await instance.signIn({ is_admin: true });
  const user = await instance.signIn();
  const taken = await instance.request('PATCH', `/auth/users/${user.id}`, {
    token: admin.access_token,
    json: { email: admin.email, name: 'X' },
  });
  assert.equal(taken.status, 409);
  assert.deepEqual(await notices(), []);
});

journey('whoever signs up with the address of somebody else cannot fill that mailbox', async (open) => {
  // MAIL_URL is where nobody answers: what would be sent waits.
  const instance = await open({ RATE_LIMITS: 'on', MAIL_URL: 'smtp://127.0.0.1:9' });
  const { doorward, request, signUp, clock } = instance;
  const to = 'victim@example.com';
  const written: Record<string, number> = {};
  doorward.kernel.events.on('user.deleted', async (tx) => {
    const rows = await tx.selectFrom('outbox').select('kind').where('to_address', '=', to).execute();
    for (const { kind } of rows) written[kind] = (written[kind] ?? 0) + 1;
  });
  for (let account = 0; account < 6; account++) {
    await signUp(to);
    await logInFrom(instance, to, browsers.firefox);
    const { access_token: token } = (await logInFrom(instance, to, browsers.chrome)).body;
    for (const name of ['one', 'two', 'three']) {
      const answer = await request('PATCH', '/auth/me', {
        token,
        json: { email: `${name}${account}@example.com` },
      });
      assert.equal(answer.status, 200, answer.text);
    }
    const json = { current_password: password, new_password: 'NewSecure456!' };
    assert.equal((await request('POST', '/auth/me/password', { token, json })).status, 200);
    const gone = await request('DELETE', '/auth/me', {
      token,
      json: { current_password: json.new_password },
    });
    assert.equal(gone.status, 204, gone.text);
    clock.advance(60);
  }
  const mails = Object.values(written).reduce((sum, count) => sum + count, 0);
  assert.equal(mails, 5, JSON.stringify(written));
});
