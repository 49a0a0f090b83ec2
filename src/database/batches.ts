import type { Database, Transaction } from './database.ts';
import { cleaningLock } from './lock-names.ts';

/**
 * Removes what is over: one batch a transaction, so that nobody waits long, until `removeBatch` says that there is no more.
 * Of several instances one at a time does.
 */
export async function removeInBatches(
  db: Database,
  removeBatch: (tx: Transaction) => Promise<boolean>,
): Promise<void> {
  const removeOne = () =>
    db.transaction(async (tx) => {
      await db.lock(tx, cleaningLock);
      return removeBatch(tx);
    });
  while (await removeOne());
}
