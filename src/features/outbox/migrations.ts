import type { Migration } from '../../database/database.ts';

export const outboxMigrations: readonly Migration[] = [
  {
    id: '0010-outbox',
    statements: ({ identity, integer, text, timestamp }) => [
      `create table outbox (
        id ${identity},
        kind ${text} not null,
        user_id ${integer} references users (id) on delete cascade,
        to_address ${text} not null,
        to_key ${text} not null,
        locale ${text} not null,
        params ${text} not null,
        state ${text} not null,
        secret ${text},
        expires_at ${timestamp},
        attempts ${integer} not null,
        next_attempt_at ${timestamp} not null,
        claim ${text},
        claimed_until ${timestamp},
        last_error ${text},
        message_id ${text} not null,
        created_at ${timestamp} not null,
        asked_at ${timestamp} not null,
        sent_at ${timestamp}
      )`,
      'create index outbox_due_idx on outbox (state, next_attempt_at)',
      'create index outbox_state_idx on outbox (state, id)',
      'create index outbox_user_idx on outbox (user_id, id)',
      'create index outbox_to_idx on outbox (to_key, id)',
      'create index outbox_asked_at_idx on outbox (asked_at)',
    ],
  },
  {
    id: '0018-outbox-waiting',
    // For the mail of a state that has waited longest.
    statements: () => ['create index outbox_waiting_idx on outbox (state, asked_at)'],
  },
];
