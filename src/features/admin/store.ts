import { type Expression, type Kysely, type SqlBool, sql } from 'kysely';
import type { Database, Tables, Transaction } from '../../database/database.ts';
import { type User, userColumns } from '../accounts/index.ts';

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

/** A row of a list: a user and the value it was ordered by, for the cursor. */
export type ListedUser = User & { sort_value: string | number };

export interface ListQuery {
  /** A folded text that email or name contains; shorter than three code points, one that either begins with. */
  search: string | undefined;
  is_active: boolean | undefined;
  is_admin: boolean | undefined;
  sort: SortField;
  descending: boolean;
  /** The row after which the page begins. */
  after: { value: string | number; id: number } | undefined;
  skip: number;
  limit: number;
}

/** The highest code point: what begins with `text` sorts before `text` followed by it. */
const highest = '\u{10FFFF}';

/** So many matches are sorted for a page; when a search has more, a walk in the order asked for meets them soon. */
const maxSortedMatches = 5_000;

function matches(db: Database, search: string): Expression<SqlBool> {
  if ([...search].length >= 3) return db.contains('users', 'search_text', search);
  const end = search + highest;
  return sql<SqlBool>`((email_key >= ${search} and email_key < ${end}) or (name_key >= ${search} and name_key < ${end}))`;
}

/** The combinations of the two flags that a query asks for; each is one range of every index on users. */
function groupsOf(query: Pick<ListQuery, 'is_active' | 'is_admin'>) {
  const active = query.is_active === undefined ? [true, false] : [query.is_active];
  const admin = query.is_admin === undefined ? [false, true] : [query.is_admin];
  return active.flatMap((is_active) => admin.map((is_admin) => ({ is_active, is_admin })));
}

/** A page in the order asked for: the rows of every group in that order, merged. Each group is a range of one index. */
function walk(
  db: Database,
  query: ListQuery,
  condition: Expression<SqlBool> | undefined,
): Promise<ListedUser[]> {
  const { after, descending } = query;
  const column = sortColumns[query.sort];
  const direction = descending ? 'desc' : 'asc';
  const wanted = query.skip + query.limit;
  const groups = groupsOf(query).map(({ is_active, is_admin }) => {
    let rows = db.read
      .selectFrom('users')
      .select([...userColumns, `${column} as sort_value`])
      .where('is_active', '=', is_active)
      .where('is_admin', '=', is_admin);
    if (condition !== undefined) rows = rows.where(condition);
    if (after !== undefined) {
      const beyond = sql.raw(descending ? '<' : '>');
      rows = rows.where(
        column === 'id'
          ? sql<SqlBool>`id ${beyond} ${after.id}`
          : sql<SqlBool>`(${sql.ref(column)}, id) ${beyond} (${after.value}, ${after.id})`,
      );
    }
    rows = rows.orderBy(column, direction);
    if (column !== 'id') rows = rows.orderBy('id', direction);
    return db.read.selectFrom(rows.limit(wanted).as('grouped')).selectAll();
  });
  return db.read
    .selectFrom(groups.reduce((all, group) => all.unionAll(group)).as('merged'))
    .selectAll()
    .orderBy('sort_value', direction)
    .orderBy('id', direction)
    .limit(query.limit)
    .offset(query.skip)
    .execute();
}

/** A page out of few matches: all of them are found first, then put in order. */
function sortMatches(db: Database, query: ListQuery, condition: Expression<SqlBool>): Promise<ListedUser[]> {
  const column = sortColumns[query.sort];
  const direction = query.descending ? 'desc' : 'asc';
  let rows = db.read
    .with(
      (name) => name('matches').materialized(),
      (found) =>
        found
          .selectFrom('users')
          .select([...userColumns, `${column} as sort_value`])
          .where(condition),
    )
    .selectFrom('matches')
    .selectAll();
  if (query.is_active !== undefined) rows = rows.where('is_active', '=', query.is_active);
  if (query.is_admin !== undefined) rows = rows.where('is_admin', '=', query.is_admin);
  if (query.after !== undefined) {
    const beyond = sql.raw(query.descending ? '<' : '>');
    rows = rows.where(sql<SqlBool>`(sort_value, id) ${beyond} (${query.after.value}, ${query.after.id})`);
  }
  return rows
    .orderBy('sort_value', direction)
    .orderBy('id', direction)
    .limit(query.limit)
    .offset(query.skip)
    .execute();
}

/** One page of users. */
export async function listUsers(db: Database, query: ListQuery): Promise<ListedUser[]> {
  if (query.search === undefined) return walk(db, query, undefined);
  const condition = matches(db, query.search);
  const some = db.read
    .selectFrom('users')
    .select('id')
    .where(condition)
    .limit(maxSortedMatches + 1);
  const { found } = await db.read
    .selectFrom(some.as('some'))
    .select((eb) => eb.fn.countAll<number>().as('found'))
    .executeTakeFirstOrThrow();
  if (found === 0) return [];
  return found > maxSortedMatches ? walk(db, query, condition) : sortMatches(db, query, condition);
}

/** How many users a query has, whatever its page. Reads them all. */
export async function countUsers(db: Database, query: ListQuery): Promise<number> {
  let rows = db.read.selectFrom('users').select((eb) => eb.fn.countAll<number>().as('total'));
  if (query.search !== undefined) rows = rows.where(matches(db, query.search));
  if (query.is_active !== undefined) rows = rows.where('is_active', '=', query.is_active);
  if (query.is_admin !== undefined) rows = rows.where('is_admin', '=', query.is_admin);
  const { total } = await rows.executeTakeFirstOrThrow();
  return total;
}
