import messages from '../../messages/en/shared.json';
import type { Answer } from '../../shared/api.ts';

export type AuditEvent = Answer<'GET /auth/audit-events'>[number];
type Kind = AuditEvent['kind'];

/** Which events are shown, as the link carries it. */
export interface AuditSearch {
  kind?: Kind | undefined;
  result?: AuditEvent['result'] | undefined;
  user_id?: number | undefined;
  actor?: number | undefined;
  /** RFC 3339. */
  from?: string | undefined;
  /** RFC 3339; up to before it. */
  to?: string | undefined;
}

/** Every kind that has a name, by what it is about. */
export const kindGroups = Object.entries(messages.kinds).map(([group, kinds]) =>
  Object.keys(kinds).map((name) => `${group}.${name}` as Kind),
);

/** What a link says that makes sense; the rest of it is passed over. */
export function readAuditSearch(search: Record<string, unknown>): AuditSearch {
  const { result } = search;
  const kind = kindGroups.flat().find((known) => known === search.kind);
  const number = (value: unknown) => (Number.isSafeInteger(value) ? Number(value) : undefined);
  const time = (value: unknown) =>
    typeof value === 'string' && !Number.isNaN(Date.parse(value)) ? value : undefined;
  return {
    kind,
    result: result === 'success' || result === 'failure' ? result : undefined,
    user_id: number(search.user_id),
    actor: number(search.actor),
    from: time(search.from),
    to: time(search.to),
  };
}
