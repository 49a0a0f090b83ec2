import { type Kysely, type SqlBool, sql } from 'kysely';
import type { Tables, Transaction } from '../../database/database.ts';

/** That somebody was erased. */
export interface ErasedUser {
  user_id: number;
  created_at: string;
  erased_at: string;
  /** When it was looked for what requests left that were under way when the user was erased. */
  swept_at: string | null;
}

declare module '../../database/database.ts' {
  interface Tables {
    erased_users: ErasedUser;
  }
}

export async function noteErased(tx: Transaction, userId: number, now: string): Promise<void> {
  await tx
    .insertInto('erased_users')
    .columns(['user_id', 'created_at', 'erased_at'])
    .expression((eb) =>
      eb
        .selectFrom('users')
        .select(['id', 'created_at', sql<string>`${now}`.as('erased_at')])
        .where('id', '=', userId),
    )
    // Erased anew after a backup brought the user back.
    .onConflict((conflict) => conflict.column('user_id').doUpdateSet({ erased_at: now, swept_at: null }))
    .execute();
}

/** Users who were erased before `before` and of whom requests under way may have left something. */
export async function listToSweep(db: Kysely<Tables>, before: string, limit: number): Promise<number[]> {
  const rows = await db
    .selectFrom('erased_users')
    .select('user_id')
    .where('swept_at', 'is', null)
    .where('erased_at', '<=', before)
    .orderBy('erased_at')
    .limit(limit)
    .execute();
  return rows.map(({ user_id }) => user_id);
}

export async function noteSwept(tx: Transaction, userId: number, now: string): Promise<void> {
  await tx.updateTable('erased_users').set({ swept_at: now }).where('user_id', '=', userId).execute();
}

/** Ids of users. */
export type UserSelection = (db: Kysely<Tables>) => ReturnType<typeof selectDue>;

/** Users whose deletion was scheduled for `now` or before. */
export function selectDue(db: Kysely<Tables>, now: string) {
  return db.selectFrom('users').select('users.id').where('delete_after', '<=', now);
}

/**
 * Users who have had an address since before `before` without proving it, and whom nobody uses: no session is live, none
 * was opened or seen since, and no link of a mail works that may prove it yet.
 */
export function selectUnverified(
  db: Kysely<Tables>,
  { now, before, idleBefore }: { now: string; before: string; idleBefore: string },
) {
  return (
    db
      .selectFrom('users')
      .select('users.id')
      // As the index says it.
      .where(sql<SqlBool>`not users.email_verified`)
      .where('email_set_at', '<=', before)
      .where('is_active', '=', true)
      .where('is_admin', '=', false)
      .where(({ exists, not, selectFrom }) =>
        not(
          exists(
            selectFrom('sessions')
              .select('sessions.id')
              .whereRef('sessions.user_id', '=', 'users.id')
              .where((eb) =>
                eb.or([
                  eb('sessions.created_at', '>', before),
                  eb('sessions.last_seen_at', '>', before),
                  eb.and([
                    eb('sessions.ended_at', 'is', null),
                    eb('sessions.expires_at', '>', now),
                    eb('sessions.generation_issued_at', '>', idleBefore),
                  ]),
                ]),
              ),
          ),
        ),
      )
      .where(({ exists, not, selectFrom }) =>
        not(
          exists(
            selectFrom('mail_links')
              .select('mail_links.id')
              .whereRef('mail_links.user_id', '=', 'users.id')
              .where('mail_links.expires_at', '>', now),
          ),
        ),
      )
  );
}
