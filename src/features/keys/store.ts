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
}

declare module '../../database/database.ts' {
  interface Tables {
    signing_keys: SigningKeyRow;
    secret_key_checks: { id: string; fingerprint: string };
  }
}

/** All signing keys, newest first. */
export function listSigningKeys(db: Kysely<Tables>): Promise<SigningKeyRow[]> {
  return db.selectFrom('signing_keys').selectAll().orderBy('created_at', 'desc').orderBy('kid').execute();
}

export async function insertSigningKey(tx: Transaction, key: SigningKeyRow): Promise<void> {
  await tx.insertInto('signing_keys').values(key).execute();
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
