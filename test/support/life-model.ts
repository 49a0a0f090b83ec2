import type { AccountState } from '../../src/features/accounts/index.ts';
import type { LinkPurpose } from '../../src/features/mail-links/index.ts';

/** What an answer has to be: its status and, of a failure, its code. */
export interface Expected {
  readonly status: number;
  readonly code?: string;
}

export interface ModelSession {
  access: string;
  refresh: string;
  readonly created: number;
  /** When it was last refreshed, which is also when its tokens were issued. */
  issued: number;
  ended: 'by a suspension' | 'otherwise' | undefined;
}

export interface ModelAccount {
  id: number;
  email: string;
  emailSince: number;
  isVerified: boolean;
  isSuspended: boolean;
  deleteAfter: number | null;
  isErased: boolean;
  /** Null where it was taken away: nobody is known to have it by right. */
  password: string | null;
  formerPasswords: string[];
  pendingEmail: string | null;
  sessions: ModelSession[];
}

export interface ModelInvitation {
  id: number;
  readonly email: string;
  expires: number;
  /** The address is an account's for good. */
  isSettled: boolean;
}

/** A link that a mail must have brought. */
export interface ModelLink {
  readonly purpose: LinkPurpose;
  readonly of: ModelAccount | ModelInvitation;
  readonly to: string;
  readonly expires: number;
  readonly codeExpires: number;
  isVoid: boolean;
  /** As they stand in the mail, once it came. */
  token: string;
  code: string | undefined;
}

export const minute = 60_000;
export const day = 1440 * minute;

/** The terms that the tests of the model set, and those that are the defaults. */
export const terms = {
  access: day,
  refresh: 7 * day,
  session: 30 * day,
  recentLogin: 15 * minute,
  grace: 7 * day,
  unverified: 10 * day,
  invitation: 7 * day,
  undo: 7 * day,
  code: 10 * minute,
  links: {
    verify_email: day,
    change_email: day,
    reset_password: 30 * minute,
    email_login: 15 * minute,
  },
} as const;

const done = (status = 200): Expected => ({ status });
const refused = (status: number, code: string): Expected => ({ status, code });
export const invalidLink = refused(400, 'invalid_link');
const invalidCode = refused(400, 'invalid_code');
const invalidToken = refused(401, 'invalid_token');
const inactive = refused(403, 'inactive_user');
const wrongPassword = refused(400, 'current_password_incorrect');
const noUser = refused(404, 'user_not_found');
const noInvitation = refused(404, 'invitation_not_found');
const emailTaken = refused(409, 'email_taken');
const registered = refused(409, 'email_registered');

export function stateIn({ isErased, isSuspended, isVerified, deleteAfter }: ModelAccount): AccountState {
  if (isErased) return 'erased';
  if (deleteAfter !== null) return 'deletion_scheduled';
  if (isSuspended) return 'suspended';
  return isVerified ? 'active' : 'pending';
}

/**
 * The life of a few accounts as the documentation tells it, in memory and one step after another. Each step says what its
 * answer must be, changes the model accordingly and notes the links that must be mailed.
 */
export class LifeModel {
  readonly accounts: ModelAccount[] = [];
  readonly invitations = new Map<string, ModelInvitation>();
  readonly reserved = new Map<string, { account: ModelAccount; until: number; step: number }>();
  readonly links: ModelLink[] = [];
  /** Mailed by the step that was taken last. */
  mailed: ModelLink[] = [];
  now: number;
  readonly #requiresProof: boolean;

  constructor(now: number, options: { requiresProof: boolean }) {
    this.now = now;
    this.#requiresProof = options.requiresProof;
  }

  holderOf(email: string): ModelAccount | undefined {
    return this.accounts.find((account) => !account.isErased && account.email === email);
  }

  /** Whoever has the address, or else had it last. */
  latestOf(email: string): ModelAccount | undefined {
    return this.holderOf(email) ?? this.accounts.findLast((account) => account.email === email);
  }

  isOver(link: ModelLink): boolean {
    return link.isVoid || link.expires <= this.now;
  }

  isFree(email: string): boolean {
    return this.holderOf(email) === undefined && this.#keeperOf(email) === undefined;
  }

  // What anybody does.

  signUp(email: string, password: string): Expected {
    if (!this.isFree(email)) return registered;
    this.#mailVerification(this.#insert(email, password, false));
    return done(201);
  }

  logIn(email: string, password: string): Expected {
    const account = this.holderOf(email);
    if (account === undefined || account.password !== password) return refused(401, 'invalid_credentials');
    if (stateIn(account) === 'suspended') return refused(403, 'account_deactivated');
    if (this.#requiresProof && !account.isVerified) {
      this.#mailVerification(account);
      return refused(403, 'email_not_verified');
    }
    this.#open(account);
    return done();
  }

  ask(purpose: 'verify_email' | 'reset_password' | 'email_login', email: string): Expected {
    const account = this.holderOf(email);
    if (account !== undefined && stateIn(account) !== 'suspended') {
      if (purpose === 'verify_email') {
        if (!account.isVerified) this.#mailVerification(account);
      } else this.#mailOwner(purpose, account);
    }
    return done(202);
  }

  // What sessions are good for.

  access(account: ModelAccount, session: ModelSession): Expected {
    const ends = Math.min(session.issued + terms.access, session.created + terms.session);
    if (account.isErased || ends <= this.now) return invalidToken;
    if (session.ended === 'by a suspension' && stateIn(account) === 'suspended') return inactive;
    return session.ended === undefined ? done() : invalidToken;
  }

  refresh(account: ModelAccount, session: ModelSession): Expected {
    const ends = Math.min(session.issued + terms.refresh, session.created + terms.session);
    if (account.isErased || session.ended !== undefined || ends <= this.now)
      return refused(401, 'invalid_refresh_token');
    session.issued = this.now;
    return done();
  }

  askEmailChange(
    account: ModelAccount,
    session: ModelSession,
    email: string,
    password: string | undefined,
  ): Expected {
    const access = this.access(account, session);
    if (access.status !== 200) return access;
    if (email === account.email) {
      this.#takeBackChange(account);
      return done();
    }
    if (password !== undefined && password !== account.password) return wrongPassword;
    if (password === undefined && session.created + terms.recentLogin <= this.now)
      return refused(403, 'recent_login_required');
    if (this.#isSomebodyElses(email, account)) return emailTaken;
    this.#takeBackChange(account);
    account.pendingEmail = email;
    this.#mailUndo(account, account.email);
    this.#mint('change_email', account, email, terms.links.change_email);
    return done();
  }

  changePassword(
    account: ModelAccount,
    session: ModelSession,
    given: { current: string; next: string },
  ): Expected {
    const access = this.access(account, session);
    if (access.status !== 200) return access;
    if (given.current !== account.password) return wrongPassword;
    this.#setPassword(account, given.next, session);
    return done();
  }

  close(account: ModelAccount, session: ModelSession, password: string): Expected {
    const access = this.access(account, session);
    if (access.status !== 200) return access;
    if (password !== account.password) return wrongPassword;
    account.deleteAfter = this.now + terms.grace;
    this.#lockOut(account, 'otherwise');
    return done(204);
  }

  // What the link of a mail is good for.

  /** By its code, where that is what is sent of a link that is not over. */
  redeem(link: ModelLink, by: 'token' | 'code', password: string): Expected {
    if (by === 'code' && link.codeExpires <= this.now) return invalidCode;
    if (this.isOver(link)) return invalidLink;
    if ('expires' in link.of) return this.#accept(link, link.of, password);
    const account = link.of;
    switch (link.purpose) {
      case 'change_email':
        return this.#confirmChange(link, account);
      case 'undo_email_change':
        return this.#undoChange(link, account);
      case 'reset_password':
        if (!account.isVerified) this.#void('undo_email_change', account);
        this.#setPassword(account, password);
        this.#prove(account);
        break;
      case 'email_login':
        if (!account.isVerified) {
          this.#setPassword(account, null);
          this.#void('undo_email_change', account);
          this.#prove(account);
        }
        this.#open(account);
        break;
      default:
        this.#prove(account);
        this.#void('verify_email', account);
    }
    link.isVoid = true;
    return done();
  }

  // What administrators do.

  invite(email: string): Expected {
    const account = this.holderOf(email);
    if (account !== undefined && isSettled(account)) return registered;
    const former = this.invitations.get(email);
    if (former !== undefined && this.#isLive(former)) return refused(409, 'already_invited');
    if (former !== undefined) this.#removeInvitation(former);
    const invitation = { id: 0, email, expires: this.now + terms.invitation, isSettled: false };
    this.invitations.set(email, invitation);
    this.#mint('invitation', invitation, email, terms.invitation);
    return done(201);
  }

  resend(email: string): Expected {
    const invitation = this.invitations.get(email);
    if (invitation === undefined || invitation.isSettled) return noInvitation;
    invitation.expires = this.now + terms.invitation;
    this.#mint('invitation', invitation, email, terms.invitation);
    return done();
  }

  withdraw(email: string): Expected {
    const invitation = this.invitations.get(email);
    if (invitation === undefined || invitation.isSettled) return noInvitation;
    this.#removeInvitation(invitation);
    return done(204);
  }

  create(email: string, password: string): Expected {
    if (!this.isFree(email)) return registered;
    this.#insert(email, password, true);
    return done(201);
  }

  suspend(account: ModelAccount): Expected {
    if (account.isErased) return noUser;
    const wasSuspended = stateIn(account) === 'suspended';
    account.isSuspended = true;
    account.deleteAfter = null;
    if (!wasSuspended) this.#lockOut(account, 'by a suspension');
    this.#settleInvitation(account.email);
    return done();
  }

  activate(account: ModelAccount): Expected {
    if (account.isErased) return noUser;
    account.isSuspended = false;
    account.deleteAfter = null;
    return done();
  }

  sendReset(account: ModelAccount): Expected {
    if (account.isErased) return noUser;
    if (stateIn(account) === 'suspended') return refused(409, 'account_suspended');
    this.#mailOwner('reset_password', account);
    return done(202);
  }

  readdress(account: ModelAccount, email: string): Expected {
    if (account.isErased) return noUser;
    if (email === account.email) return done();
    if (this.#isSomebodyElses(email, account)) return emailTaken;
    this.#move(account, email);
    this.#void('undo_email_change', account);
    for (const [address, { account: keeper }] of this.reserved)
      if (keeper === account) this.reserved.delete(address);
    return done();
  }

  erase(account: ModelAccount): Expected {
    if (account.isErased) return noUser;
    account.isErased = true;
    for (const link of this.links) if (link.of === account) link.isVoid = true;
    for (const [address, { account: keeper }] of this.reserved)
      if (keeper === account) this.reserved.delete(address);
    this.#forgetSettled(account.email);
    return done(204);
  }

  /** The clock, and whatever is cleaned by it. */
  advance(ms: number): void {
    this.now += ms;
    for (const account of this.accounts) if (!account.isErased && this.#isDue(account)) this.erase(account);
    for (const [address, { until }] of this.reserved) if (until <= this.now) this.reserved.delete(address);
    for (const invitation of this.invitations.values())
      if (invitation.expires < this.now - 30 * day) this.#removeInvitation(invitation);
  }

  #isDue(account: ModelAccount): boolean {
    const { deleteAfter, emailSince, sessions } = account;
    if (deleteAfter !== null) return deleteAfter <= this.now;
    if (stateIn(account) !== 'pending' || emailSince > this.now - terms.unverified) return false;
    return !sessions.some(
      ({ created, issued, ended }) =>
        issued > this.now - terms.unverified ||
        (ended === undefined && created + terms.session > this.now && issued > this.now - terms.refresh),
    );
  }

  #insert(email: string, password: string, isVerified: boolean): ModelAccount {
    const account: ModelAccount = {
      id: 0,
      email,
      emailSince: this.now,
      isVerified,
      isSuspended: false,
      deleteAfter: null,
      isErased: false,
      password,
      formerPasswords: [],
      pendingEmail: null,
      sessions: [],
    };
    this.accounts.push(account);
    if (isVerified) this.#settleInvitation(email);
    return account;
  }

  #open(account: ModelAccount): void {
    account.deleteAfter = null;
    const { now } = this;
    account.sessions.push({ access: '', refresh: '', created: now, issued: now, ended: undefined });
  }

  #endSessions(account: ModelAccount, how: 'by a suspension' | 'otherwise', except?: ModelSession): void {
    for (const session of account.sessions) if (session !== except) session.ended ??= how;
  }

  #lockOut(account: ModelAccount, how: 'by a suspension' | 'otherwise'): void {
    account.pendingEmail = null;
    this.#endSessions(account, how);
    this.#voidAll(account);
  }

  #setPassword(account: ModelAccount, password: string | null, except?: ModelSession): void {
    if (account.password !== null) account.formerPasswords.push(account.password);
    account.password = password;
    account.pendingEmail = null;
    this.#endSessions(account, 'otherwise', except);
    this.#voidAll(account);
  }

  #prove(account: ModelAccount): void {
    if (account.isVerified) return;
    account.isVerified = true;
    this.#settleInvitation(account.email);
  }

  #takeBackChange(account: ModelAccount): void {
    account.pendingEmail = null;
    this.#void('change_email', account);
  }

  /** Gives an account an address that is proved. */
  #move(account: ModelAccount, email: string): void {
    this.#forgetSettled(account.email);
    account.email = email;
    account.emailSince = this.now;
    account.isVerified = true;
    account.pendingEmail = null;
    this.#voidAll(account);
    this.#settleInvitation(email);
  }

  #confirmChange(link: ModelLink, account: ModelAccount): Expected {
    const { email: former, isVerified: wasVerified } = account;
    if (this.#isSomebodyElses(link.to, account)) return emailTaken;
    this.#move(account, link.to);
    link.isVoid = true;
    if (!wasVerified) return done();
    const steps = [...this.reserved.values()].filter((kept) => kept.account === account);
    const step = Math.max(0, ...steps.map((kept) => kept.step)) + 1;
    this.reserved.set(former, { account, until: this.now + terms.undo + 60 * minute, step });
    this.#mailUndo(account, former);
    return done();
  }

  #undoChange(link: ModelLink, account: ModelAccount): Expected {
    if (account.email === link.to) {
      this.#takeBackChange(account);
      link.isVoid = true;
      return done();
    }
    const kept = this.#keeperOf(link.to);
    if (kept?.account !== account) return invalidLink;
    this.#move(account, link.to);
    account.deleteAfter = null;
    // Whoever moved the account may know its password.
    this.#setPassword(account, null);
    for (const [address, other] of this.reserved)
      if (other.account === account && other.step >= kept.step) this.reserved.delete(address);
    for (const other of this.links)
      if (
        other.of === account &&
        other.purpose === link.purpose &&
        this.reserved.get(other.to)?.account !== account
      )
        other.isVoid = true;
    return done();
  }

  #accept(link: ModelLink, invitation: ModelInvitation, password: string): Expected {
    const { email } = invitation;
    const holder = this.holderOf(email);
    if (holder !== undefined && isSettled(holder)) return registered;
    if (invitation.isSettled) return invalidLink;
    if (holder === undefined && this.#keeperOf(email) !== undefined) return registered;
    this.#removeInvitation(invitation);
    link.isVoid = true;
    if (holder === undefined) this.#insert(email, password, true);
    else {
      this.#setPassword(holder, password);
      this.#void('undo_email_change', holder);
      holder.deleteAfter = null;
      this.#prove(holder);
    }
    return done(201);
  }

  #isLive({ expires, isSettled: isOver }: ModelInvitation): boolean {
    return !isOver && expires > this.now;
  }

  #settleInvitation(email: string): void {
    const invitation = this.invitations.get(email);
    if (invitation !== undefined) invitation.isSettled = true;
  }

  #forgetSettled(email: string): void {
    const invitation = this.invitations.get(email);
    if (invitation?.isSettled) this.#removeInvitation(invitation);
  }

  #removeInvitation(invitation: ModelInvitation): void {
    this.invitations.delete(invitation.email);
    for (const link of this.links) if (link.of === invitation) link.isVoid = true;
  }

  #keeperOf(email: string) {
    const kept = this.reserved.get(email);
    return kept !== undefined && kept.until > this.now ? kept : undefined;
  }

  #isSomebodyElses(email: string, account: ModelAccount): boolean {
    return [this.holderOf(email), this.#keeperOf(email)?.account].some(
      (other) => other !== undefined && other !== account,
    );
  }

  #void(purpose: LinkPurpose, account: ModelAccount): void {
    for (const link of this.links) if (link.of === account && link.purpose === purpose) link.isVoid = true;
  }

  /** All but those that undo a change of the address. */
  #voidAll(account: ModelAccount): void {
    for (const link of this.links)
      if (link.of === account && link.purpose !== 'undo_email_change') link.isVoid = true;
  }

  #mailVerification(account: ModelAccount): void {
    this.#mailOwner('verify_email', account);
  }

  #mailOwner(purpose: 'verify_email' | 'reset_password' | 'email_login', account: ModelAccount): void {
    this.#mint(purpose, account, account.email, terms.links[purpose]);
  }

  #mailUndo(account: ModelAccount, to: string): void {
    const kept = this.#keeperOf(to);
    const keptFor = kept?.account === account ? kept.until - this.now : terms.undo;
    this.#mint('undo_email_change', account, to, Math.min(terms.undo, keptFor));
  }

  #mint(purpose: LinkPurpose, of: ModelLink['of'], to: string, term: number): void {
    if (purpose !== 'undo_email_change')
      for (const link of this.links) if (link.of === of && link.purpose === purpose) link.isVoid = true;
    const expires = this.now + term;
    const codeExpires = this.now + Math.min(term, terms.code);
    const link = { purpose, of, to, expires, codeExpires, isVoid: false, token: '', code: undefined };
    this.links.push(link);
    this.mailed.push(link);
  }
}

/** Whether an account has its address for good. */
function isSettled(account: ModelAccount): boolean {
  return account.isVerified || stateIn(account) === 'suspended';
}
