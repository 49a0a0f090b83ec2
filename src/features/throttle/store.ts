import { type Kysely, sql } from 'kysely';
import type { Tables, Transaction } from '../../database/database.ts';

/** Failures that are counted under one key. After `expires_at` the row says nothing any more. */
export interface Counter {
  key: string;
  failures: number;
  /** No try before; null while the budget is open. */
  blocked_until: string | null;
  expires_at: string;
}

declare module '../../database/database.ts' {
  interface Tables {
    throttle_counters: Counter;
    device_epochs: { user_id: number; epoch: number };
  }
}

/** When a counter of `key` says something: it ends after `now`, and not after `latest_expiry`. */
export interface Validity {
  key: string;
  now: string;
  latest_expiry: string;
}

const isOver = ({ now, latest_expiry }: Validity) =>
  sql<boolean>`(throttle_counters.expires_at <= ${now} or throttle_counters.expires_at > ${latest_expiry})`;

const isOpen = (validity: Validity) =>
  sql<boolean>`(throttle_counters.blocked_until is null or throttle_counters.blocked_until <= ${validity.now}
    or ${isOver(validity)})`;

/** The counters among those named that let nobody through. */
export function findClosed(
  db: Kysely<Tables>,
  counters: readonly Validity[],
): Promise<{ key: string; blocked_until: string | null }[]> {
  return db
    .selectFrom('throttle_counters')
    .select(['key', 'blocked_until'])
    .where((eb) => eb.or(counters.map((counter) => eb('key', '=', counter.key).and(eb.not(isOpen(counter))))))
    .execute();
}

export interface Count extends Validity {
  expires_at: string;
  /** Whether a further failure puts the end off. */
  extends: boolean;
  /** Counted even where no try is let through. */
  always: boolean;
}

/**
 * Counts one failure, in one statement: of racing requests each sees what the one before it made. Undefined, and nothing
 * is counted, when the counter lets nobody through. The row stays locked until the transaction ends.
 */
export function countFailure(
  tx: Transaction,
  count: Count,
): Promise<{ failures: number; expires_at: string } | undefined> {
  const { key, expires_at, extends: isExtended, always } = count;
  return tx
    .insertInto('throttle_counters')
    .values({ key, failures: 1, blocked_until: null, expires_at })
    .onConflict((conflict) => {
      const update = conflict.column('key').doUpdateSet((eb) => ({
        failures: eb
          .case()
          .when(isOver(count))
          .then(1)
          .else(eb('throttle_counters.failures', '+', 1))
          .end(),
        blocked_until: null,
        expires_at: isExtended
          ? eb.ref('excluded.expires_at')
          : eb
              .case()
              .when(isOver(count))
              .then(eb.ref('excluded.expires_at'))
              .else(eb.ref('throttle_counters.expires_at'))
              .end(),
      }));
      if (always) return update;
      return update.where(isOpen(count));
    })
    .returning(['failures', 'expires_at'])
    .executeTakeFirst();
}

export async function closeUntil(tx: Transaction, key: string, blocked_until: string): Promise<void> {
  await tx.updateTable('throttle_counters').set({ blocked_until }).where('key', '=', key).execute();
}

/**
 * Takes one failure back. An hour that has begun since is left as it is, and so is a wait that a later failure brought;
 * both have another end.
 */
export async function uncountFailure(
  tx: Transaction,
  { key, expires_at, extends: isExtended }: Pick<Count, 'key' | 'expires_at' | 'extends'>,
): Promise<void> {
  const update = tx
    .updateTable('throttle_counters')
    .set((eb) => ({
      failures: eb('failures', '-', 1),
      blocked_until: eb
        .case()
        .when('expires_at', '=', expires_at)
        .then(null)
        .else(eb.ref('blocked_until'))
        .end(),
    }))
    .where('key', '=', key)
    .where('failures', '>', 0);
  await (isExtended ? update : update.where('expires_at', '=', expires_at)).execute();
}

export async function deleteCounter(tx: Transaction, key: string): Promise<void> {
  await tx.deleteFrom('throttle_counters').where('key', '=', key).execute();
}

/** Gives a counter another key, over whatever is counted there in the meantime. */
export async function moveCounter(tx: Transaction, from: string, to: string): Promise<void> {
  const counter = await tx
    .deleteFrom('throttle_counters')
    .where('key', '=', from)
    .returning(['failures', 'blocked_until', 'expires_at'])
    .executeTakeFirst();
  if (counter === undefined) return;
  await tx
    .insertInto('throttle_counters')
    .values({ ...counter, key: to })
    .onConflict((conflict) => conflict.column('key').doUpdateSet(counter))
    .execute();
}

/** Forgets the counter of an address or a user, and all whose keys begin with it and a dot. */
export async function deleteCountersOf(tx: Transaction, key: string): Promise<void> {
  await deleteCounter(tx, key);
  await tx
    .deleteFrom('throttle_counters')
    .where('key', '>', `${key}.`)
    .where('key', '<', `${key}/`)
    .execute();
}

/** Removes counters that say nothing any more. Returns whether there may be more. */
export async function deleteExpiredCounters(tx: Transaction, now: string, limit: number): Promise<boolean> {
  const expired = tx
    .selectFrom('throttle_counters')
    .select('key')
    .where('expires_at', '<=', now)
    .orderBy('expires_at')
    .limit(limit);
  const result = await tx
    .deleteFrom('throttle_counters')
    .where('key', 'in', expired)
    // One that was counted on since it was found is not over.
    .where('expires_at', '<=', now)
    .executeTakeFirst();
  return Number(result.numDeletedRows) === limit;
}

/** How often the known devices of a user were forgotten. */
export async function findDeviceEpoch(db: Kysely<Tables>, userId: number): Promise<number> {
  const row = await db
    .selectFrom('device_epochs')
    .select('epoch')
    .where('user_id', '=', userId)
    .executeTakeFirst();
  return row?.epoch ?? 0;
}

export async function raiseDeviceEpoch(tx: Transaction, userId: number): Promise<void> {
  await tx
    .insertInto('device_epochs')
    .values({ user_id: userId, epoch: 1 })
    .onConflict((conflict) =>
      conflict.column('user_id').doUpdateSet((eb) => ({ epoch: eb('device_epochs.epoch', '+', 1) })),
    )
    .execute();
}

export async function findAddress(db: Kysely<Tables>, userId: number): Promise<string | undefined> {
  const row = await db.selectFrom('users').select('email').where('id', '=', userId).executeTakeFirst();
  return row?.email;
}
