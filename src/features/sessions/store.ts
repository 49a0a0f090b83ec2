import type { Kysely } from 'kysely';
import type { Database, Tables, Transaction } from '../../database/database.ts';
import type { EndedSession } from '../../kernel.ts';

/** Why a session ended before its time. */
export type SessionEnd =
  | 'logged_out'
  | 'revoked'
  | 'revoked_by_admin'
  | 'password_changed'
  | 'user_deactivated'
  | 'user_deleted'
  /** The owner closed the account, which is erased later. */
  | 'user_closed'
  /** The owner of a former address took a change of the email back. */
  | 'email_restored'
  | 'refresh_token_reused'
  /** It was not live any more when a backup was restored that knew it as live. */
  | 'restored';

export interface SessionRow {
  /** The `sid` of the session's tokens: 128 random bits. */
  id: string;
  user_id: number;
  /** Counts the refresh tokens of the session; each generation has one. */
  generation: number;
  generation_issued_at: string;
  /** When the generation's refresh token was last handed out: at its issue, or later to its parent. */
  generation_given_at: string;
  /** When the first token of the generation was presented; null until then. */
  generation_used_at: string | null;
  created_at: string;
  last_seen_at: string;
  /** The absolute end. */
  expires_at: string;
  ended_at: string | null;
  end_reason: SessionEnd | null;
  /** Where the request came from that ended the session by showing a spent refresh token. */
  end_network: string | null;
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
  generation_used_at: string | null;
  last_seen_at: string;
  session_created_at: string;
  session_expires_at: string;
  ended_at: string | null;
  end_reason: SessionEnd | null;
  email: string;
  name: string;
  is_active: boolean;
  is_admin: boolean;
  created_at: string;
  email_verified: boolean;
  pending_email: string | null;
  locale: string | null;
  delete_after: string | null;
}

/** The one query that every authenticated request makes. */
export function prepareSessionLookup(db: Database) {
  return db.keyedRead<SessionLookup>(`
    select sessions.id as lookup_key, sessions.user_id, sessions.generation, sessions.generation_used_at,
      sessions.last_seen_at, sessions.ended_at, sessions.end_reason,
      sessions.created_at as session_created_at, sessions.expires_at as session_expires_at,
      users.email, users.name, users.is_active, users.is_admin, users.created_at,
      users.email_verified, users.pending_email, users.locale, users.delete_after
    from sessions join users on users.id = sessions.user_id
    where sessions.id = key_placeholder`);
}

export async function insertSession(tx: Transaction, session: SessionRow): Promise<void> {
  await tx.insertInto('sessions').values(session).execute();
}

/** A session and whether its user may log in. */
export type RefreshableSession = SessionRow & { is_active: boolean };

/** A session by its id, for the one read of every refresh. */
export function prepareRefreshLookup(db: Database) {
  return db.keyedRead<RefreshableSession>(`
    select sessions.id as lookup_key, sessions.*, users.is_active
    from sessions join users on users.id = sessions.user_id
    where sessions.id = key_placeholder`);
}

export function findSession(db: Kysely<Tables>, sid: string): Promise<RefreshableSession | undefined> {
  return db
    .selectFrom('sessions')
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .selectAll('sessions')
    .select('users.is_active')
    .where('sessions.id', '=', sid)
    .executeTakeFirst();
}

/**
 * Writes what a refresh decided over the session it was decided on. False when another request moved the session
 * meanwhile, so that the decision no longer holds.
 */
export async function changeRotation(
  db: Kysely<Tables>,
  decidedOn: SessionRow,
  changes: Partial<SessionRow>,
): Promise<boolean> {
  const { id, generation, generation_given_at, generation_used_at } = decidedOn;
  const result = await db
    .updateTable('sessions')
    .set(changes)
    .where('id', '=', id)
    .where('generation', '=', generation)
    .where('generation_given_at', '=', generation_given_at)
    .where('generation_used_at', generation_used_at === null ? 'is' : '=', generation_used_at)
    .where('ended_at', 'is', null)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/**
 * Notes that the parent got the current token. False when the session moved meanwhile, or when the mark is later
 * already; two that only note this at the same time do not stand in each other's way.
 */
export async function noteGenerationGiven(
  db: Kysely<Tables>,
  { id, generation, generation_used_at }: SessionRow,
  now: string,
): Promise<boolean> {
  const result = await db
    .updateTable('sessions')
    .set({ generation_given_at: now })
    .where('id', '=', id)
    .where('generation', '=', generation)
    .where('generation_given_at', '<=', now)
    .where('generation_used_at', generation_used_at === null ? 'is' : '=', generation_used_at)
    .where('ended_at', 'is', null)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** Notes that a token of this generation was presented. The first note stands. */
export async function noteGenerationUsed(
  db: Kysely<Tables>,
  sid: string,
  generation: number,
  now: string,
): Promise<void> {
  await db
    .updateTable('sessions')
    .set({ generation_used_at: now, last_seen_at: now })
    .where('id', '=', sid)
    .where('generation', '=', generation)
    .where('generation_used_at', 'is', null)
    .execute();
}

export async function noteLastSeen(db: Kysely<Tables>, sid: string, now: string): Promise<void> {
  await db
    .updateTable('sessions')
    .set({ last_seen_at: now })
    .where('id', '=', sid)
    .where('last_seen_at', '<', now)
    .execute();
}

/** Sessions of a user that have not ended, the one seen last first. */
export function listLiveSessions(db: Kysely<Tables>, userId: number, now: string): Promise<SessionRow[]> {
  return db
    .selectFrom('sessions')
    .selectAll()
    .where('user_id', '=', userId)
    .where('ended_at', 'is', null)
    .where('expires_at', '>', now)
    .orderBy('last_seen_at', 'desc')
    .orderBy('id')
    .execute();
}

export function listSessionsOf(db: Kysely<Tables>, userId: number): Promise<SessionRow[]> {
  return db
    .selectFrom('sessions')
    .selectAll()
    .where('user_id', '=', userId)
    .orderBy('created_at')
    .orderBy('id')
    .execute();
}

/** Whether the user has a session from exactly there. One that is found ends the search, of however many. */
export async function hasSessionFrom(
  db: Kysely<Tables>,
  { user_id, network, user_agent }: Pick<SessionRow, 'user_id' | 'network' | 'user_agent'>,
): Promise<boolean> {
  const found = await db
    .selectFrom('sessions')
    .select('id')
    .where('user_id', '=', user_id)
    .where('network', '=', network)
    .where('user_agent', '=', user_agent)
    .limit(1)
    .executeTakeFirst();
  return found !== undefined;
}

/** What a user's sessions of the past tell of where they log in from. */
export function listUserAgents(
  db: Kysely<Tables>,
  userId: number,
): Promise<Pick<SessionRow, 'network' | 'user_agent'>[]> {
  return db
    .selectFrom('sessions')
    .select(['network', 'user_agent'])
    .distinct()
    .where('user_id', '=', userId)
    .execute();
}

/** Which sessions of a user: one, all but one, or all. */
export interface SessionSelection {
  sid?: string;
  exceptSid?: string | null;
}

/** Marks live sessions of a user as ended. Returns them. */
export async function markEnded(
  tx: Transaction,
  userId: number,
  end: { reason: SessionEnd; now: string; network?: string } & SessionSelection,
): Promise<EndedSession[]> {
  let update = tx
    .updateTable('sessions')
    .set({ ended_at: end.now, end_reason: end.reason, end_network: end.network ?? null })
    .where('user_id', '=', userId)
    .where('ended_at', 'is', null);
  if (end.sid !== undefined) update = update.where('id', '=', end.sid);
  if (end.exceptSid) update = update.where('id', '!=', end.exceptSid);
  return update.returning(['id', 'generation_given_at']).execute();
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
