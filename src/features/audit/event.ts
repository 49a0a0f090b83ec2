import { hash, randomBytes } from 'node:crypto';
import type { AuditKind } from '../../audit-kinds.ts';

/** As many writers as there are chains record at once without waiting for each other. */
export const chainNumbers: readonly number[] = Array.from({ length: 16 }, (_, chain) => chain);

/** What an event says of a person beside ids. Kept apart, so that it can be erased and the chain still be checked. */
export interface Personal {
  /** The address that the request came from. */
  network: string | null;
  detail: Record<string, unknown>;
}

/** An event as it is told. */
export interface AuditEvent extends Personal {
  id: string;
  /** RFC 3339, UTC. */
  time: string;
  kind: AuditKind;
  result: 'success' | 'failure';
  /** The id of the user who did it; null when nobody was signed in, for the command line and for Doorward itself. */
  actor: number | null;
  /** The id of the user whom it concerns. */
  user_id: number | null;
  request_id: string | null;
}

/** An event as it is stored. */
export interface EventRow extends Omit<AuditEvent, keyof Personal> {
  chain: number;
  /** From 1, without a gap. */
  position: number;
  /** A `Personal` as JSON; null once it is erased, and then `personal_hash` stands for it. */
  personal: string | null;
  /** Random, so that a short `personal` cannot be guessed from its hash. */
  salt: string | null;
  personal_hash: string | null;
  /** See `hashEvent`. */
  hash: string;
}

const digest = (values: readonly unknown[]) => hash('sha256', JSON.stringify(values), 'base64url');

/** What an event's hash holds of its personal part. */
export function hashPersonal({ personal, salt, personal_hash }: EventRow): string | null {
  return personal === null ? personal_hash : digest([salt, personal]);
}

/** The hash of an event: of all that it says and of the event before it. `previous` of the first is empty. */
export function hashEvent(previous: string, event: EventRow): string {
  const { id, chain, position, time, kind, result, actor, user_id, request_id } = event;
  const told = [id, chain, position, time, kind, result, actor, user_id, request_id];
  return digest([previous, ...told, hashPersonal(event)]);
}

/** Whether the personal part is either there or erased, and not something of both. */
export function isWhole({ personal, salt, personal_hash }: EventRow): boolean {
  return personal === null ? salt === null : salt !== null && personal_hash === null;
}

export function isErased({ personal }: EventRow): boolean {
  return personal === null;
}

export function makeSalt(): string {
  return randomBytes(16).toString('base64url');
}

/**
 * Makes ids of events (UUIDv7, RFC 9562): those of one millisecond are counted, so that the order of what one instance
 * did is that of the ids.
 */
export function createEventIds(): (time: Date) => string {
  let last = { ms: 0, count: 0 };
  return (time) => {
    const ms = time.getTime();
    last = { ms, count: ms === last.ms ? last.count + 1 : 0 };
    const random = randomBytes(8);
    random.writeUInt8((random.readUInt8(0) & 0x3f) | 0x80, 0);
    const tail = random.toString('hex');
    const count = (last.count & 0xfff).toString(16).padStart(3, '0');
    return `${idPrefix(ms)}-7${count}-${tail.slice(0, 4)}-${tail.slice(4)}`;
  };
}

/** No id of that time or later is below it, none of an earlier one is not. */
export function lowestId(time: Date): string {
  return `${idPrefix(Math.max(0, time.getTime()))}-0000-0000-000000000000`;
}

function idPrefix(ms: number): string {
  const digits = ms.toString(16).padStart(12, '0');
  return `${digits.slice(0, 8)}-${digits.slice(8)}`;
}

const idPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function isEventId(text: string): boolean {
  return idPattern.test(text);
}

/** The event that a row tells. An erased or unreadable personal part is empty. */
export function toEvent(row: EventRow): AuditEvent {
  const { id, time, kind, result, actor, user_id, request_id } = row;
  const { network, detail } = readPersonal(row.personal);
  return { id, time, kind, result, actor, user_id, network, request_id, detail };
}

function readPersonal(text: string | null): Personal {
  try {
    const { network, detail }: Personal = JSON.parse(text ?? '{}');
    return { network: network ?? null, detail: detail ?? {} };
  } catch {
    return { network: null, detail: {} };
  }
}

/** A point in time out of a date or a date-time of RFC 3339; undefined for anything else. */
export function readTime(text: string): Date | undefined {
  if (!/^\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d))?$/.test(text)) return undefined;
  const day = text.slice(0, 10);
  const time = new Date(text.toUpperCase().replace(' ', 'T'));
  const midnight = new Date(day);
  // What JavaScript takes for another day, 30 February, is none.
  const exists = !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day);
  return exists && !Number.isNaN(time.getTime()) ? time : undefined;
}
