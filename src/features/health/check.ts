import type { Database, Migration } from '../../database/database.ts';
import { briefly, DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { Keys } from '../keys/index.ts';

/** What serving requests needs, and how each of it stands. `unknown`: it cannot be told while the database is away. */
export interface Checks {
  database: 'ok' | 'unavailable';
  /** `pending`: the schema is not the one that this process started with, as when an older copy was put in place. */
  migrations: 'ok' | 'pending' | 'unknown';
  /** `unavailable`: no key is there to sign with, or it cannot be read with SECRET_KEY. */
  keys: 'ok' | 'unavailable' | 'unknown';
}

/** Checks what serving requests needs. A full hash queue is no part of it: another instance would soon be as full. */
export async function checkReadiness(
  { db, log }: Kernel,
  keys: Keys,
  migrations: readonly Migration[],
): Promise<Checks> {
  const passes = async (what: keyof Checks, check: () => Promise<boolean>) => {
    try {
      return await check();
    } catch (error) {
      log.warn({ ...briefly(error), check: what }, 'not ready');
      return false;
    }
  };
  const isThere = await passes('database', () => db.ping().then(() => true));
  if (!isThere) return { database: 'unavailable', migrations: 'unknown', keys: 'unknown' };
  const [isMigrated, hasKeys] = await Promise.all([
    passes('migrations', () => hasMigrations(db, migrations)),
    passes('keys', () => keys.check().then(() => true)),
  ]);
  return {
    database: 'ok',
    migrations: isMigrated ? 'ok' : 'pending',
    keys: hasKeys ? 'ok' : 'unavailable',
  };
}

async function hasMigrations(db: Database, migrations: readonly Migration[]): Promise<boolean> {
  try {
    return (await db.pendingMigrations(migrations)).length === 0;
  } catch (error) {
    if (error instanceof DoorwardError) throw error;
    // A newer version has added steps. While instances are upgraded one by one, the older ones go on serving.
    return true;
  }
}
