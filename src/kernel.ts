import type { AuditKind } from './audit-kinds.ts';
import type { Database, Transaction } from './database/database.ts';
import type { Settings } from './settings.ts';

/** Where time comes from, so that a test can hold it still. */
export interface Clock {
  now(): Date;
}

/** The part of a Pino logger that features use. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What an administrator did to somebody's account. */
export type Administered =
  | 'promoted'
  | 'demoted'
  | 'suspended'
  | 'reactivated'
  | 'email_changed'
  | 'name_changed'
  | 'password_set';

export interface EndedSession {
  readonly id: string;
  /** Access tokens were issued until then, and within REFRESH_GRACE_SECONDS after it. */
  readonly generation_given_at: string;
}

/** What can happen to an account. Each is announced in the transaction that makes it true. */
export interface DomainEvents {
  /**
   * `sid` is the session that asked, which goes on; null when the password was set anew or taken away. `by`: the owner, who
   * knew the old one or has the mailbox; somebody else; or nobody, when it was taken away.
   */
  'password.changed': { user_id: number; sid: string | null; by: 'owner' | 'administrator' | 'nobody' };
  /** Somebody signs up, and is not to see whether an account is made; a listener that fails says `email_registered`. */
  'user.wanted': { email: string };
  'user.created': { user_id: number; email: string; email_verified: boolean };
  'user.readdressed': {
    user_id: number;
    from: string;
    to: string;
    email_verified: boolean;
    mover: 'owner' | 'administrator' | 'system';
  };
  'user.verified': { user_id: number };
  /** Somebody knew the password of an account whose address is to be verified first. */
  'user.unverified': { user_id: number };
  /** Somebody signed up with the address of the account, and is not told that there is one. */
  'user.signed_up_again': { user_id: number };
  'user.deactivated': { user_id: number };
  /** The owner closed the account, which is erased later. */
  'user.closed': { user_id: number; delete_after: string };
  /** The owner or an administrator took that back. */
  'user.restored': { user_id: number; mover: 'owner' | 'administrator' | 'system' };
  /** Somebody else than the owner changed the account. */
  'user.administered': { user_id: number; what: readonly Administered[] };
  /** Announced before the user's row goes. */
  'user.deleted': {
    user_id: number;
    email: string;
    locale: string | null;
    mover: 'owner' | 'administrator' | 'system';
  };
  /** `isNewDevice`: the user has had sessions, none of this browser in this network, and the device is not known. */
  'session.opened': { user_id: number; network: string; user_agent: string; isNewDevice: boolean };
  /** A spent refresh token was shown. */
  'session.reused': { user_id: number; network: string; user_agent: string };
  'sessions.ended': { user_id: number; sessions: readonly EndedSession[] };
  /** So many logins of the user failed in a row that it was hardly the user. */
  'account.attacked': { user_id: number };
}

/** Announces what happened to those who must act on it in the same transaction. */
export interface Events {
  on<K extends keyof DomainEvents>(
    kind: K,
    listener: (tx: Transaction, event: DomainEvents[K]) => Promise<void>,
  ): void;
  emit<K extends keyof DomainEvents>(tx: Transaction, kind: K, event: DomainEvents[K]): Promise<void>;
}

/** Something that happened, for the audit log. Who did it and from where is added from the origin. */
export interface NewAuditEvent {
  readonly kind: AuditKind;
  /** Whom it concerns; null when it concerns nobody or nobody known. */
  readonly user_id: number | null;
  /** Overrides the origin's: a login is done by the user whom it signs in. */
  readonly actor?: number | null;
  /** No secret, no token, nothing that somebody typed where a password may stand. */
  readonly detail?: Readonly<Record<string, string | number | boolean | null | readonly string[]>>;
}

/** Where changes and refusals are written down. */
export interface AuditTrail {
  /** Appends an event in the transaction of what it tells; last in it, as it holds a lock until the transaction ends. */
  record(tx: Transaction, event: NewAuditEvent): Promise<void>;
  /**
   * Makes unreadable what events say of a person: of those that concern the user and those that the user did. Returns of how
   * many.
   */
  erase(tx: Transaction, userId: number): Promise<number>;
}

/** What is counted beside the requests. Labels come from closed lists. */
export interface Counts {
  logins: 'succeeded' | 'failed' | 'throttled' | 'deactivated' | 'unverified';
  refreshes: 'rotated' | 'given' | 'refused' | 'reused' | 'throttled';
  throttled: 'account' | 'pair' | 'network' | 'device';
  mails: 'sent' | 'postponed' | 'refused' | 'expired';
}

/** Counts what happens; whoever watches (`METRICS_PORT`) is told. */
export interface Counters {
  count<K extends keyof Counts>(what: K, label: Counts[K]): void;
  /** From now on `listener` is told of every count. */
  watch(listener: (what: keyof Counts, label: string) => void): void;
  /** Somebody logged in, or got tokens by a refresh. */
  noteActive(userId: number): void;
  /** From now on `listener` is told of everybody who is active. */
  watchActive(listener: (userId: number) => void): void;
}

/** What every feature is given. */
export interface Kernel {
  readonly settings: Settings;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: Events;
  readonly audit: AuditTrail;
  readonly counters: Counters;
}

/** Calls the listeners in the order in which they asked; a listener that fails undoes the transaction. */
export function createEvents(): Events {
  const listeners = new Map<keyof DomainEvents, ((tx: Transaction, event: never) => Promise<void>)[]>();
  return {
    on(kind, listener) {
      const others = listeners.get(kind) ?? [];
      listeners.set(kind, [...others, listener]);
    },
    async emit(tx, kind, event) {
      for (const listener of listeners.get(kind) ?? []) await listener(tx, event as never);
    },
  };
}

export function createCounters(): Counters {
  const listeners: ((what: keyof Counts, label: string) => void)[] = [];
  const activeListeners: ((userId: number) => void)[] = [];
  return {
    count(what, label) {
      for (const listener of listeners) listener(what, label);
    },
    watch(listener) {
      listeners.push(listener);
    },
    noteActive(userId) {
      for (const listener of activeListeners) listener(userId);
    },
    watchActive(listener) {
      activeListeners.push(listener);
    },
  };
}
