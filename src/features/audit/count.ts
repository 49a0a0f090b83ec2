import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AuditKind } from '../../audit-kinds.ts';
import type { Kernel } from '../../kernel.ts';
import { lowestId } from './event.ts';
import { countNext, listUsersNext } from './store.ts';

/** Events looked at in one turn of the event loop, which on SQLite stands still meanwhile. */
const countedAtOnce = 20_000;
const readAtOnce = 500;

/** How many events of a kind happened from one time until before another, out of an index alone. */
export async function countEvents(
  { db }: Pick<Kernel, 'db'>,
  kind: AuditKind,
  { from, to }: { from: Date; to: Date },
): Promise<number> {
  let total = 0;
  for (let after: string | undefined; ; ) {
    const range = { fromId: lowestId(from), belowId: lowestId(to), after, limit: countedAtOnce };
    const { events, last } = await countNext(db.read, kind, range);
    total += events;
    if (events < countedAtOnce || last === null) return total;
    after = last;
    await nextTurn();
  }
}

/** Whom the events of a kind concerned that happened from one time until before another. */
export async function listConcerned(
  { db }: Pick<Kernel, 'db'>,
  kind: AuditKind,
  { from, to }: { from: Date; to: Date },
): Promise<ReadonlySet<number>> {
  const users = new Set<number>();
  for (let after: string | undefined; ; ) {
    const range = { fromId: lowestId(from), belowId: lowestId(to), after, limit: readAtOnce };
    const events = await listUsersNext(db.read, kind, range);
    for (const { user_id } of events) if (user_id !== null) users.add(user_id);
    after = events.at(-1)?.id;
    if (events.length < readAtOnce) return users;
    await nextTurn();
  }
}
