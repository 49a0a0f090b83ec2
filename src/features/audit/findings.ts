import { type EventRow, isErased } from './event.ts';

/** Something that is not as Doorward wrote it. */
export interface Finding {
  readonly code: FindingCode;
  readonly chain?: number;
  readonly position?: number;
  readonly event_id?: string;
  /** A line for people. */
  readonly message: string;
}

/** What can be found. */
export type FindingCode =
  /** Its hash does not fit what it says and the event before it: one of the two was edited, or they were reordered. */
  | 'event_changed'
  | 'event_missing'
  /** A table, or a column of it, was dropped. */
  | 'table_missing'
  /** Where no event can be: before retention's base, beyond the head, between two positions, in no chain. */
  | 'event_inserted'
  /** What it said of a person is gone, and the person was not deleted. */
  | 'personal_missing'
  | 'head_missing'
  /** Of a chain that there is not. */
  | 'head_inserted'
  /** Its mac is wrong. */
  | 'head_forged'
  /** It says something else than the newest event. */
  | 'head_contradicted'
  /** Events between the newest one and the head are gone. */
  | 'newest_missing'
  /** Doorward found the head forged, or an event changed, when it wrote. */
  | 'chain_broken'
  | 'checkpoint_missing'
  | 'checkpoint_forged'
  | 'checkpoint_contradicted'
  | 'head_file_missing'
  /** It says nothing of the log: who verifies lacks a right, perhaps. */
  | 'head_file_unreadable'
  | 'head_file_forged'
  | 'head_file_contradicted'
  /** It does not begin as an export does, or not as one that this version reads. */
  | 'no_export'
  | 'export_malformed'
  | 'export_forged';

/** The result of a verification. */
export interface Verification {
  /** Whether there are no findings. */
  readonly ok: boolean;
  /** How many events were checked. */
  readonly events: number;
  /** How many retention removed from the front of the chains. */
  readonly pruned: number;
  /** How many have their personal part erased. */
  readonly erased: number;
  /** How many checkpoints were checked, and how many of these an earlier SECRET_KEY signed. */
  readonly checkpoints: number;
  readonly checkpoints_of_earlier_keys: number;
  /** When the newest event that was checked happened. */
  readonly until: string | null;
  /** The key that verifies statements; see `--public-key`. */
  readonly public_key: string;
  /** The first hundred. */
  readonly findings: readonly Finding[];
  readonly findings_left_out: number;
}

const findingsKept = 100;

/** Gathers findings and counts. */
export function createTally() {
  const findings: Finding[] = [];
  const tally = {
    events: 0,
    pruned: 0,
    erased: 0,
    checkpoints: 0,
    checkpoints_of_earlier_keys: 0,
    until: null as string | null,
  };
  let findingsLeftOut = 0;
  const deleted = new Set<number>();
  /** The first erased event of each person who is missing from it. */
  const erased = new Map<number | null, { name: string; place: Omit<Finding, 'code' | 'message'> }>();

  function find(code: FindingCode, message: string, place: Omit<Finding, 'code' | 'message'> = {}): void {
    if (findings.length < findingsKept) findings.push({ code, ...place, message });
    else findingsLeftOut++;
  }

  /** Who was deleted is proven by the log itself; of anybody else everything is there. */
  function judgeErasures(): void {
    for (const [person, { name, place }] of erased) {
      if (person === null || !deleted.has(person))
        find('personal_missing', `${name}: its personal part is gone`, place);
    }
  }

  return {
    tally,
    find,
    /** Notes who was deleted, and whose part of an event is gone. */
    noteErasure(event: EventRow, name: string, place: Omit<Finding, 'code' | 'message'>): void {
      if (event.kind === 'user.deleted' && event.user_id !== null) deleted.add(event.user_id);
      if (!isErased(event)) return;
      tally.erased++;
      const person = event.actor ?? event.user_id;
      if (!erased.has(person)) erased.set(person, { name, place });
    },
    /** `isPartial`: events are left out, perhaps those that tell who was deleted. */
    finish(public_key: string, { isPartial = false } = {}): Verification {
      if (!isPartial) judgeErasures();
      return {
        ok: findings.length === 0,
        ...tally,
        public_key,
        findings,
        findings_left_out: findingsLeftOut,
      };
    },
  };
}
export type Tally = ReturnType<typeof createTally>;
