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

/** What every feature is given. */
export interface Kernel {
  readonly settings: Settings;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: Events;
}

/** Calls the listeners in the order in which they asked; a listener that fails undoes the transaction. */
export function createEvents(): Events {
  const listeners: {
    [K in keyof DomainEvents]: ((tx: Transaction, event: DomainEvents[K]) => Promise<void>)[];
  } = {
    'password.changed': [],
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
