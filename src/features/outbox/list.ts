import type { KeyObject } from 'node:crypto';
import { DoorwardError, ValidationError, valueError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { MailContent, MailKind, MailParams, MailRenderer } from '../../mail/index.ts';
import { toAddressColumns } from './enqueue.ts';
import { openSecret } from './secret.ts';
import { findMail, listMails, type MailState, type OutboxRow } from './store.ts';

/** A mail as administrators see it. */
export interface OutboxMail {
  readonly id: number;
  readonly kind: MailKind;
  readonly user_id: number | null;
  readonly to: string;
  readonly locale: string;
  readonly state: MailState;
  readonly attempts: number;
  /** When it is tried again; null once it was sent or given up. */
  readonly next_attempt_at: string | null;
  readonly expires_at: string | null;
  readonly last_error: string | null;
  readonly message_id: string;
  readonly created_at: string;
  readonly sent_at: string | null;
}

/** A mail and what it says. */
export interface ReadMail extends OutboxMail, MailContent {}

export interface OutboxListInput {
  state?: MailState | undefined;
  kind?: MailKind | undefined;
  user_id?: number | undefined;
  /** An address, in any spelling. */
  to?: string | undefined;
  limit: number;
  cursor?: string | undefined;
}

export interface OutboxPage {
  /** The newest first. */
  mails: OutboxMail[];
  /** The cursor of the next page; undefined on the last one. */
  next: string | undefined;
}

export function toMail(row: OutboxRow): OutboxMail {
  const { id, kind, user_id, to_address: to, locale, state, attempts, expires_at, last_error } = row;
  const { message_id, created_at, sent_at } = row;
  const isOpen = state === 'asked' || state === 'queued';
  const next_attempt_at = isOpen ? row.next_attempt_at : null;
  const told = { expires_at, last_error, message_id, created_at, sent_at };
  return { id, kind, user_id, to, locale, state, attempts, next_attempt_at, ...told };
}

/**
 * One page of mails. The cursor is the id of the last mail before it.
 * @throws ValidationError for a cursor that is none.
 */
export async function listPage({ db }: Pick<Kernel, 'db'>, input: OutboxListInput): Promise<OutboxPage> {
  const { state, kind, user_id, to, limit, cursor } = input;
  if (cursor !== undefined && !/^[1-9]\d{0,14}$/.test(cursor))
    throw new ValidationError([valueError(['query', 'cursor'], 'cursor is not one of this list')]);
  const rows = await listMails(db.read, {
    state,
    kind,
    user_id,
    to_key: to === undefined ? undefined : toAddressColumns(to).to_key,
    belowId: cursor === undefined ? undefined : Number(cursor),
    limit: limit + 1,
  });
  const mails = rows.slice(0, limit).map(toMail);
  return { mails, next: rows.length > limit ? String(mails.at(-1)?.id) : undefined };
}

/** What stands for a link and a code that the reader is not to see. */
const hidden = '…';

/**
 * A mail as its recipient sees it. Its link and code are in it only while there is no server to send it to: an
 * administrator who could read them in operation could have anybody's account without a trace.
 * @throws DoorwardError `mail_not_found`.
 */
export async function readMail(
  { db, settings }: Pick<Kernel, 'db' | 'settings'>,
  renderer: MailRenderer,
  secretKey: KeyObject,
  id: number,
): Promise<ReadMail> {
  const row = await findMail(db.read, id);
  if (row === undefined) throw new DoorwardError('mail_not_found');
  const isShown = settings.MAIL_URL === undefined && row.secret !== null;
  const secret = isShown ? openSecret(secretKey, id, row.secret ?? '') : undefined;
  const { subject, text, html } = renderer.render({
    kind: row.kind,
    locale: row.locale,
    to: row.to_address,
    params: JSON.parse(row.params),
    link: secret?.link ?? hidden,
    code: secret === undefined ? hidden : secret.code,
    expires_at: row.expires_at,
  });
  return { ...toMail(row), subject, text, html };
}

export type { MailContent, MailParams };
