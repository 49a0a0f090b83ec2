import { AsyncLocalStorage } from 'node:async_hooks';
import { deriveKey } from '../../crypto/derived-keys.ts';
import { removeInBatches } from '../../database/batches.ts';
import type { Transaction } from '../../database/database.ts';
import { briefly } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { MailKind, MailRenderer } from '../../mail/index.ts';
import { enqueueMail, type NewMail, toAddressColumns } from './enqueue.ts';
import { inTurn } from './in-turn.ts';
import {
  listPage,
  type OutboxListInput,
  type OutboxMail,
  type OutboxPage,
  type ReadMail,
  readMail,
} from './list.ts';
import { type Preparer, prepareDue } from './prepare.ts';
import { resendMail } from './resend.ts';
import { longestDelayMs, patienceMs } from './schedule.ts';
import { goodbyes, sendDue } from './send.ts';
import { createSmtp, type SmtpLimits } from './smtp.ts';
import {
  countMails,
  deleteNobodysMails,
  deleteOldMails,
  discardMails,
  findLongestWaiting,
  hasMailSince,
  type MailState,
  mailStates,
} from './store.ts';

export type { NewMail } from './enqueue.ts';
export type { OutboxMail, OutboxPage, ReadMail } from './list.ts';
export { outboxMigrations } from './migrations.ts';
export type { Preparer } from './prepare.ts';
export { outboxRoutes } from './routes.ts';
export { goodbyes } from './send.ts';
export { type SmtpLimits, smtpLimits } from './smtp.ts';

/** Mails, from the transaction that causes one to the server that takes it. */
export interface Outbox {
  /** Writes a mail down; it is sent when the transaction is committed, and otherwise never. */
  enqueue(tx: Transaction, mail: NewMail): Promise<void>;
  /**
   * The language for a mail: the user's, else the first that whoever asks for the mail wants (Accept-Language) and we have,
   * else English.
   */
  localeFor(preferred: string | null, languages?: string | null): string;
  /** Whether a mail of this kind to the user was written down since. */
  hasRecent(tx: Transaction, userId: number, kind: MailKind, since: string): Promise<boolean>;
  /**
   * Removes the mails of a kind to an address that belong to no account: what they tell is not so any more. Returns whether
   * one of them was not sent yet.
   */
  discard(tx: Transaction, kind: MailKind, address: string): Promise<boolean>;
  /** From now on mails of this kind are prepared before they are sent. To be called while the features are built. */
  onPrepare(kind: MailKind, preparer: Preparer): void;
  /** Prepares and sends whatever is due. */
  work(): Promise<void>;
  /** The same soon, without waiting. */
  kick(): void;
  list(input: OutboxListInput): Promise<OutboxPage>;
  read(id: number): Promise<ReadMail>;
  resend(id: number): Promise<OutboxMail>;
  /** How many mails are not sent yet, or never will be. */
  count(): Promise<Record<Exclude<MailState, 'sent'>, number>>;
  /** How many mails are in each state, and since when the one waits that waits longest. */
  describe(): Promise<Record<MailState, number> & { oldest_waiting_at: string | null }>;
  /** Removes mails older than OUTBOX_RETENTION_DAYS, a batch a transaction; none that is still tried. */
  deleteOld(): Promise<void>;
  /** Begins no more mails and waits for those under way; after eight seconds they are given up, to be tried again. */
  stop(): Promise<void>;
}

const deleteBatchSize = 500;
const dayMs = 86_400_000;
/** By then the transaction that asked for a mail is over, most of the time; otherwise the timer finds it. */
const kickDelayMs = 20;
/** Less than the server gives what is under way. */
const stopPatienceMs = 8_000;

export function createOutbox(
  kernel: Kernel,
  { renderer, smtpLimits }: { renderer: MailRenderer; smtpLimits?: SmtpLimits },
  secretKey: string,
): Outbox {
  const { db, clock, log, events, settings } = kernel;
  const { MAIL_URL } = settings;
  const sealingKey = deriveKey(secretKey, 'outbox-secret');
  const preparers = new Map<MailKind, Preparer>();
  const stopping = new AbortController();
  const cutOff = new AbortController();
  const smtp = MAIL_URL === undefined ? undefined : createSmtp({ ...settings, MAIL_URL }, smtpLimits);
  // A request that kicks is not what the mails are prepared on behalf of.
  const outside = AsyncLocalStorage.snapshot();
  let kicked: NodeJS.Timeout | undefined;

  const preparing = inTurn(() => prepareDue(kernel, preparers, sealingKey, () => stopping.signal.aborted));
  const sending = inTurn(async () => {
    if (smtp === undefined) return;
    const signals = { stopping: stopping.signal, cutOff: cutOff.signal };
    await sendDue(kernel, { renderer, smtp, secretKey: sealingKey, ...signals });
  });

  async function work(): Promise<void> {
    if (stopping.signal.aborted) return;
    await outside(preparing.run);
    await outside(sending.run);
  }

  function kick(): void {
    if (kicked !== undefined || stopping.signal.aborted) return;
    kicked = setTimeout(() => {
      kicked = undefined;
      work().catch((error) => log.warn(briefly(error), 'the outbox could not be worked on'));
    }, kickDelayMs).unref();
  }

  // Nobody's mails to the address tell of the user, too; invitations are of whoever has the address, and go with them.
  events.on('user.deleted', (tx, { email }) =>
    deleteNobodysMails(tx, toAddressColumns(email).to_key, [...goodbyes, 'invitation']),
  );

  return {
    async enqueue(tx, mail) {
      await enqueueMail(kernel, tx, mail, { toPrepare: preparers.has(mail.kind) });
      kick();
    },
    localeFor: (preferred, languages = null) => renderer.chooseLocale(preferred, languages),
    hasRecent: (tx, userId, kind, since) => hasMailSince(tx, userId, kind, since),
    discard: (tx, kind, address) => discardMails(tx, kind, toAddressColumns(address).to_key),
    onPrepare(kind, preparer) {
      if (preparers.has(kind)) throw new Error(`two prepare mails of the kind ${kind}`);
      preparers.set(kind, preparer);
    },
    work,
    kick,
    list: (input) => listPage(kernel, input),
    read: (id) => readMail(kernel, renderer, sealingKey, id),
    async resend(id) {
      const mail = await resendMail(kernel, (kind) => preparers.has(kind), id);
      kick();
      return mail;
    },
    async count() {
      const counts = { asked: 0, queued: 0, dead: 0 };
      const states = Object.keys(counts) as (keyof typeof counts)[];
      for (const { state, mails } of await countMails(db.read, states))
        counts[state as keyof typeof counts] = mails;
      return counts;
    },
    async describe() {
      const counts = { asked: 0, queued: 0, sent: 0, dead: 0 };
      for (const { state, mails } of await countMails(db.read, mailStates)) counts[state] = mails;
      return { ...counts, oldest_waiting_at: (await findLongestWaiting(db.read)) ?? null };
    },
    async deleteOld() {
      const ago = (ms: number) => new Date(clock.now().getTime() - ms).toISOString();
      const before = ago(settings.OUTBOX_RETENTION_DAYS * dayMs);
      // The last try is made, or the mail given up, by then; unless it is not sent at all.
      const openBefore = ago(patienceMs + 2 * longestDelayMs);
      await removeInBatches(db, (tx) => deleteOldMails(tx, { before, openBefore, limit: deleteBatchSize }));
    },
    async stop() {
      stopping.abort();
      clearTimeout(kicked);
      const patience = setTimeout(() => cutOff.abort(), stopPatienceMs);
      await Promise.all([preparing.idle(), sending.idle()]);
      clearTimeout(patience);
      await smtp?.close();
    },
  };
}
