import assert from 'node:assert/strict';
import { createHmac, KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { type CompactJWSHeaderParameters, CompactSign, exportJWK, exportSPKI, generateKeyPair } from 'jose';
import {
  createAccessToken,
  createRefreshToken,
  type SigningAlgorithm,
  sharedSecretKeys,
  type TokenKeys,
  verifyAccessToken,
  verifyRefreshToken,
} from './tokens.ts';

const secret = 'crypto-tokens-3f9c1b7e5a2d4860-not-a-sample';
const parties = { issuer: 'https://auth.example.com', audience: 'https://api.example.com' };
const now = new Date('2026-01-01T12:00:00.900Z');
const issuedAt = Math.floor(now.getTime() / 1000);
const subject = { sub: '7', sid: 'session-id', gen: 3, issuedAt, expiresAt: issuedAt + 900 };

/** Keys of an instance, with the private key apart. */
async function keysFor(algorithm: Exclude<SigningAlgorithm, 'HS256'>, kid = `kid-${algorithm}`) {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  const { refresh } = sharedSecretKeys(secret);
  const keys: TokenKeys = {
    signing: { kid, algorithm, key: KeyObject.from(privateKey) },
    verification: [{ kid, algorithm, key: KeyObject.from(publicKey) }],
    refresh,
  };
  return { keys, privateKey, publicKey };
}

function decode(token: string) {
  const [header = '', payload = ''] = token.split('.');
  const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString());
  return { header: read(header), payload: read(payload) };
}

const refused = { name: 'DoorwardError', code: 'invalid_token', detail: 'Could not validate credentials' };

for (const algorithm of ['ES256', 'EdDSA', 'RS256'] as const) {
  test(`an access token signed with ${algorithm} says what the contract says, and no more`, async () => {
    const { keys } = await keysFor(algorithm);
    const token = await createAccessToken(subject, keys, parties);
    const { header, payload } = decode(token);
    assert.deepEqual(header, { alg: algorithm, typ: 'at+jwt', kid: `kid-${algorithm}` });
    const { jti, ...claims } = payload;
    assert.match(jti, /^[\da-f-]{36}$/);
    assert.deepEqual(claims, {
      iss: parties.issuer,
      aud: parties.audience,
      sub: '7',
      sid: 'session-id',
      gen: 3,
      type: 'access',
      iat: issuedAt,
      exp: issuedAt + 900,
    });
    assert.deepEqual(await verifyAccessToken(token, keys, parties, now), payload);
    const other = decode(await createAccessToken(subject, keys, parties));
    assert.notEqual(other.payload.jti, jti, 'no two tokens are the same');
  });
}

test('HS256 is signed with the secret itself, so that any JWT library verifies it; aud only if asked for', async () => {
  const keys = sharedSecretKeys(secret);
  for (const audience of [undefined, 'somebody']) {
    const token = await createAccessToken(subject, keys, { ...parties, audience });
    const [header, payload, signature] = token.split('.');
    assert.equal(createHmac('sha256', secret).update(`${header}.${payload}`).digest('base64url'), signature);
    assert.deepEqual(decode(token).header, { alg: 'HS256', typ: 'at+jwt' });
    assert.equal(decode(token).payload.aud, audience);
    await verifyAccessToken(token, keys, { ...parties, audience }, now);
  }
});

test('a shared secret that is shorter than what it makes signs nothing', () => {
  for (const short of ['', 'x'.repeat(31)]) assert.throws(() => sharedSecretKeys(short), RangeError);
  sharedSecretKeys('ü'.repeat(16));
});

test('a refresh token says what the contract says; asked for again, it is the same text', async () => {
  const keys = sharedSecretKeys(secret);
  const token = await createRefreshToken(subject, keys);
  assert.deepEqual(decode(token).payload, {
    sub: '7',
    sid: 'session-id',
    gen: 3,
    type: 'refresh',
    iat: issuedAt,
    exp: issuedAt + 900,
    jti: decode(token).payload.jti,
  });
  assert.equal(await createRefreshToken(subject, keys), token);
  assert.notEqual(await createRefreshToken({ ...subject, gen: 4 }, keys), token);
  assert.notEqual(await createRefreshToken({ ...subject, sid: 'other' }, keys), token);
  assert.deepEqual(await verifyRefreshToken(token, keys, now), decode(token).payload);
  // The key of refresh tokens signs nothing else: the secret itself does not verify it.
  const [header, payload, signature] = token.split('.');
  assert.notEqual(createHmac('sha256', secret).update(`${header}.${payload}`).digest('base64url'), signature);
});

test('each kind of token is refused where the other is wanted, under every algorithm', async () => {
  for (const keys of [(await keysFor('ES256')).keys, sharedSecretKeys(secret)]) {
    const access = await createAccessToken(subject, keys, parties);
    const refresh = await createRefreshToken(subject, keys);
    await assert.rejects(verifyAccessToken(refresh, keys, parties, now), refused);
    await assert.rejects(verifyRefreshToken(access, keys, now), refused);
  }
});

test('a token dies at its exp exactly', async () => {
  const { keys } = await keysFor('ES256');
  const access = await createAccessToken(subject, keys, parties);
  const refresh = await createRefreshToken(subject, keys);
  const at = (milliseconds: number) => new Date(subject.expiresAt * 1000 + milliseconds);
  await verifyAccessToken(access, keys, parties, at(-1));
  await verifyRefreshToken(refresh, keys, at(-1));
  for (const late of [at(0), at(1), at(1_000_000)]) {
    await assert.rejects(verifyAccessToken(access, keys, parties, late), refused);
    await assert.rejects(verifyRefreshToken(refresh, keys, late), refused);
  }
});

const claims = {
  iss: parties.issuer,
  aud: parties.audience,
  sub: '7',
  sid: 'session-id',
  gen: 3,
  type: 'access',
  iat: issuedAt,
  exp: issuedAt + 900,
  jti: 'jti',
};

/** Claims signed with our own key, each wrong in one point. */
const badClaims: Record<string, object | string> = {
  'no exp': { exp: undefined },
  'exp null': { exp: null },
  'exp a text': { exp: String(claims.exp) },
  'exp a list': { exp: [claims.exp] },
  'exp past': { exp: issuedAt },
  'exp infinite': `${JSON.stringify({ ...claims, exp: 0 }).replace('"exp":0', '"exp":1e999')}`,
  'no iat': { iat: undefined },
  'no jti': { jti: undefined },
  'nbf in the future': { nbf: issuedAt + 60 },
  'no iss': { iss: undefined },
  'another iss': { iss: 'https://evil.example.com' },
  'iss a list': { iss: [parties.issuer] },
  'iss with a slash more': { iss: `${parties.issuer}/` },
  'no aud': { aud: undefined },
  'another aud': { aud: 'https://evil.example.com' },
  'aud empty': { aud: [] },
  'no type': { type: undefined },
  'type refresh': { type: 'refresh' },
  'type a list': { type: ['access'] },
  'no sub': { sub: undefined },
  'sub a number': { sub: 7 },
  'sub a fraction': { sub: '7.5' },
  'sub padded': { sub: '07' },
  'sub signed': { sub: '+7' },
  'sub a text': { sub: 'admin' },
  'no sid': { sid: undefined },
  'sid an object': { sid: {} },
  'no gen': { gen: undefined },
  'gen a text': { gen: '3' },
  'gen a fraction': { gen: 3.5 },
  'sid with NUL': { sid: 'a\0b' },
  'sid too long': { sid: 'x'.repeat(65) },
  'exp a fraction': { exp: claims.exp + 0.5 },
  'no object': '[]',
  'no JSON': 'nonsense',
  nothing: '',
};

test('claims that our own key has signed are refused for each single fault', async () => {
  const { keys, privateKey } = await keysFor('ES256');
  const sign = (payload: string, header: Partial<CompactJWSHeaderParameters> = {}) =>
    new CompactSign(new TextEncoder().encode(payload))
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'kid-ES256', ...header })
      .sign(privateKey);
  await verifyAccessToken(await sign(JSON.stringify(claims)), keys, parties, now);
  await verifyAccessToken(
    await sign(JSON.stringify({ ...claims, aud: ['x', claims.aud] })),
    keys,
    parties,
    now,
  );
  for (const [fault, change] of Object.entries(badClaims)) {
    const payload = typeof change === 'string' ? change : JSON.stringify({ ...claims, ...change });
    await assert.rejects(verifyAccessToken(await sign(payload), keys, parties, now), refused, fault);
  }
  for (const typ of [undefined, 'JWT', 'rt+jwt', 'dpop+jwt']) {
    const token = await sign(JSON.stringify(claims), typ === undefined ? { typ: '' } : { typ });
    await assert.rejects(verifyAccessToken(token, keys, parties, now), refused, `typ ${typ}`);
  }
});

test('a token that we did not sign is refused, whatever its header promises', async () => {
  const { keys, privateKey, publicKey } = await keysFor('ES256');
  const stranger = await generateKeyPair('ES256', { extractable: true });
  const payload = new TextEncoder().encode(JSON.stringify(claims));
  const own = { alg: 'ES256', typ: 'at+jwt', kid: 'kid-ES256' };
  const sign = (header: CompactJWSHeaderParameters, key: Parameters<CompactSign['sign']>[0]) =>
    new CompactSign(payload).setProtectedHeader(header).sign(key);
  const jwk = await exportJWK(publicKey);
  const text = (value: string) => new TextEncoder().encode(value);
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const hs256 = { ...own, alg: 'HS256' };
  const good = await sign(own, privateKey);
  const [header = '', body = '', signature = ''] = good.split('.');

  const tokens: Record<string, string> = {
    'another key under our kid': await sign(own, stranger.privateKey),
    'a kid of nobody': await sign({ ...own, kid: 'nobody' }, privateKey),
    'no kid': await sign({ alg: 'ES256', typ: 'at+jwt' }, privateKey),
    'a key in the header': await sign(
      { ...own, kid: 'nobody', jwk: await exportJWK(stranger.publicKey) },
      stranger.privateKey,
    ),
    'a key in the header under our kid': await sign(
      { ...own, jwk: await exportJWK(stranger.publicKey) },
      stranger.privateKey,
    ),
    'a key elsewhere': await sign({ ...own, jku: 'https://evil.example.com/jwks.json' }, stranger.privateKey),
    'a certificate elsewhere': await sign({ ...own, x5u: 'https://evil.example.com/' }, stranger.privateKey),
    'HS256 with the public key as PEM': await sign(hs256, text(await exportSPKI(publicKey))),
    'HS256 with the public key as trimmed PEM': await sign(hs256, text((await exportSPKI(publicKey)).trim())),
    'HS256 with the public key as JWK': await sign(hs256, text(JSON.stringify(jwk))),
    'HS256 without a kid': await sign({ alg: 'HS256', typ: 'at+jwt' }, text(JSON.stringify(jwk))),
    'HS256 with our secret': await sign({ alg: 'HS256', typ: 'at+jwt' }, text(secret)),
    'HS256 with the key of refresh tokens': await sign({ alg: 'HS256', typ: 'at+jwt' }, keys.refresh[0].key),
    'alg none': `${encode({ alg: 'none', typ: 'at+jwt' })}.${body}.`,
    'alg none under our kid': `${encode({ ...own, alg: 'none' })}.${body}.`,
    'alg NONE with our signature': `${encode({ ...own, alg: 'NONE' })}.${body}.${signature}`,
    'a crit that nobody knows': `${encode({ ...own, crit: ['x'], x: 1 })}.${body}.${signature}`,
    'no signature': `${header}.${body}.`,
    'half a signature': `${header}.${body}.${signature.slice(0, 40)}`,
    'a changed body': `${header}.${encode({ ...claims, sub: '1' })}.${signature}`,
    'two parts': `${header}.${body}`,
    'four parts': `${good}.`,
    'a space': `${good} `,
    'too long': `${good.slice(0, 50)}${'A'.repeat(4096)}`,
    empty: '',
    dots: '..',
    garbage: 'nonsense',
    unicode: '😀.😀.😀',
  };
  await verifyAccessToken(good, keys, parties, now);
  for (const [kind, token] of Object.entries(tokens)) {
    await assert.rejects(verifyAccessToken(token, keys, parties, now), refused, kind);
    await assert.rejects(verifyRefreshToken(token, keys, now), refused, kind);
  }
});

test('under HS256 neither our refresh tokens nor another secret nor another algorithm opens anything', async () => {
  const keys = sharedSecretKeys(secret);
  const other = await createAccessToken(subject, sharedSecretKeys(`${secret}!`), parties);
  await assert.rejects(verifyAccessToken(other, keys, parties, now), refused);
  const asymmetric = await createAccessToken(subject, (await keysFor('ES256')).keys, parties);
  await assert.rejects(verifyAccessToken(asymmetric, keys, parties, now), refused);
  const payload = new TextEncoder().encode(JSON.stringify(claims));
  for (const alg of ['HS384', 'HS512']) {
    const token = await new CompactSign(payload)
      .setProtectedHeader({ alg, typ: 'at+jwt' })
      .sign(new TextEncoder().encode(secret.padEnd(64, '.')));
    await assert.rejects(verifyAccessToken(token, keys, parties, now), refused, alg);
  }
});
