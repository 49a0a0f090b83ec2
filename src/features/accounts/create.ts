import type { Transaction } from '../../database/database.ts';
import { activeAdminsLock } from '../../database/lock-names.ts';
import { parseEmailAddress } from '../../email-address.ts';
import { DoorwardError, ValidationError, valueError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { Passwords } from '../passwords/index.ts';
import { findUserByEmailKey, insertUser, type User } from './store.ts';

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
 * Makes an account.
 * @throws DoorwardError `email_registered` when the address is taken; the database decides between racing requests.
 * @throws ValidationError when the policy refuses the password.
 */
export async function createAccount(
  kernel: Kernel,
  passwords: Passwords,
  account: NewAccount,
  { kind, admit, allow }: Creation,
): Promise<User> {
  const { db, clock, events, audit } = kernel;
  const { password, name, is_admin = false, is_active = true } = account;
  const address = requireEmailAddress(account.email);
  const locale = account.locale === undefined ? null : requireLocale(account.locale);
  passwords.assertAllowed(password, { email: address.email, name }, ['body', 'password']);
  await admit?.();
  // What is taken already is refused before a hash is paid for.
  if (await findUserByEmailKey(db.read, address.email_key)) throw new DoorwardError('email_registered');
  const hash = await passwords.hash(password, kind === 'user.signed_up' ? undefined : kind);
  return db.transaction(async (tx) => {
    if (allow !== undefined) {
      await db.lock(tx, activeAdminsLock);
      await allow(tx);
    }
    const now = clock.now().toISOString();
    const email_verified = kind !== 'user.signed_up';
    const state = { is_admin, is_active, email_verified };
    const user = await insertUser(tx, { ...address, name, locale, ...state, now });
    if (user === undefined) throw new DoorwardError('email_registered');
    await passwords.insert(tx, user.id, hash);
    await events.emit(tx, 'user.created', { user_id: user.id, email: user.email, email_verified });
    await audit.record(tx, {
      kind,
      user_id: user.id,
      ...(kind === 'user.created' ? {} : { actor: user.id }),
    });
    return user;
  });
}
