import type { Transaction } from '../../database/database.ts';
import { userLock } from '../../database/lock-names.ts';
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
