import type { Migration } from '../../database/database.ts';

export const statisticsMigrations: readonly Migration[] = [
  {
    id: '0019-statistics',
    statements: ({ integer, text }) => [
      // Days that are over, counted once.
      `create table daily_counts (
        day ${text} primary key,
        sign_ups ${integer} not null,
        logins ${integer} not null,
        failed_logins ${integer} not null,
        throttled ${integer} not null,
        active_users ${integer} not null
      )`,
      // Who was active, until the day is counted.
      `create table daily_active_users (
        user_id ${integer} not null references users (id) on delete cascade,
        day ${text} not null,
        primary key (user_id, day)
      )`,
      'create index daily_active_users_day_idx on daily_active_users (day)',
    ],
  },
  {
    id: '0020-statistics-counted-at',
    // By the clock of whoever counted; null where that was not noted yet.
    statements: ({ timestamp }) => [`alter table daily_counts add column counted_at ${timestamp}`],
  },
];
