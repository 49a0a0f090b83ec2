/** Makes small transactions: one row by its key is updated, with or without an audit event. */
import { createDoorward } from '../src/app.ts';
import { serveMessages } from './processes.ts';

interface Load {
  /** The ids of the rows; each has a writer of its own. */
  users: number[];
  milliseconds: number;
  record: boolean;
}

const settings = JSON.parse(process.argv[2] ?? '{}');
const doorward = await createDoorward({ LOG_LEVEL: 'silent', ...settings });
const { db, audit } = doorward.kernel;

async function write(user_id: number, until: number, record: boolean): Promise<number> {
  let count = 0;
  while (performance.now() < until) {
    count++;
    await db.transaction(async (tx) => {
      await tx
        .updateTable('users')
        .set({ name: `Name ${count}` })
        .where('id', '=', user_id)
        .execute();
      if (record) await audit.record(tx, { kind: 'user.updated', user_id, detail: { fields: ['name'] } });
    });
  }
  return count;
}

serveMessages<Load>(
  async ({ users, milliseconds, record }) => {
    const until = performance.now() + milliseconds;
    const counts = await Promise.all(users.map((user) => write(user, until, record)));
    return { transactions: counts.reduce((sum, count) => sum + count, 0) };
  },
  () => doorward.close(),
);
