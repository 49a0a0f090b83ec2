import type { Kysely } from 'kysely';
import type { Tables, Transaction } from '../../database/database.ts';

interface PasswordsTable {
  user_id: number;
  /** PHC string, or the encoding of the system the account came from; empty where the password was taken away. */
  hash: string;
  /**
   * Counts the changes of the password; a better hash of the same password is none. It never goes back, or a password that
   * was checked before it was taken away would be good for the one that came after.
   */
  revision: number;
  changed_at: string;
}

/** No hash of anything, so that no password is right. */
const noHash = '';

export type StoredPassword = Pick<PasswordsTable, 'hash' | 'revision'>;

declare module '../../database/database.ts' {
  interface Tables {
    passwords: PasswordsTable;
  }
}

export function findPassword(db: Kysely<Tables>, userId: number): Promise<StoredPassword | undefined> {
  return db
    .selectFrom('passwords')
    .select(['hash', 'revision'])
    .where('user_id', '=', userId)
    .where('hash', '!=', noHash)
    .executeTakeFirst();
}

export function findChangedAt(
  db: Kysely<Tables>,
  userId: number,
): Promise<{ changed_at: string } | undefined> {
  return db
    .selectFrom('passwords')
    .select('changed_at')
    .where('user_id', '=', userId)
    .where('hash', '!=', noHash)
    .executeTakeFirst();
}

export async function insertPassword(
  tx: Transaction,
  userId: number,
  hash: string,
  now: string,
): Promise<void> {
  await tx.insertInto('passwords').values({ user_id: userId, hash, revision: 1, changed_at: now }).execute();
}

/** Stores another password, or the first one of a user who has none. */
export async function putPassword(tx: Transaction, userId: number, hash: string, now: string): Promise<void> {
  await tx
    .insertInto('passwords')
    .values({ user_id: userId, hash, revision: 1, changed_at: now })
    .onConflict((conflict) =>
      conflict.column('user_id').doUpdateSet((eb) => ({
        hash,
        revision: eb('passwords.revision', '+', 1),
        changed_at: now,
      })),
    )
    .execute();
}

/** Takes a password away and keeps its count. Whether there was one. */
export async function clearPassword(tx: Transaction, userId: number, now: string): Promise<boolean> {
  const result = await tx
    .updateTable('passwords')
    .set((eb) => ({ hash: noHash, revision: eb('revision', '+', 1), changed_at: now }))
    .where('user_id', '=', userId)
    .where('hash', '!=', noHash)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Stores another hash of the same password. */
export async function updateHash(tx: Transaction, userId: number, hash: string): Promise<void> {
  await tx.updateTable('passwords').set({ hash }).where('user_id', '=', userId).execute();
}
