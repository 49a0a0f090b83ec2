import type { Migration } from '../../database/database.ts';

export const passwordMigrations: readonly Migration[] = [
  {
    id: '0002-passwords',
    // Apart from users, so that no read of a user can carry a hash out.
    statements: ({ integer, text, timestamp }) => [
      `create table passwords (
        user_id ${integer} primary key references users (id) on delete cascade,
        hash ${text} not null,
        revision ${integer} not null,
        changed_at ${timestamp} not null
      )`,
    ],
  },
];
