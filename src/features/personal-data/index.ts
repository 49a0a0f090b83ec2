import type { Kernel } from '../../kernel.ts';
import type { User } from '../accounts/index.ts';
import type { Audit } from '../audit/index.ts';
import type { EmailChange } from '../email-change/index.ts';
import type { Invitations } from '../invitations/index.ts';
import type { MailLinks } from '../mail-links/index.ts';
import type { Outbox } from '../outbox/index.ts';
import type { Passwords } from '../passwords/index.ts';
import type { Sessions } from '../sessions/index.ts';
import type { Statistics } from '../statistics/index.ts';
import { exportPerson } from './export.ts';

export { personalDataRoutes } from './routes.ts';

/** What is held on a person. */
export interface PersonalData {
  /** See `export.ts`. */
  export(user: User): AsyncGenerator<string, void>;
}

export interface PersonalDataFeatures {
  passwords: Passwords;
  sessions: Sessions;
  emailChange: EmailChange;
  invitations: Invitations;
  mailLinks: MailLinks;
  outbox: Outbox;
  audit: Audit;
  statistics: Statistics;
}

export function createPersonalData(kernel: Kernel, features: PersonalDataFeatures): PersonalData {
  return { export: (user) => exportPerson(kernel, features, user) };
}
