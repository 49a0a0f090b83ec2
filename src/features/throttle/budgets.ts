import { createHmac, type KeyObject } from 'node:crypto';
import { parseEmailAddress } from '../../email-address.ts';
import type { Counts } from '../../kernel.ts';
import { networkOf } from '../../network.ts';
import type { Settings } from '../../settings.ts';

/** So many failures in a fixed hour from the first one. */
interface HourlyRule {
  readonly kind: 'hourly';
  readonly max: number;
}

/** Failures in a row: some are free, after each further one comes a wait twice as long, and at `max` it is over. */
interface RowRule {
  readonly kind: 'row';
  readonly free: number;
  readonly maxWaitSeconds: number;
  readonly max: number;
}

/** What is allowed, and who is counted. */
export interface Budget {
  readonly name: Counts['throttled'];
  /** A digest. Those of one address, or of one user, begin with the address's or the user's. */
  readonly key: string;
  readonly rule: HourlyRule | RowRule;
}

const hourMs = 3_600_000;
/** A row of failures that is so old is forgotten. */
const rowMs = 30 * 86_400_000;
/**
 * How far in the future another instance may write. What is further off was written by a clock that jumped forward and
 * came back, and would lock out for as long as it had jumped.
 */
const clockToleranceMs = hourMs;

/** When a counter is forgotten that counts a failure now. */
export function expiryOf({ rule }: Budget, now: Date): Date {
  return new Date(now.getTime() + (rule.kind === 'hourly' ? hourMs : rowMs));
}

/** Later than any counter ends that says something. */
export function latestExpiryOf(budget: Budget, now: Date): Date {
  return new Date(expiryOf(budget, now).getTime() + clockToleranceMs);
}

/** Seconds to wait after so many failures in a row; Infinity when there is no next try. */
export function waitSeconds({ free, maxWaitSeconds, max }: RowRule, failures: number): number {
  if (failures >= max) return Number.POSITIVE_INFINITY;
  return failures < free ? 0 : Math.min(maxWaitSeconds, 2 ** (failures - free));
}

/** Until when a budget is closed after so many failures; undefined while it is open. */
export function closedUntil(
  { rule }: Budget,
  { failures, expires_at }: { failures: number; expires_at: string },
  now: Date,
): string | undefined {
  if (rule.kind === 'hourly') return failures >= rule.max ? expires_at : undefined;
  const seconds = waitSeconds(rule, failures);
  if (seconds === 0) return undefined;
  return seconds === Number.POSITIVE_INFINITY
    ? expires_at
    : new Date(now.getTime() + seconds * 1000).toISOString();
}

/** Whether the failure that made it so many closed a budget that was open before. */
export function hasRunOut({ rule }: Budget, failures: number): boolean {
  return failures === rule.max || (rule.kind === 'row' && failures === rule.free);
}

/** More failures in a row than free tries come to: no owner mistypes that often. */
const attackFactor = 4;

/** Whether the failure that made it so many is worth a word to the owner; it is for two of a row at most. */
export function isAttack({ name, rule }: Budget, failures: number): boolean {
  if (name !== 'account' || rule.kind !== 'row') return false;
  return failures === Math.min(rule.free * attackFactor, rule.max) || failures === rule.max;
}

/** What the headers tell of a budget. */
export function describeBudget({ rule }: Budget): { quota: number; windowSeconds: number } {
  return rule.kind === 'hourly'
    ? { quota: rule.max, windowSeconds: hourMs / 1000 }
    : { quota: rule.free, windowSeconds: rule.maxWaitSeconds };
}

export type Budgets = ReturnType<typeof createBudgets>;

/**
 * The budgets of an instance. The keys of an address are `<address>` and `<address>.<network>`; those of a user, whatever
 * the address is changed to, `<user>.<part>`.
 */
export function createBudgets(settings: Settings, digestKey: KeyObject) {
  const digest = (...parts: readonly string[]) =>
    createHmac('sha256', digestKey).update(parts.join('\0')).digest('base64url').slice(0, 22);
  const hourly = (max: number): HourlyRule => ({ kind: 'hourly', max });
  const row: RowRule = {
    kind: 'row',
    free: settings.THROTTLE_ACCOUNT_FREE_FAILURES,
    maxWaitSeconds: settings.THROTTLE_ACCOUNT_MAX_WAIT_SECONDS,
    max: settings.THROTTLE_ACCOUNT_MAX_FAILURES,
  };
  const accountKey = (address: string) => digest('account', identityOf(address));
  const userKey = (userId: number) => digest('user', String(userId));
  const ofNetwork =
    (what: string, max: number) =>
    (network: string): Budget => ({
      name: 'network',
      key: digest(what, networkOf(network)),
      rule: hourly(max),
    });

  return {
    accountKey,
    userKey,
    account: (address: string): Budget => ({ name: 'account', key: accountKey(address), rule: row }),
    pair: (address: string, network: string): Budget => ({
      name: 'pair',
      key: `${accountKey(address)}.${digest('network', networkOf(network))}`,
      rule: hourly(settings.THROTTLE_PAIR_FAILURES_PER_HOUR),
    }),
    /** All devices that became known in one network are one, or each log-in would mint a budget to guess with later. */
    deviceId: (userId: number, network: string) =>
      digest('device', String(userId), networkOf(network)).slice(0, 16),
    device: (userId: number, deviceId: string): Budget => ({
      name: 'device',
      key: `${userKey(userId)}.${digest('device', deviceId)}`,
      rule: row,
    }),
    session: (userId: number, sid: string): Budget => ({
      name: 'device',
      key: `${userKey(userId)}.${digest('session', sid)}`,
      rule: row,
    }),
    logIns: ofNetwork('log-in', settings.THROTTLE_NETWORK_FAILURES_PER_HOUR),
    signUps: ofNetwork('sign-up', settings.THROTTLE_NETWORK_SIGN_UPS_PER_HOUR),
    mails: ofNetwork('mail', settings.THROTTLE_NETWORK_MAILS_PER_HOUR),
    /** Not one of the address's own keys, or a new password would make it free to be written to again. */
    mailsTo: (address: string): Budget => ({
      name: 'account',
      key: digest('mail to', identityOf(address)),
      rule: hourly(settings.THROTTLE_ADDRESS_MAILS_PER_HOUR),
    }),
    unaskedMailsTo: (address: string): Budget => ({
      name: 'account',
      key: digest('unasked mail to', identityOf(address)),
      rule: hourly(settings.THROTTLE_ADDRESS_MAILS_PER_HOUR),
    }),
    redemptions: ofNetwork('mail-link', settings.THROTTLE_NETWORK_MAILS_PER_HOUR),
    setups: ofNetwork('setup', settings.THROTTLE_NETWORK_SETUPS_PER_HOUR),
    refreshes: ofNetwork('refresh', settings.THROTTLE_NETWORK_REFUSED_REFRESHES_PER_HOUR),
  };
}

/** What every spelling of an address has in common, whether it belongs to an account, to nobody, or is no address. */
function identityOf(address: string): string {
  return parseEmailAddress(address)?.email_key ?? `?${address.trim().normalize('NFKC').toLowerCase()}`;
}
