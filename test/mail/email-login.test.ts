import assert from 'node:assert/strict';
import type { CaughtMail, TestResponse } from '../../src/testing/index.ts';
import { assertFailure, assertToken, type Journey, journey, password } from '../support/journey.ts';
import { checkEveryAnswer } from '../support/openapi-conformance.ts';
import { codeIn, linkIn, startSmtp } from '../support/smtp.ts';

checkEveryAnswer();

const email = 'ada@example.com';
const on = { EMAIL_LOGIN: 'on' } as const;
const own = { 'sec-fetch-site': 'same-origin' };

const invalidLink = (answer: TestResponse) =>
  assertFailure(answer, 400, 'Invalid or expired link', 'invalid_link');
const invalidCode = (answer: TestResponse) =>
  assertFailure(answer, 400, 'Invalid or expired code', 'invalid_code');

interface Sent {
  headers?: Record<string, string>;
  query?: string;
}

const verify = (a: Journey, json: unknown, { headers = {}, query = '' }: Sent = {}) =>
  a.request('POST', `/auth/login/email/verify${query}`, { json, headers });

/** Asks for the mail, and answers what came of it. */
async function ask(a: Journey, to = email, headers: Record<string, string> = {}) {
  const answer = await a.request('POST', '/auth/login/email', { json: { email: to }, headers });
  assert.equal(answer.status, 202, answer.text);
  return answer;
}

const mailsOf = async (a: Journey) => (await a.mails()).filter(({ kind }) => kind === 'email_login');

/** The newest mail that logs in. */
async function newest(a: Journey): Promise<CaughtMail & { token: string; code: string }> {
  const mail = (await mailsOf(a)).at(-1);
  const { token, code } = mail ?? {};
  assert.ok(
    mail !== undefined && token !== undefined && code !== undefined,
    'no mail with a link and a code',
  );
  return { ...mail, token, code };
}

async function asked(a: Journey, to = email, headers: Record<string, string> = {}) {
  await ask(a, to, headers);
  return newest(a);
}

/** A code that is not the one. */
const otherCode = (code: string) => String((Number(code) + 1) % 1_000_000).padStart(6, '0');

/** The cookies that an answer sets, as a browser sends them back. */
function cookiesOf(answer: TestResponse): Record<string, string> {
  const lines = [answer.headers['set-cookie'] ?? []].flat();
  return Object.fromEntries(lines.map((line) => (line.split(';')[0] ?? '').split('=') as [string, string]));
}
const cookieHeader = (cookies: Record<string, string>) =>
  Object.entries(cookies)
    .map(([cookie, value]) => `${cookie}=${value}`)
    .join('; ');

journey('the link of the mail logs in, once', async (open, { t }) => {
  const smtp = await startSmtp(t);
  const a = await open({ ...on, MAIL_URL: smtp.url });
  const user = await a.signIn({ email });
  const answer = await ask(a, 'ADA@Example.com', { 'accept-language': 'fr-CH, fr;q=0.9, en;q=0.8' });
  assert.deepEqual(answer.body, { message: 'If the address has an account, a mail is on its way' });
  await a.doorward.outbox.work();
  const mail = await smtp.waitFor(email);
  assert.equal(mail.headers.get('content-language') ?? 'fr', 'fr');
  const { link, token } = linkIn(mail);
  assert.match(link, /^http:\/\/127\.0\.0\.1:8000\/account\/login\/email#token=[\w-]{43}$/);
  assert.match(codeIn(mail), /^\d{6}$/);

  // A scanner opens it three times, before the user does.
  for (let n = 0; n < 3; n++) await a.request('GET', new URL(link).pathname);
  const { status, body, headers } = await verify(a, { token });
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(body).sort(), [
    'access_token',
    'device_token',
    'expires_in',
    'refresh_token',
    'token_type',
  ]);
  assert.equal(headers['cache-control'], 'no-store');
  assert.equal((await a.request('GET', '/auth/me', { token: body.access_token })).body.id, user.id);
  const { refresh_token } = body;
  a.clock.advance(10);
  assert.equal((await a.request('POST', '/auth/refresh', { json: { refresh_token } })).status, 200);
  invalidLink(await verify(a, { token }));
  invalidCode(await verify(a, { email, code: codeIn(mail) }));
  await assertToken(a, user.access_token, 'good');
  assert.equal((await a.logIn(email, user.password)).status, 200, 'the password stays');
});

journey('a login by mail is counted, told to the audit log, and makes the device known', async (open) => {
  const a = await open({ ...on });
  const counted: string[] = [];
  a.doorward.kernel.counters.watch((what, label) => counted.push(`${what} ${label}`));
  const { id } = await a.doorward.admin.create({ email, password, name: 'Ada' });
  const { token } = await asked(a);
  const { body } = await verify(a, { token });
  invalidLink(await verify(a, { token }));
  const again = await asked(a);
  const known = await verify(a, { token: again.token }, { headers: { 'x-device-token': body.device_token } });
  assert.equal(known.status, 200);
  const { events } = await a.doorward.audit.list({ limit: 50, kind: 'login.succeeded' });
  assert.deepEqual(
    events.map(({ user_id, actor, detail }) => [user_id, actor, detail]),
    [true, false].map((known_device) => [id, id, { method: 'email', known_device }]),
  );
  assert.deepEqual(
    counted.filter((line) => line.startsWith('logins')),
    ['logins succeeded', 'logins failed', 'logins succeeded'],
  );
});

journey('the code logs in on another device, in any spelling, once', async (open) => {
  const a = await open({ ...on });
  await a.doorward.admin.create({ email, password, name: 'Ada' });
  for (const spell of [
    (code: string) => code,
    (code: string) => `${code.slice(0, 3)} ${code.slice(3)}`,
    (code: string) => ` ${code.slice(0, 3)}-${code.slice(3)} `,
  ]) {
    const { code, token } = await asked(a);
    const answer = await verify(a, { email: 'Ada@EXAMPLE.com', code: spell(code) });
    assert.equal(answer.status, 200, answer.text);
    invalidCode(await verify(a, { email, code }));
    invalidLink(await verify(a, { token }));
  }
});

journey('a code takes five tries and ten minutes, whatever RATE_LIMITS says', async (open) => {
  const a = await open({ ...on, RATE_LIMITS: 'off' });
  await a.doorward.admin.create({ email, password, name: 'Ada' });
  const guessed = await asked(a);
  for (let n = 0; n < 5; n++) invalidCode(await verify(a, { email, code: otherCode(guessed.code) }));
  invalidCode(await verify(a, { email, code: guessed.code }));
  assert.equal((await verify(a, { token: guessed.token })).status, 200, 'the link is no guess');

  const parallel = await asked(a);
  const guesses = await Promise.all(
    Array.from({ length: 20 }, () => verify(a, { email, code: otherCode(parallel.code) })),
  );
  for (const guess of guesses) invalidCode(guess);
  invalidCode(await verify(a, { email, code: parallel.code }));

  const late = await asked(a);
  a.clock.advance(10 * 60);
  invalidCode(await verify(a, { email, code: late.code }));
  a.clock.advance(5 * 60 - 1);
  assert.equal((await verify(a, { token: late.token })).status, 200);
  const later = await asked(a);
  a.clock.advance(15 * 60);
  invalidLink(await verify(a, { token: later.token }));
});

journey('a code is good for its own address alone', async (open) => {
  const a = await open({ ...on });
  const other = 'grace@example.com';
  for (const each of [email, other]) await a.doorward.admin.create({ email: each, password, name: 'User' });
  const { code } = await asked(a);
  await ask(a, other);
  const { code: theirs } = await newest(a);
  if (code !== theirs) invalidCode(await verify(a, { email: other, code }));
  invalidCode(await verify(a, { email: 'nobody@example.com', code }));
  assert.equal((await verify(a, { email, code })).status, 200);
});

journey('what supersedes or ends a link voids it', async (open) => {
  const a = await open({ ...on });
  const user = await a.signIn({ email });
  const admin = await a.signIn({ is_admin: true });
  const first = await asked(a);
  const second = await asked(a);
  invalidLink(await verify(a, { token: first.token }));
  assert.equal((await verify(a, { token: second.token })).status, 200);

  const { accounts, kernel } = a.doorward;
  const newPassword = 'Another-Pass-77!';
  const ends: Record<string, () => Promise<unknown>> = {
    'another password': () =>
      a.request('POST', '/auth/me/password', {
        token: user.access_token,
        json: { current_password: user.password, new_password: newPassword },
      }),
    'another address': async () => {
      await a.doorward.admin.change(user.id, { email: 'else@example.com' }, admin.id);
      await a.doorward.admin.change(user.id, { email }, admin.id);
    },
    suspension: async () => {
      await a.doorward.admin.change(user.id, { is_active: false }, admin.id);
      await a.doorward.admin.change(user.id, { is_active: true }, admin.id);
    },
    closing: async () => {
      const delete_after = new Date(a.clock.now().getTime() + 86_400_000).toISOString();
      await kernel.db.transaction((tx) => accounts.apply(tx, user.id, { delete_after }, 'owner'));
      await kernel.db.transaction((tx) => accounts.apply(tx, user.id, { is_active: true }, 'owner'));
    },
    deletion: () => a.doorward.admin.delete(user.id, admin.id),
  };
  for (const [what, end] of Object.entries(ends)) {
    const { token, code } = await asked(a);
    await end();
    invalidLink(await verify(a, { token }));
    invalidCode(await verify(a, { email, code }));
    assert.ok(what);
  }
});

journey('everybody gets the same answer for the same work, and only who may log in a mail', async (open) => {
  const a = await open({ ...on });
  const addresses = {
    known: 'known@example.com',
    unknown: 'unknown@example.com',
    suspended: 'suspended@example.com',
    unverified: 'unverified@example.com',
  };
  await a.doorward.admin.create({ email: addresses.known, password, name: 'Known' });
  const suspended = await a.doorward.admin.create({
    email: addresses.suspended,
    password,
    name: 'Suspended',
  });
  await a.doorward.admin.change(suspended.id, { is_active: false });
  await a.signUp(addresses.unverified);
  await a.mails();

  const { kernel, outbox } = a.doorward;
  await outbox.stop();
  const before = (await kernel.db.read.selectFrom('outbox').select('id').execute()).length;
  const seen = new Set<string>();
  for (const address of Object.values(addresses)) {
    const answer = await ask(a, address);
    const { 'x-request-id': _id, date: _date, ...headers } = answer.headers;
    seen.add(JSON.stringify([answer.status, answer.body, headers]));
  }
  assert.equal(seen.size, 1, [...seen].join('\n'));
  const rows = (await kernel.db.read.selectFrom('outbox').selectAll().orderBy('id').execute()).slice(before);
  assert.deepEqual(
    rows.map(({ kind, state, user_id, params, to_address }) => [kind, state, user_id, params, to_address]),
    Object.values(addresses).map((to) => ['email_login', 'asked', null, '{"browser_digest":null}', to]),
  );

  const other = await open({ ...on, DATABASE_URL: a.databaseUrl });
  assert.deepEqual((await mailsOf(other)).map(({ to }) => to).sort(), [
    addresses.known,
    addresses.unverified,
  ]);
  // A wrong proof is answered alike as well.
  const wrong = new Set<string>();
  for (const address of Object.values(addresses))
    wrong.add((await verify(other, { email: address, code: '000000x' })).text);
  assert.equal(wrong.size, 1);
});

journey('who is suspended while it is under way is told, and the link is not used up', async (open) => {
  const a = await open({ ...on });
  const { id } = await a.doorward.admin.create({ email, password, name: 'Ada' });
  const { token } = await asked(a);
  // As if another request were between looking at the link and logging in: a suspension itself voids the link.
  const suspend = (is_active: boolean) =>
    a.doorward.kernel.db.transaction((tx) =>
      tx.updateTable('users').set({ is_active }).where('id', '=', id).execute(),
    );
  await suspend(false);
  const refused = await verify(a, { token });
  assertFailure(refused, 403, 'Account is deactivated', 'account_deactivated');
  const [event] = (await a.doorward.audit.list({ limit: 1, kind: 'login.failed' })).events;
  assert.deepEqual([event?.user_id, event?.detail], [id, { method: 'email', reason: 'deactivated' }]);
  await suspend(true);
  assert.equal((await verify(a, { token })).status, 200);
});

journey('an account that nobody proved is the owner’s from then on, and nobody else’s', async (open) => {
  for (const by of ['token', 'code'] as const) {
    const a = await open({ ...on, REQUIRE_VERIFIED_EMAIL: 'off' });
    const thief = await a.signUp(email, { name: 'Thief' });
    const session = (await a.logIn(email)).body;
    const { kernel, accounts, throttle } = a.doorward;
    await kernel.db.transaction((tx) =>
      accounts.apply(tx, thief.id, { pending_email: 'thief@example.com' }, 'owner'),
    );
    const mail = await asked(a);
    const answer = await verify(a, by === 'token' ? { token: mail.token } : { email, code: mail.code });
    assert.equal(answer.status, 200, answer.text);
    const me = await a.request('GET', '/auth/me', { token: answer.body.access_token });
    assert.deepEqual([me.body.id, me.body.email_verified, me.body.pending_email], [thief.id, true, null]);
    await assertToken(a, session.access_token, 'dead');
    const { refresh_token } = session;
    assert.equal((await a.request('POST', '/auth/refresh', { json: { refresh_token } })).status, 401);
    assert.equal((await a.logIn(email)).status, 401, 'the password is gone');
    const client = { userId: thief.id, network: '127.0.0.1' };
    const theirs = await throttle.recognise({ ...client, deviceToken: session.device_token });
    const ours = await throttle.recognise({ ...client, deviceToken: answer.body.device_token });
    assert.deepEqual([theirs.isKnown, ours.isKnown], [false, true]);
    assert.deepEqual(await kernel.db.read.selectFrom('mail_links').select('purpose').execute(), []);
    const kinds = (await a.doorward.audit.list({ limit: 50 })).events.map(({ kind }) => kind);
    for (const kind of ['password.removed', 'session.ended', 'user.verified', 'login.succeeded'] as const)
      assert.ok(kinds.includes(kind), kind);

    // The second time there is nothing to take away.
    const again = await asked(a);
    assert.equal((await verify(a, { token: again.token })).status, 200);
    await assertToken(a, answer.body.access_token, 'good');
  }
});

journey('it logs in where an address must be verified first', async (open) => {
  const a = await open({ ...on, REQUIRE_VERIFIED_EMAIL: 'on' });
  await a.signUp(email);
  assert.equal((await a.logIn(email)).status, 403);
  const { token } = await asked(a);
  assert.equal((await verify(a, { token })).status, 200);
});

journey('a scheduled deletion is taken back', async (open) => {
  const a = await open({ ...on, DELETION_GRACE_DAYS: 30 });
  const user = await a.signIn({ email });
  const json = { current_password: user.password };
  assert.equal((await a.request('DELETE', '/auth/me', { token: user.access_token, json })).status, 204);
  const { token } = await asked(a);
  const { body } = await verify(a, { token });
  const me = await a.request('GET', '/auth/me', { token: body.access_token });
  assert.deepEqual([me.body.is_active, me.body.delete_after], [true, null]);
});

journey('the link works in the browser that asked alone, the code everywhere', async (open) => {
  const a = await open({ ...on });
  await a.doorward.admin.create({ email, password, name: 'Ada' });
  const answer = await ask(a, email, own);
  const mark = cookiesOf(answer);
  assert.deepEqual(Object.keys(mark), ['doorward_mark']);
  const { token, code } = await newest(a);
  for (const cookie of [undefined, 'doorward_mark=AAAAAAAAAAAAAAAAAAAAAA', 'doorward_mark=']) {
    const refused = await verify(
      a,
      { token },
      { headers: { ...own, ...(cookie === undefined ? {} : { cookie }) } },
    );
    assertFailure(refused, 400, 'This link was asked for in another browser', 'link_from_another_browser');
  }
  // Another tab asks for something else meanwhile: the browser stays the same.
  const again = await ask(a, 'nobody@example.com', { ...own, cookie: cookieHeader(mark) });
  assert.deepEqual(cookiesOf(again), mark);
  assert.equal((await verify(a, { token }, { headers: { ...own, cookie: cookieHeader(mark) } })).status, 200);

  await ask(a, email, { ...own, cookie: cookieHeader(mark) });
  const elsewhere = await newest(a);
  assert.notEqual(elsewhere.code === code && elsewhere.token === token, true);
  assert.equal((await verify(a, { email, code: elsewhere.code })).status, 200);
});

journey('tokens travel in cookies where a page of ours wants them', async (open) => {
  const a = await open({ ...on });
  await a.doorward.admin.create({ email, password, name: 'Ada' });
  const { token } = await asked(a);
  const query = '?transport=cookie';
  for (const headers of [
    {},
    { 'sec-fetch-site': 'cross-site' },
    { origin: 'https://evil.example.com' },
    { 'sec-fetch-site': 'same-site' },
  ] as Record<string, string>[]) {
    const refused = await verify(a, { token }, { headers, query });
    assertFailure(refused, 403, 'Cross-site request refused', 'cross_site_request');
    assert.equal(refused.headers['set-cookie'], undefined);
  }
  const answer = await verify(a, { token }, { headers: own, query });
  assert.deepEqual([answer.status, answer.body], [200, { token_type: 'cookie', expires_in: 900 }]);
  const cookies = cookiesOf(answer);
  assert.deepEqual(Object.keys(cookies).sort(), ['doorward_access', 'doorward_device', 'doorward_refresh']);
  const me = await a.request('GET', '/auth/me', { headers: { ...own, cookie: cookieHeader(cookies) } });
  assert.deepEqual([me.status, me.body.email], [200, email]);

  const next = await asked(a);
  const { status, body, headers } = await verify(a, { token: next.token });
  assert.deepEqual([status, typeof body.device_token, headers['set-cookie']], [200, 'string', undefined]);
  const { events } = await a.doorward.audit.list({ limit: 1, kind: 'login.succeeded' });
  assert.deepEqual(events[0]?.detail.known_device, false, 'without the cookie');
});

journey('of 20 who use one mail at once, by link or code, one logs in', async (open) => {
  const one = await open({ ...on });
  const two = await open({ ...on, DATABASE_URL: one.databaseUrl });
  for (const isVerified of [true, false]) {
    const to = `race-${isVerified}@example.com`;
    if (isVerified) await one.doorward.admin.create({ email: to, password, name: 'Race' });
    else await one.signUp(to);
    const { token, code } = await asked(one, to);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => {
        const proof = n % 10 === 9 ? { email: to, code } : { token };
        return verify(n % 2 === 0 ? one : two, proof);
      }),
    );
    const winners = answers.filter(({ status }) => status === 200);
    assert.equal(winners.length, 1, answers.map(({ text }) => text.slice(0, 60)).join('\n'));
    for (const { status, body } of answers)
      if (status !== 200) assert.match(`${status} ${body.code}`, /^400 invalid_(link|code)$/);
    await assertToken(two, winners[0]?.body.access_token, 'good');
  }
});

journey(
  'a login with the password of whoever made the account does not outlive the owner’s',
  async (open) => {
    const one = await open({ ...on, HASH_CONCURRENCY: 4 });
    const two = await open({ ...on, HASH_CONCURRENCY: 4, DATABASE_URL: one.databaseUrl });
    for (let round = 0; round < 5; round++) {
      const to = `round${round}@example.com`;
      await one.signUp(to);
      const { token } = await asked(one, to);
      const [owner, ...logins] = await Promise.all([
        verify(one, { token }),
        ...Array.from({ length: 4 }, () => two.logIn(to)),
      ]);
      assert.equal(owner.status, 200, owner.text);
      for (const { status, body } of logins) {
        if (status === 200) await assertToken(two, body.access_token, 'dead');
        else assert.equal(status, 401);
      }
      await assertToken(two, owner.body.access_token, 'good');
    }
  },
);

journey('without EMAIL_LOGIN there is nothing', async (open) => {
  const a = await open();
  for (const path of ['/auth/login/email', '/auth/login/email/verify'])
    assertFailure(await a.request('POST', path, { json: { email } }), 404, 'Not Found', 'not_found');
  assert.deepEqual(await a.mails(), []);
});

journey(
  'an address and a network ask for so many mails an hour, whether anybody has the address',
  async (open) => {
    const limits = { THROTTLE_ADDRESS_MAILS_PER_HOUR: 2, THROTTLE_NETWORK_MAILS_PER_HOUR: 7 };
    const a = await open({ ...on, RATE_LIMITS: 'on', ...limits });
    await a.doorward.admin.create({ email, password, name: 'Ada' });
    const post = (to: string) => a.request('POST', '/auth/login/email', { json: { email: to } });
    for (const to of [email, 'nobody@example.com']) {
      await ask(a, to);
      await ask(a, to.toUpperCase().replace('EXAMPLE.COM', 'example.com').toLowerCase());
      assertFailure(await post(to), 429, 'Too many requests', 'rate_limited');
    }
    assert.equal((await mailsOf(a)).length, 2);
    a.clock.advance(3600);
    await ask(a);
  },
);

journey('bad input is told as such', async (open) => {
  const a = await open({ ...on });
  await a.doorward.admin.create({ email, password, name: 'Ada' });
  for (const json of [
    {},
    { email: '' },
    { email: 'x' },
    { email: null },
    { email: 7 },
    { email, more: 1 },
    [],
  ]) {
    const answer = await a.request('POST', '/auth/login/email', { json });
    assert.equal(answer.status, 422, `${JSON.stringify(json)}: ${answer.text}`);
  }
  const { token, code } = await asked(a);
  for (const json of [
    {},
    { token: '' },
    { token: null },
    { token: 7 },
    { token: 'nul\0' },
    { token: 'x'.repeat(300) },
    { token, code },
    { token, email },
    { token, more: 1 },
    { code },
    { email },
    { email, code: '' },
    { email, code: 123456 },
    { email, code: null },
    { email, code: 'x'.repeat(40) },
    { email: 'x', code },
    [],
  ]) {
    const answer = await verify(a, json);
    assert.equal(answer.status, 422, `${JSON.stringify(json)}: ${answer.text}`);
  }
  assert.equal((await verify(a, { token }, { query: '?transport=pigeon' })).status, 422);
  for (const wrong of [`${token}x`, token.slice(1), '💌', '../..', "' or 1=1 --"])
    invalidLink(await verify(a, { token: wrong }));
  invalidCode(await verify(a, { email, code: 'abcdef' }));
  assert.equal((await a.request('GET', '/auth/login/email')).status, 405);
  assert.equal((await verify(a, { token })).status, 200);
});
