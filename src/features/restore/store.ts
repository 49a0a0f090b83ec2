import type { Kysely } from 'kysely';
import type { Tables, Transaction } from '../../database/database.ts';
import type { SessionRow } from '../sessions/index.ts';

export type LiveSession = Pick<SessionRow, 'id' | 'user_id'>;

/** Live sessions by ascending id, from the one after `after` on. */
export function listLive(
  db: Kysely<Tables>,
  after: string,
  now: string,
  limit: number,
): Promise<LiveSession[]> {
  return db
    .selectFrom('sessions')
    .select(['id', 'user_id'])
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
