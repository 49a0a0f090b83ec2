import assert from 'node:assert/strict';
import { assertFailure, type Journey, journey, password } from '../support/journey.ts';
import { openMailbox } from '../support/mailbox.ts';
import { checkEveryAnswer } from '../support/openapi-conformance.ts';
import { codeIn, linkIn, startSmtp } from '../support/smtp.ts';

checkEveryAnswer();

const ada = 'ada@example.com';
const accepted = { message: 'If the address is to be verified, a mail is on its way' };
const ours = { 'sec-fetch-site': 'same-origin' };

const verify = (j: Journey, json: object, more: { token?: string; headers?: Record<string, string> } = {}) =>
  j.request('POST', '/auth/verify-email', { json, ...more });
const ask = (j: Journey, json?: object, more: { token?: string; headers?: Record<string, string> } = {}) =>
  j.request('POST', '/auth/verify-email/request', { ...(json === undefined ? {} : { json }), ...more });
const tokenOf = async (j: Journey, email: string) => (await j.logIn(email)).body.access_token as string;

type Answer = Parameters<typeof assertFailure>[0];
const assertInvalidLink = (answer: Answer) =>
  assertFailure(answer, 400, 'Invalid or expired link', 'invalid_link');
const assertInvalidCode = (answer: Answer) =>
  assertFailure(answer, 400, 'Invalid or expired code', 'invalid_code');

async function assertUnverified(j: Journey, email: string): Promise<void> {
  assert.equal((await j.doorward.accounts.findByEmail(email))?.email_verified, false);
}

journey('sign-up sends the verification, whose link verifies the address once', async (open) => {
  const j = await open();
  const mailbox = await openMailbox(j);
  const user = await j.signUp(ada);
  assert.equal((await mailbox.list(ada)).length, 1);
  const { link, token } = await mailbox.read(ada, 'verify_email');
  assert.equal(link, `http://127.0.0.1:8000/account/verify-email#token=${token}`);

  // A scanner follows the link: what it requests has no token in it.
  for (let scan = 0; scan < 3; scan++) await j.request('GET', '/account/verify-email');
  await assertUnverified(j, ada);

  const answer = await verify(j, { token });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.body, { ...user, email_verified: true });
  assertInvalidLink(await verify(j, { token }));
  const me = await j.request('GET', '/auth/me', { token: await tokenOf(j, ada) });
  assert.equal(me.body.email_verified, true);
  const { events } = await j.doorward.audit.list({ kind: 'user.verified', user_id: user.id, limit: 5 });
  assert.equal(events.length, 1);
});

journey('who is made by an administrator or imported is verified, and gets no mail', async (open) => {
  const j = await open();
  const mailbox = await openMailbox(j);
  const { email } = await j.signIn({ email: ada });
  await j.doorward.accounts.import([
    {
      email: 'grace@example.com',
      name: 'Grace',
      hashed_password: '$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW',
      is_active: true,
      is_admin: false,
      created_at: undefined,
    },
  ]);
  for (const to of [email, 'grace@example.com']) {
    assert.equal((await j.doorward.accounts.findByEmail(to))?.email_verified, true);
    assert.deepEqual(await mailbox.list(to), []);
  }
});

journey(
  'a link works for a day, until a newer one is made, and until address, password or state change',
  async (open) => {
    const j = await open();
    const mailbox = await openMailbox(j);
    const fresh = async (email: string) => {
      const { id } = await j.signUp(email);
      return {
        id,
        token: (await mailbox.read(email, 'verify_email')).token,
        bearer: await tokenOf(j, email),
      };
    };

    const expired = await fresh('expired@example.com');
    j.clock.advance(24 * 3600 - 1);
    const late = await fresh('late@example.com');
    j.clock.advance(1);
    assertInvalidLink(await verify(j, { token: expired.token }));
    assert.equal((await verify(j, { token: late.token })).status, 200);

    const superseded = await fresh('superseded@example.com');
    assert.equal((await ask(j, {}, { token: superseded.bearer })).status, 202);
    const newer = await mailbox.read('superseded@example.com', 'verify_email');
    assertInvalidLink(await verify(j, { token: superseded.token }));
    assert.equal((await verify(j, { token: newer.token })).status, 200);

    const repassworded = await fresh('password@example.com');
    const changed = await j.request('POST', '/auth/me/password', {
      token: repassworded.bearer,
      json: { current_password: password, new_password: 'Another-Pass-9!' },
    });
    assert.equal(changed.status, 200);
    assertInvalidLink(await verify(j, { token: repassworded.token }));

    const moved = await fresh('moved@example.com');
    const move = await j.request('PUT', '/auth/me', {
      token: moved.bearer,
      json: { email: 'new@example.com' },
    });
    assert.deepEqual([move.body.email, move.body.email_verified], ['new@example.com', false]);
    assertInvalidLink(await verify(j, { token: moved.token }));
    const next = await verify(j, { token: (await mailbox.read('new@example.com', 'verify_email')).token });
    assert.deepEqual([next.body.id, next.body.email_verified], [moved.id, true]);

    const suspended = await fresh('suspended@example.com');
    await j.doorward.admin.change(suspended.id, { is_active: false });
    assertInvalidLink(await verify(j, { token: suspended.token }));
    assert.equal((await ask(j, { email: 'suspended@example.com' })).status, 202);
    assert.equal((await mailbox.list('suspended@example.com', 'verify_email')).length, 1);
    await j.doorward.admin.change(suspended.id, { is_active: true });
    assertInvalidLink(await verify(j, { token: suspended.token }));

    const gone = await fresh('gone@example.com');
    await j.doorward.admin.delete(gone.id);
    assertInvalidLink(await verify(j, { token: gone.token }));
  },
);

journey('of twenty uses of one link, and of one code, one wins', async (open) => {
  const j = await open();
  const mailbox = await openMailbox(j);
  const uses = {
    'link@example.com': ({ token }: { token: string }) => ({ token }),
    'code@example.com': ({ code }: { code: string }) => ({ code, email: 'code@example.com' }),
  };
  for (const [email, use] of Object.entries(uses)) {
    const user = await j.signUp(email);
    const json = use(await mailbox.read(email, 'verify_email'));
    const answers = await Promise.all(Array.from({ length: 20 }, () => verify(j, json)));
    const statuses = answers.map(({ status }) => status).sort();
    assert.deepEqual(statuses, [200, ...Array(19).fill(400)], email);
    const { events } = await j.doorward.audit.list({ kind: 'user.verified', user_id: user.id, limit: 5 });
    assert.equal(events.length, 1);
  }
});

journey('a code verifies by the session it belongs to, or by the address', async (open) => {
  const j = await open();
  const mailbox = await openMailbox(j);
  for (const email of [ada, 'grace@example.com']) await j.signUp(email);
  const [bearer, other] = [await tokenOf(j, ada), await tokenOf(j, 'grace@example.com')];
  const { code, token } = await mailbox.read(ada, 'verify_email');
  const graces = await mailbox.read('grace@example.com', 'verify_email');

  assertInvalidCode(await verify(j, { code }, { token: other }));
  assertInvalidCode(await verify(j, { code, email: 'grace@example.com' }));
  assertInvalidCode(await verify(j, { code, email: 'nobody@example.com' }));
  // Whoever is signed in follows a link that somebody else asked for.
  assertInvalidLink(await verify(j, { token }, { token: other }));
  assert.equal((await verify(j, { code: graces.code }, { token: other })).status, 200);

  const spaced = `${code.slice(0, 3)} ${code.slice(3)}`;
  const answer = await verify(j, { code: spaced }, { token: bearer });
  assert.deepEqual([answer.status, answer.body.email, answer.body.email_verified], [200, ada, true]);
  assertInvalidCode(await verify(j, { code, email: ada }));
  assertInvalidLink(await verify(j, { token }));
});

journey('a code takes five tries and ten minutes; the link goes on', async (open) => {
  const j = await open();
  const mailbox = await openMailbox(j);
  await j.signUp(ada);
  const { code, token } = await mailbox.read(ada, 'verify_email');
  const wrong = String((Number(code) + 1) % 1_000_000).padStart(6, '0');
  for (let tries = 0; tries < 5; tries++) assertInvalidCode(await verify(j, { code: wrong, email: ada }));
  assertInvalidCode(await verify(j, { code, email: ada }));
  await assertUnverified(j, ada);

  await ask(j, { email: ada });
  const second = await mailbox.read(ada, 'verify_email');
  assertInvalidLink(await verify(j, { token }));
  j.clock.advance(600);
  assertInvalidCode(await verify(j, { code: second.code, email: ada }));
  assert.equal((await verify(j, { token: second.token })).status, 200);
});

journey('a link that a page asked for works in that browser alone, its code anywhere', async (open) => {
  const j = await open();
  const mailbox = await openMailbox(j);
  const signedUp = await j.request('POST', '/auth/signup', {
    json: { email: ada, password, name: 'Ada' },
    headers: ours,
  });
  const cookie = /doorward_mark=[^;]+/.exec(String(signedUp.headers['set-cookie']))?.[0] ?? '';
  assert.notEqual(cookie, '');
  const { token } = await mailbox.read(ada, 'verify_email');
  const another = { cookie: 'doorward_mark=another-browser-0000000' };
  for (const headers of [{}, another]) {
    const text = 'This link was asked for in another browser';
    assertFailure(await verify(j, { token }, { headers }), 400, text, 'link_from_another_browser');
  }
  await assertUnverified(j, ada);
  // Another tab of the browser.
  assert.equal((await verify(j, { token }, { headers: { ...ours, cookie } })).status, 200);

  const asked = await j.request('POST', '/auth/signup', {
    json: { email: 'grace@example.com', password, name: 'Grace' },
    headers: { ...ours, cookie },
  });
  assert.equal(asked.status, 201);
  const { code } = await mailbox.read('grace@example.com', 'verify_email');
  assert.equal((await verify(j, { code, email: 'grace@example.com' })).status, 200);
});

journey('a browser is known again for as long as its link works', async (open) => {
  const j = await open({ VERIFY_EMAIL_EXPIRE_HOURS: 2000 });
  const { headers } = await j.request('POST', '/auth/verify-email/request', {
    json: { email: ada },
    headers: ours,
  });
  const [, seconds] = /doorward_mark=[^;]+; Max-Age=(\d+)/.exec(String(headers['set-cookie'])) ?? [];
  assert.ok(Number(seconds) > 2000 * 3600, seconds);
});

journey('asking for the mail is answered alike for everybody', async (open) => {
  const j = await open();
  const mailbox = await openMailbox(j);
  await j.signUp(ada);
  await j.signIn({ email: 'verified@example.com' });
  const bearer = await tokenOf(j, ada);
  const verified = await tokenOf(j, 'verified@example.com');
  const answers = [
    await ask(j, { email: ada }),
    await ask(j, { email: ` ${ada.toUpperCase()} ` }),
    await ask(j, { email: 'nobody@example.com' }),
    await ask(j, { email: 'verified@example.com' }),
    await ask(j, undefined, { token: bearer }),
    await ask(j, {}, { token: verified }),
    await ask(j, { email: 'nobody@example.com' }, { token: bearer }),
  ];
  const withoutIds = answers.map(({ status, body, headers }) => {
    const { 'x-request-id': _id, date: _date, ...rest } = headers;
    return { status, body, headers: rest };
  });
  for (const answer of withoutIds) assert.deepEqual(answer, withoutIds[0]);
  assert.deepEqual([withoutIds[0]?.status, withoutIds[0]?.body], [202, accepted]);
  // The first three of ada's were superseded before anybody read them.
  assert.equal((await mailbox.list(ada)).length, 4);
  assert.deepEqual(await mailbox.list('nobody@example.com'), []);
  assert.deepEqual(await mailbox.list('verified@example.com', 'verify_email'), []);
});

journey('bad input and bad credentials are refused, and use nothing up', async (open) => {
  const j = await open();
  const mailbox = await openMailbox(j);
  await j.signUp(ada);
  const { token, code } = await mailbox.read(ada, 'verify_email');
  for (const json of [
    {},
    { email: ada },
    { code },
    { token, code },
    { token, email: ada },
    { token: '' },
    { token: 'x'.repeat(257) },
    { token: 7 },
    { token: null },
    { code: '1'.repeat(33), email: ada },
    { code, email: 'no address' },
    { token, surprise: true },
    { token: 'a\0b' },
  ]) {
    const answer = await verify(j, json);
    assert.deepEqual([answer.status, answer.body.code], [422, 'validation_error'], JSON.stringify(json));
  }
  for (const bad of ['x', token.slice(1), `${token}x`, token.toUpperCase(), 'ünïcödé'])
    assertInvalidLink(await verify(j, { token: bad }));
  for (const bad of ['', 'abcdef', '１２３４５６', `${code}0`]) {
    if (bad !== '') assertInvalidCode(await verify(j, { code: bad, email: ada }));
  }
  for (const json of [{}, { email: 'no address' }, { email: 7 }])
    assert.equal((await ask(j, json)).status, 422);
  for (const token of ['x.y.z', '']) {
    const answer = await verify(j, { token: 'x' }, { headers: { authorization: `Bearer ${token}` } });
    assertFailure(answer, 401, 'Could not validate credentials', 'invalid_token');
    assert.equal(
      (await ask(j, { email: ada }, { headers: { authorization: `Bearer ${token}` } })).status,
      401,
    );
  }
  const cookie = `doorward_access=${await tokenOf(j, ada)}`;
  const crossSite = await verify(j, { token }, { headers: { cookie, 'sec-fetch-site': 'cross-site' } });
  assertFailure(crossSite, 403, 'Cross-site request refused', 'cross_site_request');
  const { status } = await verify(j, { code }, { headers: { cookie, ...ours } });
  assert.equal(status, 200);
});

journey('an address is written to five times an hour, and a network asks fifty times', async (open) => {
  const j = await open({ RATE_LIMITS: 'on' });
  const mailbox = await openMailbox(j);
  await j.signUp(ada);
  for (const email of [ada, 'nobody@example.com']) {
    for (let n = 0; n < 5; n++) assert.equal((await ask(j, { email })).status, 202);
    const answer = await ask(j, { email: email.toUpperCase() });
    assertFailure(answer, 429, 'Too many requests', 'rate_limited');
    assert.equal(answer.headers['retry-after'], '3600');
  }
  // The one that sign-up sent is not among them.
  assert.equal((await mailbox.list(ada)).length, 6);
  j.clock.advance(3600);
  assert.equal((await ask(j, { email: ada })).status, 202);
});

journey(
  'REQUIRE_VERIFIED_EMAIL: no login before the address is verified, and the mail is sent again',
  async (open) => {
    const j = await open({ REQUIRE_VERIFIED_EMAIL: 'on', RATE_LIMITS: 'on' });
    const mailbox = await openMailbox(j);
    const user = await j.signUp(ada);
    assert.equal((await mailbox.list(ada)).length, 1);
    assertFailure(
      await j.logIn(ada, 'WrongPass123!'),
      401,
      'Invalid email or password',
      'invalid_credentials',
    );
    assert.equal((await mailbox.list(ada)).length, 1);

    // Never more than the budget, and the login never fails for it.
    for (let logins = 0; logins < 8; logins++)
      assertFailure(await j.logIn(ada), 403, 'Email not verified', 'email_not_verified');
    assert.equal((await mailbox.list(ada)).length, 5);
    // It is not the budget of those who ask.
    assert.equal((await ask(j, { email: ada })).status, 202);
    assert.equal((await mailbox.list(ada)).length, 6);
    const { token } = await mailbox.read(ada, 'verify_email');
    assert.equal((await verify(j, { token })).status, 200);
    assert.equal((await j.logIn(ada)).status, 200);

    const other = await j.signUp('off@example.com');
    assert.equal((await mailbox.list('off@example.com')).length, 1);
    await j.doorward.admin.change(other.id, { is_active: false });
    assertFailure(await j.logIn('off@example.com'), 403, 'Account is deactivated', 'account_deactivated');
    assert.equal((await mailbox.list('off@example.com', 'verify_email')).length, 1);
    assert.notEqual(user.id, other.id);
  },
);

journey(
  'the mail comes in the language of who asks, and by SMTP nobody else sees the link',
  async (open, { t }) => {
    const smtp = await startSmtp(t);
    const j = await open({ MAIL_URL: smtp.url, PUBLIC_URL: 'https://accounts.example.com' });
    const { access_token } = await j.signIn({ is_admin: true });
    await j.request('POST', '/auth/signup', {
      json: { email: ada, password, name: 'Ada' },
      headers: { 'accept-language': 'xx, en;q=0.5', host: 'evil.example' },
    });
    await j.doorward.outbox.work();
    const mail = await smtp.waitFor(ada);
    const { link, token } = linkIn(mail);
    assert.equal(link, `https://accounts.example.com/account/verify-email#token=${token}`);
    assert.ok(!mail.raw.includes('evil.example'));
    const code = codeIn(mail);
    const [row] = (await j.doorward.outbox.list({ to: ada, limit: 5 })).mails;
    const read = await j.request('GET', `/auth/outbox/${row?.id}`, { token: access_token });
    assert.ok(!read.text.includes(token) && !read.text.includes(code.replace(/(...)/, '$1 ')));
    assert.equal((await verify(j, { token })).status, 200);
  },
);
