import type { Migration } from '../../database/database.ts';

export const serviceMigrations: readonly Migration[] = [
  {
    id: '0007-services',
    statements: ({ identity, text, timestamp }) => [
      `create table services (
        id ${identity},
        name ${text} not null,
        secret_digest ${text} not null,
        created_at ${timestamp} not null
      )`,
      'create unique index services_name_key on services (name)',
    ],
  },
];
