import { type Kysely, sql } from 'kysely';
import type { Database, Tables, Transaction } from '../../database/database.ts';

/** A process that serves requests on the database. */
export interface InstanceRow {
  /** Random, made at its start. */
  id: string;
  version: string;
  started_at: string;
  last_seen_at: string;
}

declare module '../../database/database.ts' {
  interface Tables {
    instances: InstanceRow;
  }
}

/** The present time by the database's clock, which is the same for all instances. */
export async function readNow({ now, read }: Database, db: Kysely<Tables> = read): Promise<Date> {
  const { rows } = await sql<{ now: string }>`select ${now} as now`.execute(db);
  return new Date(rows[0]?.now ?? Number.NaN);
}

/** Notes that an instance runs; as a new one, when its row was removed meanwhile. */
export async function putInstance(tx: Transaction, row: InstanceRow): Promise<void> {
  await tx
    .insertInto('instances')
    .values(row)
    .onConflict((conflict) => conflict.column('id').doUpdateSet({ last_seen_at: row.last_seen_at }))
    .execute();
}

/** Removes instances that were not seen within a time. */
export async function deleteUnseen(tx: Transaction, since: string, until: string): Promise<void> {
  await tx
    .deleteFrom('instances')
    .where((row) => row.or([row('last_seen_at', '<', since), row('last_seen_at', '>', until)]))
    .execute();
}

export async function deleteInstance(tx: Transaction, id: string): Promise<void> {
  await tx.deleteFrom('instances').where('id', '=', id).execute();
}

export function listSeen(db: Kysely<Tables>, since: string, until: string): Promise<InstanceRow[]> {
  return db
    .selectFrom('instances')
    .selectAll()
    .where('last_seen_at', '>=', since)
    .where('last_seen_at', '<=', until)
    .execute();
}
