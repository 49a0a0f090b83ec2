import type { Kysely } from 'kysely';
import type { Tables, Transaction } from '../../database/database.ts';

interface PasswordsTable {
  user_id: number;
  /** PHC string, or the encoding of the system the account came from. */
  hash: string;
  changed_at: string;
}

declare module '../../database/database.ts' {
  interface Tables {
    passwords: PasswordsTable;
  }
}

export async function findPasswordHash(db: Kysely<Tables>, userId: number): Promise<string | undefined> {
  const row = await db
    .selectFrom('passwords')
    .select('hash')
    .where('user_id', '=', userId)
    .executeTakeFirst();
  return row?.hash;
}

export async function insertPasswordHash(
  tx: Transaction,
  userId: number,
  hash: string,
  now: string,
): Promise<void> {
  await tx.insertInto('passwords').values({ user_id: userId, hash, changed_at: now }).execute();
}

export async function updatePasswordHash(
  tx: Transaction,
  userId: number,
  hash: string,
  now: string,
): Promise<void> {
  await tx.updateTable('passwords').set({ hash, changed_at: now }).where('user_id', '=', userId).execute();
}
