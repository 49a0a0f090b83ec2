import type { Kysely } from 'kysely';
import type { Tables, Transaction } from '../../database/database.ts';

/** A former address of an account, which nobody else gets while its change can be undone. */
export interface ReservedAddress {
  email_key: string;
  email: string;
  user_id: number;
  /** The order in which a user left addresses: clocks and links may tell another one. */
  step: number;
  reserved_at: string;
  reserved_until: string;
}

declare module '../../database/database.ts' {
  interface Tables {
    reserved_addresses: ReservedAddress;
  }
}

/** Whose the address is, as far as a change can still be undone. */
export function findReservation(
  db: Kysely<Tables>,
  emailKey: string,
  now: string,
): Promise<ReservedAddress | undefined> {
  return db
    .selectFrom('reserved_addresses')
    .selectAll()
    .where('email_key', '=', emailKey)
    .where('reserved_until', '>', now)
    .executeTakeFirst();
}

/**
 * Reserves an address, over a reservation of it that has ended or is the same user's, whose lock is held. It is the last one
 * that the user left.
 */
export async function reserve(tx: Transaction, address: Omit<ReservedAddress, 'step'>): Promise<void> {
  const steps = await tx
    .selectFrom('reserved_addresses')
    .select((eb) => eb.fn.max('step').as('last'))
    .where('user_id', '=', address.user_id)
    .executeTakeFirst();
  const { email_key, ...rest } = { ...address, step: Number(steps?.last ?? 0) + 1 };
  await tx
    .insertInto('reserved_addresses')
    .values({ email_key, ...rest })
    .onConflict((conflict) => conflict.column('email_key').doUpdateSet(rest))
    .execute();
}

/** Frees the addresses that a user left from this step on. */
export async function release(tx: Transaction, userId: number, step: number): Promise<void> {
  await tx.deleteFrom('reserved_addresses').where('user_id', '=', userId).where('step', '>=', step).execute();
}

export function listReservations(db: Kysely<Tables>, userId: number): Promise<ReservedAddress[]> {
  return db.selectFrom('reserved_addresses').selectAll().where('user_id', '=', userId).execute();
}

/** Removes reservations that are over. Returns whether there may be more. */
export async function deleteExpiredReservations(
  tx: Transaction,
  now: string,
  limit: number,
): Promise<boolean> {
  const expired = tx
    .selectFrom('reserved_addresses')
    .select('email_key')
    .where('reserved_until', '<=', now)
    .orderBy('reserved_until')
    .limit(limit);
  const result = await tx
    .deleteFrom('reserved_addresses')
    .where('email_key', 'in', expired)
    // One that was reserved again since it was found is not over.
    .where('reserved_until', '<=', now)
    .executeTakeFirst();
  return Number(result.numDeletedRows) === limit;
}
