import assert from 'node:assert/strict';
import { assertFailure, journey, password } from '../support/journey.ts';

/** Spellings of one account each; the first is entered at sign-up and shown. */
const accounts: [shown: string, ...spellings: string[]][] = [
  [
    'Mixed.Case@Example.COM',
    'mixed.case@example.com',
    'MIXED.CASE@EXAMPLE.COM',
    '  Mixed.Case@example.com\t',
  ],
  ['user@Bücher.example', 'USER@bücher.example', 'user@xn--bcher-kva.example', 'User@BU\u0308CHER.example'],
  ['ren\u00e9@example.com', 'rene\u0301@example.com', 'REN\u00c9@example.com', 'RENE\u0301@EXAMPLE.com'],
  ['σοφος@example.com', 'ΣΟΦΟΣ@example.com', 'σοφοσ@example.com'],
];

/** What only looks alike is somebody else. */
const strangers: [string, string][] = [
  ['strasse@example.com', 'straße@example.com'],
  ['a.b@example.com', 'ab@example.com'],
  ['a+b@example.com', 'a@example.com'],
  ['ıd@example.com', 'id@example.com'],
];

journey('an account is one whatever the spelling of its email, which is kept and shown', async (open) => {
  const { request, signUp, logIn, signIn } = await open();
  const admin = await signIn({ is_admin: true });
  for (const [shown, ...spellings] of accounts) {
    const user = await signUp(shown);
    assert.equal(user.email, shown);
    for (const spelling of [shown, ...spellings]) {
      assertFailure(
        await request('POST', '/auth/signup', { json: { email: spelling, password, name: 'Other' } }),
        409,
        'Email already registered',
        'email_registered',
      );
      assertFailure(
        await request('PATCH', `/auth/users/${admin.id}`, {
          json: { email: spelling },
          token: admin.access_token,
        }),
        409,
        'Email already taken',
        'email_taken',
      );
      const login = await logIn(spelling);
      assert.equal(login.status, 200, JSON.stringify(spelling));
      const me = await request('GET', '/auth/me', { token: login.body.access_token });
      assert.deepEqual([me.body.id, me.body.email], [user.id, shown]);
    }
  }
});

journey('the owner respells the email without meeting the own account', async (open) => {
  const { request, signUp, logIn } = await open();
  for (const spellings of accounts) {
    const { id } = await signUp(spellings[0]);
    const token = (await logIn(spellings[0])).body.access_token;
    for (const spelling of spellings) {
      const answer = await request('PATCH', '/auth/me', { json: { email: spelling }, token });
      assert.deepEqual(
        [answer.status, answer.body.id, answer.body.email],
        [200, id, spelling.trim().normalize('NFC')],
      );
    }
  }
});

journey('addresses that only look alike are different accounts', async (open) => {
  const { signUp, logIn } = await open();
  for (const [one, other] of strangers) {
    assert.notEqual((await signUp(one)).id, (await signUp(other, { password: 'OtherSecure456!' })).id);
    assert.equal((await logIn(one, 'OtherSecure456!')).status, 401);
    assert.equal((await logIn(other, 'OtherSecure456!')).status, 200);
  }
});
