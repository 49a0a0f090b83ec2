import { auditKinds } from '../../audit-kinds.ts';
import type { Transaction } from '../../database/database.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel, NewAuditEvent } from '../../kernel.ts';
import { currentOrigin } from '../../origin.ts';
import { createEventIds, type EventRow, hashEvent, makeSalt } from './event.ts';
import { type ChainRow, readCheckpoint, type Seal } from './seal.ts';
import { claimChain, createAppend, findEnds, findNewestCheckpoint, listHashes } from './store.ts';

/** Makes what appends an event to a chain, in the transaction of what it tells. */
export function createRecord(
  { db, clock, log }: Pick<Kernel, 'db' | 'clock' | 'log'>,
  seal: Seal,
): (tx: Transaction, event: NewAuditEvent) => Promise<void> {
  const append = createAppend(db);
  const makeId = createEventIds();
  /** The chain that a transaction holds, and where it stands. */
  const heads = new WeakMap<Transaction, Promise<ChainRow>>();

  async function claim(tx: Transaction): Promise<ChainRow> {
    const head = await claimChain(db, tx);
    if (seal.isAuthentic(head)) return head;
    await assertSameKey(tx);
    // Going on from a forged head as if it were ours would prove it right. Where the events end is only asked.
    const { last } = await findEnds(tx, head.chain);
    const position = last ?? head.base_position;
    const [newest] = await listHashes(tx, [{ ...head, position }]);
    log.error(
      { chain: head.chain },
      'the head of an audit chain is not what Doorward wrote; see doorward audit verify',
    );
    return { ...head, position, hash: newest?.hash ?? head.base_hash, broken_at: position + 1 };
  }

  /** An instance that still has the former SECRET_KEY would take every head for forged, and spoil them all. */
  async function assertSameKey(tx: Transaction): Promise<void> {
    const newest = await findNewestCheckpoint(tx);
    const signedBy = newest === undefined ? undefined : readCheckpoint(newest.statement)?.publicKey;
    if (signedBy === undefined || signedBy === seal.publicKey) return;
    throw new DoorwardError('database_unavailable', {
      reason: 'SECRET_KEY was changed: start this instance anew',
    });
  }

  async function recordAfter(head: ChainRow, tx: Transaction, event: NewAuditEvent): Promise<ChainRow> {
    const { via, actor, network, request_id } = currentOrigin();
    const time = clock.now();
    const detail = via === 'http' ? { ...event.detail } : { ...event.detail, via };
    const row: EventRow = {
      id: makeId(time),
      chain: head.chain,
      position: head.position + 1,
      time: time.toISOString(),
      kind: event.kind,
      result: auditKinds[event.kind],
      actor: event.actor === undefined ? actor : event.actor,
      user_id: event.user_id,
      request_id,
      personal: JSON.stringify({ network, detail }),
      salt: makeSalt(),
      personal_hash: null,
      hash: '',
    };
    row.hash = hashEvent(head.hash, row);
    const next = seal.close({ ...head, position: row.position, hash: row.hash });
    await append(tx, row, next);
    return next;
  }

  return async (tx, event) => {
    const appended = (heads.get(tx) ?? claim(tx)).then((head) => recordAfter(head, tx, event));
    heads.set(tx, appended);
    await appended;
  };
}
