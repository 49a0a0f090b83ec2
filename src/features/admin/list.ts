import { ValidationError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { foldText, type User } from '../accounts/index.ts';
import {
  countUsers,
  type ListedState,
  type ListedUser,
  type ListQuery,
  listUsers,
  type SortField,
  sortColumns,
} from './store.ts';

/** A list as it is asked for. */
export interface ListInput {
  /** Rows to leave out at the beginning; never beside `cursor`. */
  skip?: number | undefined;
  limit: number;
  q?: string | undefined;
  is_active?: boolean | undefined;
  is_admin?: boolean | undefined;
  state?: ListedState | undefined;
  /** A field, with `-` before it for descending. */
  sort: string;
  cursor?: string | undefined;
  count: boolean;
}

export interface UserPage {
  users: User[];
  /** Where the next page begins; undefined on the last one. */
  next: string | undefined;
  /** How many users the query has, when that was asked for. */
  total: number | undefined;
}

function invalidCursor(): ValidationError {
  const error = 'cursor is not one of this list, or stands beside skip';
  return new ValidationError([
    { type: 'value_error', loc: ['query', 'cursor'], msg: `Value error, ${error}`, ctx: { error } },
  ]);
}

/** Whether it is a point in time as rows show it, on a day that the calendar has; PostgreSQL has no year 0. */
function isTimestamp(text: string): boolean {
  const time = Date.parse(text);
  return !Number.isNaN(time) && new Date(time).toISOString() === text && /^(?!0000)\d{4}-/.test(text);
}

/** A cursor names the order it belongs to and the last row before the page. It is no secret and proves nothing. */
function writeCursor(sort: string, row: ListedUser): string {
  return Buffer.from(JSON.stringify([sort, row.sort_value, row.id])).toString('base64url');
}

function readCursor(cursor: string, sort: string, field: SortField): { value: string | number; id: number } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw invalidCursor();
  }
  if (!Array.isArray(parsed) || parsed.length !== 3 || parsed[0] !== sort) throw invalidCursor();
  const [, value, id] = parsed as unknown[];
  if (typeof id !== 'number' || !Number.isSafeInteger(id)) throw invalidCursor();
  if (field === 'id') return { value: id, id };
  if (typeof value !== 'string' || value.includes('\0') || !value.isWellFormed()) throw invalidCursor();
  if (field === 'created_at' && !isTimestamp(value)) throw invalidCursor();
  return { value, id };
}

/**
 * One page of users. A page costs the same wherever it is when `cursor` leads to it; `skip` counts rows off.
 * @throws ValidationError for a cursor that is not of this list, or together with `skip`.
 */
export async function listPage(kernel: Kernel, input: ListInput): Promise<UserPage> {
  const descending = input.sort.startsWith('-');
  const sort = (descending ? input.sort.slice(1) : input.sort) as SortField;
  if (!Object.hasOwn(sortColumns, sort)) throw new Error(`no such order: ${sort}`);
  if (input.cursor !== undefined && input.skip !== undefined) throw invalidCursor();
  const search = input.q === undefined ? '' : foldText(input.q.trim());
  const query: ListQuery = {
    search: search === '' ? undefined : search,
    // Whoever is pending is active: half of the ranges need not be walked.
    is_active: input.is_active ?? (input.state === 'pending' ? true : undefined),
    is_admin: input.is_admin,
    state: input.state,
    sort,
    descending,
    after: input.cursor === undefined ? undefined : readCursor(input.cursor, input.sort, sort),
    skip: input.skip ?? 0,
    limit: input.limit + 1,
  };
  const rows = await listUsers(kernel.db, query);
  const total = input.count ? await countUsers(kernel.db, query) : undefined;
  const page = rows.slice(0, input.limit);
  const last = page.at(-1);
  const next = rows.length > input.limit && last !== undefined ? writeCursor(input.sort, last) : undefined;
  return { users: page.map(({ sort_value, ...user }) => user), next, total };
}
