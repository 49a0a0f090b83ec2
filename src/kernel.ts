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

/** What can happen to an account. Each is announced in the transaction that makes it true. */
export interface DomainEvents {
  'password.changed': { user_id: number /** The session that asked, which goes on. */; sid: string | null };
  'user.created': { user_id: number; email: string };
  'user.readdressed': { user_id: number; from: string; to: string };
  'user.deactivated': { user_id: number };
  /** Announced before the user's row goes. */
  'user.deleted': { user_id: number };
  'sessions.ended': { user_id: number; sids: readonly string[] };
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
}

/** What is counted beside the requests. Labels come from closed lists. */
export interface Counts {
  logins: 'succeeded' | 'failed' | 'throttled' | 'deactivated';
  refreshes: 'rotated' | 'given' | 'refused' | 'reused' | 'throttled';
  throttled: 'account' | 'pair' | 'network' | 'device';
}

/** Counts what happens; whoever watches (`METRICS_PORT`) is told. */
export interface Counters {
  count<K extends keyof Counts>(what: K, label: Counts[K]): void;
  /** From now on `listener` is told of every count. */
  watch(listener: (what: keyof Counts, label: string) => void): void;
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
  const listeners: {
    [K in keyof DomainEvents]: ((tx: Transaction, event: DomainEvents[K]) => Promise<void>)[];
  } = {
    'password.changed': [],
    'user.created': [],
    'user.readdressed': [],
    'user.deactivated': [],
    'user.deleted': [],
    'sessions.ended': [],
  };
  return {
    on(kind, listener) {
      listeners[kind].push(listener);
    },
    async emit(tx, kind, event) {
      for (const listener of listeners[kind]) await listener(tx, event);
    },
  };
}

export function createCounters(): Counters {
  const listeners: ((what: keyof Counts, label: string) => void)[] = [];
  return {
    count(what, label) {
      for (const listener of listeners) listener(what, label);
    },
    watch(listener) {
      listeners.push(listener);
    },
  };
}
