import type { Migration } from '../../database/database.ts';

export const throttleMigrations: readonly Migration[] = [
  {
    id: '0008-throttle',
    // Keys are digests: whose counter it is, and which addresses were typed, cannot be read from the table.
    statements: ({ integer, text, timestamp, clustered }) => [
      `create table throttle_counters (
        key ${text} primary key,
        failures ${integer} not null,
        blocked_until ${timestamp},
        expires_at ${timestamp} not null
      ) ${clustered}`,
      'create index throttle_counters_expires_at_idx on throttle_counters (expires_at)',
      `create table device_epochs (
        user_id ${integer} primary key references users (id) on delete cascade,
        epoch ${integer} not null
      )`,
    ],
  },
];
