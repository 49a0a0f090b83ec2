import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GivenSettings } from '../../src/settings.ts';
import type { TestResponse } from '../../src/testing/index.ts';
import type { Instance, Scenario } from './instances.ts';
import { codeIn, linkIn, type ReceivedMail, startSmtp, type TestSmtp } from './smtp.ts';

const messages = JSON.parse(
  readFileSync(new URL('../../src/mail/messages/en.json', import.meta.url), 'utf8'),
);

/** The mails of a change of an address. */
export type ChangeMail =
  | 'change_email'
  | 'email_change_asked'
  | 'email_changed'
  | 'email_restored'
  | 'already_registered';

export const password = 'SecurePass123!';
export const day = 86_400;

/** Somebody with a session. */
export interface SignedIn {
  readonly id: number;
  readonly email: string;
  readonly access_token: string;
}

/** An instance whose mails arrive. */
export interface Mailed extends Omit<Instance, 'mails'> {
  readonly smtp: TestSmtp;
  /** What arrived at the address, once all that is due is sent. */
  mails(to: string, kind: ChangeMail): Promise<ReceivedMail[]>;
  /** The last one of them. */
  mail(to: string, kind: ChangeMail): Promise<ReceivedMail>;
  tokenIn(to: string, kind: ChangeMail): Promise<string>;
  codeIn(to: string): Promise<string>;
  /** `PATCH /auth/me` */
  change(who: { access_token: string }, json: object): Promise<TestResponse>;
  confirm(proof: { token: string } | { code: string }, access_token?: string): Promise<TestResponse>;
  undo(token: string): Promise<TestResponse>;
  /** Asks for another address and confirms it, as its owner does. */
  move(who: { access_token: string }, to: string): Promise<void>;
}

export async function openMailed(scenario: Scenario, settings: GivenSettings = {}): Promise<Mailed> {
  let opened: Instance | undefined;
  // Before the server that it sends to.
  scenario.t.after(() => opened?.doorward.outbox.stop());
  const smtp = await startSmtp(scenario.t);
  opened = await scenario.open({ MAIL_URL: smtp.url, ACCESS_TOKEN_EXPIRE_MINUTES: 1440, ...settings });
  return withMails(opened, smtp);
}

/** Waits until all that is due is sent, by whichever instance. */
async function sendAll({ outbox, kernel }: Instance['doorward']): Promise<void> {
  const open = kernel.db.read.selectFrom('outbox').select('id').where('state', 'in', ['asked', 'queued']);
  for (;;) {
    await outbox.work();
    if ((await open.executeTakeFirst()) === undefined) return;
    await sleep(10);
  }
}

export function withMails(instance: Instance, smtp: TestSmtp): Mailed {
  const { request, doorward } = instance;
  const mailed: Mailed = {
    ...instance,
    smtp,
    async mails(to, kind) {
      await sendAll(doorward);
      return smtp.mails.filter(
        ({ subject, to_envelope }) => to_envelope.includes(to) && subject === messages[kind].subject,
      );
    },
    async mail(to, kind) {
      const mail = (await mailed.mails(to, kind)).at(-1);
      assert.ok(mail !== undefined, `no mail ${kind} to ${to}`);
      return mail;
    },
    tokenIn: async (to, kind) => linkIn(await mailed.mail(to, kind)).token,
    codeIn: async (to) => codeIn(await mailed.mail(to, 'change_email')),
    change: ({ access_token: token }, json) => request('PATCH', '/auth/me', { token, json }),
    confirm: (json, token) =>
      request('POST', '/auth/change-email', { json, ...(token === undefined ? {} : { token }) }),
    undo: (token) => request('POST', '/auth/change-email/undo', { json: { token } }),
    async move(who, to) {
      const asked = await mailed.change(who, { email: to });
      assert.equal(asked.status, 200, asked.text);
      const confirmed = await mailed.confirm({ token: await mailed.tokenIn(to, 'change_email') });
      assert.equal(confirmed.status, 200, confirmed.text);
    },
  };
  return mailed;
}
