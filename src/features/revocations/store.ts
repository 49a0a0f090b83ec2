import type { Generated, Kysely } from 'kysely';
import type { Tables, Transaction } from '../../database/database.ts';

/** A session that ended while access tokens of it may be unexpired. */
export interface RevocationRow {
  /** Numbers appear in their order: whoever has read up to one has missed none below it. */
  id: number;
  sid: string;
  /** When the last access token of the session has expired. */
  expires_at: string;
}

declare module '../../database/database.ts' {
  interface Tables {
    revocations: Omit<RevocationRow, 'id'> & { id: Generated<number> };
  }
}

/** PostgreSQL takes 65,535 parameters in a statement. */
const insertBatchSize = 1000;

export async function insertRevocations(
  tx: Transaction,
  rows: readonly Omit<RevocationRow, 'id'>[],
): Promise<void> {
  for (let start = 0; start < rows.length; start += insertBatchSize) {
    await tx
      .insertInto('revocations')
      .values(rows.slice(start, start + insertBatchSize))
      .execute();
  }
}

/** Revocations after number `after` that still matter at `now`, in their order. */
export function listRevocations(db: Kysely<Tables>, after: number, now: string): Promise<RevocationRow[]> {
  return db
    .selectFrom('revocations')
    .selectAll()
    .where('id', '>', after)
    .where('expires_at', '>', now)
    .orderBy('id')
    .execute();
}

/** The highest number there is; 0 when there is none. */
export async function lastRevocation(db: Kysely<Tables>): Promise<number> {
  const row = await db
    .selectFrom('revocations')
    .select('id')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.id ?? 0;
}

/** Removes what no longer matters, but for the last one, which keeps the count. */
export async function deleteExpiredRevocations(
  tx: Transaction,
  now: string,
  limit: number,
): Promise<boolean> {
  const last = await lastRevocation(tx);
  const expired = tx
    .selectFrom('revocations')
    .select('id')
    .where('expires_at', '<=', now)
    .where('id', '<', last)
    .orderBy('expires_at')
    .limit(limit);
  const result = await tx.deleteFrom('revocations').where('id', 'in', expired).executeTakeFirst();
  return Number(result.numDeletedRows) === limit;
}
