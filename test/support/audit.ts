import { createHash } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import type { RawBuilder } from 'kysely';
import type { EventRow } from '../../src/features/audit/event.ts';
import type { Finding, Verification } from '../../src/features/audit/index.ts';
import type { NewAuditEvent } from '../../src/kernel.ts';
import type { TestDoorward } from '../../src/testing/index.ts';

type WithLog = Pick<TestDoorward, 'doorward'>;

/** Records events in one transaction, and so in one chain. */
export async function recordTogether(
  { doorward }: WithLog,
  events: readonly Partial<NewAuditEvent>[],
): Promise<void> {
  const { db, audit } = doorward.kernel;
  await db.transaction(async (tx) => {
    for (const event of events) await audit.record(tx, { kind: 'user.updated', user_id: null, ...event });
  });
}

/** Records events, each in a transaction of its own. */
export async function recordEach(test: WithLog, events: readonly Partial<NewAuditEvent>[]): Promise<void> {
  for (const event of events) await recordTogether(test, [event]);
}

/** Runs a statement on the database, as somebody would who can write it and knows nothing else. */
export async function tamper(
  { doorward }: WithLog,
  ...statements: readonly RawBuilder<unknown>[]
): Promise<void> {
  await doorward.kernel.db.transaction(async (tx) => {
    for (const statement of statements) await statement.execute(tx);
  });
}

/** All events, chain by chain. */
export function allEvents({ doorward }: WithLog): Promise<EventRow[]> {
  return doorward.kernel.db.read
    .selectFrom('audit_events')
    .selectAll()
    .orderBy('chain')
    .orderBy('position')
    .execute();
}

/** Notes what the log and its file hold; resolves to what puts it back. */
export async function keepLog({ doorward }: WithLog): Promise<() => Promise<void>> {
  const { db } = doorward.kernel;
  const file = doorward.settings.AUDIT_HEAD_FILE;
  const tables = ['audit_events', 'audit_chains', 'audit_checkpoints'] as const;
  const rows = await Promise.all(tables.map((table) => db.read.selectFrom(table).selectAll().execute()));
  const text = file === undefined ? undefined : await readFile(file).catch(() => undefined);
  return async () => {
    await db.transaction(async (tx) => {
      for (const [index, table] of tables.entries()) {
        await tx.deleteFrom(table).execute();
        for (const row of rows[index] ?? [])
          await tx
            .insertInto(table)
            .values(row as never)
            .execute();
      }
    });
    if (file === undefined) return;
    if (text === undefined) await rm(file, { force: true });
    else await writeFile(file, text);
  };
}

/** The codes of what was found, each once. */
export function codesOf({ findings }: Verification): Finding['code'][] {
  return [...new Set(findings.map(({ code }) => code))].sort();
}

const digest = (values: unknown[]) => createHash('sha256').update(JSON.stringify(values)).digest('base64url');

/** The hash of what an event says of a person, computed anew and not with the code under test. */
export const hashPersonalByHand = ({ salt, personal }: EventRow) => digest([salt, personal]);

/** An event's hash, likewise. */
export function hashByHand(previous: string, event: EventRow): string {
  const { id, chain, position, time, kind, result, actor, user_id, request_id } = event;
  const told = [id, chain, position, time, kind, result, actor, user_id, request_id];
  return digest([previous, ...told, hashPersonalByHand(event)]);
}
