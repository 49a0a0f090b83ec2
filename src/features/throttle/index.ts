import { deriveKey } from '../../crypto/derived-keys.ts';
import { removeInBatches } from '../../database/batches.ts';
import type { Transaction } from '../../database/database.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { type Attempt, beginAttempt, countUnseen, type Plan } from './attempt.ts';
import { type Budget, createBudgets } from './budgets.ts';
import { createDeviceToken, type Device, newDeviceId, readDeviceToken } from './device.ts';
import { createGate } from './gate.ts';
import {
  deleteCountersOf,
  deleteExpiredCounters,
  findAddress,
  findDeviceEpoch,
  moveCounter,
  raiseDeviceEpoch,
} from './store.ts';

export type { Attempt } from './attempt.ts';
export { deviceTokenTtlSeconds } from './device.ts';
export { throttleMigrations } from './migrations.ts';

/** Where a login comes from. */
export interface LoginDevice {
  /** Whether the user has logged in from it, and it showed that. */
  readonly isKnown: boolean;
  /** What the device shows next time, in the transaction of the login. */
  issueDeviceToken(tx: Transaction, userId: number): Promise<string>;
}

/** A try to log in. */
export interface LoginAttempt extends Attempt, LoginDevice {}

/**
 * Who may try how often. Every `Attempt` is refused at once when a budget of it is closed, with DoorwardError
 * `rate_limited`. `network` is the client's address; null or empty where there is none, which counts on no network.
 */
export interface Throttle {
  /** A login to `address`, as it was typed; `userId` is whose it is, if anybody's. */
  logIn(input: {
    address: string;
    userId: number | undefined;
    network: string | null;
    deviceToken: string | undefined;
  }): Promise<LoginAttempt>;
  /** A session that is asked for the current password. */
  confirm(input: {
    user: { id: number; email: string };
    sid: string;
    network: string | null;
  }): Promise<Attempt>;
  /** The device of a login that takes no password. */
  recognise(input: {
    userId: number;
    network: string | null;
    deviceToken: string | undefined;
  }): Promise<LoginDevice>;
  /** Somebody asks for a mail to an address, as it was typed or is known. */
  mail(input: { address: string; network: string | null }): Promise<Attempt>;
  /**
   * Whether one more mail that nobody asked for by name may go to the address, and counts it, on a budget of its own: no
   * answer depends on it, so that none tells whether there was a mail.
   */
  allowsMail(tx: Transaction, address: string): Promise<boolean>;
  /** Somebody shows a link or a code of a mail; those that are wrong count. */
  redeem(network: string | null): Promise<Attempt>;
  signUp(network: string | null): Promise<Attempt>;
  setUp(network: string | null): Promise<Attempt>;
  /**
   * Counts a refused refresh, and runs `record` with it. Whoever was refused too often is refused without it.
   * @throws DoorwardError `rate_limited` in the place of the refusal.
   */
  refuseRefresh(network: string | null, record: (tx: Transaction) => Promise<void>): Promise<void>;
  /** Forgets all failures of an account. @throws DoorwardError `user_not_found`. */
  unlock(userId: number): Promise<void>;
  /** Removes counters that say nothing any more, a batch a transaction. */
  deleteExpired(): Promise<void>;
}

const deleteBatchSize = 500;

export function createThrottle(kernel: Kernel, secretKey: string): Throttle {
  const { db, clock, events, audit, settings } = kernel;
  const budgets = createBudgets(settings, deriveKey(secretKey, 'throttle-counter'));
  const deviceKey = deriveKey(secretKey, 'device-token');

  const gate = createGate(settings.HASH_QUEUE_LIMIT);

  async function begin(plan: Plan): Promise<Attempt> {
    if (settings.RATE_LIMITS === 'off') return beginAttempt(kernel, { ...plan, budgets: [], alsoFails: [] });
    const attempt = await beginAttempt(kernel, plan);
    const [row] = plan.budgets.filter(({ rule }) => rule.kind === 'row');
    if (row?.rule.kind !== 'row') return attempt;
    // A try counts as a failure until it is known to be none: right ones at once must not close what they take from.
    const most = Math.max(1, row.rule.free - 1);
    return {
      ...attempt,
      within: (work, isCounted) => gate.run(row.key, most, () => attempt.within(work, isCounted)),
    };
  }

  /** A budget of the network, where there is one. */
  const onNetwork = (network: string | null, budget: (network: string) => Budget) =>
    network === null || network === '' ? [] : [budget(network)];

  /** A token of somebody else, a forged or forgotten one is that of an unknown device. */
  async function recognise(
    token: string | undefined,
    userId: number | undefined,
  ): Promise<Device | undefined> {
    const device = token === undefined ? undefined : readDeviceToken(token, deviceKey, clock.now());
    if (device === undefined || device.userId !== userId) return undefined;
    return device.epoch === (await findDeviceEpoch(db.read, userId)) ? device : undefined;
  }

  function describeDevice(device: Device | undefined, network: string | null): LoginDevice {
    return {
      isKnown: device !== undefined,
      async issueDeviceToken(tx, userId) {
        const epoch = await findDeviceEpoch(tx, userId);
        const newId = network ? budgets.deviceId(userId, network) : newDeviceId();
        return createDeviceToken({ userId, epoch, id: device?.id ?? newId }, deviceKey, clock.now());
      },
    };
  }

  async function forgetFailures(tx: Transaction, userId: number): Promise<void> {
    const email = await findAddress(tx, userId);
    if (email === undefined) throw new DoorwardError('user_not_found');
    for (const key of [budgets.accountKey(email), budgets.userKey(userId)].sort())
      await deleteCountersOf(tx, key);
  }

  // What was guessed while the address was nobody's is not to wait for its owner. Where nobody is to see whether a sign-up
  // made an account, it is the owner's proof that forgets it.
  const isHidden = settings.HIDE_REGISTERED_EMAILS === 'on';
  events.on('user.created', async (tx, { email, email_verified }) => {
    if (!isHidden || email_verified) await deleteCountersOf(tx, budgets.accountKey(email));
  });
  events.on('user.verified', async (tx, { user_id }) => {
    if (isHidden) await forgetFailures(tx, user_id);
  });

  // With whoever is gone goes what was counted on them, but for how many mails the address was sent in this hour: or signing
  // up and leaving in turn would send as many as one likes.
  events.on('user.deleted', async (tx, { user_id, email }) => {
    for (const key of [budgets.accountKey(email), budgets.userKey(user_id)].sort())
      await deleteCountersOf(tx, key);
  });

  // The row of failures is the account's, or each change of the address would make it free to guess at again.
  events.on('user.readdressed', async (tx, { from, to }) => {
    const [fromKey, toKey] = [budgets.accountKey(from), budgets.accountKey(to)];
    if (fromKey === toKey) return;
    await deleteCountersOf(tx, toKey);
    await moveCounter(tx, fromKey, toKey);
  });

  events.on('password.changed', async (tx, { user_id, sid }) => {
    // The owner who knew the old one keeps the devices; a reset may be the answer to a stolen one.
    if (sid !== null) return;
    await forgetFailures(tx, user_id);
    await raiseDeviceEpoch(tx, user_id);
  });

  return {
    async logIn({ address, userId, network, deviceToken }) {
      const device = await recognise(deviceToken, userId);
      const common = { policy: 'login', throttledKind: 'login.throttled' } as const;
      const attempt = await begin(
        device === undefined
          ? {
              ...common,
              isKnown: false,
              budgets: [
                budgets.account(address),
                ...onNetwork(network, (each) => budgets.pair(address, each)),
                ...onNetwork(network, budgets.logIns),
              ],
            }
          : {
              ...common,
              isKnown: true,
              budgets: [budgets.device(device.userId, device.id)],
              alsoFails: onNetwork(network, budgets.logIns),
              alsoForgets: [budgets.accountKey(address)],
            },
      );
      return { ...attempt, ...describeDevice(device, network) };
    },
    recognise: async ({ userId, network, deviceToken }) =>
      describeDevice(await recognise(deviceToken, userId), network),
    mail: ({ address, network }) =>
      begin({
        policy: 'mail',
        countsSuccess: true,
        isKnown: false,
        budgets: [budgets.mailsTo(address), ...onNetwork(network, budgets.mails)],
      }),
    allowsMail: async (tx, address) =>
      settings.RATE_LIMITS === 'off' || countUnseen(kernel, tx, budgets.unaskedMailsTo(address)),
    redeem: (network) =>
      begin({ policy: 'mail-link', isKnown: false, budgets: onNetwork(network, budgets.redemptions) }),
    confirm: ({ user: { id, email }, sid, network }) =>
      begin({
        policy: 'password',
        throttledKind: 'login.throttled',
        isKnown: true,
        // By the user, whose address whoever has the session can change as often as they like.
        budgets: [budgets.session(id, sid)],
        alsoFails: [budgets.account(email), ...onNetwork(network, budgets.logIns)],
        alsoForgets: [budgets.accountKey(email)],
      }),
    signUp: (network) =>
      begin({
        policy: 'signup',
        throttledKind: 'sign_up.throttled',
        countsSuccess: true,
        isKnown: false,
        budgets: onNetwork(network, budgets.signUps),
      }),
    setUp: (network) =>
      begin({ policy: 'setup', isKnown: false, budgets: onNetwork(network, budgets.setups) }),
    async refuseRefresh(network, record) {
      const attempt = await begin({
        policy: 'refresh',
        isKnown: false,
        budgets: onNetwork(network, budgets.refreshes),
      });
      await attempt.take(record);
    },
    async unlock(userId) {
      await db.transaction(async (tx) => {
        await forgetFailures(tx, userId);
        await audit.record(tx, { kind: 'user.unlocked', user_id: userId });
      });
    },
    async deleteExpired() {
      const now = clock.now().toISOString();
      await removeInBatches(db, (tx) => deleteExpiredCounters(tx, now, deleteBatchSize));
    },
  };
}
