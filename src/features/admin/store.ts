import {
  type AliasableExpression,
  type Expression,
  type Kysely,
  type RawBuilder,
  type SqlBool,
  sql,
} from 'kysely';
import type { Database, Tables, Transaction } from '../../database/database.ts';
import { searchable, type User, userColumns } from '../accounts/index.ts';

declare module '../../database/database.ts' {
  interface Tables {
    setup: { id: string; nonce: string };
  }
}

export async function readSetupNonce(db: Kysely<Tables>): Promise<string | undefined> {
  const row = await db.selectFrom('setup').select('nonce').executeTakeFirst();
  return row?.nonce;
}

/** Stores the nonce unless there is one; returns the one that is stored. */
export async function noteSetupNonce(tx: Transaction, nonce: string): Promise<string> {
  await tx
    .insertInto('setup')
    .values({ id: 'current', nonce })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
  const row = await tx.selectFrom('setup').select('nonce').executeTakeFirstOrThrow();
  return row.nonce;
}

/** The columns that a list can be ordered by. `id` breaks ties. */
export const sortColumns = {
  id: 'id',
  email: 'email_key',
  name: 'name_key',
  created_at: 'created_at',
} as const;
export type SortField = keyof typeof sortColumns;
type SortColumn = (typeof sortColumns)[SortField];

/** A row of a list: a user and the value it was ordered by, for the cursor. */
export type ListedUser = User & { sort_value: string | number };

/** States that few are in as a rule, each with an index of its own: docs/account-life.md. */
export const listedStates = ['pending', 'deletion_scheduled'] as const;
export type ListedState = (typeof listedStates)[number];

export interface ListQuery {
  /** A folded text that email or name contains; shorter than three code points, one that either begins with. */
  search: string | undefined;
  is_active: boolean | undefined;
  is_admin: boolean | undefined;
  state: ListedState | undefined;
  sort: SortField;
  descending: boolean;
  /** The row after which the page begins. */
  after: { value: string | number; id: number } | undefined;
  skip: number;
  limit: number;
}

/** The highest code point: what begins with `text` sorts before `text` followed by it. */
const highest = '\u{10FFFF}';

/**
 * A search first looks through so many users in the order asked for, and when it meets enough, through some more. What few
 * match is then gathered and sorted; for what many match more of the order is looked through:
 * docs/decisions/searching-users.md.
 */
const firstLook = 500;
const shortWalk = 4_000;
const longWalk = 24_000;
/** Entries of an index for beginnings, which are walked in less time than a quarter as many rows. */
const indexWalk = 50_000;
/** So many others are gathered in half the time of such a walk, and on SQLite counted. */
const manyOthers = 12_000;
/** Matches that are gathered and sorted about as soon as a long walk is over. */
const few = 40_000;
/** Of so many rows of each part of an index a page is merged here; where it begins farther on, the database merges them. */
const mostMerged = 1_000;

/** Whether a text is searched for by its trigrams; a shorter one is searched for as a beginning. */
const hasTrigram = (search: string) => [...search].length >= 3;

type BeginningColumn = 'email_key' | 'name_key';

function beginsWith(column: BeginningColumn, search: string): Expression<SqlBool> {
  const name = sql.ref(column);
  return sql<SqlBool>`(${name} >= ${search} and ${name} < ${search + highest})`;
}

/** Whether one user matches, decided without an index. */
function isMatch(db: Database, search: string): Expression<SqlBool> {
  if (!hasTrigram(search)) {
    return sql<SqlBool>`(${beginsWith('email_key', search)} or ${beginsWith('name_key', search)})`;
  }
  return db.contains('users', 'search_text', searchable(search));
}

/** What the index of a state holds, as the index says it. */
const indexed: Record<ListedState, RawBuilder<SqlBool>> = {
  pending: sql<SqlBool>`not email_verified`,
  deletion_scheduled: sql<SqlBool>`delete_after is not null`,
};

/** Whether one user is in a state, decided without an index. */
const isIn: Record<ListedState, RawBuilder<SqlBool>> = {
  pending: sql<SqlBool>`(not email_verified and is_active = ${true} and delete_after is null)`,
  deletion_scheduled: indexed.deletion_scheduled,
};

type Filter = Partial<Pick<ListQuery, 'is_active' | 'is_admin' | 'state'>>;

function isAskedFor({ is_active, is_admin, state }: Filter): Expression<SqlBool> {
  const conditions = [
    ...(is_active === undefined ? [] : [sql<SqlBool>`is_active = ${is_active}`]),
    ...(is_admin === undefined ? [] : [sql<SqlBool>`is_admin = ${is_admin}`]),
    ...(state === undefined ? [] : [isIn[state]]),
  ];
  return conditions.length === 0 ? sql<SqlBool>`1 = 1` : sql<SqlBool>`${sql.join(conditions, sql` and `)}`;
}

const matchesOf = (db: Database, search: string) => db.matching('users', 'search_text', searchable(search));

/**
 * Every match that the filter lets through, by its id and what it is ordered by, through the indexes made for searching.
 * Fenced, or the planners would rather walk the order and look for each user among the matches.
 */
function allMatches(
  db: Database,
  search: string,
  column: SortColumn,
  filter: Filter = {},
  containing = matchesOf(db, search),
) {
  // Only who asks for a state reads more than the indexes for beginnings hold.
  const stateColumns = filter.state === undefined ? [] : (['email_verified', 'delete_after'] as const);
  const select = (table: RawBuilder<unknown>) =>
    db.longRead
      .selectFrom((table as RawBuilder<Tables['users']>).as('users'))
      .select(['id', `${column} as sort_value`, 'is_active', 'is_admin', ...stateColumns]);
  const beginning = () => {
    const byEmail = beginsWith('email_key', search);
    const byName = sql<SqlBool>`(${beginsWith('name_key', search)} and not ${byEmail})`;
    const users = select(sql.table('users'));
    return users.where(byEmail).unionAll(users.where(byName));
  };
  const matches: AliasableExpression<Gathered> = hasTrigram(search)
    ? select(containing)
    : db.fenced(beginning());
  // Filtered outside the fence, or the index of a flag, which holds all users, would be read for it as well.
  return db.longRead.selectFrom(matches.as('matches')).select(['id', 'sort_value']).where(isAskedFor(filter));
}

/** Those whom a beginning matches, but not by `column`. */
function otherBeginners(db: Database, filter: Filter, search: string, column: BeginningColumn) {
  const other = column === 'email_key' ? 'name_key' : 'email_key';
  const users = db.longRead
    .selectFrom('users')
    .select(['id', `${column} as sort_value`, 'is_active', 'is_admin'])
    .where(beginsWith(other, search))
    .where(sql<SqlBool>`not ${beginsWith(column, search)}`);
  return db.longRead
    .selectFrom(db.fenced(users).as('others'))
    .select(['id', 'sort_value'])
    .where(isAskedFor(filter));
}

/** Everybody in a state whom the filter lets through and who matches, through the index of the state. */
function allInState(
  db: Database,
  state: ListedState,
  column: SortColumn,
  { search, ...filter }: Filter & Pick<ListQuery, 'search'>,
) {
  const walked = ['is_active', 'is_admin', 'email_verified', 'delete_after'] as const;
  const searched = search === undefined ? [] : (['search_text', 'email_key', 'name_key'] as const);
  const users = db.longRead
    .selectFrom('users')
    .select(['id', `${column} as sort_value`, ...walked, ...searched])
    .where(indexed[state]);
  let matches = db.longRead
    .selectFrom(db.fenced(users).as('users'))
    .select(['id', 'sort_value'])
    .where(isAskedFor(filter));
  if (search !== undefined) matches = matches.where(isMatch(db, search));
  return matches;
}

type Source = 'search' | 'state';

/** Users by their ids and what a list orders them by. */
type Selection = AliasableExpression<Pick<ListedUser, 'id' | 'sort_value'>>;
/** The same with what a filter asks for. */
type Gathered = Pick<ListedUser, 'id' | 'sort_value' | 'is_active' | 'is_admin'>;

/** Every match, through the index of what is searched for or of the state. */
function gather(db: Database, query: ListQuery, source: Source, column: SortColumn) {
  const { search = '', state } = query;
  return source === 'state' && state !== undefined
    ? allInState(db, state, column, query)
    : allMatches(db, search, column, query);
}

/** The column by which a list is ordered and in which an index finds the beginning that is searched for. */
function orderedBeginning({ search, state, sort }: ListQuery): BeginningColumn | undefined {
  const column = sortColumns[sort];
  const isOrdered = column === 'email_key' || column === 'name_key';
  return search !== undefined && !hasTrigram(search) && state === undefined && isOrdered ? column : undefined;
}

/** The combinations of the two flags that a query asks for; each is one range of every index on users. */
function groupsOf(query: Filter) {
  const active = query.is_active === undefined ? [true, false] : [query.is_active];
  const admin = query.is_admin === undefined ? [false, true] : [query.is_admin];
  return active.flatMap((is_active) => admin.map((is_admin) => ({ is_active, is_admin })));
}

/** What comes after the cursor in the order asked for. */
function beyond({ value, id }: { value: string | number; id: number }, query: ListQuery, column: string) {
  const sign = sql.raw(query.descending ? '<' : '>');
  if (query.sort === 'id') return sql<SqlBool>`id ${sign} ${id}`;
  return sql<SqlBool>`(${sql.ref(column)}, id) ${sign} (${value}, ${id})`;
}

/**
 * The first `length` users in the order asked for: every group is a range of one index, and the ranges are merged. Who asks
 * for no more than id and order is answered by the index alone.
 */
function inOrder<Column extends keyof Tables['users']>(
  db: Database,
  query: ListQuery,
  length: number,
  columns: readonly Column[],
  condition?: Expression<SqlBool>,
) {
  const column = sortColumns[query.sort];
  const direction = query.descending ? 'desc' : 'asc';
  const groups = groupsOf(query).map(({ is_active, is_admin }) => {
    let rows = db.longRead
      .selectFrom('users')
      .select([...columns, `${column} as sort_value`])
      .where('is_active', '=', is_active)
      .where('is_admin', '=', is_admin);
    if (condition !== undefined) rows = rows.where(condition);
    return query.after === undefined ? rows : rows.where(beyond(query.after, query, column));
  });
  const order = sql`sort_value ${sql.raw(direction)}, id ${sql.raw(direction)}`;
  return db.mergeRanges(groups, order, length).as('users');
}

const walkedColumns = [...userColumns, 'email_key', 'name_key', 'search_text'] as const;

/** For what reads so many rows. */
const readerFor = (db: Database, length: number) => (length > firstLook ? db.longRead : db.read);

/** A page out of the first `length` users in the order asked for. */
function walk(
  db: Database,
  query: ListQuery,
  length: number,
  condition?: Expression<SqlBool>,
): Promise<ListedUser[]> {
  const direction = query.descending ? 'desc' : 'asc';
  let rows = readerFor(db, length)
    .selectFrom(inOrder(db, query, length, walkedColumns))
    .select([...userColumns, 'sort_value']);
  if (condition !== undefined) rows = rows.where(condition);
  return rows
    .orderBy('sort_value', direction)
    .orderBy('id', direction)
    .limit(query.limit)
    .offset(query.skip)
    .execute();
}

/** A page out of all matches, which are gathered and sorted, the parts at the same time. */
async function sortMatches(
  db: Database,
  query: ListQuery,
  { source, parts }: Gathering,
): Promise<ListedUser[]> {
  const { search = '', sort, skip, limit, descending } = query;
  const column = sortColumns[sort];
  const isByIndex = sort === 'id' && db.matchesById;
  if (parts.length === 0 || (parts.length > 1 && (isByIndex || skip + limit > mostMerged)))
    return pageOf(db, query, gather(db, query, source, column));
  const ahead = { ...query, skip: 0, limit: skip + limit };
  const pages = await Promise.all(
    parts.map((part) => pageOf(db, ahead, allMatches(db, search, column, query, part))),
  );
  const rows = pages.flat().sort(byOrder);
  return (descending ? rows.reverse() : rows).slice(skip, skip + limit);
}

/** In the order of the databases, which is that of code points. */
function byOrder(a: ListedUser, b: ListedUser): number {
  const byValue =
    typeof a.sort_value === 'string' && typeof b.sort_value === 'string'
      ? Buffer.compare(Buffer.from(a.sort_value), Buffer.from(b.sort_value))
      : 0;
  return byValue || a.id - b.id;
}

/** A page out of some users, of whom it is known what they are ordered by. */
function pageOf(db: Database, query: ListQuery, users: Selection): Promise<ListedUser[]> {
  const direction = query.descending ? 'desc' : 'asc';
  let page = db.longRead.selectFrom(users.as('matches')).select(['id', 'sort_value']);
  if (query.after !== undefined) page = page.where(beyond(query.after, query, 'sort_value'));
  // By the id alone where that is the order: some index may yield it.
  if (query.sort !== 'id') page = page.orderBy('sort_value', direction);
  const sorted = page.orderBy('id', direction).limit(query.limit).offset(query.skip);
  return db.longRead
    .selectFrom(sorted.as('page'))
    .innerJoin('users', 'users.id', 'page.id')
    .select([...userColumns.map((column) => `users.${column}` as const), 'page.sort_value'])
    .orderBy('page.sort_value', direction)
    .orderBy('page.id', direction)
    .execute();
}

/**
 * A page of those whom a beginning matches, ordered by email or name: of those whose value in the order begins so, as many as the
 * page takes, and all others. When these are many, the index for beginnings that is in this order is walked first.
 */
async function listBeginners(db: Database, query: ListQuery, search: string, column: BeginningColumn) {
  const { skip, limit, descending, after } = query;
  const direction = descending ? 'desc' : 'asc';
  const others = otherBeginners(db, query, search, column);
  // Few as a rule, so that a walk would hardly meet a page of them.
  const isRare = query.is_active === false || query.is_admin === true;
  const isWalkable = !isRare && skip + limit <= indexWalk;
  if (isWalkable && (await db.estimateRows(others, manyOthers)) >= manyOthers) {
    let entries = db.longRead
      .selectFrom('users')
      .select(['id', `${column} as sort_value`, 'email_key', 'name_key', 'is_active', 'is_admin'])
      .orderBy(column, direction)
      .orderBy('id', direction)
      .limit(indexWalk);
    if (after !== undefined) entries = entries.where(beyond(after, query, column));
    const met = db.longRead
      .selectFrom(entries.as('users'))
      .select(['id', 'sort_value'])
      .where(isMatch(db, search))
      .where(isAskedFor(query));
    const found = await pageOf(db, query, met);
    if (found.length === limit) return found;
  }
  const first = inOrder(db, query, skip + limit, ['id'], beginsWith(column, search));
  const firstOnes = db.longRead.selectFrom(first).select(['id', 'sort_value']);
  return pageOf(db, query, firstOnes.unionAll(others));
}

/** Whether a walk of that length leaves anybody out. */
async function isLonger(db: Database, query: ListQuery, length: number): Promise<boolean> {
  const { walked } = await readerFor(db, length)
    .selectFrom(inOrder(db, query, length + 1, ['id']))
    .select((eb) => eb.fn.countAll<number>().as('walked'))
    .executeTakeFirstOrThrow();
  return walked > length;
}

/** How all who match are gathered. */
interface Gathering {
  readonly source: Source;
  /** How many they are; 0 only when there are none. */
  readonly about: number;
  /** Of whom a text matches, in selections that can be read at the same time. */
  readonly parts: readonly RawBuilder<unknown>[];
}

/** Through the index that yields fewer. */
async function planGathering(db: Database, { search, state }: ListQuery): Promise<Gathering> {
  const plans: Gathering[] = [];
  if (state !== undefined) {
    const ids = db.longRead.selectFrom('users').select('id').where(indexed[state]);
    plans.push({ source: 'state', about: await db.estimateRows(ids, few + 1), parts: [] });
  }
  if (search !== undefined) {
    const found = hasTrigram(search)
      ? await db.findMatches('users', 'search_text', searchable(search))
      : { about: await db.estimateRows(allMatches(db, search, 'id'), few + 1), parts: [] };
    plans.push({ source: 'search', ...found });
  }
  return plans.reduce((least, other) => (other.about < least.about ? other : least));
}

/** One page of users. */
export async function listUsers(db: Database, query: ListQuery): Promise<ListedUser[]> {
  const { search, state, skip, limit } = query;
  if (search === undefined && state === undefined) return walk(db, query, skip + limit);
  const condition = sql<SqlBool>`${search === undefined ? sql`1 = 1` : isMatch(db, search)} and ${isAskedFor({ state })}`;
  // Few may be left by a filter or behind a cursor, or there are few, and then a walk meets them all.
  const isNarrow = [query.is_active, query.is_admin, query.after].some((part) => part !== undefined);
  const beginning = orderedBeginning(query);
  const isById = query.sort === 'id' && db.matchesById && state === undefined && hasTrigram(search ?? '');
  // Nothing more is looked through where an index has the matches in the order asked for.
  const isIndexed = beginning !== undefined || isById;
  let isDense = true;
  let gathering: Gathering | undefined;
  for (const length of isIndexed ? [firstLook] : [firstLook, shortWalk, longWalk]) {
    if (skip + limit > length || (length === shortWalk && !isDense)) continue;
    if (length === longWalk) {
      gathering = await planGathering(db, query);
      if (gathering.about <= few) break;
    }
    const found = await walk(db, query, length, condition);
    const mayMeetAll = isNarrow || length === firstLook;
    if (found.length === limit || (mayMeetAll && !(await isLonger(db, query, length)))) return found;
    // As dense as here, or half as dense, they would fill the page.
    isDense = skip > 0 || (found.length * 2 * shortWalk) / length >= limit;
  }
  if (search !== undefined && beginning !== undefined) return listBeginners(db, query, search, beginning);
  gathering ??= await planGathering(db, query);
  return gathering.about === 0 ? [] : sortMatches(db, query, gathering);
}

/** How many users a query has, whatever its page. Reads them all. */
export async function countUsers(db: Database, query: ListQuery): Promise<number> {
  const { search, state } = query;
  const isLong = await isLonger(db, { ...query, after: undefined }, firstLook);
  const rows: Expression<unknown> =
    search === undefined && state === undefined
      ? db.longRead.selectFrom('users').select('id').where(isAskedFor(query))
      : gather(db, query, search === undefined ? 'state' : 'search', 'id');
  const { total } = await (isLong ? db.longRead : db.read)
    .selectFrom(sql`(${rows})`.as('counted'))
    .select((eb) => eb.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow();
  return total;
}
