import type { KeyObject } from 'node:crypto';
import type { Transaction } from '../../database/database.ts';
import type { Kernel } from '../../kernel.ts';
import type { MailKind } from '../../mail/index.ts';
import { type NewMail, toAddressColumns } from './enqueue.ts';
import { isOver, nextAttemptAt } from './schedule.ts';
import { type MailSecret, sealSecret } from './secret.ts';
import { changeAsked, deleteAsked, findMail, listDue, type OutboxRow } from './store.ts';

/** A mail that waits for its link. */
interface AskedMail extends NewMail {
  readonly id: number;
}

/** What a mail is to say, and to whom. */
interface PreparedMail extends Omit<NewMail, 'kind'> {
  readonly secret: MailSecret;
  /** When the link stops working; the mail is not sent after that. */
  readonly expires_at: string;
}

/** Makes the link of a mail, in the transaction that stores it. Undefined when there is nothing to send. */
export type Preparer = (tx: Transaction, mail: AskedMail) => Promise<PreparedMail | undefined>;

const batchSize = 50;

/** Thrown to undo what a preparer did for a mail that another instance has prepared meanwhile. */
const wasPrepared = Symbol('prepared by another instance');

/**
 * Prepares the mails that are asked for. Which of them are, and whether anything comes of it, is nothing that whoever
 * asked can see or measure: they were answered before.
 */
export async function prepareDue(
  kernel: Kernel,
  preparers: ReadonlyMap<MailKind, Preparer>,
  secretKey: KeyObject,
  isStopping: () => boolean,
): Promise<void> {
  const { db, clock, log } = kernel;
  for (;;) {
    const due = await listDue(db.read, 'asked', clock.now().toISOString(), batchSize);
    for (const id of due) {
      if (isStopping()) return;
      try {
        await db.transaction((tx) => prepareMail(kernel, preparers, secretKey, tx, id));
      } catch (error) {
        if (error === wasPrepared) continue;
        log.warn({ err: error, mail: id }, 'a mail could not be prepared');
        await db.transaction((tx) => postpone(kernel, tx, id));
      }
    }
    if (due.length < batchSize) return;
  }
}

async function prepareMail(
  { clock, counters }: Kernel,
  preparers: ReadonlyMap<MailKind, Preparer>,
  secretKey: KeyObject,
  tx: Transaction,
  id: number,
): Promise<void> {
  const row = await findMail(tx, id);
  if (row?.state !== 'asked') return;
  if (isOver(row, clock.now())) {
    if (await changeAsked(tx, id, { state: 'dead', last_error: 'it could not be prepared' }))
      counters.count('mails', 'expired');
    return;
  }
  const preparer = preparers.get(row.kind);
  if (preparer === undefined) throw new Error(`nobody prepares mails of the kind ${row.kind}`);
  const prepared = await preparer(tx, toAskedMail(row));
  // Not locked before: the preparer takes the user's lock, whose holder may be deleting this row with the user.
  if (prepared === undefined) return deleteAsked(tx, id);
  const { to, user_id, locale, params, secret, expires_at } = prepared;
  const isFirst = await changeAsked(tx, id, {
    ...toAddressColumns(to),
    user_id,
    locale,
    params: JSON.stringify(params),
    secret: sealSecret(secretKey, id, secret),
    expires_at,
    state: 'queued',
    attempts: 0,
    next_attempt_at: clock.now().toISOString(),
  });
  if (!isFirst) throw wasPrepared;
}

function toAskedMail({ id, kind, to_address, user_id, locale, params }: OutboxRow): AskedMail {
  return { id, kind, to: to_address, user_id, locale, params: JSON.parse(params) };
}

async function postpone({ clock }: Kernel, tx: Transaction, id: number): Promise<void> {
  const row = await findMail(tx, id);
  if (row === undefined) return;
  const attempts = row.attempts + 1;
  await changeAsked(tx, id, { attempts, next_attempt_at: nextAttemptAt(attempts, clock.now()) });
}
