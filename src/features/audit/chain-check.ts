import { type EventRow, hashEvent, isWhole } from './event.ts';
import type { Tally } from './findings.ts';
import type { Checkpoint, Head } from './seal.ts';

/** What a checkpoint says of a chain: that it had this hash at this position. */
export interface Anchor extends Head {
  /** Who says so, for the finding. */
  readonly source: string;
  readonly code: 'checkpoint_contradicted' | 'head_file_contradicted';
}

/** What a checkpoint says of all chains. */
export const anchorsOf = ({ heads }: Checkpoint, source: string, code: Anchor['code']): Anchor[] =>
  heads.map((head) => ({ ...head, source, code }));

/** Checks one chain, event by event. */
export interface ChainCheck {
  /** Up to where it is checked. */
  readonly position: number;
  /** Begins at what retention left, or goes on from there. */
  startAt(base: Omit<Head, 'chain'>): void;
  next(event: EventRow): void;
  /** Compares the end with where the chain should stand. */
  end(head: Omit<Head, 'chain'>): void;
}

export function createChainCheck(
  chain: number,
  anchors: readonly Anchor[],
  { tally, find, noteErasure }: Tally,
): ChainCheck {
  let position = 0;
  /** Undefined after a gap: nobody knows what was there. */
  let hash: string | undefined = '';
  let index = 0;
  const sorted = anchors.filter((anchor) => anchor.chain === chain).sort((a, b) => a.position - b.position);

  /** Holds what was said against what is, up to the present position. */
  function compareAnchors(): void {
    for (let anchor = sorted[index]; anchor !== undefined; anchor = sorted[index]) {
      if (anchor.position > position) return;
      index++;
      if (anchor.position < position || anchor.hash === hash || hash === undefined) continue;
      find(anchor.code, `chain ${chain}, event ${position}: not the one that ${anchor.source} saw`, {
        chain,
        position,
      });
    }
  }

  return {
    get position() {
      return position;
    },
    startAt(base) {
      position = base.position;
      hash = base.hash;
      compareAnchors();
    },
    next(event) {
      const place = { chain, position: event.position, event_id: event.id };
      const name = `chain ${chain}, event ${event.position} (${event.id})`;
      if (!Number.isSafeInteger(event.position) || event.position <= position) {
        find('event_inserted', `${name}: there can be no event at this place`, place);
        return;
      }
      if (event.position > position + 1) {
        const last = event.position - 1;
        const which = position + 1 === last ? `event ${last} is` : `events ${position + 1} to ${last} are`;
        find('event_missing', `chain ${chain}: ${which} missing`, { chain, position: position + 1 });
        hash = undefined;
      }
      // After a gap its hash is taken for true: that of the next one holds it.
      const isRight = isWhole(event) && (hash === undefined || event.hash === hashEvent(hash, event));
      if (!isRight) {
        find('event_changed', `${name}: it, or the event before it, was changed or put elsewhere`, place);
      }
      ({ position, hash } = event);
      compareAnchors();
      tally.events++;
      if (tally.until === null || event.time > tally.until) tally.until = event.time;
      noteErasure(event, name, place);
    },
    end(head) {
      if (position < head.position) {
        const missing = `events ${position + 1} to ${head.position} are missing`;
        find('newest_missing', `chain ${chain}: ${missing} at its end`, { chain, position: position + 1 });
      } else if (position > head.position) {
        find('event_inserted', `chain ${chain}: events after ${head.position}, where it ends`, {
          chain,
          position: head.position + 1,
        });
      } else if (hash !== undefined && hash !== head.hash) {
        const message = `chain ${chain}: its newest event, ${position}, is not the one it ended with`;
        find('head_contradicted', message, { chain, position });
      }
      for (const anchor of sorted.slice(index)) {
        const message = `chain ${chain}: it ends at ${position}, but ${anchor.source} saw event ${anchor.position}`;
        find(anchor.code, message, { chain, position: anchor.position });
      }
    },
  };
}
