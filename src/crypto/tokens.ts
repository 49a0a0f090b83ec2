import { createHmac, createSecretKey, type KeyObject, randomUUID, sign } from 'node:crypto';
import { type CryptoKey, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose';
import { DoorwardError } from '../errors.ts';
import type { AccessTokenClaims, RefreshTokenClaims } from './claims.ts';
import { deriveKey } from './derived-keys.ts';

/** How an access token can be signed (RFC 7518, RFC 8037). */
export type SigningAlgorithm = 'ES256' | 'EdDSA' | 'RS256' | 'HS256';

/** A key of access tokens of one algorithm. `kid` is its RFC 7638 thumbprint; a shared secret has none. */
export interface TokenKey {
  readonly kid: string | undefined;
  readonly algorithm: SigningAlgorithm;
  /** To sign the private key, to verify the public one; a shared secret is both. */
  readonly key: KeyObject;
}

/** A key of refresh tokens (HS256), in force for generations issued from `since` on (seconds since the epoch). */
export interface RefreshKey {
  readonly since: number;
  readonly key: KeyObject;
}

/** The keys of an instance: the one that signs access tokens, those that verify them, and the refresh tokens' own. */
export interface TokenKeys {
  readonly signing: TokenKey;
  readonly verification: readonly TokenKey[];
  /** The newest first; the last one has been in force from the beginning. */
  readonly refresh: readonly [RefreshKey, ...RefreshKey[]];
}

/** What a token is made from. `issuedAt` and `expiresAt` are seconds since the epoch. */
export interface TokenSubject {
  readonly sub: string;
  readonly sid: string;
  readonly gen: number;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** The parties of access tokens. */
export interface TokenParties {
  readonly issuer: string;
  readonly audience: string | undefined;
}

/** Longer texts are not tokens of ours. */
const maxTokenLength = 4096;

/** Base64url decoders forgive white space; one token then had many texts. */
const compactToken = /^[\w-]+\.[\w-]+\.[\w-]+$/;

const importedSecrets = new WeakMap<KeyObject, CryptoKey>();

/** A key as jose wants it: it would import a secret anew for each token. */
function importKey(key: KeyObject): KeyObject | CryptoKey {
  if (key.type !== 'secret') return key;
  const known = importedSecrets.get(key);
  if (known !== undefined) return known;
  const imported = key.toCryptoKey({ name: 'HMAC', hash: 'SHA-256' }, false, ['verify']) as CryptoKey;
  importedSecrets.set(key, imported);
  return imported;
}

/**
 * Keys for HS256 with a shared secret, as the reference signs.
 * @throws RangeError for a secret of less than 32 bytes (RFC 7518, 3.2).
 */
export function sharedSecretKeys(secretKey: string): TokenKeys {
  if (Buffer.byteLength(secretKey) < 32) throw new RangeError('A shared secret needs 32 bytes or more');
  const signing = { kid: undefined, algorithm: 'HS256', key: createSecretKey(secretKey, 'utf8') } as const;
  return {
    signing,
    verification: [signing],
    refresh: [{ since: 0, key: deriveKey(secretKey, 'refresh-token') }],
  };
}

/** How each algorithm signs (RFC 7518, 3.2 to 3.4; RFC 8037, 3.1). */
const signatures: Record<SigningAlgorithm, (input: Buffer, key: KeyObject) => Buffer> = {
  ES256: (input, key) => sign('sha256', input, { key, dsaEncoding: 'ieee-p1363' }),
  EdDSA: (input, key) => sign(null, input, key),
  RS256: (input, key) => sign('sha256', input, key),
  HS256: (input, key) => createHmac('sha256', key).update(input).digest(),
};

/**
 * A signed JWT (RFC 7519) in the compact form of RFC 7515, 3.1. It is signed at once: Web Crypto, and so jose, hands each
 * signature to the threads that compute password hashes, and an event loop that has to hand over waits for them.
 */
function signJwt(typ: string, { kid, algorithm, key }: TokenKey, claims: JWTPayload): string {
  const header = { alg: algorithm, typ, ...(kid === undefined ? {} : { kid }) };
  const input = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${input}.${signatures[algorithm](Buffer.from(input), key).toString('base64url')}`;
}

/** An access token: a JWT of `typ` at+jwt (RFC 9068). */
export async function createAccessToken(
  subject: TokenSubject,
  keys: TokenKeys,
  parties: TokenParties,
): Promise<string> {
  return signJwt('at+jwt', keys.signing, {
    iss: parties.issuer,
    ...(parties.audience === undefined ? {} : { aud: parties.audience }),
    sub: subject.sub,
    sid: subject.sid,
    gen: subject.gen,
    type: 'access',
    iat: subject.issuedAt,
    exp: subject.expiresAt,
    jti: randomUUID(),
  });
}

/**
 * A refresh token. Nothing in it is random: the same generation of a session always has the same text, so that whoever
 * asks again gets the one refresh token of that generation.
 */
export async function createRefreshToken(subject: TokenSubject, keys: TokenKeys): Promise<string> {
  const { key } = keys.refresh.find(({ since }) => since <= subject.issuedAt) ?? keys.refresh[0];
  return signJwt(
    'rt+jwt',
    { kid: undefined, algorithm: 'HS256', key },
    {
      sub: subject.sub,
      sid: subject.sid,
      gen: subject.gen,
      type: 'refresh',
      iat: subject.issuedAt,
      exp: subject.expiresAt,
      jti: `${subject.sid}.${subject.gen}`,
    },
  );
}

/** A token whose header names a key that is not among ours; it may be newer than what this instance has loaded. */
export class UnknownKeyError extends Error {
  override readonly name = 'UnknownKeyError';
}

function verificationKeys(token: string, keys: TokenKeys) {
  // Only our own keys count, each for its own algorithm: a `jwk` or `jku` in the header is never looked at, and a
  // public key is never taken for an HMAC secret (RFC 8725, 3.1).
  const header = decodeProtectedHeader(token);
  const found = keys.verification.filter((key) => key.kid === header.kid && key.algorithm === header.alg);
  if (found.length === 0) throw new UnknownKeyError('no key of ours has this kid and algorithm');
  return found;
}

/** The first outcome of `check` whose signature holds: a secret that was changed has several keys to try. */
async function verifyWithOne<Key>(
  candidates: readonly Key[],
  check: (key: Key) => Promise<{ payload: JWTPayload }>,
) {
  let failure: unknown;
  for (const candidate of candidates) {
    try {
      return await check(candidate);
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
      failure = error;
    }
  }
  throw failure;
}

function isSessionClaims(payload: JWTPayload, type: 'access' | 'refresh'): boolean {
  return (
    payload.type === type &&
    typeof payload.sub === 'string' &&
    /^[1-9]\d{0,15}$/.test(payload.sub) &&
    typeof payload.sid === 'string' &&
    /^[\w-]{1,64}$/.test(payload.sid) &&
    Number.isSafeInteger(payload.gen) &&
    Number.isSafeInteger(payload.iat) &&
    Number.isSafeInteger(payload.exp)
  );
}

const requiredClaims = ['sub', 'sid', 'gen', 'type', 'iat', 'exp', 'jti'];

async function verify<Claims>(
  token: string,
  type: 'access' | 'refresh',
  check: () => Promise<{ payload: JWTPayload }>,
): Promise<Claims> {
  try {
    if (token.length > maxTokenLength) throw new Error('the token is too long');
    if (!compactToken.test(token)) throw new Error('the text is no token');
    const { payload } = await check();
    if (!isSessionClaims(payload, type)) throw new Error('the claims are not those of this kind of token');
    return payload as Claims;
  } catch (cause) {
    throw new DoorwardError('invalid_token', {
      reason: cause instanceof Error ? cause.message : 'invalid',
      cause,
    });
  }
}

/**
 * Verifies an access token: our key, `typ` at+jwt, issuer, audience, not expired at `now`.
 * @throws DoorwardError `invalid_token`, also for a refresh token.
 */
export function verifyAccessToken(
  token: string,
  keys: TokenKeys,
  parties: TokenParties,
  now: Date,
): Promise<AccessTokenClaims> {
  return verify(token, 'access', () =>
    verifyWithOne(verificationKeys(token, keys), ({ key, algorithm }) =>
      jwtVerify(token, importKey(key), {
        algorithms: [algorithm],
        typ: 'at+jwt',
        issuer: parties.issuer,
        ...(parties.audience === undefined ? {} : { audience: parties.audience }),
        requiredClaims,
        currentDate: now,
      }),
    ),
  );
}

/**
 * Verifies a refresh token of ours that has not expired at `now`.
 * @throws DoorwardError `invalid_token`, also for an access token.
 */
export function verifyRefreshToken(token: string, keys: TokenKeys, now: Date): Promise<RefreshTokenClaims> {
  return verify(token, 'refresh', () =>
    verifyWithOne(keys.refresh, ({ key }) =>
      jwtVerify(token, importKey(key), {
        algorithms: ['HS256'],
        typ: 'rt+jwt',
        requiredClaims,
        currentDate: now,
      }),
    ),
  );
}
