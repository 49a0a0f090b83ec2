import type { Database, Transaction } from '../../database/database.ts';

/** Why a session ended before its time. */
export type SessionEnd = 'password_changed' | 'user_deactivated';

export interface SessionRow {
  /** The `sid` of the session's tokens: 128 random bits. */
  id: string;
  user_id: number;
  /** Counts the refresh tokens of the session; each generation has one. */
  generation: number;
  generation_issued_at: string;
  created_at: string;
  last_seen_at: string;
  /** The absolute end. */
  expires_at: string;
  ended_at: string | null;
  end_reason: SessionEnd | null;
  /** The address that logged in. */
  network: string;
  user_agent: string;
}

declare module '../../database/database.ts' {
  interface Tables {
    sessions: SessionRow;
  }
}

/** A session and its user, as the guard reads them at once. */
export interface SessionLookup {
  lookup_key: string;
  user_id: number;
  generation: number;
  session_created_at: string;
  session_expires_at: string;
  ended_at: string | null;
  end_reason: SessionEnd | null;
  email: string;
  name: string;
  is_active: boolean;
  is_admin: boolean;
  created_at: string;
}

/** The one query that every authenticated request makes. */
export function prepareSessionLookup(db: Database) {
  return db.keyedRead<SessionLookup>(`
    select sessions.id as lookup_key, sessions.user_id, sessions.generation, sessions.ended_at, sessions.end_reason,
      sessions.created_at as session_created_at, sessions.expires_at as session_expires_at,
      users.email, users.name, users.is_active, users.is_admin, users.created_at
    from sessions join users on users.id = sessions.user_id
    where sessions.id = key_placeholder`);
}

export async function insertSession(tx: Transaction, session: SessionRow): Promise<void> {
  await tx.insertInto('sessions').values(session).execute();
}

/** Ends the live sessions of a user, but for `exceptSid`. */
export async function endSessions(
  tx: Transaction,
  userId: number,
  end: { reason: SessionEnd; now: string; exceptSid?: string | null },
): Promise<void> {
  let update = tx
    .updateTable('sessions')
    .set({ ended_at: end.now, end_reason: end.reason })
    .where('user_id', '=', userId)
    .where('ended_at', 'is', null);
  if (end.exceptSid) update = update.where('id', '!=', end.exceptSid);
  await update.execute();
}

/** Removes sessions that ended by age before `before`. Returns whether there may be more. */
export async function deleteExpiredSessions(
  tx: Transaction,
  before: string,
  limit: number,
): Promise<boolean> {
  const expired = tx
    .selectFrom('sessions')
    .select('id')
    .where('expires_at', '<', before)
    .orderBy('expires_at')
    .limit(limit);
  const result = await tx.deleteFrom('sessions').where('id', 'in', expired).executeTakeFirst();
  return Number(result.numDeletedRows) === limit;
}
