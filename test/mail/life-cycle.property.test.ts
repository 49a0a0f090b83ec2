import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { type AccountState, type Mover, transitions } from '../../src/features/accounts/index.ts';
import type { LinkPurpose } from '../../src/features/mail-links/index.ts';
import type { TestResponse } from '../../src/testing/index.ts';
import { type Journey, journey } from '../support/journey.ts';
import {
  day,
  type Expected,
  invalidLink,
  LifeModel,
  type ModelAccount,
  type ModelLink,
  type ModelSession,
  minute,
  stateIn,
  terms,
} from '../support/life-model.ts';
import { checkEveryAnswer } from '../support/openapi-conformance.ts';
import { codeIn, linkIn, startSmtp, type TestSmtp } from '../support/smtp.ts';

checkEveryAnswer();

/** Random lives a database and setting; each is some dozens of steps. */
const runs = Number(process.env.DOORWARD_LIFE_RUNS ?? 3);
const givenSeed = Number(process.env.DOORWARD_SEED ?? Math.floor(Math.random() * 2 ** 31));
const stepsAtMost = 60;
/** Dead links that are tried after each step, in turn. At the end all are. */
const deadLinksATime = 2;

/** Where the link of each purpose is used, and what its page leads to. */
const paths: Record<LinkPurpose, { page: string; use: string }> = {
  verify_email: { page: 'verify-email', use: '/auth/verify-email' },
  reset_password: { page: 'reset-password', use: '/auth/reset-password' },
  email_login: { page: 'login/email', use: '/auth/login/email/verify' },
  change_email: { page: 'change-email', use: '/auth/change-email' },
  undo_email_change: { page: 'undo-email-change', use: '/auth/change-email/undo' },
  invitation: { page: 'invitation', use: '/auth/invitations/accept' },
};

const askingPaths = {
  verify_email: '/auth/verify-email/request',
  reset_password: '/auth/forgot-password',
  email_login: '/auth/login/email',
} as const;

/** What a step is about: an address, mostly one that somebody has, another one, and two choices that each step makes its own use of. */
interface Draw {
  readonly who: string;
  readonly known: string;
  readonly to: string;
  readonly pick: number;
  readonly yes: boolean;
}

type Life = Awaited<ReturnType<typeof beginLife>>;
type Act = (life: Life, draw: Draw) => Promise<void>;

/** Every step that can be drawn: how often, by whom it is taken, and what it does. What leads on comes more often than what ends. */
const steps: Record<string, readonly [weight: number, Mover, Act]> = {
  'sign up': [4, 'owner', (life, { who }) => life.signUp(who)],
  'log in': [6, 'owner', (life, { known }) => life.logIn(known, life.model.holderOf(known)?.password)],
  'log in wrongly': [
    1,
    'owner',
    (life, { known }) => life.logIn(known, life.model.latestOf(known)?.formerPasswords.at(-1)),
  ],
  'ask to verify': [1, 'owner', (life, { known }) => life.ask('verify_email', known)],
  forget: [3, 'owner', (life, { known }) => life.ask('reset_password', known)],
  'ask for a login': [2, 'owner', (life, { known }) => life.ask('email_login', known)],
  'use a mail': [14, 'owner', (life, draw) => life.useMail(draw)],
  'ask for another address': [6, 'owner', (life, draw) => life.askEmailChange(draw)],
  'change the password': [2, 'owner', (life, draw) => life.changePassword(draw)],
  close: [4, 'owner', (life, draw) => life.close(draw)],
  export: [2, 'owner', (life, draw) => life.exportData(draw)],
  invite: [4, 'administrator', (life, { who }) => life.invite(who)],
  'invite again': [1, 'administrator', (life, draw) => life.onInvitation(draw, 'resend')],
  withdraw: [1, 'administrator', (life, draw) => life.onInvitation(draw, 'withdraw')],
  create: [1, 'administrator', (life, { who }) => life.create(who)],
  suspend: [1, 'administrator', (life, { known }) => life.onUser(known, 'suspend')],
  activate: [2, 'administrator', (life, { known }) => life.onUser(known, 'activate')],
  erase: [1, 'administrator', (life, { known }) => life.onUser(known, 'erase')],
  'have a reset mailed': [1, 'administrator', (life, { known }) => life.onUser(known, 'sendReset')],
  readdress: [1, 'administrator', (life, draw) => life.readdress(draw)],
  // Odd, so that no term ends in the very moment in which it is looked at.
  'wait a little': [2, 'system', (life) => life.wait(11 * minute + 7000)],
  'wait some hours': [1, 'system', (life, { yes }) => life.wait((yes ? 24 : 9) * 60 * minute + 13_000)],
  'wait a week': [2, 'system', (life, { yes }) => life.wait((yes ? 7 : 11) * day + 3 * minute)],
};

const step = fc.record({
  does: fc.oneof(
    ...Object.entries(steps).map(([does, [weight]]) => ({ weight, arbitrary: fc.constant(does) })),
  ),
  who: fc.nat({ max: 3 }),
  to: fc.nat({ max: 3 }),
  pick: fc.nat({ max: 999 }),
  yes: fc.boolean(),
});
// Without a bias, which would make most lives short.
const life = fc.noBias(fc.array(step, { minLength: 1, maxLength: stepsAtMost, size: 'max' }));

let lives = 0;
let passwords = 0;
/** A password that nobody had before. */
const nextPassword = () => `Life-Number-${++passwords}!`;

/** People whom nobody knew, on an instance that has seen other lives. */
async function beginLife(instance: Journey, smtp: TestSmtp, options: { requiresProof: boolean }) {
  const { clock, doorward, request } = instance;
  const model = new LifeModel(clock.now().getTime(), options);
  const number = ++lives;
  const addresses = ['ann', 'bob', 'cleo', 'dora'].map((name) => `${name}${number}@example.com`);
  const erased = new Set<number>();
  let mailsRead = smtp.mails.length;
  let deadRead = 0;
  let adminToken: string | undefined;

  /** Asserts status and code of an answer. */
  function expect(answer: TestResponse, { status, code }: Expected, what = ''): void {
    assert.deepEqual([answer.status, answer.body?.code], [status, code], `${what} ${answer.text}`);
  }

  async function asAdmin(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, json?: unknown) {
    if (adminToken === undefined) {
      const client = { network: '127.0.0.1', userAgent: 'test' };
      const password = 'SecurePass123!';
      const logIn = doorward.sessions.logIn({ username: 'admin@example.com', password, client });
      adminToken = (await logIn).access_token;
    }
    return request(method, path, { token: adminToken, ...(json === undefined ? {} : { json }) });
  }

  /** Mostly one of those for which something can come of it, sometimes any. */
  function choose<T>(all: readonly T[], isPromising: (one: T) => boolean, pick: number): T | undefined {
    const promising = all.filter(isPromising);
    const chosen = promising.length > 0 && pick % 5 > 0 ? promising : all;
    return chosen[Math.floor(pick / 5) % chosen.length];
  }

  /** The newest session of somebody. */
  function chooseSession({ pick }: Draw): { account: ModelAccount; session: ModelSession } | undefined {
    const newest = model.accounts.flatMap((account) =>
      account.sessions.slice(-1).map((session) => ({ account, session })),
    );
    return choose(newest, ({ account, session }) => model.access(account, session).status === 200, pick);
  }

  function keepTokens(account: ModelAccount | undefined, answer: TestResponse): void {
    const session = account?.sessions.at(-1);
    if (session === undefined) return;
    session.access = answer.body.access_token;
    session.refresh = answer.body.refresh_token;
  }

  /** Waits until all that is due is sent, and finds the links that had to come, and no others. */
  async function readMails(): Promise<void> {
    const waiting = doorward.kernel.db.read
      .selectFrom('outbox')
      .select('id')
      .where('state', 'in', ['asked', 'queued']);
    for (;;) {
      await doorward.outbox.work();
      if ((await waiting.executeTakeFirst()) === undefined) break;
      await sleep(5);
    }
    const come: string[] = [];
    for (const mail of smtp.mails.slice(mailsRead)) {
      const [to = ''] = mail.to_envelope;
      // Of another life there may be some still to come.
      if (!mail.text?.includes('#token=') || !addresses.includes(to)) continue;
      const { link, token } = linkIn(mail);
      const found = model.mailed.find(
        ({ purpose, ...each }) =>
          link.includes(`/account/${paths[purpose].page}#`) && each.to === to && !each.token,
      );
      come.push(`${new URL(link).pathname} to ${to}`);
      if (found === undefined) continue;
      found.token = token;
      if (found.purpose !== 'undo_email_change' && found.purpose !== 'invitation') found.code = codeIn(mail);
    }
    mailsRead = smtp.mails.length;
    const due = model.mailed.map(({ purpose, to }) => `/account/${paths[purpose].page} to ${to}`);
    assert.deepEqual(come.sort(), due.sort(), 'links that were mailed');
    model.mailed = [];
  }

  async function useLink(link: ModelLink, by: 'token' | 'code', password: string): Promise<TestResponse> {
    const { purpose, token, code, of } = link;
    const email = 'email' in of ? of.email : '';
    const more =
      purpose === 'reset_password'
        ? { new_password: password }
        : purpose === 'invitation'
          ? { password, name: 'Somebody Invited' }
          : {};
    if (by === 'token') return request('POST', paths[purpose].use, { json: { token, ...more } });
    if (purpose !== 'change_email')
      return request('POST', paths[purpose].use, { json: { email, code, ...more } });
    const session = ('sessions' in of && of.sessions.at(-1)) || assert.fail('nobody is signed in');
    return request('POST', paths[purpose].use, { token: session.access, json: { code } });
  }

  /** Whether what a step made of each account is in the table of the life cycle, for whoever took it. */
  function assertMayMove(
    before: ReadonlyMap<ModelAccount, AccountState>,
    invited: Set<string>,
    mover: Mover,
  ) {
    for (const account of model.accounts) {
      const to = stateIn(account);
      const known = before.get(account);
      // Whom an administrator makes was not invited by that.
      const from = known ?? (mover === 'owner' && invited.has(account.email) ? 'invited' : undefined);
      if (from === undefined || from === to) continue;
      assert.ok(transitions[from][to]?.includes(mover), `${from} to ${to} by ${mover} is in no table`);
    }
  }

  async function checkAccount(account: ModelAccount): Promise<void> {
    const seen = await asAdmin('GET', `/auth/users/${account.id}`);
    if (account.isErased) {
      erased.add(account.id);
      expect(seen, { status: 404, code: 'user_not_found' });
    } else {
      const { email, isVerified, pendingEmail, deleteAfter } = account;
      const state = stateIn(account);
      const { body } = seen;
      assert.deepEqual(
        [seen.status, body.email, body.is_active, body.email_verified, body.pending_email, body.delete_after],
        [
          200,
          email,
          state === 'pending' || state === 'active',
          isVerified,
          pendingEmail,
          deleteAfter === null ? null : new Date(deleteAfter).toISOString(),
        ],
        state,
      );
    }
    for (const session of account.sessions.slice(-3)) {
      const me = await request('GET', '/auth/me', { token: session.access });
      expect(me, model.access(account, session), `me as ${stateIn(account)}`);
      if (me.status === 200) assert.deepEqual(me.body, seen.body);
      // What was given in this moment is given again.
      if (session.ended === undefined && session.issued === model.now) continue;
      const json = { refresh_token: session.refresh };
      const refreshed = await request('POST', '/auth/refresh', { json });
      expect(refreshed, model.refresh(account, session), `refresh as ${stateIn(account)}`);
      if (refreshed.status !== 200) continue;
      session.access = refreshed.body.access_token;
      session.refresh = refreshed.body.refresh_token;
    }
  }

  async function assertDead(links: readonly ModelLink[]): Promise<void> {
    for (const link of links)
      expect(await useLink(link, 'token', 'Never-To-Be-Set-1!'), invalidLink, `dead ${link.purpose}`);
  }

  async function check(): Promise<void> {
    await readMails();
    for (const account of model.accounts) await checkAccount(account);
    const listed = (await asAdmin('GET', '/auth/invitations?limit=200')).body;
    const invited = [...model.invitations.values()].filter(({ isSettled }) => !isSettled);
    assert.deepEqual(
      listed
        .map(({ email }: { email: string }) => email)
        .filter((email: string) => addresses.includes(email))
        .sort(),
      invited.map(({ email }) => email).sort(),
    );
    const dead = model.links.filter((link) => model.isOver(link));
    const now = Array.from(
      { length: Math.min(deadLinksATime, dead.length) },
      () => dead[deadRead++ % dead.length],
    );
    await assertDead(now.filter((link) => link !== undefined));
  }

  const life = {
    model,
    addresses,

    async take(does: string, drawn: Omit<Draw, 'known'>): Promise<void> {
      const [, mover, act] = steps[does] ?? assert.fail(does);
      const before = new Map(model.accounts.map((account) => [account, stateIn(account)]));
      const invited = new Set(model.invitations.keys());
      const isKnown = (address: string) => model.holderOf(address) !== undefined;
      await act(life, { ...drawn, known: choose(addresses, isKnown, drawn.pick) ?? drawn.who });
      assertMayMove(before, invited, mover);
      await check();
    },

    /** What holds at the end whatever the steps were. */
    async end(): Promise<void> {
      await assertDead(model.links.filter((link) => model.isOver(link)));
      for (const id of erased)
        expect(await asAdmin('GET', `/auth/users/${id}`), { status: 404, code: 'user_not_found' });
      for (const email of addresses) {
        const isFree = model.isFree(email);
        await life.signUp(email);
        const newest = model.accounts.at(-1);
        if (isFree && newest) assert.ok(!erased.has(newest.id), 'an id was used twice');
      }
      assert.deepEqual((await doorward.audit.verify()).findings, []);
    },

    async signUp(email: string): Promise<void> {
      const password = nextPassword();
      const answer = await request('POST', '/auth/signup', { json: { email, password, name: 'Somebody' } });
      expect(answer, model.signUp(email, password));
      if (answer.status === 201) Object.assign(model.accounts.at(-1) ?? {}, { id: answer.body.id });
    },

    async logIn(email: string, password: string | null | undefined): Promise<void> {
      const given = password ?? 'Nobodys-Password-1!';
      const answer = await request('POST', '/auth/login', { form: { username: email, password: given } });
      expect(answer, model.logIn(email, given));
      if (answer.status === 200) keepTokens(model.holderOf(email), answer);
    },

    async ask(purpose: keyof typeof askingPaths, email: string): Promise<void> {
      expect(await request('POST', askingPaths[purpose], { json: { email } }), model.ask(purpose, email));
    },

    /** By its link or by its code. */
    async useMail({ pick, yes: prefersCode }: Draw): Promise<void> {
      const ofEach = [...Map.groupBy(model.links, ({ purpose }) => purpose).values()];
      const ofOne = choose(ofEach, (links) => links.some((link) => !model.isOver(link)), pick) ?? [];
      const link = choose(ofOne, (each) => !model.isOver(each), pick);
      if (link === undefined) return;
      const { purpose } = link;
      const account = 'sessions' in link.of ? link.of : undefined;
      const session = account?.sessions.at(-1);
      const isSignedIn = account && session && model.access(account, session).status === 200;
      const mayCode =
        link.code !== undefined && !model.isOver(link) && (purpose !== 'change_email' || isSignedIn);
      const by = prefersCode && mayCode ? 'code' : 'token';
      const password = nextPassword();
      const answer = await useLink(link, by, password);
      const known = model.accounts.length;
      expect(answer, model.redeem(link, by, password), `${purpose} by ${by}`);
      if (answer.status === 200 && purpose === 'email_login') keepTokens(account, answer);
      const made = model.accounts[known];
      if (made !== undefined) made.id = answer.body.id;
    },

    async askEmailChange(draw: Draw): Promise<void> {
      const to = choose(addresses, (address) => model.isFree(address), draw.pick) ?? draw.to;
      const own = chooseSession(draw);
      if (own === undefined) return;
      const { account, session } = own;
      const current = draw.yes ? (account.password ?? 'Nobodys-Password-1!') : undefined;
      const json = { email: to, ...(current === undefined ? {} : { current_password: current }) };
      const answer = await request('PATCH', '/auth/me', { token: session.access, json });
      expect(answer, model.askEmailChange(account, session, to, current));
    },

    async changePassword(draw: Draw): Promise<void> {
      const own = chooseSession(draw);
      if (own === undefined) return;
      const { account, session } = own;
      const current = (draw.yes ? account.password : account.formerPasswords.at(-1)) ?? 'Nobodys-Password-1!';
      const next = nextPassword();
      const json = { current_password: current, new_password: next };
      const answer = await request('POST', '/auth/me/password', { token: session.access, json });
      expect(answer, model.changePassword(account, session, { current, next }));
    },

    async close(draw: Draw): Promise<void> {
      const own = chooseSession(draw);
      if (own === undefined) return;
      const { account, session } = own;
      const password =
        (draw.yes ? account.password : account.formerPasswords.at(-1)) ?? 'Nobodys-Password-1!';
      const json = { current_password: password };
      const answer = await request('DELETE', '/auth/me', { token: session.access, json });
      expect(answer, model.close(account, session, password));
    },

    async exportData(draw: Draw): Promise<void> {
      const own = chooseSession(draw);
      if (own === undefined) return;
      const { account, session } = own;
      const answer = await request('GET', '/auth/me/export', { token: session.access });
      expect(answer, model.access(account, session));
      if (answer.status !== 200) return;
      const { user, links, former_emails, sessions } = answer.body;
      assert.deepEqual([user.id, user.email], [account.id, account.email]);
      const open = model.links.filter((link) => link.of === account && !model.isOver(link));
      assert.deepEqual(
        links.map((link: { purpose: string }) => link.purpose).sort(),
        open.map(({ purpose }) => purpose).sort(),
      );
      const kept = [...model.reserved].filter(([, each]) => each.account === account);
      assert.deepEqual(
        former_emails.map((each: { email: string }) => each.email).sort(),
        kept.map(([each]) => each).sort(),
      );
      assert.equal(
        sessions.filter((each: { ended_at: string | null }) => each.ended_at === null).length,
        account.sessions.filter(({ ended, created }) => !ended && created + terms.session > model.now).length,
      );
    },

    async invite(email: string): Promise<void> {
      const answer = await asAdmin('POST', '/auth/invitations', { email });
      expect(answer, model.invite(email));
      const invitation = model.invitations.get(email);
      if (answer.status === 201 && invitation) invitation.id = answer.body.id;
    },

    async onInvitation({ who, pick }: Draw, action: 'resend' | 'withdraw'): Promise<void> {
      const email = choose(addresses, (address) => model.invitations.has(address), pick) ?? who;
      const path = `/auth/invitations/${model.invitations.get(email)?.id ?? 999_999}`;
      const answer = await (action === 'resend'
        ? asAdmin('POST', `${path}/resend`)
        : asAdmin('DELETE', path));
      expect(answer, model[action](email));
    },

    async create(email: string): Promise<void> {
      const password = nextPassword();
      const answer = await asAdmin('POST', '/auth/users', { email, password, name: 'Made By Hand' });
      expect(answer, model.create(email, password));
      if (answer.status === 201) Object.assign(model.accounts.at(-1) ?? {}, { id: answer.body.id });
    },

    async onUser(email: string, action: 'suspend' | 'activate' | 'erase' | 'sendReset'): Promise<void> {
      const account = model.latestOf(email);
      if (account === undefined) return;
      const path = `/auth/users/${account.id}`;
      const answer = await {
        suspend: () => asAdmin('POST', `${path}/deactivate`),
        activate: () => asAdmin('POST', `${path}/activate`),
        erase: () => asAdmin('DELETE', path),
        sendReset: () => asAdmin('POST', `${path}/reset-password`),
      }[action]();
      expect(answer, model[action](account));
    },

    async readdress({ known, to }: Draw): Promise<void> {
      const account = model.latestOf(known);
      if (account === undefined) return;
      const answer = await asAdmin('PATCH', `/auth/users/${account.id}`, { email: to });
      expect(answer, model.readdress(account, to));
    },

    async wait(ms: number): Promise<void> {
      clock.advance(ms / 1000);
      adminToken = undefined;
      await doorward.leaving.eraseDue();
      await doorward.leaving.eraseUnverified();
      await doorward.leaving.sweepTraces();
      await doorward.invitations.deleteOver();
      await doorward.emailChange.deleteExpired();
      await doorward.mailLinks.deleteExpired();
      await doorward.sessions.deleteExpired();
      model.advance(ms);
    },
  };
  return life;
}

for (const requires of ['off', 'on'] as const) {
  journey(
    `whatever happens in whatever order, each account is as the table says, REQUIRE_VERIFIED_EMAIL ${requires}`,
    async (open, { t }) => {
      let instance: Journey | undefined;
      // Before the server that it sends to.
      t.after(() => instance?.doorward.outbox.stop());
      const smtp = await startSmtp(t);
      instance = await open({
        MAIL_URL: smtp.url,
        EMAIL_LOGIN: 'on',
        REQUIRE_VERIFIED_EMAIL: requires,
        DELETION_GRACE_DAYS: terms.grace / day,
        UNVERIFIED_EXPIRE_DAYS: terms.unverified / day,
        ACCESS_TOKEN_EXPIRE_MINUTES: terms.access / minute,
      });
      await instance.signIn({ email: 'admin@example.com', is_admin: true });
      const there = instance;
      const seed = givenSeed + (requires === 'on' ? 1 : 0);
      const property = fc.asyncProperty(life, async (drawn) => {
        const one = await beginLife(there, smtp, { requiresProof: requires === 'on' });
        const address = (index: number) => one.addresses[index] ?? assert.fail();
        for (const { does, who, to, ...choices } of drawn)
          await one.take(does, { who: address(who), to: address(to), ...choices });
        await one.end();
      });
      // Of a failure the shortest life is told that is found in that time.
      const limits = { interruptAfterTimeLimit: (20 + 10 * runs) * 1000, markInterruptAsFailure: true };
      await fc.assert(property, { seed, numRuns: runs, ...limits }).catch((error) => {
        throw new Error(`DOORWARD_SEED=${givenSeed} DOORWARD_LIFE_RUNS=${runs}`, { cause: error });
      });
      t.diagnostic(`DOORWARD_SEED=${givenSeed}`);
    },
  );
}
