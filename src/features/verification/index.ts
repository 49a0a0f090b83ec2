import type { Transaction } from '../../database/database.ts';
import type { Kernel } from '../../kernel.ts';
import type { MailKind, MailParams } from '../../mail/index.ts';
import { currentOrigin } from '../../origin.ts';
import type { Accounts, User } from '../accounts/index.ts';
import { digestBrowser, type MailLinks } from '../mail-links/index.ts';
import type { Outbox } from '../outbox/index.ts';
import type { Throttle } from '../throttle/index.ts';
import { askForVerification } from './ask.ts';
import { confirmAddress } from './confirm.ts';
import { prepareVerification } from './prepare.ts';

export { verificationRoutes } from './routes.ts';

/** Who has the mailbox of an address that somebody entered. */
export interface Verification {
  /** See `ask.ts`. */
  ask(input: Parameters<typeof askForVerification>[1]): Promise<void>;
  /** See `confirm.ts`. */
  confirm(input: Parameters<typeof confirmAddress>[2]): Promise<User>;
}

export interface VerificationFeatures {
  accounts: Accounts;
  throttle: Throttle;
  mailLinks: MailLinks;
  outbox: Outbox;
}

export function createVerification(kernel: Kernel, features: VerificationFeatures): Verification {
  const { events } = kernel;
  const { accounts, throttle, mailLinks, outbox } = features;

  /** A mail that is part of something else, which neither waits for it nor fails when there were too many. */
  async function mailOwner(tx: Transaction, userId: number, kind: MailKind, params: MailParams) {
    const user = await accounts.find(userId, tx);
    if (user === undefined || !(await throttle.allowsMail(tx, user.email))) return;
    const locale = outbox.localeFor(user.locale, currentOrigin().languages);
    await outbox.enqueue(tx, { kind, to: user.email, user_id: userId, locale, params });
  }

  const mailLink = (tx: Transaction, userId: number) => {
    const { mark } = currentOrigin();
    return mailOwner(tx, userId, 'verify_email', { browser_digest: digestBrowser(mark) });
  };
  events.on('user.created', async (tx, { user_id, email_verified }) => {
    if (!email_verified) await mailLink(tx, user_id);
  });
  events.on('user.readdressed', async (tx, { user_id, email_verified }) => {
    if (!email_verified) await mailLink(tx, user_id);
  });
  events.on('user.unverified', (tx, { user_id }) => mailLink(tx, user_id));
  events.on('user.signed_up_again', (tx, { user_id }) => mailOwner(tx, user_id, 'already_registered', {}));
  // There is nothing left to verify, however it was.
  events.on('user.verified', (tx, { user_id }) => mailLinks.voidLinks(tx, user_id, 'verify_email'));

  outbox.onPrepare('verify_email', prepareVerification(kernel, features));

  return {
    ask: (input) => askForVerification(features, input),
    confirm: (input) => confirmAddress(kernel, features, input),
  };
}
