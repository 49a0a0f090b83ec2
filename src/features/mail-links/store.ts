import type { Kysely } from 'kysely';
import type { Tables, Transaction } from '../../database/database.ts';

/** What a link of a mail is for. */
export type LinkPurpose =
  | 'verify_email'
  | 'reset_password'
  | 'email_login'
  | 'change_email'
  | 'undo_email_change'
  | 'invitation';

/** A link that was mailed and not used yet. */
export interface MailLink {
  id: string;
  purpose: LinkPurpose;
  /** Whose account it is about; null for an invitation, which may be before there is one. */
  user_id: number | null;
  invitation_id: number | null;
  /** The identity of the address that it was mailed to. */
  email_key: string;
  /** What the purpose needs to know besides: the address, as it was spelled, that a change is about. */
  detail: string | null;
  token_digest: string;
  code_digest: string | null;
  /** Codes that were tried. */
  code_tries: number;
  code_expires_at: string | null;
  /** Of the mark of the browser that asked; null where none did. */
  browser_digest: string | null;
  created_at: string;
  expires_at: string;
}

declare module '../../database/database.ts' {
  interface Tables {
    mail_links: MailLink;
  }
}

export async function insertLink(tx: Transaction, link: MailLink): Promise<void> {
  await tx.insertInto('mail_links').values(link).execute();
}

export function findLinkByToken(
  db: Kysely<Tables>,
  purpose: LinkPurpose,
  token_digest: string,
): Promise<MailLink | undefined> {
  return db
    .selectFrom('mail_links')
    .selectAll()
    .where('token_digest', '=', token_digest)
    .where('purpose', '=', purpose)
    .executeTakeFirst();
}

/** The newest link of a user; there is one at a time but for undoing. */
export function findLinkOfUser(
  db: Kysely<Tables>,
  purpose: LinkPurpose,
  userId: number,
): Promise<MailLink | undefined> {
  return db
    .selectFrom('mail_links')
    .selectAll()
    .where('user_id', '=', userId)
    .where('purpose', '=', purpose)
    .orderBy('created_at', 'desc')
    .limit(1)
    .executeTakeFirst();
}

export function describeLinks(
  db: Kysely<Tables>,
  userId: number,
): Promise<Pick<MailLink, 'purpose' | 'created_at' | 'expires_at'>[]> {
  return db
    .selectFrom('mail_links')
    .select(['purpose', 'created_at', 'expires_at'])
    .where('user_id', '=', userId)
    .orderBy('created_at')
    .execute();
}

/** Whether one of so many tries was left, and is taken now. */
export async function takeCodeTry(tx: Transaction, id: string, tries: number): Promise<boolean> {
  const result = await tx
    .updateTable('mail_links')
    .set((eb) => ({ code_tries: eb('code_tries', '+', 1) }))
    .where('id', '=', id)
    .where('code_tries', '<', tries)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** A right code took none of the tries, whatever becomes of what it was shown for. */
export async function giveBackCodeTry(tx: Transaction, id: string): Promise<void> {
  await tx
    .updateTable('mail_links')
    .set((eb) => ({ code_tries: eb('code_tries', '-', 1) }))
    .where('id', '=', id)
    .where('code_tries', '>', 0)
    .execute();
}

/** Uses a link up. False when another request was first, or it is void by now. */
export async function deleteLink(tx: Transaction, id: string): Promise<boolean> {
  const result = await tx.deleteFrom('mail_links').where('id', '=', id).executeTakeFirst();
  return result.numDeletedRows === 1n;
}

/** Voids links. */
export async function deleteLinks(
  tx: Transaction,
  which: { user_id: number } | { invitation_id: number },
  purposes: { only: LinkPurpose; exceptKeys?: readonly string[] } | { all_but: LinkPurpose } | 'all',
): Promise<void> {
  let links = tx.deleteFrom('mail_links');
  links =
    'user_id' in which
      ? links.where('user_id', '=', which.user_id)
      : links.where('invitation_id', '=', which.invitation_id);
  if (purposes !== 'all')
    links =
      'only' in purposes
        ? links
            .where('purpose', '=', purposes.only)
            .where('email_key', 'not in', ['', ...(purposes.exceptKeys ?? [])])
        : links.where('purpose', '!=', purposes.all_but);
  await links.execute();
}

/** Removes links that are over. Returns whether there may be more. */
export async function deleteExpiredLinks(tx: Transaction, now: string, limit: number): Promise<boolean> {
  const expired = tx
    .selectFrom('mail_links')
    .select('id')
    .where('expires_at', '<=', now)
    .orderBy('expires_at')
    .limit(limit);
  const result = await tx.deleteFrom('mail_links').where('id', 'in', expired).executeTakeFirst();
  return Number(result.numDeletedRows) === limit;
}
