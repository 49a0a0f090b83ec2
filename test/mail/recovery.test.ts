import assert from 'node:assert/strict';
import { reserve } from '../../src/features/email-change/store.ts';
import { assertFailure, assertToken, type Journey, journey, password } from '../support/journey.ts';
import { openMailbox } from '../support/mailbox.ts';
import { checkEveryAnswer } from '../support/openapi-conformance.ts';
import { linkIn, startSmtp } from '../support/smtp.ts';

checkEveryAnswer();

const ada = 'ada@example.com';
const new_password = 'Another-Pass-9!';
const ours = { 'sec-fetch-site': 'same-origin' };

const forget = (j: Journey, email: string, headers: Record<string, string> = {}) =>
  j.request('POST', '/auth/forgot-password', { json: { email }, headers });
const reset = (j: Journey, json: object, headers: Record<string, string> = {}) =>
  j.request('POST', '/auth/reset-password', { json: { new_password, ...json }, headers });

type Answer = Parameters<typeof assertFailure>[0];
const assertInvalidLink = (answer: Answer) =>
  assertFailure(answer, 400, 'Invalid or expired link', 'invalid_link');
const assertInvalidCode = (answer: Answer) =>
  assertFailure(answer, 400, 'Invalid or expired code', 'invalid_code');
const assertReset = (answer: Answer) =>
  assert.deepEqual([answer.status, answer.body], [200, { message: 'Password reset successfully' }]);

/** Has the mail sent and reads it. */
async function ask(j: Journey, email: string) {
  const mailbox = await openMailbox(j);
  const answer = await forget(j, email);
  assert.equal(answer.status, 202, answer.text);
  return mailbox.read(email, 'reset_password');
}

journey('a reset sets the password once, ends every session and logs nobody in', async (open) => {
  const j = await open();
  const user = await j.signIn({ email: ada });
  const other = (await j.logIn(ada)).body;
  const { link, token } = await ask(j, ` ${ada.toUpperCase()}`);
  assert.equal(link, `http://127.0.0.1:8000/account/reset-password#token=${token}`);
  // A scanner follows the link: what it requests has no token in it.
  for (let scan = 0; scan < 3; scan++) await j.request('GET', '/account/reset-password');
  await assertToken(j, user.access_token, 'good');

  const answer = await reset(j, { token });
  assertReset(answer);
  assert.equal(answer.headers['set-cookie'], undefined);
  for (const { access_token, refresh_token } of [user, other]) {
    await assertToken(j, access_token, 'dead');
    const refreshed = await j.request('POST', '/auth/refresh', { json: { refresh_token } });
    assertFailure(refreshed, 401, 'Invalid refresh token', 'invalid_refresh_token');
  }
  assertInvalidLink(await reset(j, { token, new_password: 'A-Third-Pass-9!' }));
  assert.equal((await j.logIn(ada)).status, 401);
  assert.equal((await j.logIn(ada, new_password)).status, 200);
  const { events } = await j.doorward.audit.list({ kind: 'password.reset', user_id: user.id, limit: 5 });
  assert.equal(events.length, 1);
});

journey(
  'a link works for half an hour, until a newer one is made, and until address, password or state change',
  async (open) => {
    const j = await open();
    const people = ['late', 'expired', 'superseded', 'password', 'moved', 'suspended', 'gone'];
    const ids: Record<string, number> = {};
    for (const name of people) ids[name] = (await j.signIn({ email: `${name}@example.com` })).id;
    const idOf = (name: string) => ids[name] ?? 0;
    const tokenOf = async (name: string) => (await ask(j, `${name}@example.com`)).token;

    const expired = await tokenOf('expired');
    j.clock.advance(1800 - 1);
    const late = await tokenOf('late');
    j.clock.advance(1);
    assertInvalidLink(await reset(j, { token: expired }));
    assertReset(await reset(j, { token: late }));

    const superseded = await tokenOf('superseded');
    const newer = await tokenOf('superseded');
    assertInvalidLink(await reset(j, { token: superseded }));
    assertReset(await reset(j, { token: newer }));

    const repassworded = await tokenOf('password');
    const bearer = (await j.logIn('password@example.com')).body.access_token;
    const json = { current_password: password, new_password: 'A-Third-Pass-9!' };
    assert.equal((await j.request('POST', '/auth/me/password', { token: bearer, json })).status, 200);
    assertInvalidLink(await reset(j, { token: repassworded }));

    const moved = await tokenOf('moved');
    await j.doorward.admin.change(idOf('moved'), { email: 'moved.on@example.com' });
    assertInvalidLink(await reset(j, { token: moved }));

    const suspended = await tokenOf('suspended');
    await j.doorward.admin.change(idOf('suspended'), { is_active: false });
    assertInvalidLink(await reset(j, { token: suspended }));
    await j.doorward.admin.change(idOf('suspended'), { is_active: true });
    assertInvalidLink(await reset(j, { token: suspended }));

    const gone = await tokenOf('gone');
    await j.doorward.admin.delete(idOf('gone'));
    assertInvalidLink(await reset(j, { token: gone }));
  },
);

journey('of twenty uses of one link, and of one code, one wins', async (open) => {
  const j = await open({ HASH_QUEUE_LIMIT: 1000 });
  for (const [email, by] of [
    ['link@example.com', 'token'],
    ['code@example.com', 'code'],
  ] as const) {
    const { id } = await j.signIn({ email });
    const { token, code } = await ask(j, email);
    const proof = by === 'token' ? { token } : { email, code };
    const passwords = Array.from({ length: 20 }, (_, n) => `Another-Pass-${n}!`);
    const answers = await Promise.all(passwords.map((each) => reset(j, { ...proof, new_password: each })));
    const winners = passwords.filter((_, n) => answers[n]?.status === 200);
    assert.equal(winners.length, 1, email);
    assert.ok(answers.every(({ status }) => status === 200 || status === 400));
    assert.equal((await j.logIn(email, winners[0])).status, 200);
    const { events } = await j.doorward.audit.list({ kind: 'password.reset', user_id: id, limit: 5 });
    assert.equal(events.length, 1);
  }
});

journey('what the policy refuses uses neither link nor code up, and costs no hash', async (open) => {
  const j = await open();
  await j.signIn({ email: ada, name: 'Ada Lovelace 1815!' });
  const { token, code } = await ask(j, ada);
  const hashes: unknown[] = [];
  const { queue } = j.doorward.passwords;
  const run = queue.run.bind(queue);
  Object.assign(queue, {
    run: (...job: Parameters<typeof run>) => {
      hashes.push(job);
      return run(...job);
    },
  });
  for (const proof of [{ token }, { email: ada, code }]) {
    for (const refused of ['short', 'no-composition', 'P@ssw0rd', 'Ada Lovelace 1815!', 'x'.repeat(129)]) {
      for (let more = 0; more < 2; more++) {
        const answer = await reset(j, { ...proof, new_password: refused });
        assert.deepEqual([answer.status, answer.body.code], [422, 'validation_error'], refused);
      }
    }
  }
  for (const proof of [
    { token: 'wrong' },
    { email: ada, code: '000' },
    { email: 'nobody@example.com', code },
  ])
    assert.equal((await reset(j, proof)).status, 400);
  assert.equal(hashes.length, 0);
  assertReset(await reset(j, { email: ada, code }));
  assert.equal(hashes.length, 1);
  assertInvalidLink(await reset(j, { token }));
});

journey('a code belongs to one address, takes five tries and ten minutes; the link goes on', async (open) => {
  const j = await open();
  for (const email of [ada, 'grace@example.com']) await j.signIn({ email });
  const graces = await ask(j, 'grace@example.com');
  const { code } = await ask(j, ada);
  const wrong = String((Number(code) + 1) % 1_000_000).padStart(6, '0');
  assertInvalidCode(await reset(j, { email: 'nobody@example.com', code }));
  if (graces.code !== code) assertInvalidCode(await reset(j, { email: 'grace@example.com', code }));
  assertReset(await reset(j, { email: 'GRACE@example.com', code: graces.code.replace(/(...)/, '$1 ') }));
  for (let tries = 0; tries < 5; tries++) assertInvalidCode(await reset(j, { email: ada, code: wrong }));
  assertInvalidCode(await reset(j, { email: ada, code }));

  const second = await ask(j, ada);
  j.clock.advance(600);
  assertInvalidCode(await reset(j, { email: ada, code: second.code }));
  assertReset(await reset(j, { token: second.token }));
});

journey('a link that a page asked for works in that browser alone, its code anywhere', async (open) => {
  const j = await open();
  await j.signIn({ email: ada });
  const mailbox = await openMailbox(j);
  const asked = await forget(j, ada, ours);
  const cookie = /doorward_mark=[^;]+/.exec(String(asked.headers['set-cookie']))?.[0] ?? '';
  assert.notEqual(cookie, '');
  const { token, code } = await mailbox.read(ada, 'reset_password');
  for (const headers of [{}, { cookie: 'doorward_mark=another-browser-0000000' }]) {
    const text = 'This link was asked for in another browser';
    assertFailure(await reset(j, { token }, headers), 400, text, 'link_from_another_browser');
  }
  // Another tab, which has a session of its own.
  assertReset(await reset(j, { token }, { ...ours, cookie }));
  assertInvalidCode(await reset(j, { email: ada, code }));

  await forget(j, ada, { ...ours, cookie });
  const second = await mailbox.read(ada, 'reset_password');
  assertReset(await reset(j, { email: ada, code: second.code }));
});

journey(
  'asking is answered alike for everybody, and a suspended or unknown address gets no mail',
  async (open) => {
    const j = await open();
    const mailbox = await openMailbox(j);
    await j.signIn({ email: ada });
    const off = await j.signIn({ email: 'off@example.com' });
    await j.doorward.admin.change(off.id, { is_active: false });
    await j.signUp('unproved@example.com');
    const emails = [ada, 'nobody@example.com', 'off@example.com', 'unproved@example.com'];
    const answers = [];
    for (const email of emails) {
      const { status, body, headers } = await forget(j, email, ours);
      const { 'x-request-id': _id, date: _date, 'set-cookie': cookie, ...rest } = headers;
      assert.match(String(cookie), /^doorward_mark=/);
      answers.push({ status, body, headers: rest });
    }
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
    assert.deepEqual(
      [answers[0]?.status, answers[0]?.body],
      [202, { message: 'If there is an account, a mail is on its way' }],
    );
    const counts = [];
    for (const email of emails) counts.push((await mailbox.list(email, 'reset_password')).length);
    assert.deepEqual(counts, [1, 0, 0, 1]);
  },
);

journey(
  'a reset never reactivates, and a scheduled deletion is taken back by a login alone',
  async (open) => {
    const j = await open({ DELETION_GRACE_DAYS: 7 });
    const closed = await j.signIn({ email: ada });
    const before = (await ask(j, ada)).token;
    const json = { current_password: password };
    assert.equal((await j.request('DELETE', '/auth/me', { token: closed.access_token, json })).status, 204);
    assertInvalidLink(await reset(j, { token: before }));
    const scheduled = await j.doorward.accounts.find(closed.id);
    assert.ok(scheduled?.delete_after);

    assertReset(await reset(j, { token: (await ask(j, ada)).token }));
    assert.deepEqual(await j.doorward.accounts.find(closed.id), scheduled);
    assert.equal((await j.logIn(ada, new_password)).status, 200);
    const restored = await j.doorward.accounts.find(closed.id);
    assert.deepEqual([restored?.is_active, restored?.delete_after], [true, null]);

    // Suspended between the mail and the click, in the same moment as the click.
    const off = await j.signIn({ email: 'off@example.com' });
    const { token } = await ask(j, 'off@example.com');
    const [, answer] = await Promise.all([
      j.doorward.admin.change(off.id, { is_active: false }),
      reset(j, { token }),
    ]);
    assert.ok(answer.status === 200 || answer.status === 400);
    assert.equal((await j.doorward.accounts.find(off.id))?.is_active, false);
    assert.equal(
      (await j.logIn('off@example.com', answer.status === 200 ? new_password : password)).status,
      403,
    );
  },
);

journey(
  'who signed up with an address that is not theirs keeps nothing when its owner resets the password',
  async (open, { t }) => {
    const smtp = await startSmtp(t);
    const j = await open({ MAIL_URL: smtp.url });
    const { doorward } = j;
    await j.signUp('evil@evil.example');
    const evil = (await j.logIn('evil@evil.example')).body;
    // The account comes to the victim's address unproved, with a link that would bring it back.
    const { id } = (await j.request('GET', '/auth/me', { token: evil.access_token })).body;
    await doorward.kernel.db.transaction(async (tx) => {
      await doorward.accounts.apply(tx, id, { email: ada }, 'owner');
      const now = doorward.kernel.clock.now().getTime();
      await reserve(tx, {
        email_key: 'evil@evil.example',
        email: 'evil@evil.example',
        user_id: id,
        reserved_at: new Date(now).toISOString(),
        reserved_until: new Date(now + 86_400_000).toISOString(),
      });
      await doorward.outbox.enqueue(tx, {
        kind: 'email_changed',
        to: 'evil@evil.example',
        user_id: id,
        locale: 'en',
        params: { new_email: ada },
      });
    });
    const pending = await j.request('PUT', '/auth/me', {
      token: evil.access_token,
      json: { email: 'elsewhere@evil.example' },
    });
    assert.equal(pending.body.pending_email, 'elsewhere@evil.example');
    const confirmation = linkIn(await smtp.waitFor('elsewhere@evil.example')).token;
    const own = await forget(j, ada);
    assert.equal(own.status, 202);
    await doorward.outbox.work();
    const listPurposes = async () => {
      const links = await doorward.kernel.db.read.selectFrom('mail_links').select('purpose').execute();
      return links.map(({ purpose }) => purpose).sort();
    };
    const undo = 'undo_email_change';
    assert.deepEqual(await listPurposes(), ['change_email', 'reset_password', undo, undo, 'verify_email']);
    const received = smtp.mails.filter(({ to_envelope }) => to_envelope.includes(ada));
    const resetMail = received.find(({ text }) => text?.includes('/reset-password#'));
    const verifyMail = received.find(({ text }) => text?.includes('/verify-email#'));
    assert.ok(resetMail !== undefined && verifyMail !== undefined);

    assertReset(await reset(j, { token: linkIn(resetMail).token }));
    await assertToken(j, evil.access_token, 'dead');
    const refreshed = await j.request('POST', '/auth/refresh', {
      json: { refresh_token: evil.refresh_token },
    });
    assert.equal(refreshed.status, 401);
    assert.equal((await j.logIn(ada)).status, 401);
    const links = await doorward.kernel.db.read.selectFrom('mail_links').select('purpose').execute();
    assert.deepEqual(links, []);
    for (const [path, token] of [
      ['/auth/change-email', confirmation],
      ['/auth/verify-email', linkIn(verifyMail).token],
    ] as const)
      assertInvalidLink(await j.request('POST', path, { json: { token } }));
    const user = await doorward.accounts.find(id);
    assert.deepEqual([user?.email, user?.email_verified, user?.pending_email], [ada, true, null]);
    const { body: owner } = await j.logIn(ada, new_password);
    const sessions = await j.request('GET', '/auth/me/sessions', { token: owner.access_token });
    assert.equal(sessions.body.length, 1);
  },
);

journey('bad input is refused, and uses nothing up', async (open) => {
  const j = await open();
  await j.signIn({ email: ada });
  const { token, code } = await ask(j, ada);
  for (const json of [
    {},
    { code },
    { email: ada },
    { token, code },
    { token, email: ada },
    { token: 7 },
    { token: '' },
    { token: 'x'.repeat(257) },
    { token: 'a\0b' },
    { email: 'no address', code },
    { email: ada, code: ['1'] },
    { token, new_password: null },
    { token, surprise: 1 },
  ]) {
    const answer = await reset(j, json);
    assert.deepEqual([answer.status, answer.body.code], [422, 'validation_error'], JSON.stringify(json));
  }
  for (const bad of ['x', `${token}x`, token.slice(0, -1), "' or 1=1", '../../etc'])
    assertInvalidLink(await reset(j, { token: bad }));
  // A link of another purpose is none.
  const unproved = await j.signUp('unproved@example.com');
  const other = await (await openMailbox(j)).read('unproved@example.com', 'verify_email');
  assertInvalidLink(await reset(j, { token: other.token }));
  assertInvalidLink(await j.request('POST', '/auth/verify-email', { json: { token } }));
  assert.ok(unproved.id > 0);
  for (const json of [{}, { email: 'no address' }, { email: 7 }, { email: ada, surprise: 1 }])
    assert.equal((await j.request('POST', '/auth/forgot-password', { json })).status, 422);
  assertReset(await reset(j, { token }));
});

journey(
  'an address is asked for five times an hour, known or not, and links are tried in vain fifty times',
  async (open) => {
    const j = await open({ RATE_LIMITS: 'on' });
    await j.signIn({ email: ada });
    const answers: Record<string, string[]> = {};
    for (const email of [ada, 'nobody@example.com']) {
      const seen: string[] = [];
      answers[email] = seen;
      for (let n = 0; n < 7; n++) {
        const { status, text, headers } = await forget(j, email);
        seen.push(
          JSON.stringify([
            status,
            text,
            headers['retry-after'],
            headers.ratelimit,
            headers['ratelimit-policy'],
          ]),
        );
        j.clock.advance(60);
      }
      j.clock.advance(3600);
    }
    assert.deepEqual(answers[ada], answers['nobody@example.com']);
    assert.match(String(answers[ada]?.[5]), /^\[429,/);

    const from = (json: object) =>
      j.app.inject({
        method: 'POST',
        url: '/auth/reset-password',
        payload: { new_password, ...json },
        remoteAddress: '192.0.2.9',
      });
    for (let n = 0; n < 50; n++) {
      const proof = n % 2 === 0 ? { token: `guess-${n}` } : { email: ada, code: String(100_000 + n) };
      assert.equal((await from(proof)).statusCode, 400);
    }
    assert.equal((await from({ token: 'guess' })).statusCode, 429);
  },
);

journey('a wrong code takes the same transactions whether the address is known or not', async (open) => {
  const j = await open({ RATE_LIMITS: 'on' });
  await j.signIn({ email: ada });
  await j.signIn({ email: 'silent@example.com' });
  await ask(j, ada);
  const { db } = j.doorward.kernel;
  const transaction = db.transaction.bind(db);
  let writes = 0;
  Object.assign(db, {
    transaction: (work: Parameters<typeof transaction>[0]) => {
      writes += 1;
      return transaction(work);
    },
  });
  for (const email of [ada, 'silent@example.com', 'nobody@example.com']) {
    await j.doorward.outbox.stop();
    writes = 0;
    const answer = await j.app.inject({
      method: 'POST',
      url: '/auth/reset-password',
      payload: { new_password, email, code: '12x456' },
      remoteAddress: '192.0.2.9',
    });
    assert.deepEqual([answer.statusCode, writes], [400, 2], email);
  }
});
