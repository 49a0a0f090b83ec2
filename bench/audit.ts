import { createDoorward } from '../src/app.ts';
import { type Child, startChild } from './processes.ts';
import { inTurn, type Row } from './report.ts';
import type { BenchDatabase } from './run.ts';

const milliseconds = 1000;
const verifiedEvents = 100_000;
const cheapHashes = { ARGON2_MEMORY_KIB: 7168, ARGON2_PASSES: 5, ARGON2_LANES: 1 };

/** A database with as many users as there are writers, and two processes on it. */
async function open(database: BenchDatabase, chains: number) {
  const DATABASE_URL = await database.createUrl();
  const SECRET_KEY = 'bench-3f9c1b7e5a2d4860-not-a-sample';
  const settings = { DATABASE_URL, SECRET_KEY, DATABASE_POOL_SIZE: 10, LOG_LEVEL: 'silent', ...cheapHashes };
  const doorward = await createDoorward(settings);
  const { kernel, admin } = doorward;
  const users: number[] = [];
  for (let index = 0; index < 16; index++) {
    const user = { email: `bench${index}@example.com`, password: 'SecurePass123!', name: 'Bench' };
    users.push((await admin.create(user)).id);
  }
  await kernel.db.transaction((tx) => tx.deleteFrom('audit_chains').where('chain', '>=', chains).execute());
  await doorward.close();
  const children = [
    await startChild('audit-writer.ts', settings),
    await startChild('audit-writer.ts', settings),
  ];
  return { users, children, settings, stop: () => Promise.all(children.map((child) => child.stop())) };
}

/** Transactions a second of so many writers, half of them in each process. */
async function rate(
  { users, children }: { users: readonly number[]; children: readonly Child[] },
  writers: number,
  record: boolean,
): Promise<number> {
  const counts = await Promise.all(
    children.map(async (child, side) => {
      const own = users.slice(0, writers).filter((_, index) => index % children.length === side);
      if (own.length === 0) return 0;
      const { transactions } = await child.ask<{ transactions: number }>({
        users: own,
        milliseconds,
        record,
      });
      return transactions;
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0) / (milliseconds / 1000);
}

/** What recording costs a small transaction, whether writers queue for a chain, and how long a verification takes. */
export async function audit(database: BenchDatabase, rounds: number): Promise<Row[]> {
  const rows: Row[] = [];
  const many = await open(database, 16);
  for (const writers of [1, 16]) {
    const { ratio, note } = await inTurn(
      rounds,
      () => rate(many, writers, true),
      () => rate(many, writers, false),
    );
    const what = `small transactions with an audit event : without, ${writers} writers, ${database.name}`;
    rows.push({ what, seen: ratio, unit: 'x', note });
  }
  if (database.name === 'PostgreSQL') {
    const one = await open(database, 1);
    for (const writers of [1, 4, 16]) {
      const { ratio, note } = await inTurn(
        rounds,
        () => rate(many, writers, true),
        () => rate(one, writers, true),
      );
      rows.push({
        what: `recording on 16 chains : on one, ${writers} writers, PostgreSQL`,
        seen: ratio,
        unit: 'x',
        note,
      });
    }
    await one.stop();
  }
  await many.stop();
  rows.push(await verification(database));
  return rows;
}

async function verification(database: BenchDatabase): Promise<Row> {
  const doorward = await createDoorward({ DATABASE_URL: await database.createUrl(), LOG_LEVEL: 'silent' });
  const { db, audit } = doorward.kernel;
  for (let made = 0; made < verifiedEvents; made += 500) {
    await db.transaction(async (tx) => {
      for (let index = 0; index < 500; index++) {
        await audit.record(tx, { kind: 'user.updated', user_id: index, detail: { fields: ['name'] } });
      }
    });
  }
  const startedAt = performance.now();
  const result = await doorward.audit.verify();
  const seconds = (performance.now() - startedAt) / 1000;
  await doorward.close();
  if (!result.ok || result.events < verifiedEvents) throw new Error(JSON.stringify(result.findings));
  return { what: `verification of ${verifiedEvents} events, ${database.name}`, seen: seconds, unit: 's' };
}
