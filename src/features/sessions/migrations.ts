import type { Migration } from '../../database/database.ts';

export const sessionMigrations: readonly Migration[] = [
  {
    id: '0004-sessions',
    statements: ({ text, integer, timestamp, clustered }) => [
      `create table sessions (
        id ${text} primary key,
        user_id ${integer} not null references users (id) on delete cascade,
        generation ${integer} not null,
        generation_issued_at ${timestamp} not null,
        generation_given_at ${timestamp} not null,
        generation_used_at ${timestamp},
        created_at ${timestamp} not null,
        last_seen_at ${timestamp} not null,
        expires_at ${timestamp} not null,
        ended_at ${timestamp},
        end_reason ${text},
        end_network ${text},
        network ${text} not null,
        user_agent ${text} not null
      ) ${clustered}`,
      'create index sessions_user_id_idx on sessions (user_id)',
      'create index sessions_expires_at_idx on sessions (expires_at)',
    ],
  },
];
