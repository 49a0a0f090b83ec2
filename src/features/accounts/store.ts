import type { Generated, Kysely } from 'kysely';
import type { Tables, Transaction } from '../../database/database.ts';

/** A user as the wire, the code and the table know it. */
export interface User {
  id: number;
  email: string;
  name: string;
  is_active: boolean;
  is_admin: boolean;
  /** RFC 3339, UTC. */
  created_at: string;
}

interface UsersTable {
  id: Generated<number>;
  email: string;
  /** The identity of the address: unique, whatever its case or the spelling of its domain. */
  email_key: string;
  name: string;
  /** The name as it is sorted and searched by its beginning. */
  name_key: string;
  /** Email and name as they are searched by any part. */
  search_text: string;
  is_active: boolean;
  is_admin: boolean;
  created_at: string;
  updated_at: string;
}

declare module '../../database/database.ts' {
  interface Tables {
    users: UsersTable;
  }
}

/** The columns of a user, and no others: what is not here cannot leak. */
export const userColumns = ['id', 'email', 'name', 'is_active', 'is_admin', 'created_at'] as const;

/**
 * A text as search compares it: compatibility forms and case folded, the same way on every database. Final sigma is
 * sigma, because the end of what is searched for is not the end of a word.
 */
export function foldText(text: string): string {
  return text.normalize('NFKC').toLowerCase().replaceAll('ς', 'σ');
}

function searchColumns(email: string, name: string) {
  return { name_key: foldText(name), search_text: `${foldText(email)}\n${foldText(name)}` };
}

export interface NewUser {
  email: string;
  email_key: string;
  name: string;
  is_active: boolean;
  is_admin: boolean;
  now: string;
}

/** The new user, or undefined when the address is taken. */
export function insertUser(tx: Transaction, { now, ...user }: NewUser): Promise<User | undefined> {
  return tx
    .insertInto('users')
    .values({ ...user, ...searchColumns(user.email, user.name), created_at: now, updated_at: now })
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
}

/** Writes changes over a user read in the same transaction, under the user's lock. Fails on an address that is taken. */
export function updateUser(tx: Transaction, user: User, changes: UserChanges, now: string): Promise<User> {
  const email = changes.email?.email ?? user.email;
  const name = changes.name ?? user.name;
  return tx
    .updateTable('users')
    .set({
      ...(changes.email ?? {}),
      name,
      ...searchColumns(email, name),
      is_active: changes.is_active ?? user.is_active,
      is_admin: changes.is_admin ?? user.is_admin,
      updated_at: now,
    })
    .where('id', '=', user.id)
    .returning(userColumns)
    .executeTakeFirstOrThrow();
}

export async function deleteUser(tx: Transaction, id: number): Promise<void> {
  await tx.deleteFrom('users').where('id', '=', id).execute();
}

/** Whether an active admin other than `id` exists. */
export async function hasOtherActiveAdmin(tx: Transaction, id: number): Promise<boolean> {
  const other = await tx
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
