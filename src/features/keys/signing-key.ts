import { createPrivateKey, createPublicKey, type JsonWebKey } from 'node:crypto';
import { CompactEncrypt, calculateJwkThumbprint, compactDecrypt, exportJWK, generateKeyPair } from 'jose';
import { deriveKey } from '../../crypto/derived-keys.ts';
import type { SigningAlgorithm, TokenKey } from '../../crypto/tokens.ts';
import type { SigningKeyRow } from './store.ts';

/** Encrypts under a key derived from SECRET_KEY (RFC 7516, `dir` with A256GCM). */
export function encryptUnder(secretKey: string, value: unknown): Promise<string> {
  return new CompactEncrypt(new TextEncoder().encode(JSON.stringify(value)))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
    .encrypt(deriveKey(secretKey, 'signing-key-encryption'));
}

/** The inverse of `encryptUnder`; fails under any other SECRET_KEY. */
export async function decryptUnder<T>(secretKey: string, jwe: string): Promise<T> {
  const { plaintext } = await compactDecrypt(jwe, deriveKey(secretKey, 'signing-key-encryption'));
  return JSON.parse(new TextDecoder().decode(plaintext));
}

/** Makes a key pair, to be stored. */
export async function makeSigningKey(
  algorithm: SigningAlgorithm,
  secretKey: string,
  times: { createdAt: Date; signsFrom: Date },
): Promise<SigningKeyRow> {
  const pair = await generateKeyPair(algorithm, { extractable: true });
  const publicJwk = await exportJWK(pair.publicKey);
  const kid = await calculateJwkThumbprint(publicJwk);
  return {
    kid,
    algorithm,
    public_jwk: JSON.stringify({ ...publicJwk, kid, alg: algorithm, use: 'sig' }),
    private_jwe: await encryptUnder(secretKey, await exportJWK(pair.privateKey)),
    created_at: times.createdAt.toISOString(),
    signs_from: times.signsFrom.toISOString(),
  };
}

/** The stored key, ready to sign. */
export async function loadPrivateKey(row: SigningKeyRow, secretKey: string): Promise<TokenKey> {
  const algorithm = row.algorithm as SigningAlgorithm;
  const jwk = await decryptUnder<JsonWebKey>(secretKey, row.private_jwe);
  return { kid: row.kid, algorithm, key: createPrivateKey({ key: jwk, format: 'jwk' }) };
}

/** The stored key, ready to verify. */
export function loadPublicKey(row: SigningKeyRow): TokenKey {
  const algorithm = row.algorithm as SigningAlgorithm;
  const key = createPublicKey({ key: JSON.parse(row.public_jwk), format: 'jwk' });
  return { kid: row.kid, algorithm, key };
}

/**
 * The key that signs at `now`: of those whose time has come the latest of `algorithm`; while there is none, the latest
 * of any, so that a change of ALGORITHM is published before it is used, too.
 * `rows` have the one that signs latest first.
 */
export function pickSigningKey(
  rows: readonly SigningKeyRow[],
  algorithm: SigningAlgorithm,
  now: Date,
): SigningKeyRow | undefined {
  const due = rows.filter((row) => Date.parse(row.signs_from) <= now.getTime());
  return due.find((row) => row.algorithm === algorithm) ?? due[0] ?? rows.at(-1);
}
