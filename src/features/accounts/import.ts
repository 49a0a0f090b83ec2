import type { Transaction } from '../../database/database.ts';
import { addressLock } from '../../database/lock-names.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { Passwords } from '../passwords/index.ts';
import { requireEmailAddress } from './create.ts';
import type { ImportedAccount } from './imported-account.ts';
import { deleteUser, insertUser } from './store.ts';

/** Imports accounts, all in one transaction. Tells the id of each; undefined of one whose address is taken. */
export type Import = (imported: readonly ImportedAccount[]) => Promise<(number | undefined)[]>;

/** Thrown to undo what a dry run did. */
class Undone extends Error {
  readonly ids: readonly (number | undefined)[];

  constructor(ids: readonly (number | undefined)[]) {
    super('a dry run is undone');
    this.ids = ids;
  }
}

/**
 * Makes what imports accounts with the passwords they had, batch by batch. A dry run does the same and undoes it, and
 * remembers from batch to batch whom it would have made; its ids mean nothing.
 * @throws ValidationError from what it returns when an address is none.
 */
export function createImport(kernel: Kernel, passwords: Passwords, { dryRun }: { dryRun: boolean }): Import {
  const { db } = kernel;
  const wouldBeTaken = new Set<string>();
  return async (imported) => {
    const accounts = imported.map((account) => ({ ...account, ...requireEmailAddress(account.email) }));
    const insertAll = async (tx: Transaction) => {
      // In one order, so that two imports of the same people do not wait for each other.
      for (const key of accounts.map(({ email_key }) => email_key).sort())
        await db.lock(tx, addressLock(key));
      const ids: (number | undefined)[] = [];
      for (const account of accounts) ids.push(await insertImported(kernel, passwords, tx, account));
      return ids;
    };
    if (!dryRun) return db.transaction(insertAll);
    const undone = await db
      .transaction(async (tx): Promise<never> => {
        throw new Undone(await insertAll(tx));
      })
      .catch((error: unknown) => {
        if (error instanceof Undone) return error;
        throw error;
      });
    return accounts.map(({ email_key }, index) => {
      if (undone.ids[index] === undefined || wouldBeTaken.has(email_key)) return undefined;
      wouldBeTaken.add(email_key);
      return undone.ids[index];
    });
  };
}

async function insertImported(
  { clock, events, audit }: Kernel,
  passwords: Passwords,
  tx: Transaction,
  { hashed_password, email_verified = true, locale, ...account }: ImportedAccount & { email_key: string },
): Promise<number | undefined> {
  const user = await insertUser(tx, {
    ...account,
    email_verified,
    locale: locale ?? null,
    now: clock.now().toISOString(),
  });
  if (user === undefined) return undefined;
  const { id: user_id, email } = user;
  if (hashed_password !== undefined) await passwords.insert(tx, user_id, hashed_password);
  try {
    await events.emit(tx, 'user.created', { user_id, email, email_verified });
  } catch (error) {
    // The address is nobody's, and still not free.
    if (!(error instanceof DoorwardError && error.code === 'email_registered')) throw error;
    await deleteUser(tx, user_id);
    return undefined;
  }
  await audit.record(tx, { kind: 'user.imported', user_id });
  return user_id;
}
