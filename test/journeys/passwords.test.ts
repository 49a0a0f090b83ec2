import assert from 'node:assert/strict';
import { assertFailure, journey, password } from '../support/journey.ts';

const nfc = 'Sécurité-\u00e9\u00f1-123';
const nfd = nfc.normalize('NFD');

journey('a password is the same in every normalisation form', async (open) => {
  const { request, signUp, logIn } = await open();
  assert.notEqual(nfc, nfd);
  for (const [email, set, other] of [
    ['nfc@example.com', nfc, nfd],
    ['nfd@example.com', nfd, nfc],
  ] as const) {
    await signUp(email, { password: `${set}!` });
    for (const given of [set, other]) assert.equal((await logIn(email, `${given}!`)).status, 200);
    assert.equal((await logIn(email, `${nfc}!`.replaceAll('é', 'e'))).status, 401);
    const token = (await logIn(email, `${set}!`)).body.access_token;
    const json = { current_password: `${other}!`, new_password: `${other}?` };
    assert.equal((await request('POST', '/auth/me/password', { json, token })).status, 200);
    assert.equal((await logIn(email, `${set}?`)).status, 200);
  }
});

journey('a password has 8 to 128 code points, and every one of them counts', async (open) => {
  const { request, logIn } = await open();
  // Each is told with its number of code points, and the status of a sign-up.
  const given: [text: string, points: number, status: number][] = [
    ['Aa1!aa\u{1f600}', 7, 422],
    ['Aa1!aaa\u{1f600}', 8, 201],
    [`Aa1!${'\u{1f600}'.repeat(124)}`, 128, 201],
    [`Aa1!${'\u{1f600}'.repeat(125)}`, 129, 422],
    [`Aa1!${'e\u0301'.repeat(124)}`, 128, 201],
    [`Aa1!${'e\u0301'.repeat(125)}`, 129, 422],
    [` ${password}`, 15, 201],
    [`${password} `, 15, 201],
    ['    Aa1!    ', 12, 201],
  ];
  for (const [index, [text, points, status]] of given.entries()) {
    const what = `${JSON.stringify(text.slice(0, 20))}, ${points} code points`;
    assert.equal([...text.normalize('NFC')].length, points, what);
    const username = `length${index}@example.com`;
    const answer = await request('POST', '/auth/signup', {
      json: { email: username, password: text, name: 'A' },
    });
    assert.equal(answer.status, status, what);
    if (status === 422) {
      const [issue] = answer.body.detail;
      assert.deepEqual(issue.loc, ['body', 'password']);
      assert.deepEqual(issue.ctx, points < 8 ? { min_length: 8 } : { max_length: 128 });
      continue;
    }
    assert.equal((await logIn(username, text)).status, 200, what);
    // Neither trimmed nor truncated: what is one character shorter or longer is another password.
    const characters = [...text];
    for (const other of [
      characters.slice(0, -1),
      characters.slice(1),
      [...characters, ' '],
      [' ', ...characters],
    ]) {
      assert.equal((await logIn(username, other.join(''))).status, 401, what);
    }
    if (text.trim() !== text) assert.equal((await logIn(username, text.trim())).status, 401, what);
  }
});

journey('NUL and lone surrogates are refused where a password is set and where it is given', async (open) => {
  const { request, signUp, signIn } = await open();
  const user = await signIn();
  await signUp('user@example.com');
  for (const bad of ['Aa1!aaaa\0', 'Aa1!aaaa\ud800']) {
    const asked = [
      ['/auth/signup', { email: 'new@example.com', password: bad, name: 'A' }, undefined],
      ['/auth/login', { username: 'user@example.com', password: bad }, undefined],
      ['/auth/me/password', { current_password: bad, new_password: password }, user.access_token],
      ['/auth/me/password', { current_password: password, new_password: bad }, user.access_token],
    ] as const;
    for (const [path, json, token] of asked) {
      const answer = await request('POST', path, { json, ...(token === undefined ? {} : { token }) });
      assert.deepEqual([answer.status, answer.body.code], [422, 'validation_error'], path);
    }
  }
});

/** `SecurePass123!` as other systems store it. */
const foreign: Record<string, string> = {
  argon2i: '$argon2i$v=19$m=4096,t=2,p=1$IfNY7+g3jsbvWZxH0DNwCg$/YiPQCFAz65cgifvjcsqMLYCmLET8WHtADLSMhWAptI',
  'argon2id with other parameters':
    '$argon2id$v=19$m=4096,t=2,p=1$Cgq7JUocu7BR9vM59y39VA$dr2g8IfPHi1WSahuhXY2OkcWQgfB447xBbe0eu6BFpE',
  bcrypt: '$2b$04$.4HEVyj9UqfAHCH.gz9VyepiFPDMUqWe0RJCpipY4TTNeYla025le',
  'PBKDF2 of Django': 'pbkdf2_sha256$1000$c2FsdHNhbHQ$kxD5HAn8Fmfna7I+sywtW+URVG96DgW+O90WJcSjtzE=',
  'scrypt of Werkzeug':
    'scrypt:1024:8:1$saltsalt$3dca64feca5344536697cc469501739c13c1e6abc50fca8f2fbf71b48664836cf8a1cc631ccb697f092602aaf41509c00987faa7d8e950c1ce04c3f5f72baa09',
};

/** Named, so that hashes cost something. */
const parameters = { ARGON2_MEMORY_KIB: 7168, ARGON2_PASSES: 5, ARGON2_LANES: 1 };
const ours = /^\$argon2id\$v=19\$m=7168,t=5,p=1\$[A-Za-z\d+/]{22}\$[A-Za-z\d+/]{43}$/;

journey('a hash that another system made is replaced at the next login', async (open) => {
  const { doorward, request, signIn, logIn } = await open(parameters);
  const { db } = doorward.kernel;
  const stored = async (id: number) =>
    doorward.kernel.db.read
      .selectFrom('passwords')
      .select(['hash', 'changed_at'])
      .where('user_id', '=', id)
      .executeTakeFirstOrThrow();
  for (const [kind, hash] of Object.entries(foreign)) {
    const user = await signIn();
    await db.transaction((tx) =>
      tx.updateTable('passwords').set({ hash }).where('user_id', '=', user.id).execute(),
    );
    assert.equal((await logIn(user.email, 'WrongPass123!')).status, 401, kind);
    assert.equal((await logIn(user.email, password.toLowerCase())).status, 401, kind);
    assert.equal((await stored(user.id)).hash, hash, `${kind}: a wrong password changes nothing`);

    // Logins that come together all succeed, or say that they came second; none leaves a foreign hash.
    const answers = await Promise.all(Array.from({ length: 4 }, () => logIn(user.email)));
    for (const answer of answers) assert.equal(answer.status, 200, `${kind}: ${answer.text}`);
    const rehashed = (await stored(user.id)).hash;
    assert.match(rehashed, ours, kind);

    assert.equal((await logIn(user.email)).status, 200, kind);
    assert.equal((await logIn(user.email, 'WrongPass123!')).status, 401, kind);
    assert.equal((await stored(user.id)).hash, rehashed, `${kind}: ours stays`);
    // A better hash of the same password is no change of the password: sessions go on.
    assert.equal((await request('GET', '/auth/me', { token: user.access_token })).status, 200, kind);
  }
});

journey('hashes made with other settings are replaced by those in force', async (open) => {
  const { databaseUrl, signUp } = await open(parameters);
  await signUp('user@example.com');
  const { doorward, logIn } = await open({ ...parameters, DATABASE_URL: databaseUrl, ARGON2_PASSES: 6 });
  const hash = async () =>
    (await doorward.kernel.db.read.selectFrom('passwords').select('hash').executeTakeFirstOrThrow()).hash;
  assert.match(await hash(), /\$m=7168,t=5,p=1\$/);
  assert.equal((await logIn('user@example.com')).status, 200);
  assert.match(await hash(), /\$m=7168,t=6,p=1\$/);
});

journey('a damaged or absurd hash lets nobody in and breaks nothing', async (open) => {
  const { doorward, signIn, logIn } = await open();
  const salt = 'c2FsdHNhbHRzYWx0c2FsdA';
  for (const hash of [
    '',
    password,
    'unknown$format',
    `$argon2id$v=19$m=4294967295,t=3,p=4$${salt}$${'A'.repeat(43)}`,
    `$argon2id$v=19$m=65536,t=4294967295,p=4$${salt}$${'A'.repeat(43)}`,
    `$2b$31$${'a'.repeat(53)}`,
    `pbkdf2_sha256$4000000000$salt$${'A'.repeat(43)}=`,
    `scrypt:1073741824:8:1$salt$${'ab'.repeat(64)}`,
  ]) {
    const user = await signIn();
    await doorward.kernel.db.transaction((tx) =>
      tx.updateTable('passwords').set({ hash }).where('user_id', '=', user.id).execute(),
    );
    for (const given of [password, hash, '']) {
      assertFailure(await logIn(user.email, given), 401, 'Invalid email or password', 'invalid_credentials');
    }
  }
});

journey('what was checked before a password was taken away is good for no later one', async (open) => {
  const { doorward, logIn, signIn } = await open();
  const { passwords, kernel } = doorward;
  const { id, email } = await signIn();
  const known = { isKnown: false, take: async () => {} };
  const check = async (given: string) => (await passwords.check(id, given, known)) ?? assert.fail();
  const confirm = (checked: Awaited<ReturnType<typeof check>>) =>
    kernel.db.transaction((tx) => passwords.confirm(tx, id, checked));
  const other = `${password}?`;
  const hash = await passwords.hash(other);
  const before = await check(password);
  assert.equal(await confirm(before), true);

  await kernel.db.transaction((tx) => passwords.remove(tx, id));
  assert.equal(await confirm(before), false);
  assert.equal((await logIn(email)).status, 401);
  assert.equal((await logIn(email, '')).status, 401);
  assert.equal(await passwords.describe(id), undefined);
  await kernel.db.transaction((tx) => passwords.remove(tx, id));
  await kernel.db.transaction((tx) => passwords.replace(tx, id, hash, null));
  assert.equal(await confirm(before), false);
  const after = await check(other);
  assert.ok(after.revision > before.revision);
  assert.equal((await logIn(email, other)).status, 200);
  const removed = await doorward.audit.list({ kind: 'password.removed', user_id: id, limit: 5 });
  assert.equal(removed.events.length, 1, 'one that is not there is not taken away');
});
