import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { AccountChanges, Accounts, LifeCycle, NewAccount, User } from '../accounts/index.ts';
import type { Throttle } from '../throttle/index.ts';
import { type ImportReport, importUsers } from './import.ts';
import { type ListInput, listPage, type UserPage } from './list.ts';
import { currentSetupToken, setUp } from './setup.ts';

export { adminMigrations } from './migrations.ts';
export { adminRoutes } from './routes.ts';

type ImportInput = Parameters<typeof importUsers> extends [Accounts, ...infer Input] ? Input : never;

/** What administrators do. `actorId` is the administrator who asks; the command line has none. */
export interface Admin {
  list(input: ListInput): Promise<UserPage>;
  create(account: NewAccount): Promise<User>;
  /** See `import.ts`. */
  import(...input: ImportInput): Promise<ImportReport>;
  /** @throws DoorwardError `user_not_found`. */
  find(userId: number): Promise<User>;
  /** What an administrator may do about the user's state. @throws DoorwardError `user_not_found`. */
  describeLife(userId: number, actorId?: number): Promise<LifeCycle>;
  /** @throws DoorwardError `user_not_found`, `email_taken`, `last_admin`, `cannot_deactivate_self`. */
  change(userId: number, changes: AccountChanges, actorId?: number): Promise<User>;
  /** @throws DoorwardError `user_not_found`, `last_admin`, `cannot_delete_self`. */
  delete(userId: number, actorId?: number): Promise<void>;
  /** Forgets the failed logins of a user. @throws DoorwardError `user_not_found`. */
  unlock(userId: number): Promise<void>;
  /** See `setup.ts`. */
  setupToken(): Promise<string | undefined>;
  /** See `setup.ts`. */
  setUp(input: Parameters<typeof setUp>[3]): Promise<User>;
}

export function createAdmin(
  kernel: Kernel,
  features: { accounts: Accounts; throttle: Throttle },
  secretKey: string,
): Admin {
  const { accounts, throttle } = features;
  return {
    list: (input) => listPage(kernel, input),
    create: (account) => accounts.create(account),
    import: (...input) => importUsers(accounts, ...input),
    async find(userId) {
      const user = await accounts.find(userId);
      if (user === undefined) throw new DoorwardError('user_not_found');
      return user;
    },
    describeLife: (userId, actorId) => accounts.describeLife(userId, actorId),
    change(userId, changes, actorId) {
      if (changes.is_active === false && userId === actorId)
        throw new DoorwardError('cannot_deactivate_self');
      return accounts.change(userId, changes, 'administrator');
    },
    delete(userId, actorId) {
      if (userId === actorId) throw new DoorwardError('cannot_delete_self');
      return accounts.delete(userId);
    },
    unlock: (userId) => throttle.unlock(userId),
    setupToken: () => currentSetupToken(kernel, accounts, secretKey),
    setUp: (input) => setUp(kernel, features, secretKey, input),
  };
}
