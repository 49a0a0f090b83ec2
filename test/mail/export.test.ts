import assert from 'node:assert/strict';
import { journey, password } from '../support/journey.ts';
import { checkEveryAnswer } from '../support/openapi-conformance.ts';

checkEveryAnswer();

/** Tables that refer to a user, and where the export tells of them; or why it does not. */
const covered: Record<string, string> = {
  users: 'user',
  passwords: 'password_changed_at',
  sessions: 'sessions',
  outbox: 'mails',
  mail_links: 'links',
  reserved_addresses: 'former_emails',
  invitations: 'invitation',
  audit_events: 'activity',
  daily_active_users: 'active_days',
  device_epochs: 'left out: a number that tells nothing of a person',
  erased_users: 'left out: of people who are gone, nothing but the id',
};

journey('people get everything that is held on them, and no secret', async (open) => {
  const instance = await open();
  const { request, doorward, clock } = instance;
  const agent = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
  await instance.signUp('ann@example.com', { name: 'Ann' });
  await instance.logIn('ann@example.com', 'WrongPass123!');
  const login = await request('POST', '/auth/login', {
    form: { username: 'ann@example.com', password },
    headers: { 'user-agent': agent },
  });
  const token = login.body.access_token;
  await doorward.outbox.work();
  await doorward.statistics.flush();
  clock.advance(1);
  const answer = await request('GET', '/auth/me/export', { token });
  assert.equal(answer.status, 200, answer.text);
  assert.match(answer.headers['content-disposition'] ?? '', /^attachment; filename="account-\d+\.json"$/);
  const { body } = answer;
  assert.equal(body.export_version, 1);
  assert.deepEqual([body.user.email, body.user.name], ['ann@example.com', 'Ann']);
  assert.deepEqual(body.sessions[0].user_agent, agent);
  assert.ok(body.password_changed_at);
  assert.deepEqual(body.active_days, [clock.now().toISOString().slice(0, 10)]);
  assert.deepEqual(
    body.links.map(({ purpose }: { purpose: string }) => purpose),
    ['verify_email'],
  );
  assert.deepEqual(
    body.mails.map(({ kind, to }: { kind: string; to: string }) => [kind, to]),
    [['verify_email', 'ann@example.com']],
  );
  const kinds = body.activity.map(({ kind }: { kind: string }) => kind);
  for (const kind of ['user.exported', 'login.succeeded', 'login.failed', 'user.signed_up'])
    assert.ok(kinds.includes(kind), kind);
  const exported = body.activity.find(({ kind }: { kind: string }) => kind === 'user.exported');
  assert.equal(exported.network, '127.0.0.1');

  const other = await instance.signIn({ email: 'other@example.com' });
  assert.doesNotMatch(answer.text, /argon2|token_digest|"secret"/);
  const theirs = await request('GET', '/auth/me/export', { token: other.access_token });
  assert.doesNotMatch(theirs.text, /ann@example\.com|Firefox/);
  assert.equal((await request('GET', '/auth/me/export')).status, 401);
});

journey('no table that refers to users is forgotten by the export', async (open) => {
  const { doorward } = await open();
  const tables = await doorward.kernel.db.read.introspection.getTables();
  const referring = tables
    .filter(({ columns }) => columns.some(({ name }) => name === 'user_id' || name === 'email'))
    .map(({ name }) => name);
  assert.ok(referring.length >= 8, referring.join());
  assert.deepEqual(
    referring.filter((name) => !Object.hasOwn(covered, name)),
    [],
  );
});

journey('a history of several pages is told whole', async (open) => {
  const instance = await open();
  const user = await instance.signIn();
  for (let event = 0; event < 450; event++) {
    await instance.doorward.kernel.db.transaction((tx) =>
      instance.doorward.kernel.audit.record(tx, { kind: 'user.updated', user_id: user.id, actor: user.id }),
    );
  }
  const { body } = await instance.request('GET', '/auth/me/export', { token: user.access_token });
  const updated = body.activity.filter(({ kind }: { kind: string }) => kind === 'user.updated');
  assert.equal(updated.length, 450);
});
