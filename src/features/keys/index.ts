import { createHash } from 'node:crypto';
import {
  CompactEncrypt,
  calculateJwkThumbprint,
  compactDecrypt,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
} from 'jose';
import { deriveKey } from '../../crypto/derived-keys.ts';
import {
  type SigningAlgorithm,
  sharedSecretKeys,
  type TokenKeys,
  type VerificationKey,
} from '../../crypto/tokens.ts';
import type { Kernel } from '../../kernel.ts';
import { insertSigningKey, listSigningKeys, noteSecretKeyFingerprint, type SigningKeyRow } from './store.ts';

export { keyMigrations } from './migrations.ts';
export { keyRoutes } from './routes.ts';
export { resolveSecretKey } from './secret-key.ts';

/** The keys of an instance, loaded. */
export interface Keys {
  /** What signs and verifies now. */
  current(): TokenKeys;
  /** The public keys that verify access tokens (RFC 7517 JWK Set); empty under HS256. */
  jwks(): { keys: JWK[] };
}

/** SECRET_KEY is not the one that the database was made with. */
export class SecretKeyMismatchError extends Error {
  override readonly name = 'SecretKeyMismatchError';
}

async function makeSigningKey(
  algorithm: SigningAlgorithm,
  secretKey: string,
  now: string,
): Promise<SigningKeyRow> {
  const pair = await generateKeyPair(algorithm, { extractable: true });
  const publicJwk = await exportJWK(pair.publicKey);
  const kid = await calculateJwkThumbprint(publicJwk);
  const privateJwk = JSON.stringify(await exportJWK(pair.privateKey));
  const private_jwe = await new CompactEncrypt(new TextEncoder().encode(privateJwk))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid })
    .encrypt(deriveKey(secretKey, 'signing-key-encryption'));
  const public_jwk = JSON.stringify({ ...publicJwk, kid, alg: algorithm, use: 'sig' });
  return { kid, algorithm, public_jwk, private_jwe, created_at: now };
}

async function loadPrivateKey(row: SigningKeyRow, secretKey: string): Promise<VerificationKey> {
  const { plaintext } = await compactDecrypt(row.private_jwe, deriveKey(secretKey, 'signing-key-encryption'));
  const algorithm = row.algorithm as SigningAlgorithm;
  const key = await importJWK(JSON.parse(new TextDecoder().decode(plaintext)), algorithm);
  return { kid: row.kid, algorithm, key };
}

async function loadPublicKey(row: SigningKeyRow): Promise<VerificationKey> {
  const algorithm = row.algorithm as SigningAlgorithm;
  return { kid: row.kid, algorithm, key: await importJWK(JSON.parse(row.public_jwk), algorithm) };
}

/**
 * Loads the keys of an instance and makes the first one. Of instances that start together, one makes it.
 * @throws SecretKeyMismatchError when SECRET_KEY is not the one that the database was made with.
 */
export async function loadKeys(kernel: Kernel, secretKey: string): Promise<Keys> {
  const { settings, db, clock } = kernel;
  const fingerprint = createHash('sha256')
    .update(deriveKey(secretKey, 'secret-key-check'))
    .digest('base64url');
  const algorithm = settings.ALGORITHM;
  const isShared = algorithm === 'HS256';
  // Made before the transaction: generating an RSA key takes long, and a key too many costs nothing.
  const existing = await listSigningKeys(db.read);
  const made =
    isShared || existing.some((key) => key.algorithm === algorithm)
      ? undefined
      : await makeSigningKey(algorithm, secretKey, clock.now().toISOString());

  const rows = await db.transaction(async (tx) => {
    await db.lock(tx, 'signing-keys');
    if ((await noteSecretKeyFingerprint(tx, fingerprint)) !== fingerprint) {
      throw new SecretKeyMismatchError('SECRET_KEY is not the one that this database was made with');
    }
    const stored = await listSigningKeys(tx);
    if (made === undefined || stored.some((key) => key.algorithm === algorithm)) return stored;
    await insertSigningKey(tx, made);
    return [made, ...stored];
  });

  const shared = sharedSecretKeys(secretKey);
  const newest = rows.find((row) => row.algorithm === algorithm);
  const signing = isShared || newest === undefined ? shared.signing : await loadPrivateKey(newest, secretKey);
  const published = await Promise.all(rows.map(loadPublicKey));
  const keys: TokenKeys = {
    signing,
    verification: isShared ? [...shared.verification, ...published] : published,
    refresh: shared.refresh,
  };
  const jwks = { keys: isShared ? [] : rows.map((row): JWK => JSON.parse(row.public_jwk)) };
  return { current: () => keys, jwks: () => jwks };
}
