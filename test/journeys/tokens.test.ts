import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { CompactSign, createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { assertToken, journey, SECRET_KEY } from '../support/journey.ts';

const algorithms = ['ES256', 'EdDSA', 'RS256', 'HS256'] as const;

journey('tokens of every algorithm open what they should, also after a restart', async (open) => {
  for (const ALGORITHM of algorithms) {
    const before = await open({ ALGORITHM });
    const { id, email, access_token, refresh_token } = await before.signIn();
    const seconds = before.clock.now().getTime() / 1000;
    const { jti, sid, ...claims } = decodeJwt(access_token);
    assert.deepEqual(claims, {
      iss: 'http://127.0.0.1:8000',
      ...(ALGORITHM === 'HS256' ? {} : { aud: 'http://127.0.0.1:8000' }),
      sub: String(id),
      iat: seconds,
      exp: seconds + 900,
      gen: 1,
      type: 'access',
    });
    assert.deepEqual([typeof jti, typeof sid], ['string', 'string']);
    const { jti: refreshJti, ...refreshClaims } = decodeJwt(refresh_token);
    assert.deepEqual(refreshClaims, {
      sub: String(id),
      sid,
      gen: 1,
      type: 'refresh',
      iat: seconds,
      exp: seconds + 7 * 86_400,
    });
    assert.equal(typeof refreshJti, 'string');
    const { kid, ...header } = decodeProtectedHeader(access_token);
    assert.deepEqual(header, { alg: ALGORITHM, typ: 'at+jwt' });

    const jwks = await before.request('GET', '/.well-known/jwks.json');
    if (ALGORITHM === 'HS256') {
      assert.deepEqual([kid, jwks.body], [undefined, { keys: [] }]);
      const [head, body, signature] = access_token.split('.');
      const expected = createHmac('sha256', SECRET_KEY).update(`${head}.${body}`).digest('base64url');
      assert.equal(signature, expected, 'a service that shares the secret verifies it');
    } else {
      assert.deepEqual(
        jwks.body.keys.map((key: { kid: string; alg: string; use: string }) => [key.kid, key.alg, key.use]),
        [[kid, ALGORITHM, 'sig']],
      );
    }
    const privateMembers = /"(d|p|q|dp|dq|qi|k|oth)":/;
    assert.doesNotMatch(jwks.text, privateMembers);

    const { databaseUrl } = before;
    await before.close();
    const after = await open({ ALGORITHM, DATABASE_URL: databaseUrl });
    await assertToken(after, access_token, 'good');
    assert.equal((await after.logIn(email)).status, 200);
    assert.equal((await after.request('GET', '/.well-known/jwks.json')).text, jwks.text);
  }
});

journey('another algorithm after a restart: old tokens go on while their key is published', async (open) => {
  const before = await open({ ALGORITHM: 'ES256' });
  const { access_token, email } = await before.signIn();
  await before.close();
  const after = await open({ ALGORITHM: 'EdDSA', DATABASE_URL: before.databaseUrl });
  await assertToken(after, access_token, 'good');
  const { body } = await after.request('GET', '/.well-known/jwks.json');
  assert.deepEqual(body.keys.map((key: { alg: string }) => key.alg).sort(), ['ES256', 'EdDSA']);
  for (const alg of ['ES256', 'EdDSA']) {
    const token = (await after.logIn(email)).body.access_token;
    assert.equal(decodeProtectedHeader(token).alg, alg);
    await assertToken(after, token, 'good');
    // The new key signs when verifiers have had time to hear of it.
    after.clock.advance(after.doorward.settings.KEY_PUBLICATION_LEAD_SECONDS);
    await after.doorward.keys.reload();
  }
});

journey('a service elsewhere verifies tokens with the published keys', async (open) => {
  const { signIn, app, doorward } = await open();
  const { access_token, refresh_token } = await signIn();
  const address = await app.listen({ port: 0 });
  const published = createRemoteJWKSet(new URL('/.well-known/jwks.json', address));
  const { ISSUER: issuer, AUDIENCE: audience = '' } = doorward.settings;
  const options = { issuer, audience, typ: 'at+jwt', currentDate: new Date('2026-01-01T12:00:00Z') };
  const { payload } = await jwtVerify(access_token, published, options);
  assert.equal(payload.type, 'access');
  await assert.rejects(jwtVerify(refresh_token, published, options));
});

journey('an access token dies at its exp, and neither token outlives the session', async (open) => {
  const instance = await open();
  const { access_token } = await instance.signIn();
  await assertToken(instance, access_token, 'good');
  instance.clock.advance(15 * 60 - 1);
  await assertToken(instance, access_token, 'good');
  instance.clock.advance(1);
  await assertToken(instance, access_token, 'dead');

  // Sessions of 86.4 s, under tokens that would live longer.
  const short = await open({ SESSION_EXPIRE_DAYS: '0.001', DATABASE_URL: instance.databaseUrl });
  const { body } = await short.logIn((await short.signIn()).email);
  const now = short.clock.now().getTime() / 1000;
  assert.equal(body.expires_in, 86);
  assert.equal(decodeJwt(body.access_token).exp, now + 86);
  assert.equal(decodeJwt(body.refresh_token).exp, now + 86);
  short.clock.advance(85);
  await assertToken(short, body.access_token, 'good');
  short.clock.advance(1);
  await assertToken(short, body.access_token, 'dead');
});

journey('what is no access token of ours is one and the same 401', async (open) => {
  const instance = await open();
  const { doorward, request, signIn } = instance;
  const user = await signIn();
  const other = await signIn({ is_admin: true });
  const foreign = await open({ SECRET_KEY: `${SECRET_KEY}!` });
  const { sid, gen, iat, exp, iss, aud } = decodeJwt<{ sid: string; gen: number }>(user.access_token);
  const claims = { sub: String(user.id), sid, gen, iat, exp, iss, aud, type: 'access', jti: 'x' };
  const { key, kid } = doorward.keys.current().signing;
  const sign = (change: object) =>
    new CompactSign(new TextEncoder().encode(JSON.stringify({ ...claims, ...change })))
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', ...(kid === undefined ? {} : { kid }) })
      .sign(key);
  await assertToken(instance, await sign({}), 'good');

  const tokens: Record<string, string> = {
    'a refresh token': user.refresh_token,
    'of another instance': (await foreign.signIn()).access_token,
    'of nobody': await sign({ sub: '999999' }),
    'of somebody else, in this session': await sign({ sub: String(other.id) }),
    'of a session that never was': await sign({ sid: 'never-was' }),
    'of a session named by NUL': await sign({ sid: 'a\0b' }),
    'of a session named by a lone surrogate': await sign({ sid: 'a\ud800' }),
    'of a session with a name of 2,000 characters': await sign({ sid: 'x'.repeat(2000) }),
    'of a generation to come': await sign({ gen: 2 }),
    'exp a text': await sign({ exp: String(exp) }),
    'without exp': await sign({ exp: undefined }),
    'sub beyond every id': await sign({ sub: '9999999999999999' }),
    'alg none': `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${user.access_token.split('.')[1]}.`,
    'of 5,000 characters': `${user.access_token}${'A'.repeat(5000)}`,
    'of 15,000 characters': 'A'.repeat(15_000),
    nonsense: 'nonsense',
    'two tokens': `${user.access_token} ${user.access_token}`,
    'a password': user.password,
  };
  for (const [kind, token] of Object.entries(tokens)) {
    for (const [method, path] of [
      ['GET', '/auth/me'],
      ['GET', '/auth/users'],
      ['DELETE', `/auth/users/${other.id}`],
    ] as const) {
      const answer = await request(method, path, { token });
      assert.deepEqual(
        [answer.status, answer.body, answer.headers['www-authenticate']],
        [
          401,
          { detail: 'Could not validate credentials', code: 'invalid_token' },
          'Bearer error="invalid_token"',
        ],
        kind,
      );
    }
  }
  await assertToken(instance, user.access_token, 'good');
});

journey(
  'where a token may stand: in the Authorization header, as a Bearer, and nowhere else',
  async (open) => {
    const { request, signIn } = await open();
    const { access_token } = await signIn();
    const me = (headers: Record<string, string>, query = '') =>
      request('GET', `/auth/me${query}`, { headers });
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
      assert.equal((await me({ authorization: `${scheme} ${access_token}` })).status, 200, scheme);
    }
    for (const authorization of [
      access_token,
      `Basic ${access_token}`,
      `Token ${access_token}`,
      'Bearer',
      '',
    ]) {
      const answer = await me({ authorization });
      assert.deepEqual(
        [answer.status, answer.body.code, answer.headers['www-authenticate']],
        [401, 'not_authenticated', 'Bearer'],
      );
    }
    assert.equal((await me({ cookie: `access_token=${access_token}` })).status, 401);
    assert.equal((await me({}, `?access_token=${access_token}`)).status, 401);
  },
);

journey('a signature that was verified vouches for its own token alone', async (open) => {
  const { signIn, request } = await open();
  const [user, other] = [await signIn(), await signIn()];
  for (const { access_token } of [user, other])
    assert.equal((await request('GET', '/auth/me', { token: access_token })).status, 200);
  const [head, , signature] = user.access_token.split('.');
  const [, body] = other.access_token.split('.');
  const forged = await request('GET', '/auth/me', { token: `${head}.${body}.${signature}` });
  assert.deepEqual([forged.status, forged.body.code], [401, 'invalid_token']);
});
