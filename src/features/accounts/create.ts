import type { Transaction } from '../../database/database.ts';
import { activeAdminsLock, addressLock } from '../../database/lock-names.ts';
import { parseEmailAddress } from '../../email-address.ts';
import { DoorwardError, ValidationError, valueError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { Passwords } from '../passwords/index.ts';
import { findUserByEmailKey, insertUser, type NewUser, type User } from './store.ts';

export interface NewAccount {
  email: string;
  password: string;
  name: string;
  is_admin?: boolean | undefined;
  is_active?: boolean | undefined;
  /** A language tag (BCP 47). */
  locale?: string | undefined;
}

/** The address and its identity. @throws ValidationError when it is no address. */
export function requireEmailAddress(email: string): { email: string; email_key: string } {
  const address = parseEmailAddress(email);
  if (address === undefined)
    throw new ValidationError([valueError(['body', 'email'], 'not a valid email address')]);
  return address;
}

/** A language tag in its canonical form (BCP 47). @throws ValidationError when it is none. */
export function requireLocale(locale: string): string {
  try {
    const [canonical] = Intl.getCanonicalLocales(locale);
    if (canonical !== undefined) return canonical;
  } catch {
    // Told below.
  }
  throw new ValidationError([valueError(['body', 'locale'], 'not a language tag such as de or pt-BR')]);
}

export interface Creation {
  /** How it came about; only whoever signs up by themselves has not proved the address. All but `user.created` are the new user's doing. */
  kind: 'user.signed_up' | 'setup.completed' | 'user.created' | 'invitation.accepted';
  /** Asked once the account is well-formed, before anything is looked up. */
  admit?: () => Promise<void>;
  /** Asked in the transaction that makes it, under the lock of the active admins. */
  allow?: (tx: Transaction) => Promise<void>;
}

/**
 * Checks an account that is to be made, and hashes its password.
 * @throws ValidationError for an address or a language that is none, and when the policy refuses the password.
 */
export async function prepareAccount(
  passwords: Passwords,
  account: NewAccount,
  { kind, admit }: Creation,
  /** Refuses before a hash is paid for. */
  refuse: (address: { email_key: string }) => Promise<void>,
): Promise<PreparedAccount> {
  const { password, name, is_admin = false, is_active = true } = account;
  const address = requireEmailAddress(account.email);
  const locale = account.locale === undefined ? null : requireLocale(account.locale);
  passwords.assertAllowed(password, { email: address.email, name }, ['body', 'password']);
  await admit?.();
  await refuse(address);
  const hash = await passwords.hash(password, kind === 'user.signed_up' ? undefined : kind);
  const email_verified = kind !== 'user.signed_up';
  return { user: { ...address, name, locale, is_admin, is_active, email_verified }, hash };
}

/** An account that is well-formed. */
export interface PreparedAccount {
  readonly user: Omit<NewUser, 'now'>;
  readonly hash: string;
}

/** Stores an account and announces it. Undefined when the address is taken; the database decides between racing requests. */
export async function insertAccount(
  { db, clock, events, audit }: Kernel,
  passwords: Passwords,
  tx: Transaction,
  { user: prepared, hash }: PreparedAccount,
  kind: Creation['kind'],
): Promise<User | undefined> {
  await db.lock(tx, addressLock(prepared.email_key));
  const user = await insertUser(tx, { ...prepared, now: clock.now().toISOString() });
  if (user === undefined) return undefined;
  const { id: user_id, email, email_verified } = user;
  await passwords.insert(tx, user_id, hash);
  await events.emit(tx, 'user.created', { user_id, email, email_verified });
  await audit.record(tx, { kind, user_id, ...(kind === 'user.created' ? {} : { actor: user_id }) });
  return user;
}

/**
 * Makes an account.
 * @throws DoorwardError `email_registered` when the address is taken.
 * @throws ValidationError as `prepareAccount` does.
 */
export async function createAccount(
  kernel: Kernel,
  passwords: Passwords,
  account: NewAccount,
  creation: Creation,
): Promise<User> {
  const { db } = kernel;
  const { kind, allow } = creation;
  const prepared = await prepareAccount(passwords, account, creation, async ({ email_key }) => {
    if (await findUserByEmailKey(db.read, email_key)) throw new DoorwardError('email_registered');
  });
  return db.transaction(async (tx) => {
    if (allow !== undefined) {
      await db.lock(tx, activeAdminsLock);
      await allow(tx);
    }
    const user = await insertAccount(kernel, passwords, tx, prepared, kind);
    if (user === undefined) throw new DoorwardError('email_registered');
    return user;
  });
}
