import type { AuditKind } from '../../audit-kinds.ts';
import { ValidationError, valueError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { type AuditEvent, isEventId, lowestId, readTime, toEvent } from './event.ts';
import type { ExportRange } from './export.ts';
import { listEvents } from './store.ts';

/** Events as they are asked for. */
export interface EventListInput {
  user_id?: number | undefined;
  actor?: number | undefined;
  kind?: AuditKind | undefined;
  result?: 'success' | 'failure' | undefined;
  /** Dates or date-times of RFC 3339: from when on, and until before when. */
  from?: string | undefined;
  to?: string | undefined;
  limit: number;
  cursor?: string | undefined;
}

export interface EventPage {
  /** The newest first. */
  events: AuditEvent[];
  /** The cursor of the next page; undefined on the last one. */
  next: string | undefined;
}

/** @throws ValidationError for what is no point in time. */
export function readRange({ from, to }: Pick<EventListInput, 'from' | 'to'>): ExportRange {
  const issues = [];
  for (const [name, text] of [
    ['from', from],
    ['to', to],
  ] as const) {
    if (text !== undefined && readTime(text) === undefined)
      issues.push(valueError(['query', name], 'it must be a date or a date-time of RFC 3339'));
  }
  if (issues.length > 0) throw new ValidationError(issues);
  return { from: from === undefined ? from : readTime(from), to: to === undefined ? to : readTime(to) };
}

/**
 * One page of events. The cursor is the id of the last event before it.
 * @throws ValidationError for a cursor or a time that is none.
 */
export async function listPage({ db }: Pick<Kernel, 'db'>, input: EventListInput): Promise<EventPage> {
  const { from, to } = readRange(input);
  const { cursor, limit, user_id, actor, kind, result } = input;
  if (cursor !== undefined && !isEventId(cursor))
    throw new ValidationError([valueError(['query', 'cursor'], 'cursor is not one of this list')]);
  const below = [cursor, to && lowestId(to)].filter((id) => id !== undefined);
  const rows = await listEvents(db.read, {
    user_id,
    actor,
    kind,
    result,
    fromId: from && lowestId(from),
    belowId: below.sort()[0],
    limit: limit + 1,
  });
  const events = rows.slice(0, limit).map(toEvent);
  return { events, next: rows.length > limit ? events.at(-1)?.id : undefined };
}

/** What happened to a user's own account, for that user. */
export async function listActivity(
  kernel: Pick<Kernel, 'db'>,
  userId: number,
  input: Pick<EventListInput, 'limit' | 'cursor'>,
): Promise<EventPage> {
  const { events, next } = await listPage(kernel, { ...input, user_id: userId });
  // Where an administrator is, is not the user's business.
  const isOthers = ({ actor }: AuditEvent) => actor !== null && actor !== userId;
  return { events: events.map((event) => (isOthers(event) ? { ...event, network: null } : event)), next };
}
