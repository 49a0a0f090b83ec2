import type { Page } from '../../shared/api.ts';
import { type Answer, callPage } from '../../shared/api.ts';

export type User = Answer<'GET /auth/users'>[number];

export const sortFields = ['name', 'email', 'created_at', 'id'] as const;
export type SortField = (typeof sortFields)[number];
export const pageSizes = [25, 50, 100, 200] as const;
const usualSize = 50;

/** The columns beside the name, in the order of the table. */
export const columnNames = [
  'email',
  'state',
  'role',
  'created_at',
  'id',
  'email_verified',
  'pending_email',
  'locale',
  'delete_after',
] as const;
export type ColumnName = (typeof columnNames)[number];
const usualColumns: readonly ColumnName[] = ['email', 'state', 'role', 'created_at'];

/** The states that have a filter of their own. */
export const listedStates = ['pending', 'deletion_scheduled'] as const;
export type ListedState = (typeof listedStates)[number];

/** A view of the users, as its link carries it. What is left out is as usual. */
export interface UsersSearch {
  q?: string | undefined;
  is_active?: boolean | undefined;
  is_admin?: boolean | undefined;
  state?: ListedState | undefined;
  /** A field, with `-` before it for descending. */
  sort?: string | undefined;
  size?: number | undefined;
  /** Names of columns with dots between them. */
  columns?: string | undefined;
  cursor?: string | undefined;
}

/** What a link says that makes sense; the rest of it is passed over. */
export function readUsersSearch(search: Record<string, unknown>): UsersSearch {
  const { q, is_active, is_admin, sort, size, columns, cursor } = search;
  const state = listedStates.find((known) => known === search.state);
  const isSort = typeof sort === 'string' && sortFields.some((field) => field === sort.replace(/^-/, ''));
  return {
    ...(typeof q === 'string' || typeof q === 'number' ? { q: String(q) } : {}),
    ...(typeof is_active === 'boolean' ? { is_active } : {}),
    ...(typeof is_admin === 'boolean' ? { is_admin } : {}),
    ...(state === undefined ? {} : { state }),
    ...(isSort ? { sort } : {}),
    ...(pageSizes.some((known) => known === size) ? { size: Number(size) } : {}),
    ...(typeof columns === 'string' ? { columns } : {}),
    ...(typeof cursor === 'string' ? { cursor } : {}),
  };
}

export function sizeOf({ size = usualSize }: UsersSearch): number {
  return size;
}

export function columnsOf({ columns }: UsersSearch): ColumnName[] {
  if (columns === undefined) return [...usualColumns];
  const chosen = columns.split('.');
  return columnNames.filter((name) => chosen.includes(name));
}

/** Undefined for the usual ones, so that they are not in the link. */
export function writeColumns(chosen: readonly string[]): string | undefined {
  const columns = columnNames.filter((name) => chosen.includes(name));
  return columns.join() === usualColumns.join() ? undefined : columns.join('.');
}

/** The users of a view, whatever its page, size and columns: what is the same here is the same list. */
export function filterOf({ q, is_active, is_admin, state, sort }: UsersSearch) {
  return { q, is_active, is_admin, state, sort: sort ?? 'id' };
}

/** A page of the users of a view. */
export function askForUsers(
  search: UsersSearch,
  { limit = sizeOf(search), count = false, signal }: { limit?: number; count?: boolean; signal: AbortSignal },
): Promise<Page<User>> {
  const query = { ...filterOf(search), cursor: search.cursor, limit, count: count || undefined };
  return callPage('GET /auth/users', { query, signal });
}
