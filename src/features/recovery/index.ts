import type { Kernel } from '../../kernel.ts';
import type { Accounts } from '../accounts/index.ts';
import type { MailLinks } from '../mail-links/index.ts';
import type { Outbox } from '../outbox/index.ts';
import type { Passwords } from '../passwords/index.ts';
import type { Throttle } from '../throttle/index.ts';
import { askForReset } from './ask.ts';
import { prepareReset } from './prepare.ts';
import { resetPassword } from './reset.ts';
import { sendReset } from './send.ts';

export { recoveryRoutes } from './routes.ts';

/** The way back in for whoever has forgotten the password and has the mailbox. */
export interface Recovery {
  /** See `ask.ts`. */
  ask(input: Parameters<typeof askForReset>[1]): Promise<void>;
  /** See `send.ts`. */
  send(userId: number): Promise<void>;
  /** See `reset.ts`. */
  reset(input: Parameters<typeof resetPassword>[2]): Promise<void>;
}

export interface RecoveryFeatures {
  accounts: Accounts;
  passwords: Passwords;
  throttle: Throttle;
  mailLinks: MailLinks;
  outbox: Outbox;
}

export function createRecovery(kernel: Kernel, features: RecoveryFeatures): Recovery {
  features.outbox.onPrepare('reset_password', prepareReset(kernel, features));
  return {
    ask: (input) => askForReset(features, input),
    send: (userId) => sendReset(kernel, features, userId),
    reset: (input) => resetPassword(kernel, features, input),
  };
}
