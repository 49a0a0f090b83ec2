import type { Kysely } from 'kysely';
import type { Tables, Transaction } from '../../database/database.ts';

/** A former address of an account, which nobody else gets while its change can be undone. */
export interface ReservedAddress {
  email_key: string;
  email: string;
  user_id: number;
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

/** Reserves an address, over a reservation of it that has ended or is the same user's. */
export async function reserve(tx: Transaction, address: ReservedAddress): Promise<void> {
  const { email_key, ...rest } = address;
  await tx
    .insertInto('reserved_addresses')
    .values(address)
    .onConflict((conflict) => conflict.column('email_key').doUpdateSet(rest))
    .execute();
}

/** Frees a user's address again, and those that the user left since. */
export async function release(
  tx: Transaction,
  { user_id, email_key, reserved_at }: Pick<ReservedAddress, 'user_id' | 'email_key' | 'reserved_at'>,
): Promise<void> {
  await tx
    .deleteFrom('reserved_addresses')
    .where('user_id', '=', user_id)
    .where((eb) => eb.or([eb('email_key', '=', email_key), eb('reserved_at', '>=', reserved_at)]))
    .execute();
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
