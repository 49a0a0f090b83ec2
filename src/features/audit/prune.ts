import type { Transaction } from '../../database/database.ts';
import type { Kernel } from '../../kernel.ts';
import { chainNumbers, hashEvent, isWhole, lowestId } from './event.ts';
import type { Seal } from './seal.ts';
import {
  deleteChainEvents,
  findChain,
  findRange,
  hasEventBelow,
  listChainEvents,
  lockChain,
  replaceChain,
} from './store.ts';

const batchSize = 500;
const dayMs = 86_400_000;

/**
 * Removes events older than AUDIT_RETENTION_DAYS from the front of each chain, a batch a transaction, and notes where each
 * chain begins from now on. Whole days go, so that there is one removal a day to tell of and not one every few minutes.
 */
export async function pruneLog(kernel: Kernel, seal: Seal): Promise<void> {
  const days = kernel.settings.AUDIT_RETENTION_DAYS;
  if (days === 0) return;
  const before = new Date(Math.floor(kernel.clock.now().getTime() / dayMs - days) * dayMs);
  const belowId = lowestId(before);
  // Most of the time there is nothing to do.
  if (!(await hasEventBelow(kernel.db.read, belowId))) return;
  for (const chain of chainNumbers) {
    const head = await findChain(kernel.db.read, chain);
    if (head === undefined) continue;
    // What stands before an old event is at least as old, whatever the clock said when it was recorded.
    const range = { fromId: undefined, belowId, upTo: head.position };
    const { last } = await findRange(kernel.db.read, chain, range);
    if (last === null) continue;
    while (await kernel.db.transaction((tx) => pruneBatch(kernel, seal, tx, { chain, upTo: last, before })));
  }
}

/** Whether there may be more to remove. */
async function pruneBatch(
  { audit, log }: Kernel,
  seal: Seal,
  tx: Transaction,
  { chain, upTo, before }: { chain: number; upTo: number; before: Date },
): Promise<boolean> {
  const head = await lockChain(tx, chain);
  // What is not proven is left as it is; verification tells of it.
  if (head === undefined || !seal.isAuthentic(head)) return false;
  const old = await listChainEvents(tx, chain, { after: head.base_position, upTo, limit: batchSize });
  const last = old.at(-1);
  if (last === undefined) return false;

  let isProven = true;
  let hash = head.base_hash;
  for (const [index, event] of old.entries()) {
    const isNext = event.position === head.base_position + 1 + index;
    isProven &&= isNext && isWhole(event) && event.hash === hashEvent(hash, event);
    hash = event.hash;
  }
  if (!isProven) {
    // Removed all the same, or the log would grow for ever; but not without a trace.
    log.error({ chain }, 'events that retention removes were tampered with; see doorward audit verify');
  }
  const broken = isProven ? head.broken_at : head.position + 1;
  const broken_at = broken !== null && broken <= last.position ? null : broken;
  await deleteChainEvents(tx, chain, last.position);
  await replaceChain(
    tx,
    seal.close({ ...head, base_position: last.position, base_hash: last.hash, broken_at }),
  );
  const detail = { count: old.length, before: before.toISOString() };
  await audit.record(tx, { kind: 'audit.pruned', user_id: null, detail });
  return old.length === batchSize;
}
