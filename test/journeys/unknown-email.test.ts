import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

/** The work of the hash function itself, noted before anything imports it. */
const work: object[] = [];
const argon2 = createRequire(import.meta.url)('@node-rs/argon2');
const { hashRaw } = argon2;
argon2.hashRaw = (password: string, options: { salt: Buffer }) => {
  const { salt, ...cost } = options;
  work.push({ ...cost, saltLength: salt.length, passwordLength: password.length });
  return hashRaw(password, options);
};

const { assertFailure, journey } = await import('../support/journey.ts');

journey('an unknown email costs a login the same work as a wrong password', async (open, { t }) => {
  const { logIn, request, signUp, signIn, doorward } = await open();
  await signUp('user@example.com');
  const admin = await signIn({ is_admin: true });
  const off = await signUp('off@example.com');
  await request('POST', `/auth/users/${off.id}/deactivate`, { token: admin.access_token });
  const run = t.mock.method(doorward.passwords.queue, 'run');

  // The second is not in NFC over the wire; the third is longer than any password that can be set.
  for (const given of ['WrongPass123!', 'WrongPa\u0308ss123!', 'x'.repeat(1000)]) {
    const seen: object[] = [];
    for (const username of ['user@example.com', 'unknown@example.com', 'no address', 'off@example.com', '']) {
      work.length = 0;
      run.mock.resetCalls();
      const answer = await logIn(username, given);
      assertFailure(answer, 401, 'Invalid email or password', 'invalid_credentials');
      const { 'x-request-id': id, date, ...headers } = answer.headers;
      seen.push({ work: [...work], slots: run.mock.callCount(), headers, text: answer.text });
    }
    assert.equal((seen[0] as { work: object[] }).work.length, 1);
    for (const other of seen) assert.deepEqual(other, seen[0]);
  }
});
