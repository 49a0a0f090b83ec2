import type { Generated, Kysely } from 'kysely';
import type { Tables, Transaction } from '../../database/database.ts';
import { assertTransition, type Mover, stateOf } from './life-cycle.ts';

/** A user as the wire, the code and the table know it. */
export interface User {
  id: number;
  email: string;
  name: string;
  is_active: boolean;
  is_admin: boolean;
  /** RFC 3339, UTC. */
  created_at: string;
  /** Whether somebody proved that mail to the address reaches them, or an administrator vouched for it. */
  email_verified: boolean;
  /** An address that is to replace `email` once it is confirmed. */
  pending_email: string | null;
  /** A language tag (BCP 47) in which to write to the user. */
  locale: string | null;
  /** When the account is erased, unless somebody restores it before. */
  delete_after: string | null;
}

interface UsersTable {
  id: Generated<number>;
  email: string;
  /** The identity of the address: unique, whatever its case or the spelling of its domain. */
  email_key: string;
  name: string;
  /** The name as it is sorted and searched by its beginning. */
  name_key: string;
  /** Email and name as they are searched by any part: see `searchable`. */
  search_text: string;
  is_active: boolean;
  is_admin: boolean;
  created_at: string;
  updated_at: string;
  email_verified: boolean;
  /** Since when the account has its present address. */
  email_set_at: string;
  pending_email: string | null;
  locale: string | null;
  delete_after: string | null;
}

declare module '../../database/database.ts' {
  interface Tables {
    users: UsersTable;
  }
}

/** The columns of a user, and no others: what is not here cannot leak. */
export const userColumns = [
  'id',
  'email',
  'name',
  'is_active',
  'is_admin',
  'created_at',
  'email_verified',
  'pending_email',
  'locale',
  'delete_after',
] as const;

/**
 * A text as search compares it: compatibility forms and case folded, the same way on every database. Final sigma is
 * sigma, because the end of what is searched for is not the end of a word.
 */
export function foldText(text: string): string {
  return text.normalize('NFKC').toLowerCase().replaceAll('ς', 'σ');
}

/** What stands between the words of addresses and names, and the capital that is written for it. */
const capitals: Record<string, string> = { '@': 'Q', '.': 'X', '-': 'J', _: 'V', '+': 'Z', ' ': 'W' };

/**
 * A folded text as `search_text` has it. PostgreSQL's trigrams are made of letters and digits alone, so punctuation is
 * written as letters: as capitals, because a folded text has none, so that what is told apart stays told apart.
 */
export function searchable(folded: string): string {
  return folded.replaceAll(/[@._+ -]/g, (character) => capitals[character] ?? character);
}

function searchColumns(email: string, name: string) {
  const name_key = foldText(name);
  return { name_key, search_text: `${searchable(foldText(email))}\n${searchable(name_key)}` };
}

export interface NewUser {
  email: string;
  email_key: string;
  name: string;
  is_active: boolean;
  is_admin: boolean;
  email_verified: boolean;
  locale: string | null;
  /** When the account was made, if that was elsewhere and before. */
  created_at?: string | undefined;
  now: string;
}

/** The new user, or undefined when the address is taken. */
export function insertUser(
  tx: Transaction,
  { now, created_at = now, ...user }: NewUser,
): Promise<User | undefined> {
  return tx
    .insertInto('users')
    .values({
      ...user,
      ...searchColumns(user.email, user.name),
      created_at,
      updated_at: now,
      email_set_at: now,
    })
    .onConflict((conflict) => conflict.column('email_key').doNothing())
    .returning(userColumns)
    .executeTakeFirst();
}

export async function findUser(db: Kysely<Tables>, id: number): Promise<User | undefined> {
  if (!Number.isSafeInteger(id)) return undefined;
  return db.selectFrom('users').select(userColumns).where('id', '=', id).executeTakeFirst();
}

export function findUserByEmailKey(db: Kysely<Tables>, emailKey: string): Promise<User | undefined> {
  return db.selectFrom('users').select(userColumns).where('email_key', '=', emailKey).executeTakeFirst();
}

export interface UserChanges {
  email?: { email: string; email_key: string } | undefined;
  name?: string | undefined;
  is_active?: boolean | undefined;
  is_admin?: boolean | undefined;
  email_verified?: boolean | undefined;
  pending_email?: string | null | undefined;
  locale?: string | null | undefined;
  delete_after?: string | null | undefined;
}

/**
 * Writes changes over a user read in the same transaction, under the user's lock; the only way to change one. Fails on an
 * address that is taken, and on a step that `mover` may not make.
 */
export async function updateUser(
  tx: Transaction,
  user: User,
  { email: address, ...changes }: UserChanges,
  { now, mover }: { now: string; mover: Mover },
): Promise<User> {
  const { id, created_at, email, ...present } = { ...user, ...definedIn(changes) };
  const changed = await tx
    .updateTable('users')
    .set({
      ...present,
      ...(address === undefined ? {} : { ...address, email_set_at: now }),
      ...searchColumns(address?.email ?? email, present.name),
      updated_at: now,
    })
    .where('id', '=', id)
    .returning(userColumns)
    .executeTakeFirstOrThrow();
  assertTransition(stateOf(user), stateOf(changed), mover);
  return changed;
}

/** The fields that are to change: a field that is there and undefined stays as it is. */
function definedIn(changes: Omit<UserChanges, 'email'>): Partial<User> {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
}

export async function deleteUser(tx: Transaction, id: number): Promise<void> {
  await tx.deleteFrom('users').where('id', '=', id).execute();
}

/** Whether an active admin other than `id` exists. */
export async function hasOtherActiveAdmin(db: Kysely<Tables>, id: number): Promise<boolean> {
  const other = await db
    .selectFrom('users')
    .select('id')
    .where('is_active', '=', true)
    .where('is_admin', '=', true)
    .where('id', '!=', id)
    .limit(1)
    .executeTakeFirst();
  return other !== undefined;
}

/** Whether anybody is an admin, active or not. */
export async function hasAdmin(db: Kysely<Tables>): Promise<boolean> {
  const admin = await db
    .selectFrom('users')
    .select('id')
    .where('is_active', 'in', [true, false])
    .where('is_admin', '=', true)
    .limit(1)
    .executeTakeFirst();
  return admin !== undefined;
}
