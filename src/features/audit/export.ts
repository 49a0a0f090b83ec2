import type { Kernel } from '../../kernel.ts';
import { chainNumbers, type EventRow, isErased, lowestId, toEvent } from './event.ts';
import type { ExportedChain, Seal } from './seal.ts';
import { findChain, findRange, listChainEvents, listHashes } from './store.ts';

const linesPerPart = 500;
export const exportVersion = 1;

/** From when on, and until before when. */
export interface ExportRange {
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
}

/** An event's line: the event as it is told, and what its hash takes to be computed again. */
export function writeEventLine(row: EventRow): string {
  const { chain, position, salt, personal_hash, hash } = row;
  const erased = isErased(row) ? { personal_hash } : {};
  return JSON.stringify({ ...toEvent(row), proof: { chain, position, salt, ...erased, hash } });
}

/**
 * The log as JSON Lines, some lines a part, without the last line break: a header; for each chain that has events in the
 * range a line that says after which event it begins, and its events; a signed statement of it all. A part of a chain is
 * whole, so some of its events may be a little outside the range where clocks differed.
 * @throws Error when retention overtakes the export.
 */
export async function* exportLog(
  { db, clock }: Pick<Kernel, 'db' | 'clock'>,
  seal: Seal,
  { from, to }: ExportRange,
): AsyncGenerator<string, void> {
  const chains: ExportedChain[] = [];
  yield JSON.stringify({ audit_export: exportVersion, public_key: seal.publicKey });
  for (const chain of chainNumbers) {
    const head = await findChain(db.read, chain);
    if (head === undefined) continue;
    const { first, last } = await findRange(db.read, chain, {
      fromId: from && lowestId(from),
      belowId: to && lowestId(to),
      upTo: head.position,
    });
    const isAll = from === undefined && to === undefined;
    // Without a range the statement says where the chain ends, whether its events are there or not.
    const start = isAll ? head.base_position : (first ?? head.base_position + 1) - 1;
    const end = isAll ? head.position : (last ?? start);
    const places = await listHashes(
      db.read,
      [start, end].map((position) => ({ chain, position, hash: '' })),
    );
    const hashAt = (position: number) => {
      if (position === head.position) return head.hash;
      if (position === head.base_position) return head.base_hash;
      return places.find((place) => place.position === position)?.hash ?? '';
    };
    const after = { position: start, hash: hashAt(start) };
    const is_sound = seal.isAuthentic(head) && head.broken_at === null;
    chains.push({ chain, after, last: { position: end, hash: hashAt(end) }, is_sound });
    yield JSON.stringify({ chain, after });
    for (let position = start; position < end; ) {
      const rows = await listChainEvents(db.read, chain, { after: position, upTo: end, limit: linesPerPart });
      const [next] = rows;
      const isGap = next === undefined || next.position > position + 1;
      if (isGap && ((await findChain(db.read, chain))?.base_position ?? 0) > position) {
        throw new Error('retention removed events that were still to be exported; export again');
      }
      if (rows.length > 0) yield rows.map(writeEventLine).join('\n');
      position = rows.at(-1)?.position ?? end;
    }
  }
  const statement = await seal.sign('audit-export', {
    time: clock.now().toISOString(),
    from: from?.toISOString() ?? null,
    to: to?.toISOString() ?? null,
    chains,
  });
  yield JSON.stringify({ statement });
}
