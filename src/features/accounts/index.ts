import type { Kysely } from 'kysely';
import type { Tables } from '../../database/database.ts';
import { parseEmailAddress } from '../../email-address.ts';
import type { Kernel } from '../../kernel.ts';
import type { Passwords } from '../passwords/index.ts';
import type { Throttle } from '../throttle/index.ts';
import { type AccountChanges, changeAccount } from './change.ts';
import { closeAccount, deleteAccount } from './close.ts';
import { type Creation, createAccount, type NewAccount } from './create.ts';
import { type ImportedAccount, importAccounts } from './import.ts';
import { signUp } from './sign-up.ts';
import { findUser, findUserByEmailKey, hasAdmin, type User } from './store.ts';

export type { AccountChanges } from './change.ts';
export type { NewAccount } from './create.ts';
export type { ImportedAccount } from './import.ts';
export { accountMigrations } from './migrations.ts';
export { accountRoutes } from './routes.ts';
export { foldText, type User, userColumns } from './store.ts';

export interface Accounts {
  /** Whether anybody may sign up. */
  readonly isRegistrationOpen: boolean;
  /** See `sign-up.ts`. */
  signUp(input: { email: string; password: string; name: string }): Promise<User>;
  /** See `create.ts`. */
  create(account: NewAccount, creation?: Creation): Promise<User>;
  /** See `import.ts`. */
  import(imported: readonly ImportedAccount[]): Promise<boolean[]>;
  /** See `change.ts`. */
  change(userId: number, changes: AccountChanges): Promise<User>;
  /** See `close.ts`. */
  delete(userId: number): Promise<void>;
  /** See `close.ts`. */
  close(input: Parameters<typeof closeAccount>[2]): Promise<void>;
  find(userId: number, db?: Kysely<Tables>): Promise<User | undefined>;
  /** The account with this address in any spelling. */
  findByEmail(email: string): Promise<User | undefined>;
  /** Whether anybody is an admin, active or not. */
  hasAdmin(db?: Kysely<Tables>): Promise<boolean>;
}

export function createAccounts(
  kernel: Kernel,
  features: { passwords: Passwords; throttle: Throttle },
): Accounts {
  const { db } = kernel;
  const { passwords } = features;
  return {
    isRegistrationOpen: kernel.settings.REGISTRATION === 'open',
    signUp: (input) => signUp(kernel, features, input),
    create: (account, creation = { kind: 'user.created' }) =>
      createAccount(kernel, passwords, account, creation),
    import: (imported) => importAccounts(kernel, passwords, imported),
    change: (userId, changes) => changeAccount(kernel, userId, changes),
    delete: (userId) => deleteAccount(kernel, userId),
    close: (input) => closeAccount(kernel, passwords, input),
    find: (userId, connection = db.read) => findUser(connection, userId),
    async findByEmail(email) {
      const address = parseEmailAddress(email);
      return address === undefined ? undefined : findUserByEmailKey(db.read, address.email_key);
    },
    hasAdmin: (connection = db.read) => hasAdmin(connection),
  };
}
