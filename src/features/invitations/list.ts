import { ValidationError, valueError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { type ReadInvitation, toRead } from './invitation.ts';
import { listInvitations } from './store.ts';

export interface InvitationPage {
  /** The newest first. */
  invitations: ReadInvitation[];
  /** The cursor of the next page; undefined on the last one. */
  next: string | undefined;
}

/**
 * One page of invitations. The cursor is the id of the last one before it.
 * @throws ValidationError for a cursor that is none.
 */
export async function listPage(
  { db, clock }: Pick<Kernel, 'db' | 'clock'>,
  { limit, cursor }: { limit: number; cursor?: string | undefined },
): Promise<InvitationPage> {
  if (cursor !== undefined && !/^[1-9]\d{0,14}$/.test(cursor))
    throw new ValidationError([valueError(['query', 'cursor'], 'cursor is not one of this list')]);
  const belowId = cursor === undefined ? undefined : Number(cursor);
  const rows = await listInvitations(db.read, { belowId, limit: limit + 1 });
  const now = clock.now();
  const invitations = rows.slice(0, limit).map((row) => toRead(row, now));
  return { invitations, next: rows.length > limit ? String(invitations.at(-1)?.id) : undefined };
}
