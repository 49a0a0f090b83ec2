import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { MailKind } from '../../mail/index.ts';
import { newMessageId } from './enqueue.ts';
import { type OutboxMail, toMail } from './list.ts';
import { changeUnclaimed, findMail } from './store.ts';

/**
 * Has a mail sent again, whether it was sent, given up or waits: at once, and for 48 hours from now. One with a link gets a
 * new one. A mail that is being sent just now stays as it is.
 * @throws DoorwardError `mail_not_found`.
 */
export async function resendMail(
  { db, clock, audit, settings }: Kernel,
  isPrepared: (kind: MailKind) => boolean,
  id: number,
): Promise<OutboxMail> {
  const now = clock.now().toISOString();
  return db.transaction(async (tx) => {
    const row = await findMail(tx, id);
    if (row === undefined) throw new DoorwardError('mail_not_found');
    const { kind, user_id } = row;
    const changed = await changeUnclaimed(tx, id, now, {
      state: isPrepared(kind) ? 'asked' : 'queued',
      secret: null,
      expires_at: null,
      attempts: 0,
      next_attempt_at: now,
      asked_at: now,
      claim: null,
      claimed_until: null,
      last_error: null,
      sent_at: null,
      // A mailbox may drop what has an id that it has seen.
      message_id: newMessageId({ settings }),
    });
    if (changed === undefined) return toMail(row);
    await audit.record(tx, { kind: 'mail.resent', user_id, detail: { mail: id, kind } });
    return toMail(changed);
  });
}
