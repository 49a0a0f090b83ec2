import { createHash } from 'node:crypto';
import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Ddl, Migration, PendingMigration, Tables, Transaction } from './database.ts';
import { isExistingTable } from './database-errors.ts';

/** What applying migrations needs to know of a dialect. */
export interface MigrationDialect {
  readonly ddl: Ddl;
  /** Counts the tables named `migrations` where Doorward's tables are. */
  readonly countMigrationTables: RawBuilder<{ tables: number }>;
  /** Makes processes that migrate run one after the other. */
  lock(tx: Transaction): Promise<void>;
  /** Puts into words what an operator must do about a statement that failed. */
  explain(error: unknown, statement: string): unknown;
}

interface AppliedMigration {
  id: string;
  checksum: string;
}

/** Applies all missing steps in one transaction of `db`; returns them. */
export async function applyMigrations(
  db: Kysely<Tables>,
  dialect: MigrationDialect,
  migrations: readonly Migration[],
): Promise<readonly PendingMigration[]> {
  // The usual start has nothing to apply; it needs no lock and no right to create anything.
  if ((await missingMigrations(db, dialect, migrations)).length === 0) return [];
  return db.transaction().execute(async (tx) => {
    await dialect.lock(tx);
    const { text, timestamp } = dialect.ddl;
    await sql`create table if not exists migrations (
      id ${sql.raw(text)} primary key,
      checksum ${sql.raw(text)} not null,
      applied_at ${sql.raw(timestamp)} not null
    )`.execute(tx);
    const missing = await missingMigrations(tx, dialect, migrations);
    for (const migration of missing) {
      for (const statement of migration.statements) {
        try {
          await sql.raw(statement).execute(tx);
        } catch (error) {
          if (isExistingTable(error)) throw foreignTable(error);
          throw dialect.explain(error, statement);
        }
      }
      await sql`insert into migrations (id, checksum, applied_at)
        values (${migration.id}, ${checksum(migration)}, ${new Date().toISOString()})`.execute(tx);
    }
    return missing;
  });
}

/** What is wrong with a database in which something else has made a table. */
function foreignTable(cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new Error(
    `The database belongs to something else (${reason}). Give Doorward one of its own; "doorward users import" takes accounts over`,
    { cause },
  );
}

/**
 * The steps that the database lacks, by id. Throws if it has a step that is unknown here (a newer version made it) or
 * one whose statements are not what they were when it was applied. Writes nothing.
 */
export async function missingMigrations(
  db: Kysely<Tables>,
  dialect: MigrationDialect,
  migrations: readonly Migration[],
): Promise<readonly PendingMigration[]> {
  const steps = spellOut(migrations, dialect.ddl);
  const { rows: counted } = await dialect.countMigrationTables.execute(db);
  if (counted[0]?.tables === 0) return steps;
  const { rows: applied } =
    await sql<AppliedMigration>`select id, checksum from migrations order by id`.execute(db);
  const known = new Map(steps.map((step) => [step.id, step]));
  for (const { id, checksum: appliedChecksum } of applied) {
    const step = known.get(id);
    if (step === undefined) {
      throw new Error(
        `The database was made by a newer version of Doorward: migration ${id} is unknown to this version`,
      );
    }
    if (checksum(step) !== appliedChecksum) {
      throw new Error(`Migration ${id} is not the one that was applied to the database`);
    }
    known.delete(id);
  }
  return [...known.values()];
}

/** All steps by ascending id, in the words of one database. */
export function spellOut(migrations: readonly Migration[], ddl: Ddl): readonly PendingMigration[] {
  const steps = migrations.map(({ id, statements }) => ({ id, statements: statements(ddl) }));
  steps.sort((a, b) => (a.id < b.id ? -1 : 1));
  for (const [index, { id }] of steps.entries()) {
    if (steps[index + 1]?.id === id) throw new Error(`Two migrations have the id ${id}`);
  }
  return steps;
}

function checksum(migration: PendingMigration): string {
  return createHash('sha256').update(JSON.stringify(migration.statements)).digest('hex');
}
