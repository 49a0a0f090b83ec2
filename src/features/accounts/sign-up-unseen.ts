import { randomBytes } from 'node:crypto';
import type { Transaction } from '../../database/database.ts';
import { addressLock } from '../../database/lock-names.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { Passwords } from '../passwords/index.ts';
import {
  type Creation,
  insertAccount,
  type NewAccount,
  type PreparedAccount,
  prepareAccount,
} from './create.ts';
import { deleteUser, findUserByEmailKey, insertUser } from './store.ts';

/**
 * Signs up without telling whether the address was free, neither by the answer nor by the work: a hash, and one
 * transaction that makes the account or tells the owner of the one that there is.
 * @throws ValidationError as `prepareAccount` does.
 */
export async function signUpUnseen(
  kernel: Kernel,
  passwords: Passwords,
  account: NewAccount,
  creation: Creation,
): Promise<undefined> {
  const { db } = kernel;
  const prepared = await prepareAccount(passwords, account, creation, async () => {});
  try {
    await db.transaction(async (tx) => {
      // Also where nothing is made: what is waited for must not tell.
      await db.lock(tx, addressLock(prepared.user.email_key));
      // Both are asked, whatever the first one says, and before an id is taken: PostgreSQL gives none twice.
      const isNobodys = (await findUserByEmailKey(tx, prepared.user.email_key)) === undefined;
      const isFree = await isUnreserved(kernel, tx, prepared);
      const isMade =
        isNobodys &&
        isFree &&
        (await insertAccount(kernel, passwords, tx, prepared, creation.kind)) !== undefined;
      if (!isMade) await refuseUnseen(kernel, tx, prepared);
    });
  } catch (error) {
    // An address that another account has just left, and that is kept for it.
    if (!isRegistered(error)) throw error;
    await db.transaction((tx) => refuseUnseen(kernel, tx, prepared));
  }
}

const isRegistered = (error: unknown) => error instanceof DoorwardError && error.code === 'email_registered';

/** Whether the address is kept for no other account. */
async function isUnreserved(
  { events }: Kernel,
  tx: Transaction,
  { user }: PreparedAccount,
): Promise<boolean> {
  try {
    await events.emit(tx, 'user.wanted', { email: user.email });
    return true;
  } catch (error) {
    if (isRegistered(error)) return false;
    throw error;
  }
}

async function refuseUnseen(
  { clock, events, audit }: Kernel,
  tx: Transaction,
  { user }: PreparedAccount,
): Promise<void> {
  // Takes an id as a new account does: whoever signs up before and after would see the gap that is not there.
  const email_key = `nobody ${randomBytes(16).toString('base64url')}`;
  const nobody = { ...user, email: '', email_key, name: '', locale: null };
  const placeholder = await insertUser(tx, { ...nobody, now: clock.now().toISOString() });
  if (placeholder !== undefined) await deleteUser(tx, placeholder.id);
  const owner = await findUserByEmailKey(tx, user.email_key);
  if (owner !== undefined) await events.emit(tx, 'user.signed_up_again', { user_id: owner.id });
  await audit.record(tx, { kind: 'sign_up.refused', user_id: owner?.id ?? null });
}
