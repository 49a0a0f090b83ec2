import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { GivenSettings } from '../../src/settings.ts';
import {
  assertFailure,
  assertToken,
  type Journey,
  journey,
  type Open,
  password,
} from '../support/journey.ts';
import { checkEveryAnswer } from '../support/openapi-conformance.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

checkEveryAnswer();

const day = 86_400;

/** An instance that sends mails, with an administrator. */
async function openWithMail(open: Open, t: TestContext, settings: GivenSettings = {}) {
  const smtp = await startSmtp(t);
  const instance = await open({ MAIL_URL: smtp.url, DELETION_GRACE_DAYS: 7, ...settings });
  const admin = await instance.signIn({ email: 'admin@example.com', is_admin: true });
  // Anew each time, as tokens end when the clock is moved.
  const asAdmin = async (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string) => {
    const { access_token: token } = (await instance.logIn(admin.email)).body;
    return instance.request(method, `/auth/users/${path}`, { token });
  };
  const close = async (token: string, current_password = password) => {
    const answer = await instance.request('DELETE', '/auth/me', { token, json: { current_password } });
    await instance.doorward.outbox.work();
    return answer;
  };
  return { smtp, instance, admin, asAdmin, close };
}

/** Sends what is due and tells the subjects of what an address got, the oldest first. */
async function subjectsTo({ doorward }: Journey, smtp: TestSmtp, address: string): Promise<string[]> {
  await doorward.outbox.work();
  return smtp.mails
    .filter(({ to_envelope }) => to_envelope.includes(address))
    .map(({ subject }) => subject ?? '')
    .filter((subject) => !subject.startsWith('New login'));
}

const mails = {
  scheduled: 'Your account will be deleted',
  restored: 'Your account will not be deleted',
  deleted: 'Your account was deleted',
};

async function assertAuditSound({ doorward }: Journey): Promise<void> {
  assert.deepEqual((await doorward.audit.verify()).findings, []);
}

journey('a closed account waits, with its address, until its owner logs in', async (open, { t }) => {
  const { instance, smtp, asAdmin, close } = await openWithMail(open, t);
  const ann = await instance.signIn({ email: 'ann@example.com' });
  assertFailure(
    await close(ann.access_token, 'wrong-password'),
    400,
    'Current password is incorrect',
    'current_password_incorrect',
  );
  assert.equal((await close(ann.access_token)).status, 204);

  await assertToken(instance, ann.access_token, 'dead');
  const { refresh_token } = ann;
  const refreshed = await instance.request('POST', '/auth/refresh', { json: { refresh_token } });
  assertFailure(refreshed, 401, 'Invalid refresh token', 'invalid_refresh_token');
  const taken = await instance.request('POST', '/auth/signup', {
    json: { email: 'Ann@example.com', password, name: 'Other' },
  });
  assert.equal(taken.body.code, 'email_registered');
  const seen = (await asAdmin('GET', String(ann.id))).body;
  assert.deepEqual([seen.is_active, seen.delete_after], [false, '2026-01-08T12:00:00.000Z']);

  instance.clock.advance(7 * day - 1);
  await instance.doorward.leaving.eraseDue();
  const wrong = await instance.logIn('ann@example.com', 'WrongPass123!');
  assertFailure(wrong, 401, 'Invalid email or password', 'invalid_credentials');
  assert.notEqual((await asAdmin('GET', String(ann.id))).body.delete_after, null);
  const back = await instance.logIn('ann@example.com');
  assert.equal(back.status, 200, back.text);
  const me = await instance.request('GET', '/auth/me', { token: back.body.access_token });
  assert.deepEqual([me.body.id, me.body.is_active, me.body.delete_after], [ann.id, true, null]);
  await assertToken(instance, ann.access_token, 'dead');
  instance.clock.advance(day);
  await instance.doorward.leaving.eraseDue();
  assert.equal((await instance.logIn('ann@example.com')).status, 200);
  assert.deepEqual(await subjectsTo(instance, smtp, 'ann@example.com'), [mails.scheduled, mails.restored]);
  const [text] = smtp.mails.map(({ text }) => text ?? '');
  assert.match(text ?? '', /8 January 2026|January 8, 2026/);
  await assertAuditSound(instance);
});

journey('when the grace is over nothing is left but one mail, and not that either', async (open, { t }) => {
  const { instance, smtp, asAdmin, close } = await openWithMail(open, t);
  const ann = await instance.signIn({ email: 'ann@example.com' });
  await close(ann.access_token);
  instance.clock.advance(7 * day);
  await instance.doorward.leaving.eraseDue();
  assert.equal((await asAdmin('GET', String(ann.id))).body.code, 'user_not_found');
  assert.deepEqual(await subjectsTo(instance, smtp, 'ann@example.com'), [mails.scheduled, mails.deleted]);
  const left = await instance.doorward.outbox.list({ to: 'ann@example.com', limit: 10 });
  assert.deepEqual(left.mails, []);
  assertFailure(
    await instance.logIn('ann@example.com'),
    401,
    'Invalid email or password',
    'invalid_credentials',
  );
  const again = await instance.signUp('ann@example.com');
  assert.ok(again.id > ann.id);
  await assertAuditSound(instance);
});

journey('an administrator restores, keeps or erases what its owner closed', async (open, { t }) => {
  const { instance, smtp, asAdmin, close } = await openWithMail(open, t);
  const users = [];
  for (const name of ['ann', 'bob', 'cleo']) {
    const user = await instance.signIn({ email: `${name}@example.com` });
    assert.equal((await close(user.access_token)).status, 204);
    users.push(user);
  }
  const [ann, bob, cleo] = users;
  assert.ok(ann && bob && cleo);

  const activated = await asAdmin('POST', `${ann.id}/activate`);
  assert.deepEqual([activated.body.is_active, activated.body.delete_after], [true, null]);
  const suspended = await asAdmin('POST', `${bob.id}/deactivate`);
  assert.deepEqual([suspended.body.is_active, suspended.body.delete_after], [false, null]);
  assert.equal((await asAdmin('DELETE', String(cleo.id))).status, 204);
  await instance.doorward.outbox.work();

  instance.clock.advance(8 * day);
  await instance.doorward.leaving.eraseDue();
  assert.equal((await instance.logIn('ann@example.com')).status, 200);
  assertFailure(
    await instance.logIn('bob@example.com'),
    403,
    'Account is deactivated',
    'account_deactivated',
  );
  assertFailure(
    await instance.logIn('cleo@example.com'),
    401,
    'Invalid email or password',
    'invalid_credentials',
  );
  const reactivated = await asAdmin('POST', `${bob.id}/activate`);
  assert.equal(reactivated.body.is_active, true);
  assert.deepEqual(await subjectsTo(instance, smtp, 'cleo@example.com'), [mails.scheduled, mails.deleted]);
  for (const name of ['ann', 'bob']) {
    const [first, second] = await subjectsTo(instance, smtp, `${name}@example.com`);
    assert.equal(first, mails.scheduled);
    assert.match(second ?? '', /administrator/i);
  }
  const kinds = (await instance.doorward.audit.list({ limit: 50 })).events.map(({ kind }) => kind);
  for (const kind of ['user.closed', 'user.restored', 'user.deactivated', 'user.deleted'] as const)
    assert.ok(kinds.includes(kind), kind);
  await assertAuditSound(instance);
});

journey(
  'the last active administrator cannot close the account, nor one of two at once',
  async (open, { t }) => {
    const { instance, admin, close } = await openWithMail(open, t);
    const refused = await close(admin.access_token);
    assert.deepEqual([refused.status, refused.body.code], [409, 'last_admin']);
    const other = await instance.signIn({ email: 'other@example.com', is_admin: true });
    const closed = await Promise.all([close(admin.access_token), close(other.access_token)]);
    assert.deepEqual(closed.map(({ status }) => status).sort(), [204, 409]);
  },
);

journey(
  'several instances erase many accounts once each, whoever logs in meanwhile stays',
  async (open, { t }) => {
    const { instance, smtp, asAdmin } = await openWithMail(open, t);
    const other = await open({
      DATABASE_URL: instance.databaseUrl,
      MAIL_URL: smtp.url,
      DELETION_GRACE_DAYS: 7,
    });
    const { accounts, kernel, passwords } = instance.doorward;
    const hashed_password = await passwords.hash(password);
    const emails = Array.from({ length: 120 }, (_, number) => `user${number}@example.com`);
    const common = { name: 'Test', hashed_password, is_active: true, is_admin: false, created_at: undefined };
    await accounts.import(emails.map((email) => ({ email, ...common })));
    const ids: number[] = [];
    await kernel.db.transaction(async (tx) => {
      for (const email of emails) {
        const { id } = (await accounts.findByEmail(email, tx)) ?? assert.fail(email);
        await accounts.apply(tx, id, { delete_after: '2026-01-01T12:00:00.000Z' }, 'owner');
        ids.push(id);
      }
    });
    const [logIns] = await Promise.all([
      Promise.all(emails.slice(-6).map((email) => instance.logIn(email))),
      instance.doorward.leaving.eraseDue(),
      other.doorward.leaving.eraseDue(),
    ]);
    const events = kernel.db.read.selectFrom('audit_events').select('user_id');
    const erased = await events.where('kind', '=', 'user.deleted').execute();
    const there = await kernel.db.read.selectFrom('users').select('id').where('id', 'in', ids).execute();
    assert.equal(new Set(erased.map(({ user_id }) => user_id)).size, erased.length, 'erased twice');
    assert.equal(erased.length + there.length, ids.length);
    for (const [index, { status, text }] of logIns.entries()) {
      const id = ids.slice(-6)[index];
      const isThere = there.some((user) => user.id === id);
      assert.equal(status, isThere ? 200 : 401, text);
      if (isThere) assert.equal((await asAdmin('GET', String(id))).body.delete_after, null);
    }
    await instance.doorward.outbox.work();
    await other.doorward.outbox.work();
    const goodbyes = smtp.mails.filter(({ subject }) => subject === mails.deleted);
    assert.equal(new Set(goodbyes.map(({ to_envelope }) => to_envelope[0])).size, goodbyes.length);
    await assertAuditSound(instance);
  },
);

journey('accounts that nobody proved and nobody uses are erased, and no others', async (open, { t }) => {
  const settings = { UNVERIFIED_EXPIRE_DAYS: 10, SESSION_EXPIRE_DAYS: 30, REFRESH_TOKEN_EXPIRE_DAYS: 5 };
  const { instance, smtp, asAdmin } = await openWithMail(open, t, settings);
  const { doorward, clock } = instance;
  const created: Record<string, number> = {};
  for (const name of ['unused', 'used', 'asking', 'proved', 'suspended', 'chief', 'later'])
    created[name] = (await instance.signUp(`${name}@example.com`)).id;
  const id = (name: string) => created[name] ?? assert.fail(name);
  const { db } = doorward.kernel;
  await db.transaction(async (tx) => {
    await doorward.accounts.apply(tx, id('proved'), { email_verified: true }, 'owner');
    await doorward.accounts.apply(tx, id('suspended'), { is_active: false }, 'administrator');
    await doorward.accounts.apply(tx, id('chief'), { is_admin: true }, 'administrator');
  });
  clock.advance(8 * day);
  await instance.logIn('used@example.com');
  await doorward.accounts.change(id('later'), { email: 'later-still@example.com' }, 'owner');
  const namesLeft = async () => {
    await doorward.leaving.eraseUnverified();
    const names = [];
    for (const [name, user] of Object.entries(created))
      if ((await asAdmin('GET', String(user))).status === 200) names.push(name);
    return names;
  };
  clock.advance(2 * day - 1);
  assert.equal((await namesLeft()).length, 7);
  // Whoever comes back at last has a day to open the mail.
  await instance.request('POST', '/auth/verify-email/request', { json: { email: 'asking@example.com' } });
  await doorward.outbox.work();
  clock.advance(2);
  assert.deepEqual(await namesLeft(), ['used', 'asking', 'proved', 'suspended', 'chief', 'later']);
  clock.advance(day);
  assert.deepEqual(await namesLeft(), ['used', 'proved', 'suspended', 'chief', 'later']);
  clock.advance(8 * day);
  assert.deepEqual(await namesLeft(), ['proved', 'suspended', 'chief']);
  const told = await subjectsTo(instance, smtp, 'unused@example.com');
  assert.ok(!told.includes(mails.deleted), 'an address that nobody proved gets no goodbye');
  await assertAuditSound(instance);
});

journey('without UNVERIFIED_EXPIRE_DAYS nobody is erased for an address', async (open, { t }) => {
  const { instance } = await openWithMail(open, t);
  await instance.signUp('ann@example.com');
  instance.clock.advance(4000 * day);
  await instance.doorward.leaving.eraseUnverified();
  assert.equal((await instance.logIn('ann@example.com')).status, 200);
});

journey('what a request wrote that was under way during an erasure is swept', async (open, { t }) => {
  const { instance, close } = await openWithMail(open, t, { DELETION_GRACE_DAYS: 0 });
  const { audit, kernel, leaving } = instance.doorward;
  const ann = await instance.signIn({ email: 'ann@example.com' });
  assert.equal((await close(ann.access_token)).status, 204);
  await kernel.db.transaction((tx) =>
    audit.record(tx, { kind: 'login.failed', user_id: ann.id, detail: { reason: 'late' } }),
  );
  const late = async () => (await audit.list({ user_id: ann.id, limit: 1 })).events[0]?.detail;
  await leaving.sweepTraces();
  assert.equal((await late())?.reason, 'late');
  instance.clock.advance(600);
  await leaving.sweepTraces();
  assert.deepEqual(await late(), {});
  await assertAuditSound(instance);
});

journey(
  'a token that a suspension ended is dead when its owner closes the account later',
  async (open, { t }) => {
    const { instance, asAdmin, close } = await openWithMail(open, t);
    const ann = await instance.signIn({ email: 'ann@example.com' });
    assert.equal((await asAdmin('POST', `${ann.id}/deactivate`)).status, 200);
    await assertToken(instance, ann.access_token, 'inactive');
    assert.equal((await asAdmin('POST', `${ann.id}/activate`)).status, 200);
    await assertToken(instance, ann.access_token, 'dead');
    const { access_token } = (await instance.logIn(ann.email)).body;
    assert.equal((await close(access_token)).status, 204);
    await assertToken(instance, ann.access_token, 'dead');
  },
);
