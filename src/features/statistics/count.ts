import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AuditKind } from '../../audit-kinds.ts';
import type { Kernel } from '../../kernel.ts';
import type { Audit } from '../audit/index.ts';
import { addDays, startOf } from './days.ts';
import { countActive, countApart, countUsersNext, type DailyCounts } from './store.ts';

/** The kinds of audit events that each count adds up. */
const kinds = {
  sign_ups: ['user.signed_up', 'invitation.accepted'],
  logins: ['login.succeeded'],
  failed_logins: ['login.failed'],
  throttled: ['login.throttled', 'sign_up.throttled'],
} as const satisfies Record<string, readonly AuditKind[]>;

/** Users counted in one turn of the event loop, which on SQLite stands still meanwhile. */
const countedAtOnce = 20_000;

export interface Totals {
  users: number;
  active: number;
  /** Active administrators. */
  admins: number;
  unverified: number;
  scheduled: number;
}

/** Counts a day out of the audit log, and of who was active. */
export async function countDay({ db }: Pick<Kernel, 'db'>, audit: Audit, day: string): Promise<DailyCounts> {
  const range = { from: startOf(day), to: startOf(addDays(day, 1)) };
  const counts = { sign_ups: 0, logins: 0, failed_logins: 0, throttled: 0 };
  for (const name of Object.keys(kinds) as (keyof typeof kinds)[]) {
    for (const kind of kinds[name]) counts[name] += await audit.count(kind, range);
  }
  let active_users = await countActive(db.read, day);
  // Of days before anybody was noted, who logged in is known.
  if (active_users === 0 && counts.logins > 0)
    active_users = (await audit.listConcerned('login.succeeded', range)).size;
  return { day, ...counts, active_users };
}

export async function countTotals({ db }: Pick<Kernel, 'db'>): Promise<Totals> {
  const totals = { users: 0, active: 0, admins: 0 };
  for (const is_active of [true, false]) {
    for (const is_admin of [true, false]) {
      for (let after: number | null = 0; after !== null; await nextTurn()) {
        const next: { users: number; last: number | null } = await countUsersNext(db.read, {
          ...{ is_active, is_admin, after, limit: countedAtOnce },
        });
        totals.users += next.users;
        if (is_active) totals.active += next.users;
        if (is_active && is_admin) totals.admins += next.users;
        after = next.users < countedAtOnce ? null : next.last;
      }
    }
  }
  return { ...totals, ...(await countApart(db.read)) };
}
