import { createHash } from 'node:crypto';
import { deriveKey } from '../../crypto/derived-keys.ts';
import type { Database, Transaction } from '../../database/database.ts';
import { signingKeysLock } from '../../database/lock-names.ts';
import {
  makeSecretKeyFile,
  readPendingSecretKey,
  readSecretKey,
  readSecretKeys,
  removeAbandonedDrafts,
} from './secret-key.ts';
import { decryptUnder, encryptUnder } from './signing-key.ts';
import {
  listFormerSecretKeys,
  listSigningKeys,
  noteSecretKeyFingerprint,
  putFormerSecretKey,
  readSecretKeyFingerprint,
  replacePrivateJwe,
  replaceSecretKeyFingerprint,
} from './store.ts';

/** SECRET_KEY is not the one that the database was made with. */
export class SecretKeyMismatchError extends Error {
  override readonly name = 'SecretKeyMismatchError';
}

/** What a SECRET_KEY leaves behind when it is changed: what still verifies the tokens of sessions that live on. */
export interface FormerKeys {
  /** The key of its refresh tokens, base64url. */
  refresh: string;
  /** The secret itself, which signed access tokens under HS256. */
  shared: string;
}

/** Tells secrets apart without telling them. */
function fingerprintOf(secretKey: string): string {
  return createHash('sha256').update(deriveKey(secretKey, 'secret-key-check').export()).digest('base64url');
}

/**
 * Notes which SECRET_KEY the database is made with, if none was noted before.
 * @throws SecretKeyMismatchError when it is another one.
 */
export async function assertSecretKey(tx: Transaction, secretKey: string): Promise<void> {
  const fingerprint = fingerprintOf(secretKey);
  if ((await noteSecretKeyFingerprint(tx, fingerprint)) !== fingerprint) {
    throw new SecretKeyMismatchError('SECRET_KEY is not the one that this database was made with');
  }
}

function noSecretKey(): SecretKeyMismatchError {
  return new SecretKeyMismatchError('There is no SECRET_KEY: set it, or put secret.key in its place');
}

/**
 * SECRET_KEY as given or kept in its file, which is made for a new database. A change that was cut off between the database
 * and the file is finished here.
 * @throws SecretKeyMismatchError when the file of a database that was made with one is not there: another in its place might be
 * taken for it, by a backup for example.
 */
export async function settleSecretKey(
  db: Database,
  given: string | undefined,
  databaseUrl: string,
): Promise<string> {
  if (given === undefined && readPendingSecretKey(databaseUrl) !== undefined) {
    await db.transaction(async (tx) => {
      await db.lock(tx, signingKeysLock);
      const pending = readPendingSecretKey(databaseUrl);
      if (pending === undefined) return;
      if ((await readSecretKeyFingerprint(tx)) === fingerprintOf(pending.secretKey)) pending.putInPlace();
    });
  }
  if (given !== undefined) return given;
  // Asked before the file is read: whoever noted one had made the file.
  const isNew = (await readSecretKeyFingerprint(db.read)) === undefined;
  const kept = readSecretKey(databaseUrl);
  if (kept !== undefined) {
    removeAbandonedDrafts(databaseUrl);
    return kept;
  }
  if (!isNew) throw noSecretKey();
  const { secretKey, remove } = makeSecretKeyFile(databaseUrl);
  try {
    await db.transaction((tx) => assertSecretKey(tx, secretKey));
  } catch (error) {
    // Another start was first, which keeps its own in another folder.
    if (error instanceof SecretKeyMismatchError) remove();
    throw error;
  }
  return secretKey;
}

/**
 * The SECRET_KEY, as given or kept in its files, that a database was made with: the one that `databaseUrl` names, or a
 * copy of it. Nothing is written.
 * @throws SecretKeyMismatchError when there is none, or only another one.
 */
export async function findSecretKey(
  db: Database,
  given: string | undefined,
  databaseUrl: string,
): Promise<string> {
  const candidates = given === undefined ? readSecretKeys(databaseUrl) : [given];
  if (candidates.length === 0) throw noSecretKey();
  const fingerprint = await readSecretKeyFingerprint(db.read);
  const fitting = candidates.find((candidate) => fingerprintOf(candidate) === fingerprint);
  if (fitting === undefined) {
    throw new SecretKeyMismatchError('SECRET_KEY is not the one that this database was made with');
  }
  return fitting;
}

/**
 * Re-encrypts everything under a new SECRET_KEY, in one transaction: before it the old secret opens the database, after
 * it the new one. Sessions go on. Instances that run meanwhile must be restarted with the new secret. `alsoChange` is what
 * features above this one do in it.
 * @throws SecretKeyMismatchError when `secretKey` is not the one that the database was made with.
 */
export async function changeSecretKey(
  db: Database,
  secretKey: string,
  newSecretKey: string,
  now: Date,
  alsoChange: (tx: Transaction) => Promise<void>,
): Promise<void> {
  await db.transaction(async (tx) => {
    await db.lock(tx, signingKeysLock);
    await assertSecretKey(tx, secretKey);
    for (const { kid, private_jwe } of await listSigningKeys(tx)) {
      await replacePrivateJwe(
        tx,
        kid,
        await encryptUnder(newSecretKey, await decryptUnder(secretKey, private_jwe)),
      );
    }
    for (const former of await listFormerSecretKeys(tx)) {
      const keys_jwe = await encryptUnder(newSecretKey, await decryptUnder(secretKey, former.keys_jwe));
      await putFormerSecretKey(tx, { ...former, keys_jwe });
    }
    const left: FormerKeys = {
      refresh: deriveKey(secretKey, 'refresh-token').export().toString('base64url'),
      shared: secretKey,
    };
    const keys_jwe = await encryptUnder(newSecretKey, left);
    const replaced_at = now.toISOString();
    await putFormerSecretKey(tx, { fingerprint: fingerprintOf(secretKey), keys_jwe, replaced_at });
    await replaceSecretKeyFingerprint(tx, fingerprintOf(newSecretKey));
    await alsoChange(tx);
  });
}
