import type { Kysely } from 'kysely';
import type { AuditKind } from '../../audit-kinds.ts';
import type { Tables, Transaction } from '../../database/database.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import {
  type Budget,
  closedUntil,
  describeBudget,
  expiryOf,
  hasRunOut,
  isAttack,
  latestExpiryOf,
} from './budgets.ts';
import {
  type Count,
  closeUntil,
  countFailure,
  deleteCounter,
  findClosed,
  uncountFailure,
  type Validity,
} from './store.ts';

/** One try at something that is throttled. */
export interface Attempt {
  /** Whether a known device or a session makes it. */
  readonly isKnown: boolean;
  /**
   * Counts the try as a failure, durably and in all budgets or none. Before whatever tells whether it is one: of tries at
   * the same time no more get through than of tries one after the other. `record` runs in the same transaction.
   * @throws DoorwardError `rate_limited`.
   */
  take(record?: (tx: Transaction) => Promise<void>): Promise<void>;
  /** What was taken stands. Notes which budgets that closed, and whom it concerned. */
  fail(tx: Transaction, userId: number | null): Promise<void>;
  /** Gives back what was taken and forgets the failures in a row before it. */
  succeed(tx: Transaction): Promise<void>;
  /** Runs `work`. When it fails with anything but the failure that is counted, what was taken is given back. */
  within<T>(work: () => Promise<T>, isCounted: (error: unknown) => boolean): Promise<T>;
}

export interface Plan {
  /** What is tried, as the headers call it. */
  readonly policy: 'login' | 'password' | 'signup' | 'setup' | 'refresh' | 'mail' | 'mail-link';
  /** What lets the try through or not. */
  readonly budgets: readonly Budget[];
  /** Where a failure counts too, without standing in the way of the try. */
  readonly alsoFails?: readonly Budget[];
  /** Keys of further counters that a success forgets. */
  readonly alsoForgets?: readonly string[];
  readonly isKnown: boolean;
  /** Whether a success counts as well; a budget that runs out is then told of at once. */
  readonly countsSuccess?: boolean;
  /** The event that tells that a budget has run out. */
  readonly throttledKind?: AuditKind;
}

interface Taken extends Count {
  readonly budget: Budget;
  readonly failures: number;
}

/** Always in the same order, so that tries that change the same rows wait for each other and never in a ring. */
const inOrder = <T extends { key: string }>(rows: readonly T[]) =>
  [...rows].sort((a, b) => (a.key < b.key ? -1 : 1));

/**
 * An attempt whose budgets are open, as far as a read can tell.
 * @throws DoorwardError `rate_limited`, before anything is written.
 */
export async function beginAttempt(kernel: Kernel, plan: Plan): Promise<Attempt> {
  const { db, clock, audit, events, log } = kernel;
  const budgets = inOrder(plan.budgets);
  let taken: readonly Taken[] = [];

  await refuseClosed(kernel, plan, db.read);

  async function noteRunOut(tx: Transaction, counts: readonly Taken[], userId: number | null): Promise<void> {
    if (plan.throttledKind === undefined) return;
    for (const { budget, failures } of counts) {
      if (userId !== null && isAttack(budget, failures))
        await events.emit(tx, 'account.attacked', { user_id: userId });
      if (!hasRunOut(budget, failures)) continue;
      const user_id = budget.name === 'network' ? null : userId;
      await audit.record(tx, { kind: plan.throttledKind, user_id, detail: { budget: budget.name } });
    }
  }

  async function giveBack(): Promise<void> {
    if (taken.length === 0) return;
    try {
      await db.transaction(async (tx) => {
        for (const count of taken) await uncountFailure(tx, count);
      });
    } catch (error) {
      log.warn({ err: error }, 'what a try had taken could not be given back');
    }
  }

  return {
    isKnown: plan.isKnown,
    async take(record) {
      if (budgets.length === 0 && record === undefined) return;
      taken = await db.transaction(async (tx) => {
        const counts: Taken[] = [];
        for (const budget of budgets) {
          const count = await countIn(tx, budget, clock.now(), { always: false });
          if (count === undefined) {
            await refuseClosed(kernel, plan, tx);
            // It was closed when it was to be counted, and is open by now.
            throw tooMany(plan, budget, 1);
          }
          counts.push(count);
        }
        await record?.(tx);
        if (plan.countsSuccess) await noteRunOut(tx, counts, null);
        return counts;
      });
    },
    async fail(tx, userId) {
      const also: Taken[] = [];
      for (const budget of inOrder(plan.alsoFails ?? [])) {
        const count = await countIn(tx, budget, clock.now(), { always: true });
        if (count !== undefined) also.push(count);
      }
      await noteRunOut(tx, [...taken, ...also], userId);
    },
    async succeed(tx) {
      const steps = [
        ...taken.map((count) => ({
          key: count.key,
          run: () =>
            count.budget.rule.kind === 'row' ? deleteCounter(tx, count.key) : uncountFailure(tx, count),
        })),
        ...(plan.alsoForgets ?? []).map((key) => ({ key, run: () => deleteCounter(tx, key) })),
      ];
      for (const { run } of inOrder(steps)) await run();
    },
    async within(work, isCounted) {
      try {
        return await work();
      } catch (error) {
        if (!isCounted(error)) await giveBack();
        throw error;
      }
    },
  };
}

/** Counts on a budget that refuses nobody. False, and nothing is counted, when it is closed. */
export async function countUnseen({ clock }: Kernel, tx: Transaction, budget: Budget): Promise<boolean> {
  return (await countIn(tx, budget, clock.now(), { always: false })) !== undefined;
}

/** Counts a failure and closes the budget as its rule says. Undefined when it is closed. */
async function countIn(
  tx: Transaction,
  budget: Budget,
  now: Date,
  { always }: { always: boolean },
): Promise<Taken | undefined> {
  const count: Count = {
    ...validityOf(budget, now),
    expires_at: expiryOf(budget, now).toISOString(),
    extends: budget.rule.kind === 'row',
    always,
  };
  const counted = await countFailure(tx, count);
  if (counted === undefined) return undefined;
  const until = closedUntil(budget, counted, now);
  if (until !== undefined) await closeUntil(tx, budget.key, until);
  return { ...count, ...counted, budget };
}

function validityOf(budget: Budget, now: Date): Validity {
  return {
    key: budget.key,
    now: now.toISOString(),
    latest_expiry: latestExpiryOf(budget, now).toISOString(),
  };
}

/** @throws DoorwardError `rate_limited` when a budget is closed, with the longest wait there is. */
async function refuseClosed({ clock, counters }: Kernel, plan: Plan, db: Kysely<Tables>): Promise<void> {
  if (plan.budgets.length === 0) return;
  const now = clock.now();
  const closed = await findClosed(
    db,
    plan.budgets.map((budget) => validityOf(budget, now)),
  );
  let longest: { budget: Budget; waitMs: number } | undefined;
  for (const { key, blocked_until } of closed) {
    const budget = plan.budgets.find((each) => each.key === key);
    const waitMs = Date.parse(blocked_until ?? '') - now.getTime();
    if (budget === undefined || waitMs <= (longest?.waitMs ?? 0)) continue;
    longest = { budget, waitMs };
  }
  if (longest === undefined) return;
  counters.count('throttled', longest.budget.name);
  if (plan.policy === 'login') counters.count('logins', 'throttled');
  if (plan.policy === 'refresh') counters.count('refreshes', 'throttled');
  throw tooMany(plan, longest.budget, longest.waitMs / 1000);
}

function tooMany({ policy }: Plan, budget: Budget, retryAfterSeconds: number): DoorwardError {
  return new DoorwardError('rate_limited', {
    reason: `the budget of the ${budget.name} is spent`,
    retryAfterSeconds,
    budget: { policy, ...describeBudget(budget) },
  });
}
