import assert from 'node:assert/strict';
import type { TestResponse } from '../../src/testing/index.ts';
import { day, type Mailed, openMailed, password } from '../support/email-change.ts';
import { assertDead, assertFailure, onInstances, type Scenario } from '../support/instances.ts';
import { checkEveryAnswer } from '../support/openapi-conformance.ts';
import { linkIn } from '../support/smtp.ts';

checkEveryAnswer();

const assertInvalidLink = (answer: TestResponse) =>
  assertFailure(answer, 400, 'Invalid or expired link', 'invalid_link');
const assertInvalidCode = (answer: TestResponse) =>
  assertFailure(answer, 400, 'Invalid or expired code', 'invalid_code');
const assertTaken = (answer: TestResponse) =>
  assertFailure(answer, 409, 'Email already taken', 'email_taken');
const assertRegistered = (answer: TestResponse) =>
  assertFailure(answer, 409, 'Email already registered', 'email_registered');

/** Asserts a 200 with these fields of a UserRead. */
function assertUser(answer: TestResponse, fields: object): void {
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual({ ...answer.body, ...fields }, answer.body);
}

/** The events of these kinds, the oldest first: whom they concern and who did it. */
async function eventsOf({ doorward }: Mailed, kind: RegExp): Promise<unknown[]> {
  const rows = await doorward.kernel.db.read
    .selectFrom('audit_events')
    .select(['kind', 'user_id', 'actor'])
    .orderBy('time')
    .execute();
  return rows
    .filter((row) => kind.test(row.kind))
    .map(({ kind, user_id, actor }) => [kind, Number(user_id), actor === null ? null : Number(actor)]);
}

/** Somebody with this address who logged in just now. */
async function begin(scenario: Scenario, email = 'ann@example.com') {
  const mailed = await openMailed(scenario);
  return { ...mailed, ann: await mailed.signIn({ email, name: 'Ann' }) };
}

onInstances(
  'without MAIL_URL another address takes effect at once, and no mail undoes it',
  async (scenario) => {
    const instance = await scenario.open({ ACCESS_TOKEN_EXPIRE_MINUTES: 1440 });
    const { id, access_token: token } = await instance.signIn({ email: 'ann@example.com' });
    scenario.advance(3600);
    for (const method of ['PUT', 'PATCH'] as const) {
      const json = { email: `${method}@example.com`, name: 'Ann B.' };
      const answer = await instance.request(method, '/auth/me', { json, token });
      assertUser(answer, { id, ...json, email_verified: false, pending_email: null });
    }
    const kinds = await instance.doorward.kernel.db.read.selectFrom('outbox').select('kind').execute();
    assert.deepEqual(
      kinds.filter(({ kind }) => /change/.test(kind)),
      [],
    );
  },
);

onInstances('a new address takes effect when it is confirmed, and the old one is told', async (scenario) => {
  const { ann, request, me, change, confirm, mail, mails, logIn, ...mailed } = await begin(scenario);
  const { access_token: token } = ann;
  const second = await logIn(ann.email);
  const asked = await change(ann, { email: ' New@EXAMPLE.com ', name: 'Ann B.', locale: 'en' });
  const before = { email: ann.email, email_verified: true, name: 'Ann B.', locale: 'en' };
  assertUser(asked, { ...before, pending_email: 'New@EXAMPLE.com' });
  assert.deepEqual((await me(token)).body, asked.body);

  const toNew = await mail('New@example.com', 'change_email');
  const toOld = await mail(ann.email, 'email_change_asked');
  assert.match(toNew.text ?? '', /New@EXAMPLE\.com/);
  assert.match(toOld.text ?? '', /New@EXAMPLE\.com/);
  const { link, token: proof } = linkIn(toNew);
  const undo = linkIn(toOld);
  assert.match(link, /\/account\/change-email#token=[\w-]{43}$/);
  assert.match(undo.link, /\/account\/undo-email-change#token=[\w-]{43}$/);
  assert.equal((toOld.text ?? '').includes(proof), false);
  assert.deepEqual(await mails('New@example.com', 'email_change_asked'), []);

  // A scanner opens every link three times, and all that a browser sends of it.
  for (let n = 0; n < 3; n++) {
    for (const url of [link, undo.link]) await request('GET', new URL(url).pathname);
    for (const path of ['/auth/change-email', '/auth/change-email/undo']) {
      assert.equal((await request('GET', path)).status, 405);
      assert.equal((await request('GET', `${path}?token=${proof}`)).status, 405);
    }
  }
  assert.deepEqual((await me(token)).body, asked.body);

  // In another tab nobody is signed in.
  const confirmed = await confirm({ token: proof });
  const after = { ...before, email: 'New@EXAMPLE.com', pending_email: null };
  assertUser(confirmed, after);
  assertInvalidLink(await confirm({ token: proof }));
  for (const { access_token } of [ann, second]) assertUser(await me(access_token), after);
  assert.equal((await logIn('new@example.com')).access_token.length > 0, true);
  assert.equal(
    (await request('POST', '/auth/login', { form: { username: ann.email, password } })).status,
    401,
  );

  const told = await mail(ann.email, 'email_changed');
  assert.match(told.text ?? '', /New@EXAMPLE\.com/);
  assert.notEqual(linkIn(told).token, undo.token);
  assert.deepEqual(await mails('New@example.com', 'email_changed'), []);
  assert.deepEqual(await eventsOf(mailed as Mailed, /^(email_change|user\.updated)/), [
    ['user.updated', ann.id, ann.id],
    ['email_change.asked', ann.id, ann.id],
    ['user.updated', ann.id, null],
  ]);
});

onInstances('the code confirms as well, for whoever asked and is signed in', async (scenario) => {
  const { ann, change, confirm, codeIn, signIn, me, ...mailed } = await begin(scenario);
  const other = await signIn();
  await change(other, { email: 'others@example.com' });
  await change(ann, { email: 'new@example.com' });
  const code = await codeIn('new@example.com');
  assertFailure(await confirm({ code }), 401, 'Not authenticated', 'not_authenticated');
  assertInvalidCode(await confirm({ code }, other.access_token));
  assertUser(await me(ann.access_token), { email: ann.email });
  const typed = `${code.slice(0, 3)} ${code.slice(3)}`;
  assertUser(await confirm({ code: typed }, ann.access_token), {
    id: ann.id,
    email: 'new@example.com',
    email_verified: true,
    pending_email: null,
  });
  assertInvalidCode(await confirm({ code }, ann.access_token));
  assert.deepEqual(await eventsOf(mailed as Mailed, /^code/), [
    ['code.refused', other.id, other.id],
    ['code.refused', ann.id, ann.id],
  ]);
});

onInstances('a code has five tries and ten minutes; the link of its mail lives on', async (scenario) => {
  const { ann, change, confirm, codeIn, tokenIn, me } = await begin(scenario);
  await change(ann, { email: 'new@example.com' });
  const code = await codeIn('new@example.com');
  const wrong = code === '000000' ? '000001' : '000000';
  for (let n = 0; n < 5; n++) assertInvalidCode(await confirm({ code: wrong }, ann.access_token));
  assertInvalidCode(await confirm({ code }, ann.access_token));
  await change(ann, { email: 'newer@example.com' });
  const second = await codeIn('newer@example.com');
  scenario.advance(10 * 60);
  assertInvalidCode(await confirm({ code: second }, ann.access_token));
  assertUser(await me(ann.access_token), { email: ann.email, pending_email: 'newer@example.com' });
  assertUser(await confirm({ token: await tokenIn('newer@example.com', 'change_email') }), {
    email: 'newer@example.com',
  });
});

onInstances('another address needs a recent login or the password', async (scenario) => {
  const { ann, change, confirm, me, mails, tokenIn, logIn, refreshed } = await begin(scenario);
  const refuse = (answer: TestResponse) =>
    assertFailure(answer, 403, 'Recent login required', 'recent_login_required');
  const json = { email: 'new@example.com', name: 'Somebody', locale: 'nl' };
  scenario.advance(15 * 60 - 1);
  const { body } = await change(ann, { email: 'first@example.com' });
  assert.equal(body.pending_email, 'first@example.com');
  scenario.advance(1);
  const before = (await me(ann.access_token)).body;
  refuse(await change(ann, json));
  assertFailure(
    await change(ann, { ...json, current_password: 'WrongPass123!' }),
    400,
    'Current password is incorrect',
    'current_password_incorrect',
  );
  assert.deepEqual((await me(ann.access_token)).body, before);
  // What needs neither: the rest of the profile, and the present address in another spelling.
  assertUser(await change(ann, { name: 'Ann B.', current_password: 'ignored' }), { name: 'Ann B.' });
  assertUser(await change(ann, { email: 'Ann@EXAMPLE.com' }), {
    email: 'Ann@EXAMPLE.com',
    email_verified: true,
    pending_email: null,
  });
  assert.deepEqual(await mails('new@example.com', 'change_email'), []);
  assertUser(await change(ann, { ...json, current_password: password }), {
    email: 'Ann@EXAMPLE.com',
    name: 'Somebody',
    pending_email: 'new@example.com',
  });
  assertUser(await confirm({ token: await tokenIn('new@example.com', 'change_email') }), {
    email: 'new@example.com',
  });
  // A login counts, a refresh does not.
  const { refresh_token } = await logIn('new@example.com');
  scenario.advance(15 * 60);
  refuse(await change(await refreshed(refresh_token), { email: 'third@example.com' }));
});

onInstances('wrong passwords that come with a new address are counted', async (scenario) => {
  const mailed = await openMailed(scenario, { RATE_LIMITS: 'on' });
  const ann = await mailed.signIn();
  const json = { email: 'new@example.com', name: 'Somebody', current_password: 'WrongPass123!' };
  for (let n = 0; n < 5; n++) {
    const { status, body } = await mailed.change(ann, json);
    assert.deepEqual([status, body.code], [400, 'current_password_incorrect']);
  }
  const closed = await mailed.change(ann, { ...json, current_password: password });
  assert.deepEqual([closed.status, closed.body.code], [429, 'rate_limited']);
  assertUser(await mailed.me(ann.access_token), { name: 'Test User', pending_email: null });
});

onInstances('the mails that an address gets are bounded, whoever asks', async (scenario) => {
  const mailed = await openMailed(scenario, { RATE_LIMITS: 'on' });
  const users = [await mailed.signIn(), await mailed.signIn()];
  for (let n = 0; n < 6; n++) {
    const user = users[n % 2];
    assert.ok(user !== undefined);
    const email = n % 3 === 0 ? 'Victim@example.com' : 'victim@EXAMPLE.com';
    const { status, body, headers } = await mailed.change(user, { email, name: `Name ${n}` });
    if (n < 5) assert.equal(status, 200, body);
    else assert.deepEqual([status, body.code, headers['retry-after']], [429, 'rate_limited', '3600']);
  }
  assertUser(await mailed.me(users[1]?.access_token ?? ''), { name: 'Name 3' });
});

onInstances('an address of another account is refused at once, in every spelling', async (scenario) => {
  const { ann, change, signIn, me, mails } = await begin(scenario);
  const other = await signIn({ email: 'taken@example.com' });
  const before = (await me(ann.access_token)).body;
  for (const email of ['taken@example.com', 'Taken@Example.COM', ' taken@example.com'])
    assertTaken(await change(ann, { email, name: 'Somebody', current_password: password }));
  assert.deepEqual((await me(ann.access_token)).body, before);
  assert.deepEqual(await mails(other.email, 'already_registered'), []);
  assert.deepEqual(await mails(ann.email, 'email_change_asked'), []);
});

onInstances('with HIDE_REGISTERED_EMAILS a taken address is answered as a free one', async (scenario) => {
  const settings = { HIDE_REGISTERED_EMAILS: 'on', REQUIRE_VERIFIED_EMAIL: 'on' } as const;
  const mailed = await openMailed(scenario, settings);
  const { doorward, change, signIn, mails, me, confirm } = mailed;
  const ann = await signIn({ email: 'ann@example.com' });
  await signIn({ email: 'taken@example.com' });
  const left = await signIn({ email: 'left@example.com' });
  await mailed.move(left, 'moved@example.com');
  const idle = await doorward.kernel.db.read.selectFrom('outbox').select('id').execute();

  const outcomes = [];
  for (const email of ['free@example.com', 'taken@example.com', 'left@example.com']) {
    const answer = await change(ann, { email, name: 'Ann B.' });
    assertUser(answer, { email: ann.email, pending_email: email, name: 'Ann B.' });
    const { 'x-request-id': id, date, ...headers } = answer.headers;
    outcomes.push([answer.status, { ...answer.body, pending_email: 0 }, headers['content-type']]);
    const kinds = ['change_email', 'email_change_asked'] as const;
    const sent = [];
    for (const kind of kinds)
      sent.push((await mails(kind === 'change_email' ? email : ann.email, kind)).length);
    outcomes.push(sent);
    const told = await mails(email, 'already_registered');
    assert.equal(told.length, email === 'taken@example.com' ? 1 : 0);
    if (told[0] !== undefined) assert.doesNotMatch(told[0].text ?? '', /#token=|ann@/);
    // Nothing that whoever asked can try tells the difference.
    if (email !== 'free@example.com') assertInvalidCode(await confirm({ code: '123456' }, ann.access_token));
  }
  const [free, freeMails, taken, takenMails, reserved, reservedMails] = outcomes;
  assert.deepEqual(taken, free);
  assert.deepEqual(reserved, free);
  assert.deepEqual(
    [freeMails, takenMails, reservedMails],
    [
      [1, 1],
      [0, 2],
      [0, 3],
    ],
  );
  const links = await doorward.kernel.db.read
    .selectFrom('mail_links')
    .select('purpose')
    .where('purpose', '=', 'change_email')
    .execute();
  assert.deepEqual(links, []);
  assertUser(await me(ann.access_token), { email: ann.email, pending_email: 'left@example.com' });
  assert.ok(idle.length > 0);
});

onInstances('a request does the same for a taken address as for a free one', async (scenario) => {
  const settings = { HIDE_REGISTERED_EMAILS: 'on', REQUIRE_VERIFIED_EMAIL: 'on' } as const;
  const { doorward, change, signIn } = await openMailed(scenario, settings);
  const ann = await signIn();
  await signIn({ email: 'taken@example.com' });
  // Nobody prepares what is asked for.
  await doorward.outbox.stop();
  const { db } = doorward.kernel;
  const rows = [];
  for (const email of ['free@example.com', 'taken@example.com']) {
    await change(ann, { email });
    const mails = db.read.selectFrom('outbox').select(['kind', 'state', 'user_id', 'to_address']);
    rows.push(
      (await mails.orderBy('id', 'desc').limit(2).execute()).map((row) => ({
        ...row,
        to_address: row.to_address === email,
      })),
    );
  }
  assert.deepEqual(rows[0], rows[1]);
});

onInstances('a newer request takes the place of the older one', async (scenario) => {
  const { ann, change, confirm, tokenIn, undo, me, mails } = await begin(scenario);
  await change(ann, { email: 'one@example.com' });
  const one = await tokenIn('one@example.com', 'change_email');
  const undoOne = await tokenIn(ann.email, 'email_change_asked');
  await change(ann, { email: 'two@example.com' });
  const two = await tokenIn('two@example.com', 'change_email');
  assertInvalidLink(await confirm({ token: one }));
  // Asked for and taken back before its mail is even prepared.
  await change(ann, { email: 'three@example.com' });
  await change(ann, { email: 'two@example.com' });
  const again = await tokenIn('two@example.com', 'change_email');
  assert.equal((await mails('three@example.com', 'change_email')).length <= 1, true);
  assertInvalidLink(await confirm({ token: two }));
  assertUser(await me(ann.access_token), { email: ann.email, pending_email: 'two@example.com' });
  assertUser(await confirm({ token: again }), { email: 'two@example.com' });
  // The link that undoes the first request still restores what was before it.
  assertUser(await undo(undoOne), { email: ann.email, pending_email: null });
});

onInstances('asking for the present address takes a change back', async (scenario) => {
  const { ann, change, confirm, tokenIn, codeIn, mails } = await begin(scenario);
  await change(ann, { email: 'new@example.com' });
  const token = await tokenIn('new@example.com', 'change_email');
  const code = await codeIn('new@example.com');
  scenario.advance(3600);
  assertUser(await change(ann, { email: 'ann@example.com' }), { email: ann.email, pending_email: null });
  assertInvalidLink(await confirm({ token }));
  assertInvalidCode(await confirm({ code }, ann.access_token));
  assert.equal((await mails('new@example.com', 'change_email')).length, 1);
});

onInstances(
  'what changes meanwhile voids the link that confirms, and no mail brings it back',
  async (scenario) => {
    const mailed = await openMailed(scenario);
    const admin = await mailed.signIn({ is_admin: true });
    const patch = (id: number, json: object) =>
      mailed.request('PATCH', `/auth/users/${id}`, { json, token: admin.access_token });
    const voids: Record<
      string,
      (user: { id: number; access_token: string; email: string }) => Promise<unknown>
    > = {
      password: ({ access_token: token }) =>
        mailed.request('POST', '/auth/me/password', {
          json: { current_password: password, new_password: 'NewSecure456!' },
          token,
        }),
      'address by an administrator': ({ id }) => patch(id, { email: `set-${id}@example.com` }),
      suspension: async ({ id }) => {
        await mailed.request('POST', `/auth/users/${id}/deactivate`, { token: admin.access_token });
        return mailed.request('POST', `/auth/users/${id}/activate`, { token: admin.access_token });
      },
      respelling: (user) => mailed.change(user, { email: user.email.toUpperCase() }),
      expiry: async () => scenario.advance(24 * 3600),
    };
    for (const [what, happen] of Object.entries(voids)) {
      const user = await mailed.signIn();
      const email = `new-${user.id}@example.com`;
      await mailed.change(user, { email });
      const token = await mailed.tokenIn(email, 'change_email');
      const code = await mailed.codeIn(email);
      await happen(user);
      assertInvalidLink(await mailed.confirm({ token }));
      const { body } = await mailed.request('GET', `/auth/users/${user.id}`, { token: admin.access_token });
      assert.notEqual(body.email, email, what);
      if (what === 'expiry') continue;
      assert.equal(body.pending_email, null, what);
      const listed = await mailed.request('GET', `/auth/outbox?kind=change_email&to=${email}`, {
        token: admin.access_token,
      });
      await mailed.request('POST', `/auth/outbox/${listed.body[0].id}/resend`, { token: admin.access_token });
      assert.equal((await mailed.mails(email, 'change_email')).length, 1, what);
      const { access_token } = await mailed.logIn(
        body.email,
        what === 'password' ? 'NewSecure456!' : password,
      );
      assertInvalidCode(await mailed.confirm({ code }, access_token));
    }
  },
);

onInstances(
  'a link works in the browser that asked, where a page of ours did; the code in any',
  async (scenario) => {
    const PUBLIC_URL = 'http://localhost:8000';
    const { ann, request, codeIn, tokenIn, undo, change, confirm } = await (async () => {
      const mailed = await openMailed(scenario, { PUBLIC_URL });
      return { ...mailed, ann: await mailed.signIn({ email: 'ann@example.com' }) };
    })();
    const page = { origin: PUBLIC_URL, 'sec-fetch-site': 'same-origin' };
    const ask = (email: string) =>
      request('PATCH', '/auth/me', { json: { email }, token: ann.access_token, headers: page });
    const asked = await ask('new@example.com');
    const [cookie = ''] = String(asked.headers['set-cookie']).split(';');
    assert.match(cookie, /^doorward_mark=[\w-]+$/);
    const token = await tokenIn('new@example.com', 'change_email');
    const send = (headers: Record<string, string>) =>
      request('POST', '/auth/change-email', { json: { token }, headers: { ...page, ...headers } });
    const elsewhere = ['This link was asked for in another browser', 'link_from_another_browser'] as const;
    assertFailure(await send({}), 400, ...elsewhere);
    assertFailure(await send({ cookie: 'doorward_mark=other' }), 400, ...elsewhere);
    assertUser(await send({ cookie }), { email: 'new@example.com' });
    await ask('newer@example.com');
    assertUser(await confirm({ code: await codeIn('newer@example.com') }, ann.access_token), {
      email: 'newer@example.com',
    });
    // Whoever undoes did not ask.
    assertUser(await undo(await tokenIn('ann@example.com', 'email_changed')), { email: 'ann@example.com' });
    assert.equal((await change(ann, { email: 'x@example.com' })).status, 401);
  },
);

onInstances('before it is confirmed, a change is stopped from the old address', async (scenario) => {
  const { ann, change, confirm, undo, tokenIn, codeIn, me, mails, ...mailed } = await begin(scenario);
  await change(ann, { email: 'new@example.com' });
  const token = await tokenIn('new@example.com', 'change_email');
  const code = await codeIn('new@example.com');
  const stop = await tokenIn(ann.email, 'email_change_asked');
  assertUser(await undo(stop), { email: ann.email, pending_email: null });
  assertInvalidLink(await confirm({ token }));
  assertInvalidCode(await confirm({ code }, ann.access_token));
  assertInvalidLink(await undo(stop));
  assertUser(await me(ann.access_token), { email: ann.email });
  assert.deepEqual(await mails(ann.email, 'email_restored'), []);
  assert.deepEqual(await eventsOf(mailed as Mailed, /^email_change/), [
    ['email_change.asked', ann.id, ann.id],
    ['email_change.undone', ann.id, ann.id],
  ]);
});

onInstances('afterwards the old address is restored, and everybody is logged out', async (scenario) => {
  const { ann, move, undo, tokenIn, me, mail, refresh, logIn, change, confirm, ...mailed } =
    await begin(scenario);
  const { refresh_token } = await logIn(ann.email);
  await move(ann, 'new@example.com');
  const [early, late] = [
    await tokenIn(ann.email, 'email_change_asked'),
    await tokenIn(ann.email, 'email_changed'),
  ];
  await change(ann, { email: 'newer@example.com' });
  const pending = await tokenIn('newer@example.com', 'change_email');
  scenario.advance(7 * day - 1);
  const restored = await undo(late);
  assertUser(restored, { email: ann.email, email_verified: true, pending_email: null, is_active: true });
  assertDead(await me(ann.access_token));
  assert.equal((await refresh(refresh_token)).status, 401);
  const sessions = await mailed.doorward.kernel.db.read.selectFrom('sessions').select('end_reason').execute();
  assert.deepEqual(sessions, [{ end_reason: 'email_restored' }, { end_reason: 'email_restored' }]);
  assert.match((await mail(ann.email, 'email_restored')).text ?? '', /set a new password/);
  assertInvalidLink(await undo(late));
  assertInvalidLink(await undo(early));
  assertInvalidLink(await confirm({ token: pending }));
  const old = await mailed.request('POST', '/auth/login', { form: { username: ann.email, password } });
  assertFailure(old, 401, 'Invalid email or password', 'invalid_credentials');
  assert.deepEqual(await eventsOf(mailed as Mailed, /^email_change.undone/), [
    ['email_change.undone', ann.id, ann.id],
  ]);
});

onInstances('a link does nothing for whoever is signed in to another account', async (scenario) => {
  const { ann, change, confirm, tokenIn, signIn, me } = await begin(scenario);
  const other = await signIn({ email: 'other@example.com' });
  await change(ann, { email: 'new@example.com' });
  const token = await tokenIn('new@example.com', 'change_email');
  assertInvalidLink(await confirm({ token }, other.access_token));
  assertUser(await me(ann.access_token), { email: ann.email, pending_email: 'new@example.com' });
  assertUser(await confirm({ token }, ann.access_token), { email: 'new@example.com' });
});

onInstances('a change is undone for seven days, and the address is kept as long', async (scenario) => {
  const { ann, move, undo, tokenIn, request, change, signIn, logIn } = await begin(scenario);
  await move(ann, 'new@example.com');
  const token = await tokenIn(ann.email, 'email_changed');
  const other = await signIn();
  scenario.advance(7 * day);
  assertInvalidLink(await undo(token));
  scenario.advance(3600);
  assert.equal((await change(await logIn(other.email), { email: ann.email })).status, 200);
  const json = { email: ann.email, password, name: 'Somebody' };
  assert.equal((await request('POST', '/auth/signup', { json })).status, 201);
});

onInstances('while a change can be undone, nobody else gets the address', async (scenario) => {
  const mailed = await openMailed(scenario);
  const { request, change, signIn, doorward, move, tokenIn, undo, confirm } = mailed;
  const admin = await signIn({ is_admin: true });
  const other = await signIn();
  const ann = await signIn({ email: 'Ann@example.com' });
  // Asked for before it was left.
  await change(other, { email: 'new@example.com' });
  const early = await tokenIn('new@example.com', 'change_email');
  await move(ann, 'new@example.com');
  assertTaken(await confirm({ token: early }));
  await move(ann, 'newer@example.com');
  assertTaken(await confirm({ token: early }));

  for (const email of ['ann@example.com', 'ANN@Example.com', 'new@example.com']) {
    const account = { email, password, name: 'Somebody' };
    const by = { token: admin.access_token };
    assertRegistered(await request('POST', '/auth/signup', { json: account }));
    assertRegistered(await request('POST', '/auth/users', { json: account, ...by }));
    assertTaken(await request('PATCH', `/auth/users/${other.id}`, { json: { email }, ...by }));
    assertTaken(await change(other, { email }));
    const imported = {
      hashed_password: 'x',
      name: 'X',
      is_active: true,
      is_admin: false,
      created_at: undefined,
    };
    const batch = [`before-${email}`, email, `after-${email}`].map((each) => ({ ...imported, email: each }));
    const dry = await doorward.accounts.createImport({ dryRun: true })(batch);
    const ids = await doorward.accounts.import(batch);
    for (const outcomes of [dry, ids].map((told) => told.map((id) => id !== undefined)))
      assert.deepEqual(outcomes, [email !== 'ANN@Example.com', false, email !== 'ANN@Example.com']);
  }
  const holders = doorward.kernel.db.read
    .selectFrom('users')
    .select('id')
    .where('email_key', 'in', ['ann@example.com', 'new@example.com']);
  assert.deepEqual(await holders.execute(), []);

  // The account itself may go back the ordinary way.
  await move(ann, 'ann@example.com');
  await move(ann, 'newest@example.com');
  assertUser(await undo(await tokenIn('Ann@example.com', 'email_changed')), { email: 'Ann@example.com' });
  // What was left after it is free again.
  assertUser(await change(other, { email: 'newest@example.com' }), { pending_email: 'newest@example.com' });
});

onInstances('the end of the account frees the addresses that it left', async (scenario) => {
  const { ann, move, request, undo, tokenIn } = await begin(scenario);
  await move(ann, 'new@example.com');
  const token = await tokenIn(ann.email, 'email_changed');
  const json = { current_password: password };
  const gone = await request('DELETE', '/auth/me', { json, token: ann.access_token });
  assert.equal(gone.status, 204, gone.text);
  assertInvalidLink(await undo(token));
  for (const email of [ann.email, 'new@example.com']) {
    const made = await request('POST', '/auth/signup', { json: { email, password, name: 'Somebody' } });
    assert.equal(made.status, 201, made.text);
  }
});

onInstances('of a chain of changes each address undoes what came after it', async (scenario) => {
  const { ann, move, tokenIn, undo, signIn, change } = await begin(scenario, 'a@example.com');
  // All at one moment of the clock.
  await move(ann, 'b@example.com');
  await move(ann, 'c@example.com');
  const [toA, toB] = [
    await tokenIn('a@example.com', 'email_changed'),
    await tokenIn('b@example.com', 'email_changed'),
  ];
  const askedB = await tokenIn('b@example.com', 'email_change_asked');
  assertUser(await undo(toA), { email: 'a@example.com' });
  assertInvalidLink(await undo(toB));
  assertInvalidLink(await undo(askedB));

  const bob = await signIn({ email: 'k@example.com' });
  await move(bob, 'l@example.com');
  scenario.advance(60);
  await move(bob, 'm@example.com');
  const toK = await tokenIn('k@example.com', 'email_changed');
  assertUser(await undo(await tokenIn('l@example.com', 'email_changed')), { email: 'l@example.com' });
  const other = await signIn();
  assertTaken(await change(other, { email: 'k@example.com' }));
  assertUser(await change(other, { email: 'm@example.com' }), { pending_email: 'm@example.com' });
  assertUser(await undo(toK), { email: 'k@example.com' });
  assertUser(await change(other, { email: 'l@example.com' }), { pending_email: 'l@example.com' });
});

onInstances('a mail that is made late or anew does not turn the order of a chain', async (scenario) => {
  const { ann, move, tokenIn, undo, request, signIn, logIn, doorward } = await begin(
    scenario,
    'a@example.com',
  );
  const admin = await signIn({ is_admin: true });
  await move(ann, 'b@example.com');
  scenario.advance(60);
  await move(ann, 'c@example.com');
  const toB = await tokenIn('b@example.com', 'email_changed');
  scenario.advance(6 * day);
  const { access_token: token } = await logIn(admin.email);
  const [row] = await doorward.kernel.db.read
    .selectFrom('outbox')
    .select('id')
    .where('kind', '=', 'email_changed')
    .where('to_address', '=', 'a@example.com')
    .execute();
  const resent = await request('POST', `/auth/outbox/${row?.id}/resend`, { token });
  assert.equal(resent.status, 202);
  const toA = await tokenIn('a@example.com', 'email_changed');
  assertUser(await undo(toA), { email: 'a@example.com' });
  assertInvalidLink(await undo(toB));
});

onInstances('a link that is made anew does not outlive what it restores', async (scenario) => {
  const { ann, move, tokenIn, undo, request, signIn, logIn, mails, doorward } = await begin(scenario);
  const admin = await signIn({ is_admin: true });
  await move(ann, 'new@example.com');
  await tokenIn(ann.email, 'email_changed');
  const rows = doorward.kernel.db.read.selectFrom('outbox').select('id').where('kind', '=', 'email_changed');
  const [row] = await rows.execute();
  const resend = async () =>
    request('POST', `/auth/outbox/${row?.id}/resend`, { token: (await logIn(admin.email)).access_token });
  scenario.advance(6 * day);
  await resend();
  const token = await tokenIn(ann.email, 'email_changed');
  scenario.advance(day + 3600);
  assertInvalidLink(await undo(token));
  await resend();
  assert.equal((await mails(ann.email, 'email_changed')).length, 2);
});

onInstances(
  'an address that nobody proved is not kept, and no mail to it brings it back',
  async (scenario) => {
    const mailed = await openMailed(scenario);
    const { request, logIn, change, move, tokenIn, undo, mails, me } = mailed;
    // Mistyped: it is a stranger's.
    const email = 'stranger@example.com';
    const json = { email, password, name: 'Ann' };
    assert.equal((await request('POST', '/auth/signup', { json })).status, 201);
    const ann = await logIn(email);
    await move(ann, 'ann@example.com');
    assertInvalidLink(await undo(await tokenIn(email, 'email_change_asked')));
    assert.deepEqual(await mails(email, 'email_changed'), []);
    assertUser(await me(ann.access_token), { email: 'ann@example.com', email_verified: true });
    assert.equal((await request('POST', '/auth/signup', { json })).status, 201);
    // Until then somebody may have meant it, and can stop the change.
    const bob = await logIn(email);
    await change(bob, { email: 'bob@example.com' });
    assertUser(await undo(await tokenIn(email, 'email_change_asked')), { email, pending_email: null });
  },
);

onInstances('what an administrator settles is not undone by older links', async (scenario) => {
  const { ann, move, change, tokenIn, undo, request, signIn, me } = await begin(scenario);
  const admin = await signIn({ is_admin: true });
  const set = async (email: string) =>
    assertUser(
      await request('PATCH', `/auth/users/${ann.id}`, { json: { email }, token: admin.access_token }),
      { email, email_verified: true, pending_email: null },
    );
  await move(ann, 'b@example.com');
  await change(ann, { email: 'c@example.com' });
  const asked = await tokenIn('b@example.com', 'email_change_asked');
  await set('ann@example.com');
  assertInvalidLink(await undo(asked));
  await move(ann, 'b@example.com');
  await move(ann, 'c@example.com');
  const [toA, toB] = [
    await tokenIn(ann.email, 'email_changed'),
    await tokenIn('b@example.com', 'email_changed'),
  ];
  await set('d@example.com');
  for (const token of [asked, toA, toB]) assertInvalidLink(await undo(token));
  assertUser(await me(ann.access_token), { email: 'd@example.com' });
});

onInstances('undoing lets nobody in whom an administrator suspended', async (scenario) => {
  const { ann, move, tokenIn, undo, request, signIn, me } = await begin(scenario);
  const admin = await signIn({ is_admin: true });
  await move(ann, 'new@example.com');
  const token = await tokenIn(ann.email, 'email_changed');
  await request('POST', `/auth/users/${ann.id}/deactivate`, { token: admin.access_token });
  assertUser(await undo(token), { email: ann.email, is_active: false });
  assert.equal((await me(ann.access_token)).status >= 401, true);
  const login = await request('POST', '/auth/login', { form: { username: ann.email, password } });
  assertFailure(login, 401, 'Invalid email or password', 'invalid_credentials');
});

onInstances('somebody who takes an account over is put out by its owner', async (scenario) => {
  const mailed = await openMailed(scenario, { DELETION_GRACE_DAYS: 14 });
  const { signIn, logIn, refresh, request, change, confirm, undo, tokenIn, mails, me, move } = mailed;
  const owner = await signIn({ email: 'owner@example.com' });
  scenario.advance(16 * 60);

  // A stolen session is not enough.
  const stolen = { access_token: owner.access_token };
  assert.equal((await change(stolen, { email: 'evil@example.com' })).status, 403);
  assert.deepEqual(await mails('evil@example.com', 'change_email'), []);

  // The password is. The intruder takes the address, the owner is told, the intruder goes on.
  const intruder = await logIn('owner@example.com');
  await move(intruder, 'evil@example.com');
  const undoLink = await tokenIn('owner@example.com', 'email_changed');
  const evil = 'Evil-Pass-77!';
  const set = await request('POST', '/auth/me/password', {
    json: { current_password: password, new_password: evil },
    token: intruder.access_token,
  });
  assert.equal(set.status, 200, set.text);
  assertDead(await me(owner.access_token));
  const claim = { email: 'owner@example.com', password: evil, name: 'Not the owner' };
  assertRegistered(await request('POST', '/auth/signup', { json: claim }));
  await move(intruder, 'evil2@example.com');
  const undoEvil = await tokenIn('evil@example.com', 'email_changed');
  await change(intruder, { email: 'evil3@example.com' });
  const pending = await tokenIn('evil3@example.com', 'change_email');
  const closed = await request('DELETE', '/auth/me', {
    json: { current_password: evil },
    token: intruder.access_token,
  });
  assert.equal(closed.status, 204, closed.text);

  // Three days later the owner reads the mail.
  scenario.advance(3 * day);
  const restored = await undo(undoLink);
  assertUser(restored, {
    id: owner.id,
    email: 'owner@example.com',
    email_verified: true,
    pending_email: null,
    is_active: true,
    delete_after: null,
  });
  // Nothing that the intruder holds is worth anything.
  assertInvalidLink(await undo(undoEvil));
  assertInvalidLink(await confirm({ token: pending }));
  assertInvalidLink(await undo(undoLink));
  assertDead(await me(intruder.access_token));
  assert.equal((await refresh(intruder.refresh_token)).status, 401);
  const addresses = ['owner@example.com', 'evil@example.com', 'evil2@example.com', 'evil3@example.com'];
  for (const username of addresses) {
    for (const known of [evil, password]) {
      const answer = await request('POST', '/auth/login', { form: { username, password: known } });
      assert.equal(answer.status, 401, username);
    }
  }
  assert.match((await mailed.mail('owner@example.com', 'email_restored')).text ?? '', /set a new password/);
  assert.deepEqual(await eventsOf(mailed, /^email_change.undone/), [
    ['email_change.undone', owner.id, owner.id],
  ]);
  // The owner has the mailbox.
  await request('POST', '/auth/forgot-password', { json: { email: 'owner@example.com' } });
  await mails('owner@example.com', 'email_restored');
  const newest = mailed.smtp.mails.at(-1);
  assert.ok(newest !== undefined);
  const json = { token: linkIn(newest).token, new_password: 'Owner-Pass-88!' };
  assert.equal((await request('POST', '/auth/reset-password', { json })).status, 200);
  assertUser(await me((await logIn('owner@example.com', 'Owner-Pass-88!')).access_token), { id: owner.id });
});

onInstances('bodies that make no sense are refused, and use nothing up', async (scenario) => {
  const { ann, change, request, tokenIn, confirm } = await begin(scenario);
  await change(ann, { email: 'new@example.com' });
  const token = await tokenIn('new@example.com', 'change_email');
  const stop = await tokenIn(ann.email, 'email_change_asked');
  const bodies = [
    {},
    [],
    null,
    'x',
    { token: null },
    { token: 1 },
    { token: '' },
    { token: [token] },
    { token: { $ne: '' } },
    { token: 'x'.repeat(257) },
    { token: '\0' },
    { token, code: '123456' },
    { token, email: ann.email },
    { token, more: true },
    { code: '' },
    { code: 123456 },
    { code: '1'.repeat(33) },
    { code: '123456', email: ann.email },
  ];
  for (const json of bodies) {
    for (const path of ['/auth/change-email', '/auth/change-email/undo']) {
      const { status, body, text } = await request('POST', path, { json, token: ann.access_token });
      assert.deepEqual(
        [status, body.code],
        [422, 'validation_error'],
        `${path} ${JSON.stringify(json)}: ${text}`,
      );
    }
  }
  for (const given of ['x', stop, `${token}x`, token.slice(1), token.toLowerCase(), '\u{1f4e7}'])
    assertInvalidLink(await confirm({ token: given }));
  for (const code of ['x', '０００００００', '-1', '      '])
    assertInvalidCode(await confirm({ code }, ann.access_token));
  assertInvalidLink(await request('POST', '/auth/change-email/undo', { json: { token } }));
  assert.equal((await confirm({ token }, 'not-a-token')).status, 401);
  assertUser(await confirm({ token }), { email: 'new@example.com' });
});
