import type { Migration } from '../../database/database.ts';

export const revocationMigrations: readonly Migration[] = [
  {
    id: '0006-revocations',
    // Apart from sessions, so that the end of a session outlives the user it belonged to.
    statements: ({ identity, text, timestamp }) => [
      `create table revocations (
        id ${identity},
        sid ${text} not null,
        expires_at ${timestamp} not null
      )`,
      'create index revocations_expires_at_idx on revocations (expires_at)',
    ],
  },
];
