import type { Generated, Kysely } from 'kysely';
import type { Tables, Transaction } from '../../database/database.ts';

/** A service that may ask about tokens. */
export interface Service {
  id: number;
  name: string;
  created_at: string;
}

declare module '../../database/database.ts' {
  interface Tables {
    services: Omit<Service, 'id'> & { id: Generated<number>; secret_digest: string };
  }
}

/** The new service, or undefined when the name is taken. */
export function insertService(
  tx: Transaction,
  service: { name: string; secret_digest: string; created_at: string },
): Promise<Service | undefined> {
  return tx
    .insertInto('services')
    .values(service)
    .onConflict((conflict) => conflict.column('name').doNothing())
    .returning(['id', 'name', 'created_at'])
    .executeTakeFirst();
}

export function listServices(db: Kysely<Tables>): Promise<Service[]> {
  return db.selectFrom('services').select(['id', 'name', 'created_at']).orderBy('name').execute();
}

export async function findSecretDigest(db: Kysely<Tables>, name: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('services')
    .select('secret_digest')
    .where('name', '=', name)
    .executeTakeFirst();
  return row?.secret_digest;
}

export async function deleteService(tx: Transaction, name: string): Promise<boolean> {
  const result = await tx.deleteFrom('services').where('name', '=', name).executeTakeFirst();
  return result.numDeletedRows > 0n;
}
