import type { Generated, Kysely } from 'kysely';
import type { Tables, Transaction } from '../../database/database.ts';

interface InvitationsTable {
  id: Generated<number>;
  email: string;
  /** The identity of the address: one invitation each. */
  email_key: string;
  /** What the account is called unless whoever accepts says otherwise. */
  name: string | null;
  is_admin: boolean;
  locale: string | null;
  /** The id of the administrator, who may be gone; null for the command line. */
  invited_by: number | null;
  created_at: string;
  expires_at: string;
  /** Since when the address is an account's for good; the link then says so, and nothing else is left of the invitation. */
  settled_at: string | null;
}

declare module '../../database/database.ts' {
  interface Tables {
    invitations: InvitationsTable;
  }
}

/** An invitation and who answers for it. */
export interface Invitation extends Omit<InvitationsTable, 'id'> {
  id: number;
  /** Null when the inviter is gone, or was the command line. */
  inviter_name: string | null;
  inviter_is_active: boolean | null;
  inviter_is_admin: boolean | null;
}

const invitationsIn = (db: Kysely<Tables>) =>
  db
    .selectFrom('invitations')
    .leftJoin('users as inviter', 'inviter.id', 'invitations.invited_by')
    .selectAll('invitations')
    .select([
      'inviter.name as inviter_name',
      'inviter.is_active as inviter_is_active',
      'inviter.is_admin as inviter_is_admin',
    ]);

export async function findInvitation(db: Kysely<Tables>, id: number): Promise<Invitation | undefined> {
  if (!Number.isSafeInteger(id)) return undefined;
  return invitationsIn(db).where('invitations.id', '=', id).executeTakeFirst();
}

export function findInvitationTo(db: Kysely<Tables>, emailKey: string): Promise<Invitation | undefined> {
  return invitationsIn(db).where('invitations.email_key', '=', emailKey).executeTakeFirst();
}

export function listInvitationsBy(db: Kysely<Tables>, userId: number): Promise<Invitation[]> {
  return invitationsIn(db).where('invitations.invited_by', '=', userId).execute();
}

/** Invitations that are not settled, the newest first. */
export function listInvitations(
  db: Kysely<Tables>,
  { belowId, limit }: { belowId: number | undefined; limit: number },
): Promise<Invitation[]> {
  let invitations = invitationsIn(db).where('invitations.settled_at', 'is', null);
  if (belowId !== undefined) invitations = invitations.where('invitations.id', '<', belowId);
  return invitations.orderBy('invitations.id', 'desc').limit(limit).execute();
}

/** The id of the new invitation, or undefined when there is one to the address. */
export async function insertInvitation(
  tx: Transaction,
  invitation: Omit<InvitationsTable, 'id' | 'settled_at'>,
): Promise<number | undefined> {
  const made = await tx
    .insertInto('invitations')
    .values(invitation)
    .onConflict((conflict) => conflict.column('email_key').doNothing())
    .returning('id')
    .executeTakeFirst();
  return made?.id;
}

/** Settles an invitation. False when it is gone, or was settled before. */
export async function markSettled(tx: Transaction, id: number, now: string): Promise<boolean> {
  const result = await tx
    .updateTable('invitations')
    .set({ settled_at: now })
    .where('id', '=', id)
    .where('settled_at', 'is', null)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** Renews an invitation. False when it is gone. */
export async function renewInvitation(
  tx: Transaction,
  id: number,
  changes: { expires_at: string; invited_by: number | null },
): Promise<boolean> {
  const result = await tx
    .updateTable('invitations')
    .set(changes)
    .where('id', '=', id)
    .where('settled_at', 'is', null)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** Removes an invitation. False when another request was first. */
export async function deleteInvitation(tx: Transaction, id: number): Promise<boolean> {
  const result = await tx.deleteFrom('invitations').where('id', '=', id).executeTakeFirst();
  return result.numDeletedRows === 1n;
}

/** Invitations that were over before `before`, the longest over first. */
export function listOver(tx: Transaction, before: string, limit: number) {
  return tx
    .selectFrom('invitations')
    .select(['id', 'email'])
    .where('expires_at', '<', before)
    .orderBy('expires_at')
    .limit(limit)
    .execute();
}
