import assert from 'node:assert/strict';
import type { TestResponse } from '../../src/testing/index.ts';
import { assertFailure, assertToken, type Journey, journey, password } from '../support/journey.ts';
import { checkEveryAnswer } from '../support/openapi-conformance.ts';
import { linkIn, startSmtp } from '../support/smtp.ts';

checkEveryAnswer();

const email = 'ada@example.com';
const newPassword = 'Chosen-By-Ada-42!';
const name = 'Ada Lovelace';
const dayS = 86_400;

const invalid = (answer: TestResponse) =>
  assertFailure(answer, 400, 'Invalid or expired link', 'invalid_link');
const registered = (answer: TestResponse) =>
  assertFailure(answer, 409, 'Email already registered', 'email_registered');
const notFound = (answer: TestResponse) =>
  assertFailure(answer, 404, 'Invitation not found', 'invitation_not_found');

/** An administrator who is signed in whatever the time is, and what one does about invitations. */
async function asAdmin(a: Journey) {
  const admin = await a.signIn({ is_admin: true, name: 'Grace Hopper' });
  const client = { network: '127.0.0.1', userAgent: 'test' };
  const send = async (method: Parameters<Journey['request']>[0], path: string, json?: unknown) => {
    const { access_token: token } = await a.doorward.sessions.logIn({
      username: admin.email,
      password: admin.password,
      client,
    });
    return a.request(method, path, { token, ...(json === undefined ? {} : { json }) });
  };
  return {
    ...admin,
    send,
    async invite(json: object = {}) {
      const answer = await send('POST', '/auth/invitations', { email, ...json });
      assert.equal(answer.status, 201, answer.text);
      return answer.body;
    },
    list: async () => (await send('GET', '/auth/invitations')).body,
  };
}

const mailsTo = async (a: Journey, to = email) =>
  (await a.mails()).filter((mail) => mail.kind === 'invitation' && mail.to === to);

/** The token that the newest invitation to an address brings. */
async function tokenTo(a: Journey, to = email): Promise<string> {
  const token = (await mailsTo(a, to)).at(-1)?.token;
  assert.ok(token !== undefined, `no invitation to ${to}`);
  return token;
}

const accept = (a: Journey, token: string, more: object = {}) =>
  a.request('POST', '/auth/invitations/accept', { json: { token, password: newPassword, name, ...more } });

const show = (a: Journey, token: string) => a.request('POST', '/auth/invitations/show', { json: { token } });

const eventsOf = async (a: Journey) => {
  const { events } = await a.doorward.audit.list({ limit: 200 });
  return events.filter(({ kind }) => kind.startsWith('invitation.')).reverse();
};

journey('an invitation is mailed, accepted once, and makes a verified account', async (open, { t }) => {
  const smtp = await startSmtp(t);
  const a = await open({
    MAIL_URL: smtp.url,
    ACCOUNT_URL: 'https://app.example.com/me',
    REGISTRATION: 'closed',
  });
  const admin = await asAdmin(a);
  const invited = await admin.invite({ email: 'Ada@example.com', is_admin: true, locale: 'de' });
  const now = a.clock.now();
  assert.deepEqual(invited, {
    id: invited.id,
    email: 'Ada@example.com',
    name: null,
    is_admin: true,
    invited_by: admin.id,
    created_at: now.toISOString(),
    expires_at: new Date(now.getTime() + 7 * dayS * 1000).toISOString(),
    state: 'pending',
  });
  assert.deepEqual(await admin.list(), [invited]);

  await a.doorward.outbox.work();
  const mail = await smtp.waitFor('Ada@example.com');
  assert.match(mail.subject ?? '', /^Einladung/);
  assert.match(mail.text ?? '', /Grace Hopper/);
  const { link, token } = linkIn(mail);
  assert.match(link, /^https:\/\/app\.example\.com\/me\/invitation#token=[\w-]{43}$/);
  assert.doesNotMatch(mail.text ?? '', /\d{3} \d{3}/, 'there is no code');

  // A scanner opens the link: no request carries the token, but that of a page which it runs, and that changes nothing.
  for (let n = 0; n < 3; n++) {
    await a.request('GET', new URL(link).pathname);
    const shown = await show(a, token);
    assert.equal(shown.status, 200, shown.text);
    assert.deepEqual(shown.body, {
      email: 'Ada@example.com',
      name: null,
      is_admin: true,
      expires_at: invited.expires_at,
    });
  }
  const answer = await accept(a, token);
  assert.equal(answer.status, 201, answer.text);
  assert.deepEqual(answer.body, {
    id: answer.body.id,
    email: 'Ada@example.com',
    name,
    is_active: true,
    is_admin: true,
    created_at: now.toISOString(),
    email_verified: true,
    pending_email: null,
    locale: 'de',
    delete_after: null,
  });
  assert.equal(answer.headers['set-cookie'], undefined, 'nobody is logged in');
  assert.equal((await a.logIn(email, newPassword)).status, 200);
  invalid(await accept(a, token));
  invalid(await show(a, token));
  assert.deepEqual(await admin.list(), []);
  notFound(await admin.send('DELETE', `/auth/invitations/${invited.id}`));
  registered(await admin.send('POST', '/auth/invitations', { email }));

  const told = (await eventsOf(a)).map(({ kind, user_id, actor, detail }) => [kind, user_id, actor, detail]);
  assert.deepEqual(told, [
    ['invitation.created', null, admin.id, { invitation: invited.id, is_admin: true }],
    ['invitation.accepted', answer.body.id, answer.body.id, {}],
  ]);
  assert.doesNotMatch(JSON.stringify(told), /ada/i, 'no address');
});

journey('a name is that of the invitation unless whoever accepts says otherwise', async (open) => {
  const a = await open();
  const admin = await asAdmin(a);
  await admin.invite();
  const token = await tokenTo(a);
  const missing = await accept(a, token, { name: undefined });
  assert.deepEqual(
    [missing.status, missing.body.detail],
    [422, [{ type: 'missing', loc: ['body', 'name'], msg: 'Field required' }]],
  );
  // What the policy refuses uses nothing up either; the address is one of the things a password must not be.
  for (const weak of ['short', 'alllowercase1!', 'Ada@example.com1'.slice(0, 15)])
    assert.equal((await accept(a, token, { password: weak })).status, 422, weak);
  assert.equal((await accept(a, token)).body.name, name);

  await admin.invite({ email: 'grace@example.com', name: 'Invited Name' });
  const { body } = await accept(a, await tokenTo(a, 'grace@example.com'), { name: undefined });
  assert.deepEqual([body.name, body.is_admin, body.locale], ['Invited Name', false, null]);
  await admin.invite({ email: 'third@example.com', name: 'Invited Name' });
  assert.equal((await accept(a, await tokenTo(a, 'third@example.com'))).body.name, name);
});

journey('who may be invited: nobody twice, nobody with an account of their own', async (open) => {
  const a = await open({ REGISTRATION: 'open' });
  const admin = await asAdmin(a);
  registered(await admin.send('POST', '/auth/invitations', { email: admin.email.toUpperCase() }));
  const pending = await a.signUp('pending@example.com');
  await admin.invite({ email: 'pending@example.com' });
  const suspended = await a.signUp('suspended@example.com');
  await a.doorward.admin.change(suspended.id, { is_active: false });
  registered(await admin.send('POST', '/auth/invitations', { email: suspended.email }));
  for (const spelling of [pending.email, 'Pending@EXAMPLE.com', ' pending@example.com '])
    assertFailure(
      await admin.send('POST', '/auth/invitations', { email: spelling }),
      409,
      'Already invited',
      'already_invited',
    );

  const [first] = await admin.list();
  a.clock.advance(7 * dayS);
  assert.equal((await admin.list())[0].state, 'expired');
  const again = await admin.invite({ email: 'pending@example.com', name: 'Second' });
  assert.ok(again.id > first.id);
  assert.deepEqual(await admin.list(), [again]);

  for (const [token, status, code] of [
    [undefined, 401, 'not_authenticated'],
    [(await a.signIn()).access_token, 403, 'admin_required'],
  ] as const) {
    const options = token === undefined ? {} : { token };
    for (const [method, path] of [
      ['GET', '/auth/invitations'],
      ['POST', '/auth/invitations'],
      ['POST', `/auth/invitations/${again.id}/resend`],
      ['DELETE', `/auth/invitations/${again.id}`],
    ] as const) {
      const answer = await a.request(method, path, { ...options, json: { email: 'x@example.com' } });
      assert.deepEqual([answer.status, answer.body.code], [status, code], `${method} ${path}`);
    }
  }
  assert.deepEqual(await admin.list(), [again]);
});

journey('the list is read page by page, the newest first', async (open) => {
  const a = await open();
  const admin = await asAdmin(a);
  for (let n = 1; n <= 5; n++) await admin.invite({ email: `user${n}@example.com` });
  const seen: string[] = [];
  let path: string | undefined = '/auth/invitations?limit=2';
  while (path !== undefined) {
    const answer: TestResponse = await admin.send('GET', path);
    seen.push(...answer.body.map((one: { email: string }) => one.email));
    path = /^<(.*)>; rel="next"$/.exec(answer.headers.link ?? '')?.[1];
    if (seen.length === 2) await admin.invite({ email: 'later@example.com' });
  }
  assert.deepEqual(
    seen,
    [5, 4, 3, 2, 1].map((n) => `user${n}@example.com`),
  );
});

journey('sending again voids the older link and renews the term', async (open) => {
  const a = await open();
  const admin = await asAdmin(a);
  const other = await a.signIn({ is_admin: true, name: 'Other Admin' });
  const { id, created_at } = await admin.invite();
  const first = await tokenTo(a);
  a.clock.advance(6 * dayS);
  const { access_token: token } = (await a.logIn(other.email)).body;
  const answer = await a.request('POST', `/auth/invitations/${id}/resend`, { token });
  assert.deepEqual(
    [answer.status, answer.body.id, answer.body.created_at, answer.body.expires_at, answer.body.invited_by],
    [200, id, created_at, new Date(a.clock.now().getTime() + 7 * dayS * 1000).toISOString(), other.id],
  );
  invalid(await accept(a, first));
  invalid(await show(a, first));
  const mails = await mailsTo(a);
  assert.equal(mails.length, 1, 'the older mail is gone');
  assert.match(mails[0]?.text ?? '', /Other Admin/);
  const second = await tokenTo(a);

  a.clock.advance(6 * dayS);
  // Sending the mail again from the outbox makes another link, but no longer term.
  const resent = await admin.send('POST', `/auth/outbox/${mails[0]?.id}/resend`);
  assert.equal(resent.status, 202);
  const third = await tokenTo(a);
  invalid(await accept(a, second));
  invalid(await show(a, second));
  a.clock.advance(dayS - 1);
  assert.equal((await accept(a, third)).status, 201);
  for (const gone of [id, 99, Number.MAX_SAFE_INTEGER])
    notFound(await admin.send('POST', `/auth/invitations/${gone}/resend`));
});

journey('an invitation ends with its term, is renewed after it, and is removed in the end', async (open) => {
  const a = await open({ INVITATION_EXPIRE_DAYS: 2 });
  const admin = await asAdmin(a);
  const { id } = await admin.invite();
  const token = await tokenTo(a);
  a.clock.advance(2 * dayS);
  invalid(await accept(a, token));
  invalid(await show(a, token));
  assert.equal((await admin.list())[0].state, 'expired');
  const renewed = await admin.send('POST', `/auth/invitations/${id}/resend`);
  assert.deepEqual([renewed.status, renewed.body.state], [200, 'pending']);
  invalid(await accept(a, token));
  invalid(await show(a, token));
  await tokenTo(a);

  for (let n = 0; n < 120; n++) await a.doorward.invitations.create({ email: `many${n}@example.com` });
  a.clock.advance(31 * dayS);
  await admin.invite({ email: 'kept@example.com' });
  await a.doorward.invitations.deleteOver();
  assert.equal((await admin.list()).length, 50, 'not yet');
  a.clock.advance(1 * dayS + 1);
  await a.doorward.invitations.deleteOver();
  await a.doorward.mailLinks.deleteExpired();
  assert.deepEqual(
    (await admin.list()).map((one: { email: string }) => one.email),
    ['kept@example.com'],
  );
  assert.deepEqual(await mailsTo(a), []);
});

journey('a withdrawn invitation is void at once, and its mail is not sent any more', async (open, { t }) => {
  const smtp = await startSmtp(t);
  await smtp.stop();
  const a = await open({ MAIL_URL: smtp.url });
  const admin = await asAdmin(a);
  const { id } = await admin.invite();
  await a.doorward.outbox.work();
  assert.equal((await admin.send('DELETE', `/auth/invitations/${id}`)).status, 204);
  await smtp.start();
  a.clock.advance(60);
  await a.doorward.outbox.work();
  assert.equal(smtp.mails.length, 0);
  notFound(await admin.send('DELETE', `/auth/invitations/${id}`));

  await admin.invite();
  await a.doorward.outbox.work();
  const { token } = linkIn(await smtp.waitFor(email));
  const [{ id: second }] = await admin.list();
  assert.equal((await admin.send('DELETE', `/auth/invitations/${second}`)).status, 204);
  invalid(await accept(a, token));
  invalid(await show(a, token));
  assert.equal((await a.logIn(email, newPassword)).status, 401);
  assert.deepEqual(
    (await eventsOf(a)).map(({ kind, detail }) => [kind, detail.reason]),
    [
      ['invitation.created', undefined],
      ['invitation.withdrawn', 'withdrawn'],
      ['invitation.created', undefined],
      ['invitation.withdrawn', 'withdrawn'],
    ],
  );
});

journey(
  'an account that somebody made meanwhile is taken over, and they keep nothing of it',
  async (open) => {
    for (const state of ['pending', 'closed'] as const) {
      const a = await open({ DELETION_GRACE_DAYS: 30 });
      const admin = await asAdmin(a);
      await admin.invite({ is_admin: true, locale: 'fr' });
      const token = await tokenTo(a);
      const thief = await a.signUp('ADA@example.com', { name: 'Thief' });
      const session = (await a.logIn(email)).body;
      const held = await a.request('GET', '/auth/me/export', { token: session.access_token });
      assert.deepEqual([held.status, held.body.invitation], [200, undefined], 'whom it is for is not theirs');
      const { kernel } = a.doorward;
      // Where mails are sent, another address waits for its confirmation.
      await kernel.db.transaction((tx) =>
        a.doorward.accounts.apply(tx, thief.id, { pending_email: 'thief@example.com' }, 'owner'),
      );
      if (state === 'closed') {
        const json = { current_password: password };
        const closed = await a.request('DELETE', '/auth/me', { token: session.access_token, json });
        assert.equal(closed.status, 204, closed.text);
      }
      const answer = await accept(a, token);
      assert.equal(answer.status, 201, answer.text);
      const { id, is_active, is_admin, email_verified, pending_email, delete_after, locale } = answer.body;
      assert.deepEqual(
        [id, answer.body.name, is_active, is_admin, email_verified, pending_email, delete_after, locale],
        [thief.id, name, true, true, true, null, null, 'fr'],
      );
      await assertToken(a, session.access_token, 'dead');
      const { refresh_token } = session;
      assert.equal((await a.request('POST', '/auth/refresh', { json: { refresh_token } })).status, 401);
      assert.equal((await a.logIn(email, password)).status, 401);
      const login = await a.logIn(email, newPassword);
      assert.equal(login.status, 200);
      const links = await kernel.db.read.selectFrom('mail_links').select('purpose').execute();
      assert.deepEqual(links, [], 'no link of before leads anywhere');
      const device = await a.doorward.throttle.recognise({
        userId: id,
        network: '127.0.0.1',
        deviceToken: session.device_token,
      });
      assert.equal(device.isKnown, false);
      assert.ok(
        (await eventsOf(a)).some(({ kind, user_id }) => kind === 'invitation.accepted' && user_id === id),
      );
    }
  },
);

journey('an account that is taken over has the address as it was invited', async (open) => {
  const a = await open();
  const { invite } = await asAdmin(a);
  await a.signUp('ADA@example.com');
  await invite();
  const taken = await accept(a, await tokenTo(a));
  assert.deepEqual([taken.status, taken.body.email], [201, email]);
});

journey('an invitation takes the role of an account that was trusted by mistake', async (open) => {
  const a = await open();
  const admin = await asAdmin(a);
  await admin.invite();
  const token = await tokenTo(a);
  const thief = await a.signUp(email, { name: 'Thief' });
  await a.doorward.admin.change(thief.id, { is_admin: true });
  const answer = await accept(a, token);
  assert.deepEqual([answer.status, answer.body.id, answer.body.is_admin], [201, thief.id, false]);
});

journey('an address that is an account’s for good is not invited any more', async (open) => {
  const causes: Record<string, (a: Journey) => Promise<{ id: number }>> = {
    async 'somebody who signed up proved it'(a) {
      const user = await a.signUp(email);
      await a.doorward.kernel.db.transaction((tx) =>
        a.doorward.accounts.apply(tx, user.id, { email_verified: true }, 'owner'),
      );
      return user;
    },
    'an administrator made the account': (a) => a.doorward.admin.create({ email, password, name }),
    async 'an administrator gave it to an account'(a) {
      const user = await a.signIn();
      return a.doorward.admin.change(user.id, { email });
    },
    async 'who signed up with it was suspended'(a) {
      const user = await a.signUp(email);
      return a.doorward.admin.change(user.id, { is_active: false });
    },
  };
  const a = await open();
  const admin = await asAdmin(a);
  for (const [cause, make] of Object.entries(causes)) {
    const { id } = await admin.invite({ is_admin: true });
    const token = await tokenTo(a);
    const user = await make(a);
    registered(await show(a, token));
    registered(await accept(a, token));
    registered(await accept(a, token));
    registered(await show(a, token));
    assert.deepEqual(await admin.list(), [], cause);
    notFound(await admin.send('POST', `/auth/invitations/${id}/resend`));
    notFound(await admin.send('DELETE', `/auth/invitations/${id}`));
    registered(await admin.send('POST', '/auth/invitations', { email }));
    assert.deepEqual(await mailsTo(a), [], cause);
    assert.equal((await a.doorward.admin.find(user.id)).is_admin, false, 'no role without accepting');
    const last = (await eventsOf(a)).at(-1);
    assert.deepEqual(
      [last?.kind, last?.user_id, last?.detail],
      ['invitation.withdrawn', user.id, { invitation: id, reason: 'registered', via: 'system' }],
    );

    // With the account goes what is left of the invitation.
    if (cause.includes('gave')) await a.doorward.admin.change(user.id, { email: 'else@example.com' });
    else await a.doorward.admin.delete(user.id);
    invalid(await accept(a, token));
    invalid(await show(a, token));
    for (const table of ['invitations', 'mail_links'] as const)
      assert.doesNotMatch(
        JSON.stringify(await a.doorward.kernel.db.read.selectFrom(table).selectAll().execute()),
        /"ada@example\.com"/,
        `${cause}: ${table}`,
      );
  }
});

journey('an invitation outlives an account that nobody proved', async (open) => {
  const a = await open();
  const admin = await asAdmin(a);
  await admin.invite();
  const { id } = await a.signUp(email);
  await a.doorward.admin.delete(id);
  const answer = await accept(a, await tokenTo(a));
  assert.equal(answer.status, 201);
  assert.notEqual(answer.body.id, id);

  const other = 'other@example.com';
  await admin.invite({ email: other });
  const user = await a.signIn();
  await a.request('PUT', '/auth/me', { token: user.access_token, json: { email: other } });
  const taken = await accept(a, await tokenTo(a, other));
  assert.deepEqual([taken.status, taken.body.id], [201, user.id], 'changed to, not proved');
  await assertToken(a, user.access_token, 'dead');
});

journey('nobody is made an administrator by the word of somebody who is none any more', async (open) => {
  const a = await open();
  const admin = await asAdmin(a);
  const ends = {
    demoted: (id: number) => a.doorward.admin.change(id, { is_admin: false }),
    suspended: (id: number) => a.doorward.admin.change(id, { is_active: false }),
    deleted: (id: number) => a.doorward.admin.delete(id),
  };
  for (const [end, apply] of Object.entries(ends)) {
    const inviter = await a.signIn({ is_admin: true });
    const to = [`admin-${end}@example.com`, `user-${end}@example.com`] as const;
    for (const [index, address] of to.entries()) {
      const json = { email: address, is_admin: index === 0 };
      const answer = await a.request('POST', '/auth/invitations', { token: inviter.access_token, json });
      assert.equal(answer.status, 201);
    }
    const tokens = [await tokenTo(a, to[0]), await tokenTo(a, to[1])] as const;
    await apply(inviter.id);
    invalid(await accept(a, tokens[0]));
    invalid(await show(a, tokens[0]));
    const listed = (await admin.list()).filter(
      (one: { invited_by: number }) => one.invited_by === inviter.id,
    );
    assert.deepEqual(
      listed.map((one: { state: string }) => one.state),
      ['pending', 'expired'],
      end,
    );
    // The other invitation gives no power.
    if (end !== 'deleted') assert.equal((await accept(a, tokens[1])).status, 201, end);
    // Another administrator answers for it.
    const { id } = listed[1];
    assert.equal((await admin.send('POST', `/auth/invitations/${id}/resend`)).body.state, 'pending');
    assert.equal((await accept(a, await tokenTo(a, to[0]))).body.is_admin, true);
  }
  // The command line answers for itself.
  await a.doorward.invitations.create({ email, is_admin: true });
  assert.equal((await accept(a, await tokenTo(a))).body.is_admin, true);
});

journey('of an inviter who is erased no name is left in a mail', async (open, { t }) => {
  const smtp = await startSmtp(t);
  const a = await open({ MAIL_URL: smtp.url });
  const inviter = await a.signIn({ is_admin: true, name: 'Zebulon Unmistakable' });
  const keeper = await asAdmin(a);
  const invite = (to: string) =>
    a.request('POST', '/auth/invitations', { token: inviter.access_token, json: { email: to } });
  await invite('sent@example.com');
  await a.doorward.outbox.work();
  const { token } = linkIn(await smtp.waitFor('sent@example.com'));
  await smtp.stop();
  await invite('waiting@example.com');
  await a.doorward.outbox.work();
  await a.doorward.admin.delete(inviter.id);
  const stored = await a.doorward.kernel.db.read.selectFrom('outbox').selectAll().execute();
  assert.doesNotMatch(JSON.stringify(stored), /Zebulon/);
  await smtp.start();
  a.clock.advance(60);
  await a.doorward.outbox.work();
  const mail = await smtp.waitFor('waiting@example.com');
  assert.doesNotMatch(mail.text ?? '', /Zebulon/);
  assert.equal((await accept(a, linkIn(mail).token)).status, 201);
  assert.equal((await accept(a, token)).status, 201);
  assert.deepEqual(await keeper.list(), []);
});

/** How many answers there are of each status. */
const countByStatus = (answers: readonly TestResponse[]) => {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
};

/** Two instances on one database: what must hold between processes holds between these. */
async function openTwo(open: (settings?: object) => Promise<Journey>): Promise<[Journey, Journey]> {
  const one = await open({ HASH_CONCURRENCY: 4 });
  return [one, await open({ HASH_CONCURRENCY: 4, DATABASE_URL: one.databaseUrl })];
}

journey('of 20 who accept one invitation at once, one makes the account', async (open) => {
  const [one, two] = await openTwo(open);
  const admin = await asAdmin(one);
  for (const isTaken of [false, true]) {
    const to = `race-${isTaken}@example.com`;
    await admin.invite({ email: to });
    const token = await tokenTo(one, to);
    if (isTaken) await one.signUp(to);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        accept(n % 2 === 0 ? one : two, token, { password: `${newPassword}${n}`, name: `User ${n}` }),
      ),
    );
    assert.deepEqual(countByStatus(answers), { 201: 1, 400: 19 });
    for (const answer of answers) if (answer.status !== 201) invalid(answer);
    const winner = answers.findIndex(({ status }) => status === 201);
    assert.equal((await two.logIn(to, `${newPassword}${winner}`)).status, 200);
    assert.equal((await one.logIn(to, `${newPassword}${(winner + 1) % 20}`)).status, 401);
  }
});

journey('accepting races with signing up, and the invited one has the account', async (open) => {
  const [one, two] = await openTwo(open);
  const admin = await asAdmin(one);
  for (let round = 0; round < 6; round++) {
    const to = `round${round}@example.com`;
    await admin.invite({ email: to });
    const token = await tokenTo(one, to);
    const json = { email: to, password, name: 'Thief' };
    const [accepted, signedUp, ...logins] = await Promise.all([
      accept(one, token),
      two.request('POST', '/auth/signup', { json }),
      ...Array.from({ length: 3 }, () => two.logIn(to)),
    ]);
    assert.equal(accepted.status, 201, accepted.text);
    assert.ok([201, 409].includes(signedUp.status), signedUp.text);
    if (signedUp.status === 201) assert.equal(signedUp.body.id, accepted.body.id);
    for (const { status, body } of logins) {
      if (status === 200) await assertToken(two, body.access_token, 'dead');
      else assert.equal(status, 401);
    }
    assert.equal((await one.logIn(to, newPassword)).status, 200);
    assert.equal((await one.logIn(to, password)).status, 401);
    assert.equal((await one.doorward.accounts.findByEmail(to))?.name, name);
  }
});

journey('accepting races with a proof of the address', async (open) => {
  const [one, two] = await openTwo(open);
  const admin = await asAdmin(one);
  const { kernel, accounts } = two.doorward;
  for (let round = 0; round < 6; round++) {
    const to = `round${round}@example.com`;
    await admin.invite({ email: to });
    const token = await tokenTo(one, to);
    const { id } = await two.signUp(to);
    const [accepted] = await Promise.all([
      accept(one, token),
      kernel.db.transaction((tx) => accounts.apply(tx, id, { email_verified: true }, 'owner')),
    ]);
    // Either the owner came by the invitation, or had proved the address before and keeps the password.
    if (accepted.status !== 201) registered(accepted);
    const right = accepted.status === 201 ? newPassword : password;
    assert.equal((await one.logIn(to, right)).status, 200);
    assert.deepEqual(await admin.list(), []);
  }
});

journey('accepting races with the withdrawal and with sending again', async (open) => {
  const [one, two] = await openTwo(open);
  const admin = await asAdmin(one);
  for (const end of ['DELETE', 'POST'] as const) {
    for (let round = 0; round < 6; round++) {
      const to = `${end}${round}@example.com`.toLowerCase();
      const { id } = await admin.invite({ email: to });
      const token = await tokenTo(one, to);
      const path = `/auth/invitations/${id}${end === 'POST' ? '/resend' : ''}`;
      const [accepted, ended] = await Promise.all([accept(two, token), admin.send(end, path)]);
      if (accepted.status === 201) notFound(ended);
      else {
        invalid(accepted);
        assert.ok(ended.status === 200 || ended.status === 204, ended.text);
        if (end === 'POST') assert.equal((await accept(two, await tokenTo(one, to))).status, 201);
        else assert.equal(await one.doorward.accounts.findByEmail(to), undefined);
      }
      invalid(await accept(one, token));
    }
  }
});

journey('of two who invite one address at once, one does', async (open) => {
  const [one, two] = await openTwo(open);
  const admin = await asAdmin(one);
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      (n % 2 === 0 ? one : two).doorward.invitations
        .create({ email: n % 3 === 0 ? email : email.toUpperCase().replace('ADA', 'Ada') })
        .then(
          () => 'invited',
          (error) => error.code,
        ),
    ),
  );
  assert.deepEqual(answers.sort(), [...Array(9).fill('already_invited'), 'invited']);
  assert.equal((await admin.list()).length, 1);
  assert.equal((await mailsTo(one, (await admin.list())[0].email)).length, 1);
});

journey('a mailbox is not flooded with invitations, and other addresses do not wait for it', async (open) => {
  const a = await open({
    RATE_LIMITS: 'on',
    THROTTLE_ADDRESS_MAILS_PER_HOUR: 3,
    THROTTLE_NETWORK_MAILS_PER_HOUR: 3,
  });
  const admin = await asAdmin(a);
  const { id } = await admin.invite();
  assert.equal((await admin.send('POST', '/auth/invitations', { email })).status, 409, 'which counts not');
  const again = () => admin.send('POST', `/auth/invitations/${id}/resend`);
  assert.deepEqual([(await again()).status, (await again()).status], [200, 200]);
  const refused = await again();
  assertFailure(refused, 429, 'Too many requests', 'rate_limited');
  for (let n = 0; n < 8; n++) await admin.invite({ email: `user${n}@example.com` });
  a.clock.advance(3600);
  assert.equal((await again()).status, 200);

  // Guessing tokens is bounded by the network.
  const guess = (n: number) =>
    a.request('POST', '/auth/invitations/accept', {
      json: { token: `guess${n}`, password, name },
    });
  invalid(await guess(0));
});

journey('bad input is told as such, and uses nothing up', async (open) => {
  const a = await open();
  const admin = await asAdmin(a);
  for (const json of [
    {},
    { email: 'no address' },
    { email: 'a@b@c' },
    { email: `${'x'.repeat(250)}@example.com` },
    { email: 'nul\0@example.com' },
    { email: null },
    { email: ['ada@example.com'] },
    { email, name: '' },
    { email, name: '  ' },
    { email, name: 'x'.repeat(101) },
    { email, name: 'nul\0' },
    { email, name: '\ud800' },
    { email, name: null },
    { email, is_admin: 'yes' },
    { email, is_admin: null },
    { email, locale: 'not a language' },
    { email, locale: '' },
    { email, invited_by: 1 },
    { email, expires_at: '2099-01-01T00:00:00Z' },
    [],
    'text',
  ]) {
    const answer = await admin.send('POST', '/auth/invitations', json);
    assert.equal(answer.status, 422, `${JSON.stringify(json)}: ${answer.text}`);
  }
  // What would be another header is none.
  for (const injected of ['Eve\r\nBcc: all@example.com', 'Eve\nSubject: x']) {
    const answer = await admin.send('POST', '/auth/invitations', {
      email: 'eve@example.com',
      name: injected,
    });
    assert.ok([201, 409, 422].includes(answer.status));
  }
  assert.equal((await a.mails()).filter(({ to }) => to === email).length, 0);

  for (const query of [
    'limit=0',
    'limit=201',
    'limit=x',
    'cursor=x',
    'cursor=-1',
    'cursor=0',
    'cursor=1e3',
  ]) {
    const answer = await admin.send('GET', `/auth/invitations?${query}`);
    assert.equal(answer.status, 422, query);
  }
  for (const id of ['x', '1.5', '-', '1x'])
    for (const [method, path] of [
      ['DELETE', `/auth/invitations/${id}`],
      ['POST', `/auth/invitations/${id}/resend`],
    ] as const)
      assert.equal((await admin.send(method, path)).status, 422, `${method} ${path}`);
  for (const id of ['0', '-1', '9007199254740993', '99999999999999999999'])
    notFound(await admin.send('DELETE', `/auth/invitations/${id}`));

  await admin.invite();
  const token = await tokenTo(a);
  for (const json of [
    {},
    { token },
    { token: '', password: newPassword, name },
    { token: null, password: newPassword, name },
    { token: 7, password: newPassword, name },
    { token: 'x'.repeat(300), password: newPassword, name },
    { token: 'nul\0', password: newPassword, name },
    { token, password: 'short', name },
    { token, password: newPassword, name: '' },
    { token, password: newPassword, name: null },
    { token, password: newPassword, name, email: 'other@example.com' },
    { token, password: newPassword, name, is_admin: true },
    { token, password: newPassword, name, locale: 'de' },
    { token, code: '123456', password: newPassword, name },
  ]) {
    const answer = await a.request('POST', '/auth/invitations/accept', { json });
    assert.equal(answer.status, 422, `${JSON.stringify(json)}: ${answer.text}`);
  }
  for (const wrong of [`${token}x`, token.slice(1), token.toLowerCase(), 'x', '💌', '../..', "' or 1=1 --"])
    invalid(await accept(a, wrong));
  assert.equal((await accept(a, token)).status, 201);
});

journey('a link of another kind accepts no invitation, and the other way round', async (open) => {
  const a = await open({ EMAIL_LOGIN: 'on' });
  const admin = await asAdmin(a);
  await admin.invite();
  const token = await tokenTo(a);
  const user = await a.signIn();
  await a.request('POST', '/auth/login/email', { json: { email: user.email } });
  const login = (await a.mails()).find(({ kind }) => kind === 'email_login')?.token ?? '';
  invalid(await accept(a, login));
  invalid(await a.request('POST', '/auth/login/email/verify', { json: { token } }));
  assert.equal((await a.request('POST', '/auth/login/email/verify', { json: { token: login } })).status, 200);
  assert.equal((await accept(a, token)).status, 201);
});
