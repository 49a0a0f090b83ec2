import { activeAdminsLock, cleaningLock, userLock } from '../../database/lock-names.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { Accounts } from '../accounts/index.ts';
import { listToSweep, noteSwept, selectDue, selectUnverified, type UserSelection } from './store.ts';

const batchSize = 50;
const dayMs = 86_400_000;
/** Longer than a request takes that began before somebody was erased. */
const sweepAfterMs = 10 * 60_000;

/** Erases the accounts whose owners closed them, once the grace is over. */
export function eraseDue(kernel: Kernel, features: { accounts: Accounts }): Promise<void> {
  const now = kernel.clock.now().toISOString();
  return eraseEach(kernel, features, (db) => selectDue(db, now));
}

/** Erases the accounts of which nobody proved the address in UNVERIFIED_EXPIRE_DAYS, and that nobody uses. */
export async function eraseUnverified(kernel: Kernel, features: { accounts: Accounts }): Promise<void> {
  const { UNVERIFIED_EXPIRE_DAYS, REFRESH_TOKEN_EXPIRE_DAYS } = kernel.settings;
  if (UNVERIFIED_EXPIRE_DAYS === 0) return;
  const now = kernel.clock.now();
  const daysAgo = (days: number) => new Date(now.getTime() - days * dayMs).toISOString();
  const before = daysAgo(UNVERIFIED_EXPIRE_DAYS);
  const idleBefore = daysAgo(REFRESH_TOKEN_EXPIRE_DAYS);
  await eraseEach(kernel, features, (db) =>
    selectUnverified(db, { now: now.toISOString(), before, idleBefore }),
  );
}

/** Erases whom `select` selects, each in a transaction of its own in which it is asked once more. */
async function eraseEach(
  { db, log }: Kernel,
  { accounts }: { accounts: Accounts },
  select: UserSelection,
): Promise<void> {
  for (let after = 0; ; ) {
    const users = await select(db.read)
      .where('users.id', '>', after)
      .orderBy('users.id')
      .limit(batchSize)
      .execute();
    for (const { id } of users) {
      after = id;
      try {
        await db.transaction(async (tx) => {
          await db.lock(tx, cleaningLock);
          await db.lock(tx, activeAdminsLock);
          await db.lock(tx, userLock(id));
          const found = await select(tx).where('users.id', '=', id).executeTakeFirst();
          if (found !== undefined) await accounts.erase(tx, id, 'system');
        });
      } catch (error) {
        if (error instanceof DoorwardError && error.code === 'database_unavailable') throw error;
        // One whose erasure fails does not keep the others.
        log.error({ err: error, user_id: id }, 'an account that is due could not be erased');
      }
    }
    if (users.length < batchSize) return;
  }
}

/**
 * Makes unreadable what requests wrote of a person that were under way when the person was erased: a login that failed a
 * moment later is an event with an address in it.
 */
export async function sweepTraces({ db, clock, audit }: Kernel): Promise<void> {
  for (;;) {
    const now = clock.now();
    const users = await listToSweep(db.read, new Date(now.getTime() - sweepAfterMs).toISOString(), batchSize);
    for (const id of users) {
      await db.transaction(async (tx) => {
        await db.lock(tx, cleaningLock);
        if ((await audit.erase(tx, id)) > 0) await db.scrub(tx);
        await noteSwept(tx, id, now.toISOString());
      });
    }
    if (users.length < batchSize) return;
  }
}
