import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { Passwords } from '../passwords/index.ts';
import { requireEmailAddress } from './create.ts';
import { deleteUser, insertUser } from './store.ts';

/** An account of another system, with the hash of its password in a form that `describeHash` accepts. */
export interface ImportedAccount {
  email: string;
  name: string;
  hashed_password: string;
  is_active: boolean;
  is_admin: boolean;
  /** RFC 3339 in UTC with milliseconds; now, when it is not known. */
  created_at: string | undefined;
}

/**
 * Makes accounts with the passwords they had, all in one transaction. Tells of each whether it was made; it is not when
 * the address is taken.
 * @throws ValidationError when an address is none.
 */
export function importAccounts(
  kernel: Kernel,
  passwords: Passwords,
  imported: readonly ImportedAccount[],
): Promise<boolean[]> {
  const { db, clock, events, audit } = kernel;
  const accounts = imported.map((account) => ({ ...account, ...requireEmailAddress(account.email) }));
  return db.transaction(async (tx) => {
    const outcomes: boolean[] = [];
    for (const { hashed_password, created_at, ...account } of accounts) {
      const now = created_at ?? clock.now().toISOString();
      const user = await insertUser(tx, { ...account, email_verified: true, locale: null, now });
      if (user !== undefined) {
        await passwords.insert(tx, user.id, hashed_password);
        const created = { user_id: user.id, email: user.email, email_verified: true };
        try {
          await events.emit(tx, 'user.created', created);
        } catch (error) {
          // The address is nobody's, and still not free.
          if (!(error instanceof DoorwardError && error.code === 'email_registered')) throw error;
          await deleteUser(tx, user.id);
          outcomes.push(false);
          continue;
        }
        await audit.record(tx, { kind: 'user.imported', user_id: user.id });
      }
      outcomes.push(user !== undefined);
    }
    return outcomes;
  });
}
