import { type Kysely, type SqlBool, sql } from 'kysely';
import type { Tables, Transaction } from '../../database/database.ts';

/** What happened on a day, in UTC. */
export interface DailyCounts {
  /** `2026-01-31`. */
  day: string;
  sign_ups: number;
  logins: number;
  failed_logins: number;
  throttled: number;
  active_users: number;
}

declare module '../../database/database.ts' {
  interface Tables {
    daily_counts: DailyCounts & { counted_at: string | null };
    daily_active_users: { user_id: number; day: string };
  }
}

export function listDays(db: Kysely<Tables>, from: string): Promise<DailyCounts[]> {
  return db
    .selectFrom('daily_counts')
    .select(['day', 'sign_ups', 'logins', 'failed_logins', 'throttled', 'active_users'])
    .where('day', '>=', from)
    .orderBy('day')
    .execute();
}

/** The last day that was counted, up to `latest`: what was counted after it, a clock counted that was ahead. */
export async function findLastDay(db: Kysely<Tables>, latest: string): Promise<string | undefined> {
  const last = await db
    .selectFrom('daily_counts')
    .select('day')
    .where((eb) => eb.or([eb('counted_at', 'is', null), eb('counted_at', '<=', latest)]))
    .orderBy('day', 'desc')
    .limit(1)
    .executeTakeFirst();
  return last?.day;
}

/** Stores the counts of a day; those of whoever was first stand, unless they were counted after `latest`. */
export async function putDay(
  tx: Transaction,
  counts: DailyCounts,
  { counted_at, latest }: { counted_at: string; latest: string },
): Promise<void> {
  const row = { ...counts, counted_at };
  await tx
    .insertInto('daily_counts')
    .values(row)
    .onConflict((conflict) =>
      conflict.column('day').doUpdateSet(row).where('daily_counts.counted_at', '>', latest),
    )
    .execute();
}

/** Notes who was active on a day, of those who still exist. */
export async function insertActive(tx: Transaction, day: string, userIds: readonly number[]): Promise<void> {
  await tx
    .insertInto('daily_active_users')
    .columns(['user_id', 'day'])
    .expression((eb) =>
      eb
        .selectFrom('users')
        .select(['id as user_id', sql<string>`cast(${day} as text)`.as('day')])
        .where('id', 'in', [...userIds]),
    )
    .onConflict((conflict) => conflict.columns(['user_id', 'day']).doNothing())
    .execute();
}

export async function countActive(db: Kysely<Tables>, day: string): Promise<number> {
  const { users } = await db
    .selectFrom('daily_active_users')
    .select((eb) => eb.fn.countAll<number>().as('users'))
    .where('day', '=', day)
    .executeTakeFirstOrThrow();
  return users;
}

export async function listActiveDays(db: Kysely<Tables>, userId: number): Promise<string[]> {
  const rows = await db
    .selectFrom('daily_active_users')
    .select('day')
    .where('user_id', '=', userId)
    .orderBy('day')
    .execute();
  return rows.map(({ day }) => day);
}

/** Removes some of those who were active before a day. Returns whether there may be more. */
export async function deleteActiveBefore(tx: Transaction, before: string, limit: number): Promise<boolean> {
  const old = await tx
    .selectFrom('daily_active_users')
    .select('day')
    .where('day', '<', before)
    .orderBy('day')
    .limit(1)
    .executeTakeFirst();
  if (old === undefined) return false;
  const users = tx.selectFrom('daily_active_users').select('user_id').where('day', '=', old.day).limit(limit);
  await tx
    .deleteFrom('daily_active_users')
    .where('day', '=', old.day)
    .where('user_id', 'in', users)
    .execute();
  return true;
}

/** Users of one group behind an id, as far as `limit`: how many, and the last. */
export function countUsersNext(
  db: Kysely<Tables>,
  {
    is_active,
    is_admin,
    after,
    limit,
  }: { is_active: boolean; is_admin: boolean; after: number; limit: number },
): Promise<{ users: number; last: number | null }> {
  const next = db
    .selectFrom('users')
    .select('id')
    .where('is_active', '=', is_active)
    .where('is_admin', '=', is_admin)
    .where('id', '>', after)
    .orderBy('id')
    .limit(limit);
  return db
    .selectFrom(next.as('next'))
    .select((eb) => [eb.fn.countAll<number>().as('users'), eb.fn.max<number | null>('id').as('last')])
    .executeTakeFirstOrThrow();
}

/** How many users there are whose address is not proved, and whose deletion is scheduled; as their indexes say it. */
export async function countApart(db: Kysely<Tables>): Promise<{ unverified: number; scheduled: number }> {
  const count = async (condition: ReturnType<typeof sql<SqlBool>>) => {
    const { users } = await db
      .selectFrom('users')
      .select((eb) => eb.fn.countAll<number>().as('users'))
      .where(condition)
      .executeTakeFirstOrThrow();
    return users;
  };
  return {
    unverified: await count(sql<SqlBool>`not email_verified`),
    scheduled: await count(sql<SqlBool>`delete_after is not null`),
  };
}
