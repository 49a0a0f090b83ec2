import type { Kysely } from 'kysely';
import type { Tables, Transaction } from '../../database/database.ts';
import type { ErasedUser } from '../leaving/index.ts';
import { goodbyes } from '../outbox/index.ts';
import type { SessionRow } from '../sessions/index.ts';

export type LiveSession = Pick<SessionRow, 'id' | 'user_id' | 'generation_given_at'>;

/** Live sessions by ascending id, from the one after `after` on. */
export function listLive(
  db: Kysely<Tables>,
  after: string,
  now: string,
  limit: number,
): Promise<LiveSession[]> {
  return db
    .selectFrom('sessions')
    .select(['id', 'user_id', 'generation_given_at'])
    .where('id', '>', after)
    .where('ended_at', 'is', null)
    .where('expires_at', '>', now)
    .orderBy('id')
    .limit(limit)
    .execute();
}

/** What a session has gone through by being refreshed and used. */
const rotationColumns = [
  'generation',
  'generation_issued_at',
  'generation_given_at',
  'generation_used_at',
  'last_seen_at',
] as const;

type Rotated = Pick<SessionRow, 'id' | (typeof rotationColumns)[number]>;

/** Those of the sessions with these ids that are live. */
export function listLiveAmong(db: Kysely<Tables>, sids: readonly string[], now: string): Promise<Rotated[]> {
  return db
    .selectFrom('sessions')
    .select(['id', ...rotationColumns])
    .where('id', 'in', sids)
    .where('ended_at', 'is', null)
    .where('expires_at', '>', now)
    .execute();
}

export async function copyRotations(tx: Transaction, sessions: readonly Rotated[]): Promise<void> {
  for (const { id, ...rotation } of sessions) {
    await tx.updateTable('sessions').set(rotation).where('id', '=', id).execute();
  }
}

export async function markRestored(tx: Transaction, sids: readonly string[], now: string): Promise<void> {
  if (sids.length === 0) return;
  await tx
    .updateTable('sessions')
    .set({ ended_at: now, end_reason: 'restored', end_network: null })
    .where('id', 'in', sids)
    .execute();
}

/** Those of the ids that no session has. */
export async function findUnknownSids(
  db: Kysely<Tables>,
  sids: readonly string[],
): Promise<ReadonlySet<string>> {
  const known = await db.selectFrom('sessions').select('id').where('id', 'in', sids).execute();
  const found = new Set(known.map(({ id }) => id));
  return new Set(sids.filter((sid) => !found.has(sid)));
}

export function listUnexpiredRevocations(db: Kysely<Tables>, after: number, now: string, limit: number) {
  return db
    .selectFrom('revocations')
    .selectAll()
    .where('id', '>', after)
    .where('expires_at', '>', now)
    .orderBy('id')
    .limit(limit)
    .execute();
}

/** Removes the signing keys that were withdrawn since the backup. */
export async function withdrawMissingKeys(tx: Transaction, previous: Kysely<Tables>): Promise<void> {
  const kids = (await previous.selectFrom('signing_keys').select('kid').execute()).map(({ kid }) => kid);
  const withdrawn = tx.deleteFrom('signing_keys');
  await (kids.length === 0 ? withdrawn : withdrawn.where('kid', 'not in', kids)).execute();
}

/** Adds the keys that were made since the backup, when they are encrypted under the same SECRET_KEY. */
export async function insertMissingKeys(tx: Transaction, previous: Kysely<Tables>): Promise<void> {
  const fingerprintIn = async (db: Kysely<Tables>) =>
    (await db.selectFrom('secret_key_checks').select('fingerprint').executeTakeFirst())?.fingerprint;
  if ((await fingerprintIn(previous)) !== (await fingerprintIn(tx))) return;
  for (const key of await previous.selectFrom('signing_keys').selectAll().execute()) {
    await tx
      .insertInto('signing_keys')
      .values(key)
      .onConflict((conflict) => conflict.column('kid').doNothing())
      .execute();
  }
  for (const key of await previous.selectFrom('former_secret_keys').selectAll().execute()) {
    await tx
      .insertInto('former_secret_keys')
      .values(key)
      .onConflict((conflict) => conflict.column('fingerprint').doNothing())
      .execute();
  }
}

/** Keeps forgotten devices forgotten, and the waits that failed logins brought about. */
export async function takeThrottle(tx: Transaction, previous: Kysely<Tables>): Promise<void> {
  for (const { user_id, epoch } of await previous.selectFrom('device_epochs').selectAll().execute()) {
    await tx
      .insertInto('device_epochs')
      .columns(['user_id', 'epoch'])
      .expression((eb) =>
        eb
          .selectFrom('users')
          .select(['id', eb.val(epoch).as('epoch')])
          .where('id', '=', user_id),
      )
      .onConflict((conflict) => conflict.column('user_id').doUpdateSet({ epoch }))
      .execute();
  }
  await tx.deleteFrom('throttle_counters').execute();
  for (let after = ''; ; ) {
    const counters = await previous
      .selectFrom('throttle_counters')
      .selectAll()
      .where('key', '>', after)
      .orderBy('key')
      .limit(500)
      .execute();
    const last = counters.at(-1);
    if (last === undefined) return;
    after = last.key;
    await tx.insertInto('throttle_counters').values(counters).execute();
  }
}

export function listErased(db: Kysely<Tables>, after: number, limit: number): Promise<ErasedUser[]> {
  return db
    .selectFrom('erased_users')
    .selectAll()
    .where('user_id', '>', after)
    .orderBy('user_id')
    .limit(limit)
    .execute();
}

/** Which of those who were erased are there. Another database may have given their ids to others. */
export async function findRevived(db: Kysely<Tables>, erased: readonly ErasedUser[]): Promise<number[]> {
  const ids = erased.map(({ user_id }) => user_id);
  const created = new Map(erased.map(({ user_id, created_at }) => [user_id, created_at]));
  const users = await db.selectFrom('users').select(['id', 'created_at']).where('id', 'in', ids).execute();
  return users.filter(({ id, created_at }) => created.get(id) === created_at).map(({ id }) => id);
}

export async function insertErased(tx: Transaction, erased: readonly ErasedUser[]): Promise<void> {
  await tx
    .insertInto('erased_users')
    .values(erased)
    .onConflict((conflict) => conflict.column('user_id').doNothing())
    .execute();
}

interface Schedule {
  id: number;
  is_active: boolean;
  delete_after: string | null;
}

/** In one batch of users, in the order of their ids, those whose deletion was scheduled or taken back since the backup. */
export async function findRescheduled(
  restored: Kysely<Tables>,
  previous: Kysely<Tables>,
  after: number,
  limit: number,
): Promise<{ changed: Schedule[]; last: number | undefined }> {
  const users = (db: Kysely<Tables>) =>
    db.selectFrom('users').select(['id', 'created_at', 'is_active', 'is_admin', 'delete_after']);
  const now = await users(restored).where('id', '>', after).orderBy('id').limit(limit).execute();
  const last = now.at(-1)?.id;
  if (last === undefined) return { changed: [], last };
  const before = await users(previous).where('id', '>', after).where('id', '<=', last).execute();
  const known = new Map(before.map((user) => [user.id, user]));
  const changed: Schedule[] = [];
  for (const { id, created_at, is_admin, delete_after } of now) {
    const was = known.get(id);
    if (was?.created_at !== created_at || was.delete_after === delete_after) continue;
    // An administrator may be the only one that the backup knows.
    if (is_admin && was.delete_after !== null) continue;
    changed.push({ id, is_active: was.is_active, delete_after: was.delete_after });
  }
  return { changed, last };
}

export async function reschedule(tx: Transaction, { id, ...schedule }: Schedule): Promise<void> {
  await tx.updateTable('users').set(schedule).where('id', '=', id).execute();
}

/** Gives everybody whose account would be erased sooner until `earliest` to come back, if they had not done so already. */
export async function putOffErasures(tx: Transaction, earliest: string): Promise<void> {
  await tx
    .updateTable('users')
    .set({ delete_after: earliest })
    .where('delete_after', '<', earliest)
    .execute();
}

/** Who proved the address since the backup is not to be erased for not having done so. */
export async function putOffUnverified(tx: Transaction, now: string): Promise<void> {
  await tx.updateTable('users').set({ email_set_at: now }).where('email_verified', '=', false).execute();
}

/** What was mailed may be used up by now, and what waited may have been sent. */
export async function voidMails(tx: Transaction): Promise<void> {
  await tx.deleteFrom('mail_links').execute();
  await tx
    .deleteFrom('outbox')
    .where('kind', 'in', [...goodbyes])
    .execute();
  await tx
    .updateTable('outbox')
    .set({ state: 'dead', secret: null, claim: null, claimed_until: null, last_error: 'restored' })
    .where('state', 'in', ['asked', 'queued'])
    .execute();
}

/** Where the audit log stood: `chain:position:hash` of each chain that has events. */
export async function describeAuditHeads(previous: Kysely<Tables>): Promise<string[]> {
  const heads = await previous
    .selectFrom('audit_chains')
    .select(['chain', 'position', 'hash'])
    .where('position', '>', 0)
    .orderBy('chain')
    .execute();
  return heads.map(({ chain, position, hash }) => `${chain}:${position}:${hash}`);
}

/** A user of whom the backup brings back what had been taken away since. */
export interface UserChange {
  id: number;
  email: string;
  /** What had happened since the backup. */
  undone: ('deleted' | 'deactivated' | 'demoted' | 'password_changed')[];
}

/** Compares one batch of users, in the order of their ids; `last` is where the next one starts. */
export async function findChanges(
  restored: Kysely<Tables>,
  previous: Kysely<Tables>,
  after: number,
  limit: number,
): Promise<{ changes: UserChange[]; last: number | undefined }> {
  const users = (db: Kysely<Tables>) =>
    db
      .selectFrom('users')
      .leftJoin('passwords', 'passwords.user_id', 'users.id')
      .select(['users.id', 'users.email', 'users.is_active', 'users.is_admin', 'passwords.revision']);
  const now = await users(restored).where('users.id', '>', after).orderBy('users.id').limit(limit).execute();
  const last = now.at(-1)?.id;
  if (last === undefined) return { changes: [], last };
  const before = await users(previous).where('users.id', '>', after).where('users.id', '<=', last).execute();
  const known = new Map(before.map((user) => [user.id, user]));
  const changes = now.map(({ id, email, ...user }): UserChange => {
    const was = known.get(id);
    if (was === undefined) return { id, email, undone: user.is_active ? ['deleted'] : [] };
    const undone: UserChange['undone'] = [];
    if (user.is_active && !was.is_active) undone.push('deactivated');
    if (user.is_admin && !was.is_admin) undone.push('demoted');
    if (user.revision !== was.revision) undone.push('password_changed');
    return { id, email, undone };
  });
  return { changes: changes.filter(({ undone }) => undone.length > 0), last };
}

export async function listServiceNames(db: Kysely<Tables>): Promise<string[]> {
  return (await db.selectFrom('services').select('name').orderBy('name').execute()).map(({ name }) => name);
}
