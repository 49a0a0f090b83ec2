import type { Migration } from '../../database/database.ts';

export const accountMigrations: readonly Migration[] = [
  {
    id: '0001-users',
    statements: ({ identity, text, boolean, timestamp, substringIndex }) => [
      // What a search looks at stands first: it reads tens of thousands of rows, each as far as it must.
      `create table users (
        id ${identity},
        created_at ${timestamp} not null,
        updated_at ${timestamp} not null,
        is_active ${boolean} not null,
        is_admin ${boolean} not null,
        search_text ${text} not null,
        name_key ${text} not null,
        email_key ${text} not null,
        name ${text} not null,
        email ${text} not null
      )`,
      'create unique index users_email_key_key on users (email_key)',
      // Two that hold all a search for a beginning looks at, so that it reads no row that is not on its page.
      'create index users_email_search_idx on users (email_key, name_key, created_at, is_active, is_admin, id)',
      'create index users_name_search_idx on users (name_key, email_key, created_at, is_active, is_admin, id)',
      // One index for each order a list can have, behind the two flags it can be filtered by: whatever is asked for is
      // a merge of at most four ranges, so a page costs the same wherever it is.
      'create index users_by_id_idx on users (is_active, is_admin, id)',
      'create index users_by_email_idx on users (is_active, is_admin, email_key, id)',
      'create index users_by_name_idx on users (is_active, is_admin, name_key, id)',
      'create index users_by_created_at_idx on users (is_active, is_admin, created_at, id)',
      ...substringIndex('users', 'search_text'),
    ],
  },
  {
    id: '0011-account-life',
    statements: ({ text, boolean, timestamp, now }) => [
      // Nobody has proved an address yet; and none that was there before is old enough to be removed for that.
      `alter table users add column email_verified ${boolean} not null default false`,
      `alter table users add column email_set_at ${timestamp}`,
      `update users set email_set_at = ${now}`,
      `alter table users add column pending_email ${text}`,
      `alter table users add column locale ${text}`,
      `alter table users add column delete_after ${timestamp}`,
      'create index users_delete_after_idx on users (delete_after) where delete_after is not null',
      'create index users_unverified_idx on users (email_set_at) where not email_verified',
    ],
  },
  {
    id: '0021-search-in-order',
    statements: ({ substringIndexInParts }) => [
      ...substringIndexInParts('users', 'search_text'),
      // With the id behind the key, what they hold is in the order that a list has.
      'drop index users_email_search_idx',
      'drop index users_name_search_idx',
      'create index users_email_search_idx on users (email_key, id, name_key, created_at, is_active, is_admin)',
      'create index users_name_search_idx on users (name_key, id, email_key, created_at, is_active, is_admin)',
    ],
  },
];
