import { createHashQueue, type HashQueue } from '../../crypto/hash-queue.ts';
import {
  type Argon2Parameters,
  decoyHash,
  hashPassword,
  needsRehash,
  verifyPassword,
} from '../../crypto/password-hash.ts';
import type { Transaction } from '../../database/database.ts';
import { ValidationError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { currentOrigin } from '../../origin.ts';
import type { Attempt, Throttle } from '../throttle/index.ts';
import { changePassword } from './change.ts';
import { type CurrentPassword, withCurrentPassword } from './current.ts';
import { passwordIssues } from './policy.ts';
import {
  clearPassword,
  findChangedAt,
  findPassword,
  insertPassword,
  putPassword,
  updateHash,
} from './store.ts';

export type { CurrentPassword } from './current.ts';
export { passwordMigrations } from './migrations.ts';
export { passwordRoutes } from './routes.ts';

/** Whose password it is: the policy refuses a password that equals one of these. */
export interface PasswordOwner {
  email: string;
  name: string;
}

/**
 * Proof that a password was right: the revision of the stored one that it was checked against, and the hash to store
 * instead when that one's was made with other parameters.
 */
export interface CheckedPassword {
  readonly revision: number;
  readonly replacement: string | undefined;
}

export interface Passwords {
  /** @throws ValidationError at `loc` when the policy refuses the password. */
  assertAllowed(password: string, owner: PasswordOwner, loc: readonly string[]): void;
  /** `known` as in `HashQueue`. @throws DoorwardError `overloaded` when too many hashes wait already. */
  hash(password: string, known?: string): Promise<string>;
  /**
   * Checks a password, for an attempt that is taken when its turn has come: what waits in the queue writes nothing, and
   * what is refused by it was not counted. Without a user or a stored hash it costs the same as a wrong password and is
   * undefined.
   * @throws DoorwardError `overloaded` when too many hashes wait already, `rate_limited`.
   */
  check(
    userId: number | undefined,
    password: string,
    attempt: Pick<Attempt, 'isKnown' | 'take'>,
  ): Promise<CheckedPassword | undefined>;
  /** Whether a checked password is still the user's, in the transaction that relies on it; stores a better hash of it. */
  confirm(tx: Transaction, userId: number, checked: CheckedPassword): Promise<boolean>;
  /** Stores the hash of a new user. */
  insert(tx: Transaction, userId: number, hash: string): Promise<void>;
  /** Replaces a user's password and announces it; `sid` is the session that goes on. */
  replace(tx: Transaction, userId: number, hash: string, sid: string | null): Promise<void>;
  /**
   * Takes a user's password away, which whoever proved the address did not set, and announces it: there is no session of
   * before that goes on.
   */
  remove(tx: Transaction, userId: number): Promise<void>;
  /** Since when a user has the present password; undefined without one. */
  describe(userId: number): Promise<{ changed_at: string } | undefined>;
  /** See `current.ts`. */
  withCurrent(
    input: CurrentPassword,
    work: (confirm: (tx: Transaction) => Promise<void>) => Promise<void>,
  ): Promise<void>;
  /** Changes a user's own password. See `change.ts`. */
  change(input: Parameters<typeof changePassword>[2]): Promise<void>;
  readonly queue: HashQueue;
}

/** Hashes cost what the ARGON2_* settings say; `hashCost` as in `createCore`. */
export function createPasswords(kernel: Kernel, throttle: Throttle, hashCost?: Argon2Parameters): Passwords {
  const { settings, db, clock, events, audit } = kernel;
  const parameters = hashCost ?? {
    memoryKib: settings.ARGON2_MEMORY_KIB,
    passes: settings.ARGON2_PASSES,
    lanes: settings.ARGON2_LANES,
  };
  const queue = createHashQueue({ concurrency: settings.HASH_CONCURRENCY, limit: settings.HASH_QUEUE_LIMIT });
  const now = () => clock.now().toISOString();

  const passwords: Passwords = {
    queue,
    assertAllowed(password, owner, loc) {
      const issues = passwordIssues(password, { ...owner, policy: settings.PASSWORD_POLICY }, [...loc]);
      if (issues.length > 0) throw new ValidationError(issues);
    },
    hash: (password, known) => queue.run(() => hashPassword(password, parameters), known),
    async check(userId, password, attempt) {
      // Also where there is no user: the time of the read would tell. No id is 0.
      const stored = await findPassword(db.read, userId ?? 0);
      return queue.run(
        async () => {
          await attempt.take();
          const isRight = await verifyPassword(password, stored?.hash ?? decoyHash(parameters));
          if (stored === undefined || !isRight) return undefined;
          const replacement = needsRehash(stored.hash, parameters)
            ? await hashPassword(password, parameters)
            : undefined;
          return { revision: stored.revision, replacement };
        },
        attempt.isKnown ? String(userId) : undefined,
      );
    },
    async confirm(tx, userId, checked) {
      if ((await findPassword(tx, userId))?.revision !== checked.revision) return false;
      if (checked.replacement !== undefined) await updateHash(tx, userId, checked.replacement);
      return true;
    },
    insert: (tx, userId, hash) => insertPassword(tx, userId, hash, now()),
    async replace(tx, userId, hash, sid) {
      await putPassword(tx, userId, hash, now());
      const by = currentOrigin().via === 'command_line' ? 'administrator' : 'owner';
      await events.emit(tx, 'password.changed', { user_id: userId, sid, by });
      if (by === 'administrator')
        await events.emit(tx, 'user.administered', { user_id: userId, what: ['password_set'] });
      if (sid === null) await audit.record(tx, { kind: 'password.reset', user_id: userId });
    },
    async remove(tx, userId) {
      const hadOne = await clearPassword(tx, userId, now());
      await events.emit(tx, 'password.changed', { user_id: userId, sid: null, by: 'nobody' });
      if (hadOne) await audit.record(tx, { kind: 'password.removed', user_id: userId });
    },
    describe: (userId) => findChangedAt(db.read, userId),
    withCurrent: (input, work) => withCurrentPassword(kernel, { passwords, throttle }, input, work),
    change: (input) => changePassword(kernel, { passwords, throttle }, input),
  };
  return passwords;
}
