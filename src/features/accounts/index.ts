import type { Kysely } from 'kysely';
import type { Tables, Transaction } from '../../database/database.ts';
import { parseEmailAddress } from '../../email-address.ts';
import type { Kernel } from '../../kernel.ts';
import type { Passwords } from '../passwords/index.ts';
import type { Throttle } from '../throttle/index.ts';
import { type AccountChanges, type AccountSteps, applyChanges, changeAccount } from './change.ts';
import { closeAccount, deleteAccount, eraseAccount, eraseAgain } from './close.ts';
import {
  type Creation,
  createAccount,
  insertAccount,
  type NewAccount,
  type PreparedAccount,
  prepareAccount,
} from './create.ts';
import { describeLife, type LifeCycle } from './describe-life.ts';
import { createImport, type Import } from './import.ts';
import type { Mover } from './life-cycle.ts';
import { lockRecipient, withHolder } from './recipient.ts';
import { signUp } from './sign-up.ts';
import { findUser, findUserByEmailKey, hasAdmin, type User } from './store.ts';

export type { AccountChanges } from './change.ts';
export type { NewAccount, PreparedAccount } from './create.ts';
export { requireEmailAddress, requireLocale } from './create.ts';
export type { LifeCycle } from './describe-life.ts';
export { lifeCycleActions } from './describe-life.ts';
export { type ImportedAccount, type ImportedFields, readImported } from './imported-account.ts';
export { type AccountState, type Mover, stateOf, transitions } from './life-cycle.ts';
export { accountMigrations } from './migrations.ts';
export { accountRoutes, type ChangeOwn } from './routes.ts';
export { foldText, searchable, type User, userColumns } from './store.ts';

export interface Accounts {
  /** Whether anybody may sign up. */
  readonly isRegistrationOpen: boolean;
  /** See `sign-up.ts`. */
  signUp(input: NewAccount): Promise<User | undefined>;
  /** See `create.ts`. */
  create(account: NewAccount, creation?: Creation): Promise<User>;
  /** See `prepareAccount` in `create.ts`. */
  prepare(
    account: NewAccount,
    creation: Creation,
    refuse: (address: { email_key: string }) => Promise<void>,
  ): Promise<PreparedAccount>;
  /** See `insertAccount` in `create.ts`. */
  insert(tx: Transaction, prepared: PreparedAccount, kind: Creation['kind']): Promise<User | undefined>;
  /** See `import.ts`. */
  import: Import;
  /** See `import.ts`. */
  createImport(options: { dryRun: boolean }): Import;
  /** See `change.ts`. */
  change(userId: number, changes: AccountChanges, mover: Mover): Promise<User>;
  /** See `applyChanges` in `change.ts`. */
  apply(tx: Transaction, userId: number, changes: AccountSteps, mover: Mover): Promise<User>;
  /** See `close.ts`. */
  delete(userId: number): Promise<void>;
  /** See `eraseAgain` in `close.ts`. */
  eraseAgain(tx: Transaction, userId: number): Promise<void>;
  /** See `eraseAccount` in `close.ts`. */
  erase(tx: Transaction, userId: number, mover: Mover): Promise<void>;
  /** See `close.ts`. */
  close(input: Parameters<typeof closeAccount>[2]): Promise<void>;
  /** See `describe-life.ts`. */
  describeLife(userId: number, actorId: number | undefined): Promise<LifeCycle>;
  find(userId: number, db?: Kysely<Tables>): Promise<User | undefined>;
  /** The account with this address in any spelling. */
  findByEmail(email: string, db?: Kysely<Tables>): Promise<User | undefined>;
  /** See `recipient.ts`. */
  lockRecipient(tx: Transaction, mail: { user_id: number | null; to: string }): Promise<User | undefined>;
  /** See `withHolder` in `recipient.ts`. */
  withHolder<T>(
    email: string,
    work: (tx: Transaction, holder: User | undefined) => Promise<T>,
    prepare?: (tx: Transaction) => Promise<void>,
  ): Promise<T>;
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
    prepare: (account, creation, refuse) => prepareAccount(passwords, account, creation, refuse),
    insert: (tx, prepared, kind) => insertAccount(kernel, passwords, tx, prepared, kind),
    import: createImport(kernel, passwords, { dryRun: false }),
    createImport: (options) => createImport(kernel, passwords, options),
    change: (userId, changes, mover) => changeAccount(kernel, userId, changes, mover),
    apply: (tx, userId, changes, mover) => applyChanges(kernel, tx, userId, changes, mover),
    delete: (userId) => deleteAccount(kernel, userId),
    eraseAgain: (tx, userId) => eraseAgain(kernel, tx, userId),
    erase: (tx, userId, mover) => eraseAccount(kernel, tx, userId, mover),
    close: (input) => closeAccount(kernel, passwords, input),
    describeLife: (userId, actorId) => describeLife(kernel, userId, actorId),
    find: (userId, connection = db.read) => findUser(connection, userId),
    async findByEmail(email, connection = db.read) {
      const address = parseEmailAddress(email);
      return address === undefined ? undefined : findUserByEmailKey(connection, address.email_key);
    },
    lockRecipient: (tx, mail) => lockRecipient(kernel, tx, mail),
    withHolder: (email, work, prepare) => withHolder(kernel, email, work, prepare),
    hasAdmin: (connection = db.read) => hasAdmin(connection),
  };
}
