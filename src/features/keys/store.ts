import type { Kysely } from 'kysely';
import type { Tables, Transaction } from '../../database/database.ts';

export interface SigningKeyRow {
  /** RFC 7638 thumbprint. */
  kid: string;
  algorithm: string;
  /** JSON Web Key (RFC 7517), public members alone. */
  public_jwk: string;
  /** The private key, encrypted under a key derived from SECRET_KEY (RFC 7516, compact). */
  private_jwe: string;
  created_at: string;
  /** From when on it signs; it is published and honoured before. */
  signs_from: string;
}

export interface FormerSecretKeyRow {
  fingerprint: string;
  /** What still verifies tokens, encrypted under a key derived from the present SECRET_KEY (RFC 7516, compact). */
  keys_jwe: string;
  replaced_at: string;
}

declare module '../../database/database.ts' {
  interface Tables {
    signing_keys: SigningKeyRow;
    secret_key_checks: { id: string; fingerprint: string };
    former_secret_keys: FormerSecretKeyRow;
  }
}

/** All signing keys, the one that signs latest first. */
export function listSigningKeys(db: Kysely<Tables>): Promise<SigningKeyRow[]> {
  return db.selectFrom('signing_keys').selectAll().orderBy('signs_from', 'desc').orderBy('kid').execute();
}

export async function insertSigningKey(tx: Transaction, key: SigningKeyRow): Promise<void> {
  await tx.insertInto('signing_keys').values(key).execute();
}

export async function deleteSigningKey(tx: Transaction, kid: string): Promise<void> {
  await tx.deleteFrom('signing_keys').where('kid', '=', kid).execute();
}

export async function replacePrivateJwe(tx: Transaction, kid: string, private_jwe: string): Promise<void> {
  await tx.updateTable('signing_keys').set({ private_jwe }).where('kid', '=', kid).execute();
}

/** The fingerprint of the SECRET_KEY that the database was made with: this one, when none was noted before. */
export async function noteSecretKeyFingerprint(tx: Transaction, fingerprint: string): Promise<string> {
  await tx
    .insertInto('secret_key_checks')
    .values({ id: 'current', fingerprint })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
  const row = await tx.selectFrom('secret_key_checks').select('fingerprint').executeTakeFirstOrThrow();
  return row.fingerprint;
}

export async function readSecretKeyFingerprint(db: Kysely<Tables>): Promise<string | undefined> {
  const row = await db.selectFrom('secret_key_checks').select('fingerprint').executeTakeFirst();
  return row?.fingerprint;
}

export async function replaceSecretKeyFingerprint(tx: Transaction, fingerprint: string): Promise<void> {
  await tx.updateTable('secret_key_checks').set({ fingerprint }).execute();
}

/** Former secret keys, the one replaced last first. */
export function listFormerSecretKeys(db: Kysely<Tables>): Promise<FormerSecretKeyRow[]> {
  return db.selectFrom('former_secret_keys').selectAll().orderBy('replaced_at', 'desc').execute();
}

/** Stores a former secret key, over the one that is already stored under this fingerprint. */
export async function putFormerSecretKey(tx: Transaction, row: FormerSecretKeyRow): Promise<void> {
  await tx
    .insertInto('former_secret_keys')
    .values(row)
    .onConflict((conflict) =>
      conflict.column('fingerprint').doUpdateSet({ keys_jwe: row.keys_jwe, replaced_at: row.replaced_at }),
    )
    .execute();
}

export async function deleteFormerSecretKeys(tx: Transaction, replacedBefore: string): Promise<void> {
  await tx.deleteFrom('former_secret_keys').where('replaced_at', '<', replacedBefore).execute();
}
