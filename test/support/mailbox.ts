import assert from 'node:assert/strict';
import type { OutboxMail, ReadMail } from '../../src/features/outbox/index.ts';
import type { MailKind } from '../../src/mail/index.ts';
import type { TestDoorward } from '../../src/testing/index.ts';
import { codeIn, linkIn } from './smtp.ts';

/** A mail as a person reads it, without a mail server. */
export interface ReceivedLetter extends ReadMail {
  readonly link: string;
  readonly token: string;
  readonly code: string;
}

export interface Mailbox {
  /** All mails to an address, the newest first. */
  list(to: string, kind?: MailKind): Promise<OutboxMail[]>;
  /** The newest mail of a kind, with its link and code as they stand in it. */
  read(to: string, kind: MailKind): Promise<ReceivedLetter>;
}

/** The mails of an instance without MAIL_URL, read as an administrator reads them. */
export async function openMailbox(instance: Pick<TestDoorward, 'doorward' | 'request' | 'signIn'>) {
  const { doorward, request, signIn } = instance;
  const { email: username, password } = await signIn({ is_admin: true });
  const client = { network: '127.0.0.1', userAgent: 'test' };
  const mailbox: Mailbox = {
    async list(to, kind) {
      await doorward.outbox.work();
      const { mails } = await doorward.outbox.list({ to, kind, limit: 100 });
      return mails;
    },
    async read(to, kind) {
      const [newest] = await mailbox.list(to, kind);
      assert.ok(newest !== undefined, `no mail ${kind} to ${to}`);
      // Whatever the time is by now.
      const { access_token: token } = await doorward.sessions.logIn({ username, password, client });
      const answer = await request('GET', `/auth/outbox/${newest.id}`, { token });
      assert.equal(answer.status, 200, answer.text);
      const mail: ReadMail = answer.body;
      return { ...mail, ...linkIn(mail), code: codeIn(mail) };
    },
  };
  return mailbox;
}
