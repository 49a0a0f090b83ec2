import type { Transaction } from '../../database/database.ts';
import { addressLock, userLock } from '../../database/lock-names.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { requireEmailAddress } from './create.ts';
import { findUser, findUserByEmailKey, type User } from './store.ts';

/**
 * Whose a mail is that was asked for, under the user's lock: by id, or by the address where the mail is whoever's has it.
 * Undefined when that is nobody, or somebody with another address by now.
 */
export async function lockRecipient(
  { db }: Kernel,
  tx: Transaction,
  { user_id, to }: { user_id: number | null; to: string },
): Promise<User | undefined> {
  const { email_key } = requireEmailAddress(to);
  const id = user_id ?? (await findUserByEmailKey(tx, email_key))?.id;
  if (id === undefined) return undefined;
  await db.lock(tx, userLock(id));
  const user = await findUser(tx, id);
  return user !== undefined && requireEmailAddress(user.email).email_key === email_key ? user : undefined;
}

/** Each further try means that an account came to the address, or left it, between two looks. */
const maxTries = 20;

/**
 * Runs `work` in a transaction in which the address is locked, and so is whoever has it. `prepare` takes locks that come
 * before those.
 */
export async function withHolder<T>(
  { db }: Kernel,
  email: string,
  work: (tx: Transaction, holder: User | undefined) => Promise<T>,
  prepare: (tx: Transaction) => Promise<void> = async () => {},
): Promise<T> {
  const { email_key } = requireEmailAddress(email);
  for (let tries = 0; tries < maxTries; tries++) {
    const outcome = await db.transaction(async (tx) => {
      await prepare(tx);
      const id = (await findUserByEmailKey(tx, email_key))?.id;
      if (id !== undefined) await db.lock(tx, userLock(id));
      await db.lock(tx, addressLock(email_key));
      const holder = await findUserByEmailKey(tx, email_key);
      // Somebody else's lock is not to be waited for under that of the address.
      return holder?.id === id ? { result: await work(tx, holder) } : undefined;
    });
    if (outcome !== undefined) return outcome.result;
  }
  throw new DoorwardError('overloaded', { reason: 'the address changed hands at every try' });
}
