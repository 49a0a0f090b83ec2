import { randomBytes } from 'node:crypto';
import type { Transaction } from '../../database/database.ts';
import { parseEmailAddress } from '../../email-address.ts';
import type { Kernel } from '../../kernel.ts';
import type { MailKind, MailParams } from '../../mail/index.ts';
import { readMailbox } from '../../settings.ts';
import { insertMail } from './store.ts';

/** A mail as a feature asks for it. */
export interface NewMail {
  readonly kind: MailKind;
  /** An address that `parseEmailAddress` reads. */
  readonly to: string;
  /** Whose account it is about, whose end removes it; null for nobody, or while it is not known. */
  readonly user_id: number | null;
  readonly locale: string;
  /** No secret. */
  readonly params: MailParams;
}

/** Tells nothing but where it comes from: a number would tell every recipient how many mails are sent. */
export function newMessageId({ settings }: Pick<Kernel, 'settings'>): string {
  const from = readMailbox(settings.MAIL_FROM)?.address ?? '';
  return `<${randomBytes(16).toString('hex')}@${from.slice(from.lastIndexOf('@') + 1) || 'localhost'}>`;
}

/** An address as it is stored and as it is looked for. */
export function toAddressColumns(address: string): { to_address: string; to_key: string } {
  const parsed = parseEmailAddress(address);
  if (parsed === undefined) throw new Error('a mail to what is no address');
  return { to_address: parsed.email, to_key: parsed.email_key };
}

/** Writes a mail down, in the transaction of what it tells. One that is yet `toPrepare` is not sent as it is. */
export async function enqueueMail(
  kernel: Kernel,
  tx: Transaction,
  { kind, to, user_id, locale, params }: NewMail,
  { toPrepare }: { toPrepare: boolean },
): Promise<void> {
  const now = kernel.clock.now().toISOString();
  await insertMail(tx, {
    kind,
    user_id,
    ...toAddressColumns(to),
    locale,
    params: JSON.stringify(params),
    state: toPrepare ? 'asked' : 'queued',
    attempts: 0,
    next_attempt_at: now,
    message_id: newMessageId(kernel),
    created_at: now,
    asked_at: now,
  });
}
