import type { Migration } from '../../database/database.ts';

export const statusMigrations: readonly Migration[] = [
  {
    id: '0017-instances',
    statements: ({ text, timestamp }) => [
      `create table instances (
        id ${text} primary key,
        version ${text} not null,
        started_at ${timestamp} not null,
        last_seen_at ${timestamp} not null
      )`,
    ],
  },
];
