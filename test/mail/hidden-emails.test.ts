import assert from 'node:assert/strict';
import type { GivenSettings } from '../../src/settings.ts';
import type { TestResponse } from '../../src/testing/index.ts';
import { assertFailure, type Journey, journey, type Open, password } from '../support/journey.ts';
import { openMailbox } from '../support/mailbox.ts';
import { checkEveryAnswer } from '../support/openapi-conformance.ts';

checkEveryAnswer();

const accepted = { message: 'A mail is on its way' };
const known = 'known@example.com';
const fresh = 'fresh@example.com';

const openHidden = (open: Open, settings: GivenSettings = {}) =>
  open({
    REQUIRE_VERIFIED_EMAIL: 'on',
    HIDE_REGISTERED_EMAILS: 'on',
    RATE_LIMITS: 'on',
    TRUSTED_PROXIES: '127.0.0.1',
    ...settings,
  });

const signUp = (j: Journey, email: string, more: object = {}, headers: Record<string, string> = {}) =>
  j.request('POST', '/auth/signup', { json: { email, password, name: 'Somebody', ...more }, headers });

/** All that whoever asks can tell by, but what differs for everybody. */
function visible({ status, text, headers }: TestResponse) {
  const { 'x-request-id': _id, date: _date, 'set-cookie': cookie, ...rest } = headers;
  return { status, text, headers: rest, cookie: String(cookie).replace(/_mark=[\w-]+/, '_mark=') };
}

/** Does the same to an address that has an account and to one that has none, each from a network of its own. */
async function assertAlike(
  j: Journey,
  act: (email: string, headers: Record<string, string>) => Promise<TestResponse[]>,
): Promise<TestResponse[]> {
  const toKnown = await act(known, { 'x-forwarded-for': '192.0.2.1' });
  const toFresh = await act(fresh, { 'x-forwarded-for': '192.0.2.2' });
  assert.deepEqual(toKnown.map(visible), toFresh.map(visible));
  assert.ok((await j.doorward.accounts.findByEmail(known)) !== undefined);
  return toKnown;
}

journey('sign-up answers known and unknown addresses alike, and the owner is told by mail', async (open) => {
  const j = await openHidden(open);
  const mailbox = await openMailbox(j);
  const owner = await j.signIn({ email: known });
  const answers = await assertAlike(j, async (email, headers) => [
    await signUp(j, email, {}, headers),
    await signUp(j, email.toUpperCase(), {}, { ...headers, 'sec-fetch-site': 'same-origin' }),
    await signUp(j, email, { password: 'short' }, headers),
    await signUp(j, email, { locale: 'not a tag' }, headers),
  ]);
  assert.deepEqual(
    answers.map(({ status, body }) => [status, status === 202 ? body : body.code]),
    [
      [202, accepted],
      [202, accepted],
      [422, 'validation_error'],
      [422, 'validation_error'],
    ],
  );
  assert.equal((await mailbox.list(known, 'already_registered')).length, 2);
  assert.deepEqual(await mailbox.list(known, 'verify_email'), []);
  assert.equal((await mailbox.list(fresh, 'verify_email')).length, 1);
  assert.equal((await mailbox.list(fresh, 'already_registered')).length, 1);

  // Nothing of the owner's has changed.
  const me = await j.request('GET', '/auth/me', { token: owner.access_token });
  assert.deepEqual([me.status, me.body.name], [200, 'Test User']);
  const { events } = await j.doorward.audit.list({ kind: 'sign_up.refused', user_id: owner.id, limit: 5 });
  assert.equal(events.length, 2);

  const { token } = await mailbox.read(fresh, 'verify_email');
  assert.equal((await j.request('POST', '/auth/verify-email', { json: { token } })).status, 200);
  assert.equal((await j.logIn(fresh)).status, 200);
});

journey('ids do not tell whether somebody else signed up in between', async (open) => {
  const j = await openHidden(open);
  const idAfter = async (email: string) => {
    await signUp(j, email);
    return (await j.doorward.accounts.findByEmail(email))?.id ?? 0;
  };
  await j.signIn({ email: known });
  await reserve(j, 'reserved@example.com');
  const first = await idAfter('first@example.com');
  await signUp(j, known);
  const second = await idAfter('second@example.com');
  await signUp(j, fresh);
  const third = await idAfter('third@example.com');
  await signUp(j, 'reserved@example.com');
  const fourth = await idAfter('fourth@example.com');
  assert.deepEqual([second - first, third - second, fourth - third], [2, 2, 2]);
});

journey('mails of sign-ups have a bound that nobody sees', async (open) => {
  const j = await openHidden(open);
  const mailbox = await openMailbox(j);
  await j.signIn({ email: known });
  await assertAlike(j, async (email, headers) => {
    const answers = [];
    for (let n = 0; n < 8; n++) answers.push(await signUp(j, email, {}, headers));
    for (let n = 0; n < 6; n++)
      answers.push(await j.request('POST', '/auth/forgot-password', { json: { email }, headers }));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [...Array(8).fill(202), ...Array(5).fill(202), 429],
    );
    return answers;
  });
  assert.equal((await mailbox.list(known, 'already_registered')).length, 5);
  const toFresh = await mailbox.list(fresh);
  assert.equal(toFresh.filter(({ kind }) => kind !== 'reset_password').length, 5);
});

journey(
  'the right password of an unverified account is a wrong one, and every other answer says as little',
  async (open) => {
    const j = await openHidden(open, { THROTTLE_ACCOUNT_FREE_FAILURES: 3 });
    const mailbox = await openMailbox(j);
    await j.signIn({ email: known, password: 'The-Owners-Pass-1!' });
    const post = (path: string, json: object, headers: Record<string, string>) =>
      j.request('POST', path, { json, headers });
    const answers = await assertAlike(j, async (email, headers) => [
      // What was guessed before is not forgotten by a sign-up that made an account.
      await post('/auth/login', { username: email, password }, headers),
      await post('/auth/login', { username: email, password }, headers),
      await signUp(j, email, {}, headers),
      await post('/auth/login', { username: email, password }, headers),
      await post('/auth/login', { username: email, password }, headers),
      await post('/auth/verify-email/request', { email }, headers),
      await post('/auth/verify-email', { email, code: '12x456' }, headers),
      await post('/auth/forgot-password', { email }, headers),
      await post('/auth/reset-password', { email, code: '12x456', new_password: password }, headers),
      await signUp(j, email, {}, headers),
    ]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      [401, 401, 202, 401, 429, 202, 400, 202, 400, 202],
    );
    assertFailure(answers[3] as TestResponse, 401, 'Invalid email or password', 'invalid_credentials');

    // The mail went out again; its owner verifies, and no longer waits for what was guessed.
    const { token } = await mailbox.read(fresh, 'verify_email');
    assert.equal((await j.request('POST', '/auth/verify-email', { json: { token } })).status, 200);
    assert.equal((await j.logIn(fresh)).status, 200);
  },
);

journey('the right password of an unverified account sends the mail again', async (open) => {
  const j = await openHidden(open);
  const mailbox = await openMailbox(j);
  await signUp(j, fresh);
  assert.equal((await mailbox.list(fresh)).length, 1);
  assert.equal((await j.logIn(fresh, 'WrongPass123!')).status, 401);
  assert.equal((await mailbox.list(fresh)).length, 1);
  assert.equal((await j.logIn(fresh)).status, 401);
  assert.equal((await mailbox.list(fresh, 'verify_email')).length, 2);
  const { id } = (await j.doorward.accounts.findByEmail(fresh)) ?? { id: 0 };
  await j.doorward.admin.change(id, { is_active: false });
  assert.equal((await j.logIn(fresh)).status, 401);
  assert.equal((await mailbox.list(fresh, 'verify_email')).length, 2);
});

journey(
  'who signs up first keeps nothing of an account whose owner signs up too and resets the password',
  async (open) => {
    const j = await openHidden(open, { RATE_LIMITS: 'off' });
    const mailbox = await openMailbox(j);
    await signUp(j, fresh, { password: 'The-Intruders-Pass-1!' });
    await signUp(j, fresh);
    // No link that would prove the intruder's account is sent to the owner again.
    assert.equal((await mailbox.list(fresh, 'verify_email')).length, 1);
    assert.equal((await mailbox.list(fresh, 'already_registered')).length, 1);
    await j.request('POST', '/auth/forgot-password', { json: { email: fresh } });
    const { token } = await mailbox.read(fresh, 'reset_password');
    const json = { token, new_password: 'Another-Pass-9!' };
    assert.equal((await j.request('POST', '/auth/reset-password', { json })).status, 200);
    assert.equal((await j.logIn(fresh, 'The-Intruders-Pass-1!')).status, 401);
    assert.equal((await j.logIn(fresh, 'Another-Pass-9!')).status, 200);
  },
);

journey(
  'of twenty sign-ups with one address at once all are answered alike, and one account is made',
  async (open) => {
    const j = await openHidden(open, { RATE_LIMITS: 'off', HASH_QUEUE_LIMIT: 1000 });
    const answers = await Promise.all(Array.from({ length: 20 }, () => signUp(j, fresh)));
    for (const { status, body } of answers) assert.deepEqual([status, body], [202, accepted]);
    const { mails } = await j.doorward.outbox.list({ to: fresh, limit: 100 });
    const kinds = mails.map(({ kind }) => kind).sort();
    assert.deepEqual(kinds, [...Array(19).fill('already_registered'), 'verify_email']);
  },
);

/** Keeps an address for an account that had it. */
async function reserve({ doorward, clock, signIn }: Journey, email: string): Promise<void> {
  const owner = await signIn({ email: 'owner@example.com' });
  await doorward.kernel.db.transaction((tx) =>
    tx
      .insertInto('reserved_addresses')
      .values({
        email_key: email,
        email,
        user_id: owner.id,
        step: 1,
        reserved_at: clock.now().toISOString(),
        reserved_until: new Date(clock.now().getTime() + 86_400_000).toISOString(),
      })
      .execute(),
  );
}

journey('an address that is kept for another account looks free', async (open) => {
  const j = await openHidden(open, { MAIL_URL: 'smtp://127.0.0.1:9' });
  const { doorward } = j;
  await reserve(j, known);
  const [kept, free] = [await signUp(j, known), await signUp(j, fresh)];
  assert.deepEqual(visible(kept), visible(free));
  assert.equal(await doorward.accounts.findByEmail(known), undefined);
});

journey(
  'a change of the email, without a mail server too, answers taken and free addresses alike',
  async (open) => {
    const j = await openHidden(open);
    const mailbox = await openMailbox(j);
    await j.signIn({ email: known });
    const { access_token: token, email } = await j.signIn();
    const ask = async (to: string) => {
      const { status, body } = await j.request('PATCH', '/auth/me', { token, json: { email: to } });
      return { status, ...body, pending_email: body.pending_email === to };
    };
    const [taken, free] = [await ask(known), await ask(fresh)];
    assert.deepEqual(taken, free);
    assert.deepEqual([free.status, free.email, free.pending_email], [200, email, true]);
    assert.equal((await mailbox.list(fresh, 'change_email')).length, 1);
  },
);

journey("the export does not tell whether an address that one asked for is somebody's", async (open) => {
  // Nobody answers there, and the mails wait.
  const j = await openHidden(open, { MAIL_URL: 'smtp://127.0.0.1:9' });
  await j.signIn({ email: known });
  const exports: object[] = [];
  for (const [name, email] of [
    ['ann', known],
    ['bea', fresh],
  ] as const) {
    const { access_token: token } = await j.signIn({ email: `${name}@example.com`, name: 'Somebody' });
    for (const to of [email, `${name}@example.net`]) {
      assert.equal((await j.request('PATCH', '/auth/me', { token, json: { email: to } })).status, 200);
      await j.doorward.outbox.work();
    }
    const { body } = await j.request('GET', '/auth/me/export', { token });
    assert.equal(body.user.pending_email, `${name}@example.net`);
    const mails = body.mails.map((mail: object) => ({ ...mail, user_id: 0, to: '', message_id: '' }));
    exports.push({ keys: Object.keys(mails[0]), mails, links: body.links, former: body.former_emails });
    assert.doesNotMatch(Object.keys(mails[0]).join(), /\bid\b/);
  }
  assert.deepEqual(exports[0], exports[1]);
});

journey('without the setting sign-up answers as the reference does', async (open) => {
  const j = await open({ REQUIRE_VERIFIED_EMAIL: 'on' });
  assert.equal((await signUp(j, fresh)).status, 201);
  assertFailure(await signUp(j, fresh), 409, 'Email already registered', 'email_registered');
  await assert.rejects(open({ HIDE_REGISTERED_EMAILS: 'on' }), /REQUIRE_VERIFIED_EMAIL/);
  await j.doorward.outbox.work();
  const { mails } = await j.doorward.outbox.list({ to: fresh, limit: 10 });
  assert.deepEqual(
    mails.map(({ kind }) => kind),
    ['verify_email'],
  );
});
