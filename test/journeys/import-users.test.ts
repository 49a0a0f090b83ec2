import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Journey, journey, password } from '../support/journey.ts';

interface Result {
  row: number;
  result: string;
  user_id: number | null;
  issues: { type: string; loc: (string | number)[]; msg: string }[];
}

async function importRows({ request }: Journey, token: string, rows: unknown[], dry_run = false) {
  const answer = await request('POST', '/auth/users/import', { token, json: { dry_run, rows } });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.body.dry_run, dry_run);
  const results = answer.body.results as Result[];
  assert.deepEqual(
    results.map(({ row }) => row),
    rows.map((_, index) => index),
  );
  return results;
}

const resultsOf = (results: Result[]) => results.map(({ result }) => result);

journey('rows are decided one by one, and a dry run says what an import then does', async (open) => {
  const instance = await open();
  const { doorward } = instance;
  const admin = await instance.signIn({ is_admin: true });
  const token = admin.access_token;
  await instance.signUp('taken@example.com');
  const password_hash = await doorward.passwords.hash(password);
  const rows = [
    {
      email: 'ann@example.com',
      name: ' Ann ',
      password_hash,
      created_at: '2020-02-29 03:04:05+01',
      locale: 'pt_BR.UTF-8',
    },
    { email: 'ANN@EXAMPLE.com', name: 'Ann again' },
    { email: 'Taken@Example.com', name: 'Taken' },
    { email: 'bob@example.com', name: 'Bob', is_admin: true, is_active: false },
    { email: 'cem@example.com', name: 'Cem', email_verified: false },
    { name: '', email: 'x', is_admin: 'yes', surprise: 1 },
    { email: 'dan@example.com', name: 'Dan', password },
    { email: 'eve@example.com', name: 'Eve', password_hash: 'plain text' },
    { email: 'fay@example.com', name: 'Fay', locale: 'not a language' },
    { email: 'gus@example.com', name: 'Gus', created_at: '2024-02-30T00:00:00Z' },
    null,
    5,
    [],
  ];
  const count = async () =>
    (await instance.request('GET', '/auth/users?count=true', { token })).headers['x-total-count'];
  const before = await count();
  const dry = await importRows(instance, token, rows, true);
  assert.equal(await count(), before);
  assert.deepEqual(
    (await doorward.outbox.list({ kind: 'verify_email', to: 'cem@example.com', limit: 5 })).mails,
    [],
  );
  assert.deepEqual((await doorward.audit.list({ kind: 'user.imported', limit: 5 })).events, []);

  const done = await importRows(instance, token, rows);
  const expected = [
    ...['created', 'already_registered', 'already_registered', 'created', 'created'],
    ...Array.from({ length: 8 }, () => 'invalid'),
  ];
  assert.deepEqual(resultsOf(done), expected);
  assert.deepEqual(
    resultsOf(dry),
    expected.map((result) => result.replace(/^created$/, 'would_create')),
  );
  for (const [index, { user_id, issues, result }] of done.entries()) {
    assert.equal(dry[index]?.user_id, null);
    assert.equal(user_id !== null, result === 'created');
    assert.deepEqual(issues, dry[index]?.issues);
  }
  const places = done.slice(5).map(({ issues }) => issues.map(({ type, loc }) => `${type} ${loc.join('.')}`));
  assert.deepEqual(places, [
    [
      'value_error body.rows.5.email',
      'string_too_short body.rows.5.name',
      'bool_type body.rows.5.is_admin',
      'extra_forbidden body.rows.5.surprise',
    ],
    ['value_error body.rows.6.password'],
    ['value_error body.rows.7.password_hash'],
    ['value_error body.rows.8.locale'],
    ['value_error body.rows.9.created_at'],
    ['missing body.rows.10'],
    ['model_attributes_type body.rows.11'],
    ['model_attributes_type body.rows.12'],
  ]);

  const read = async (index: number) =>
    (await instance.request('GET', `/auth/users/${done[index]?.user_id}`, { token })).body;
  const { id: _, ...ann } = await read(0);
  assert.deepEqual(ann, {
    email: 'ann@example.com',
    name: 'Ann',
    is_active: true,
    is_admin: false,
    created_at: '2020-02-29T02:04:05.000Z',
    email_verified: true,
    pending_email: null,
    locale: 'pt-BR',
    delete_after: null,
  });
  const bob = await read(3);
  assert.deepEqual(
    [bob.is_admin, bob.is_active, bob.created_at],
    [true, false, doorward.kernel.clock.now().toISOString()],
  );
  assert.equal((await read(4)).email_verified, false);
  assert.equal((await instance.logIn('ann@example.com')).status, 200);
  // Without a password nobody logs in; a mail sets the first one.
  assert.equal((await instance.logIn('cem@example.com')).status, 401);
  await instance.request('POST', '/auth/forgot-password', { json: { email: 'cem@example.com' } });
  const mail = (await instance.mails()).findLast(({ kind }) => kind === 'reset_password');
  const reset = await instance.request('POST', '/auth/reset-password', {
    json: { token: mail?.token, new_password: 'Another-Pass-9!' },
  });
  assert.equal(reset.status, 200, reset.text);
  assert.equal((await instance.logIn('cem@example.com', 'Another-Pass-9!')).status, 200);

  const { events } = await doorward.audit.list({ kind: 'user.imported', limit: 5 });
  assert.deepEqual(
    events.map(({ actor, user_id }) => [actor, user_id]),
    [4, 3, 0].map((index) => [admin.id, done[index]?.user_id]),
  );
  assert.deepEqual(
    resultsOf(await importRows(instance, token, rows.slice(0, 5))),
    Array(5).fill('already_registered'),
  );
});

journey('who was not verified elsewhere is not erased for the time before the import', async (open) => {
  const instance = await open({ UNVERIFIED_EXPIRE_DAYS: 30 });
  const { access_token: token } = await instance.signIn({ is_admin: true });
  const row = {
    email: 'old@example.com',
    name: 'Old',
    email_verified: false,
    created_at: '2020-01-01T00:00:00Z',
  };
  const [{ user_id } = { user_id: null }] = await importRows(instance, token, [row]);
  await instance.doorward.leaving.eraseUnverified();
  assert.equal((await instance.request('GET', `/auth/users/${user_id}`, { token })).status, 200);
});

journey(
  '500 rows at once, duplicates among them far apart, and the event loop goes on',
  async (open, { database }) => {
    const instance = await open();
    const { access_token: token } = await instance.signIn({ is_admin: true });
    const password_hash = await instance.doorward.passwords.hash(password);
    const rows = Array.from({ length: 500 }, (_, n) => ({
      email: `import${n % 400}@example.com`,
      name: `${'ü'.repeat(80)} ${n}`,
      password_hash,
    }));
    const expected = (created: string) => rows.map((_, n) => (n < 400 ? created : 'already_registered'));
    assert.deepEqual(resultsOf(await importRows(instance, token, rows, true)), expected('would_create'));

    let longestMs = 0;
    let isOver = false;
    const watching = (async () => {
      for (let at = performance.now(); !isOver; ) {
        await nextTurn();
        const now = performance.now();
        longestMs = Math.max(longestMs, now - at);
        at = now;
      }
    })();
    const begin = performance.now();
    const done = await importRows(instance, token, rows);
    const tookMs = performance.now() - begin;
    isOver = true;
    await watching;
    assert.deepEqual(resultsOf(done), expected('created'));
    assert.ok(longestMs < 500, `${database.name}: ${longestMs} ms without the event loop, of ${tookMs}`);
  },
);

journey('what is no list of rows is 422, or 413, and changes nothing', async (open) => {
  const instance = await open();
  const { access_token: token } = await instance.signIn({ is_admin: true });
  const row = { email: 'ann@example.com', name: 'Ann' };
  const cases: [json: unknown, type: string][] = [
    [{ dry_run: false, rows: [] }, 'too_short'],
    [{ dry_run: false, rows: Array(501).fill(row) }, 'too_long'],
    [{ dry_run: false, rows: {} }, 'list_type'],
    [{ dry_run: 'no', rows: [row] }, 'bool_type'],
    [{ rows: [row] }, 'missing'],
    [{ dry_run: false, rows: [row], more: 1 }, 'extra_forbidden'],
  ];
  for (const [json, type] of cases) {
    const answer = await instance.request('POST', '/auth/users/import', { token, json });
    assert.deepEqual([answer.status, answer.body.detail[0].type], [422, type]);
  }
  const large = { dry_run: false, rows: [{ ...row, name: 'x'.repeat(1024 * 1024) }] };
  assert.equal((await instance.request('POST', '/auth/users/import', { token, json: large })).status, 413);
  assert.equal(await instance.doorward.accounts.findByEmail(row.email), undefined);
});
