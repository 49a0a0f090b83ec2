import type { Migration } from '../../database/database.ts';

export const leavingMigrations: readonly Migration[] = [
  {
    id: '0016-erased-users',
    // Nothing refers to users: the row is there because they are not. An id is told from that of another database by when
    // the account was made.
    statements: ({ integer, timestamp }) => [
      `create table erased_users (
        user_id ${integer} primary key,
        created_at ${timestamp} not null,
        erased_at ${timestamp} not null,
        swept_at ${timestamp}
      )`,
      'create index erased_users_to_sweep_idx on erased_users (erased_at) where swept_at is null',
    ],
  },
];
