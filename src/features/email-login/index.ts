import type { Kernel } from '../../kernel.ts';
import type { Accounts } from '../accounts/index.ts';
import type { MailLinks } from '../mail-links/index.ts';
import type { Outbox } from '../outbox/index.ts';
import type { Passwords } from '../passwords/index.ts';
import type { LoggedIn, Sessions } from '../sessions/index.ts';
import type { Throttle } from '../throttle/index.ts';
import { askForLogin, prepareLogin } from './ask.ts';
import { logInByMail } from './log-in.ts';

export { emailLoginRoutes } from './routes.ts';

/** Logging in by a mail instead of a password. */
export interface EmailLogin {
  /** See `ask.ts`. */
  ask(input: Parameters<typeof askForLogin>[1]): Promise<void>;
  /** See `log-in.ts`. */
  logIn(input: Parameters<typeof logInByMail>[2]): Promise<LoggedIn>;
}

export interface EmailLoginFeatures {
  accounts: Accounts;
  passwords: Passwords;
  sessions: Sessions;
  throttle: Throttle;
  mailLinks: MailLinks;
  outbox: Outbox;
}

export function createEmailLogin(kernel: Kernel, features: EmailLoginFeatures): EmailLogin {
  features.outbox.onPrepare('email_login', prepareLogin(kernel, features));
  return {
    ask: (input) => askForLogin(features, input),
    logIn: (input) => logInByMail(kernel, features, input),
  };
}
