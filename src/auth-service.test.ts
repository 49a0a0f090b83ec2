import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashPassword, verifyPassword } from './index.ts';
import { createTestDoorward } from './testing/index.ts';

const data = { sub: '7', sid: 'session-id', gen: 1 };

for (const ALGORITHM of ['ES256', 'EdDSA', 'RS256', 'HS256'] as const) {
  test(`the auth service makes and reads tokens, each of its own kind (${ALGORITHM})`, async (t) => {
    const { doorward, clock, request, close } = await createTestDoorward({ ALGORITHM });
    t.after(close);
    const access = await doorward.createAccessToken(data);
    const refresh = await doorward.createRefreshToken(data);
    const now = Math.floor(clock.now().getTime() / 1000);

    const read = await doorward.decodeToken(access, 'access');
    assert.deepEqual(
      { ...read, jti: undefined },
      {
        ...data,
        type: 'access',
        iat: now,
        exp: now + 15 * 60,
        iss: 'http://127.0.0.1:8000',
        ...(ALGORITHM === 'HS256' ? {} : { aud: 'http://127.0.0.1:8000' }),
        jti: undefined,
      },
    );
    const readRefresh = await doorward.decodeToken(refresh, 'refresh');
    assert.deepEqual(
      { ...readRefresh, jti: undefined },
      { ...data, type: 'refresh', iat: now, exp: now + 7 * 86_400, jti: undefined },
    );
    assert.equal(await doorward.decodeToken(refresh, 'access'), null);
    assert.equal(await doorward.decodeToken(access, 'refresh'), null);
    for (const token of ['', 'nonsense', `${access}x`, access.slice(0, -3)]) {
      assert.equal(await doorward.decodeToken(token, 'access'), null);
      assert.equal(await doorward.decodeToken(token, 'refresh'), null);
    }
    // A well-made token without a session opens nothing.
    assert.equal((await request('GET', '/auth/me', { token: access })).status, 401);

    const short = await doorward.createAccessToken(data, { expiresInSeconds: 5 });
    clock.advance(4);
    assert.equal((await doorward.decodeToken(short, 'access'))?.exp, now + 5);
    clock.advance(1);
    assert.equal(await doorward.decodeToken(short, 'access'), null);
    assert.notEqual(await doorward.decodeToken(access, 'access'), null);
    clock.advance(15 * 60);
    assert.equal(await doorward.decodeToken(access, 'access'), null);
    assert.notEqual(await doorward.decodeToken(refresh, 'refresh'), null);
    clock.advance(7 * 86_400);
    assert.equal(await doorward.decodeToken(refresh, 'refresh'), null);
  });
}

test('hashPassword and verifyPassword need no instance', async () => {
  const hash = await hashPassword('SecurePass123!');
  assert.match(hash, /^\$argon2id\$v=19\$m=65536,t=3,p=4\$/);
  assert.equal(await verifyPassword('SecurePass123!', hash), true);
  assert.equal(await verifyPassword('SecurePass123', hash), false);
  assert.notEqual(await hashPassword('SecurePass123!'), hash);
});
