import type { Migration } from '../../database/database.ts';

export const adminMigrations: readonly Migration[] = [
  {
    id: '0005-setup',
    // One row. The setup token is derived from this and SECRET_KEY: every instance prints the same one, and neither a
    // copy of the database nor an older database under the same SECRET_KEY gives it away.
    statements: ({ text }) => [
      `create table setup (
        id ${text} primary key check (id = 'current'),
        nonce ${text} not null
      )`,
    ],
  },
];
