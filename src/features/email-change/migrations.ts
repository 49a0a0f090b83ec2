import type { Migration } from '../../database/database.ts';

export const emailChangeMigrations: readonly Migration[] = [
  {
    id: '0013-email-change',
    statements: ({ text, integer, timestamp, clustered }) => [
      `create table reserved_addresses (
        email_key ${text} primary key,
        email ${text} not null,
        user_id ${integer} not null references users (id) on delete cascade,
        step ${integer} not null,
        reserved_at ${timestamp} not null,
        reserved_until ${timestamp} not null
      ) ${clustered}`,
      'create index reserved_addresses_user_idx on reserved_addresses (user_id)',
      'create index reserved_addresses_until_idx on reserved_addresses (reserved_until)',
    ],
  },
];
