import { type KeyObject, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Transaction } from '../../database/database.ts';
import type { Counts, Kernel } from '../../kernel.ts';
import type { MailContent, MailKind, MailRenderer } from '../../mail/index.ts';
import { newMessageId } from './enqueue.ts';
import { isOver, nextAttemptAt } from './schedule.ts';
import { openSecret } from './secret.ts';
import type { Handover, Smtp } from './smtp.ts';
import {
  changeClaimed,
  claimMail,
  deleteClaimed,
  listDue,
  type OutboxChange,
  type OutboxRow,
} from './store.ts';

/** Mails that an instance sends at once. */
const atOnce = 4;
const batchSize = 100;
/** After it another instance takes a mail for one whose sender died. Longer than sending and noting it take. */
const leaseMs = 120_000;
/** How long it is tried to note how sending ended while the database is away. */
const noteForMs = 60_000;
const noteEveryMs = 1_000;

/** Kinds that are the last thing to be known of somebody: not kept once they are dealt with. */
export const goodbyes: readonly MailKind[] = ['account_deleted'];

export interface SenderParts {
  readonly renderer: MailRenderer;
  readonly smtp: Smtp;
  readonly secretKey: KeyObject;
  /** Aborted when no more mails are to be begun, and when those under way are to be given up. */
  readonly stopping: AbortSignal;
  readonly cutOff: AbortSignal;
}

/** Sends every mail whose turn it is. No transaction is open while the server is spoken to. */
export async function sendDue(kernel: Kernel, parts: SenderParts): Promise<void> {
  const { db, clock } = kernel;
  for (;;) {
    const due = await listDue(db.read, 'queued', clock.now().toISOString(), batchSize);
    const next = due.values();
    let sent = 0;
    let failure: { error: unknown } | undefined;
    const take = async () => {
      for (const id of next) {
        if (parts.stopping.aborted || failure !== undefined) return;
        try {
          if (await sendMail(kernel, parts, id)) sent += 1;
        } catch (error) {
          failure = { error };
        }
      }
    };
    await Promise.all(Array.from({ length: atOnce }, take));
    if (failure !== undefined) throw failure.error;
    // What is left is another instance's.
    if (sent === 0 || parts.stopping.aborted) return;
  }
}

/** Sends one mail, unless somebody else does. */
async function sendMail(kernel: Kernel, parts: SenderParts, id: number): Promise<boolean> {
  const { db, clock, log } = kernel;
  const now = clock.now();
  const claim = {
    claim: randomUUID(),
    claimed_until: new Date(now.getTime() + leaseMs).toISOString(),
    now: now.toISOString(),
  };
  const row = await db.transaction((tx) => claimMail(tx, id, claim));
  if (row === undefined) return false;
  const note = (outcome: Counts['mails'], change: OutboxChange) =>
    noteOutcome(kernel, parts, row, outcome, change);
  const later = { next_attempt_at: nextAttemptAt(row.attempts, now) };

  if (isOver(row, now)) {
    const last_error = row.last_error === null ? 'expired' : `expired; ${row.last_error}`;
    await note('expired', { state: 'dead', secret: null, last_error });
    return true;
  }
  const secret = row.secret === null ? undefined : openSecret(parts.secretKey, id, row.secret);
  if (row.secret !== null && secret === undefined) {
    // SECRET_KEY was changed, and the code that was mailed with it is worth nothing either. A new link is made.
    const fresh = { secret: null, expires_at: null, message_id: newMessageId(kernel) };
    await note('postponed', { state: 'asked', ...fresh, ...later, last_error: 'its link could not be read' });
    return true;
  }

  let content: MailContent;
  try {
    content = parts.renderer.render({
      kind: row.kind,
      locale: row.locale,
      to: row.to_address,
      params: JSON.parse(row.params),
      link: secret?.link ?? null,
      code: secret?.code ?? null,
      expires_at: row.expires_at,
    });
  } catch (error) {
    log.error({ err: error, mail: id, kind: row.kind }, 'a mail could not be written');
    await note('postponed', { ...later, last_error: 'it could not be written' });
    return true;
  }

  const letter = { ...content, to: row.to_address, message_id: row.message_id, date: now };
  const handover = await parts.smtp.send(letter, parts.cutOff);
  logHandover(kernel, row, handover);
  if (handover.result === 'sent') {
    const sent_at = clock.now().toISOString();
    await note('sent', { state: 'sent', secret: null, sent_at, last_error: null });
  } else if (handover.result === 'refused') {
    await note('refused', { state: 'dead', secret: null, last_error: handover.error });
  } else {
    const next_attempt_at = nextAttemptAt(row.attempts, clock.now());
    await note('postponed', { next_attempt_at, last_error: handover.error });
  }
  return true;
}

function logHandover({ log }: Kernel, { id, kind, attempts }: OutboxRow, handover: Handover): void {
  const told = { mail: id, kind, attempts };
  if (handover.result === 'sent') log.debug(told, 'mail sent');
  else log.warn({ ...told, error: handover.error }, `mail ${handover.result}`);
}

/** Patient, as what is not noted is sent once more. */
async function noteOutcome(
  { db, counters }: Kernel,
  { cutOff }: SenderParts,
  row: OutboxRow,
  outcome: Counts['mails'],
  change: OutboxChange,
): Promise<void> {
  counters.count('mails', outcome);
  const isGoodbye = goodbyes.includes(row.kind) && (change.state === 'sent' || change.state === 'dead');
  const write = (tx: Transaction) => (isGoodbye ? deleteClaimed(tx, row) : changeClaimed(tx, row, change));
  const until = performance.now() + noteForMs;
  for (;;) {
    try {
      return await db.transaction(write);
    } catch (error) {
      if (cutOff.aborted || performance.now() >= until) throw error;
      await sleep(noteEveryMs, undefined, { ref: false });
    }
  }
}
