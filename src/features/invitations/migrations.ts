import type { Migration } from '../../database/database.ts';

export const invitationMigrations: readonly Migration[] = [
  {
    id: '0014-invitations',
    // `invited_by` refers to nobody's row: of somebody who is gone the number has to stay, or nobody would seem to have
    // invited.
    statements: ({ identity, integer, boolean, text, timestamp }) => [
      `create table invitations (
        id ${identity},
        email ${text} not null,
        email_key ${text} not null,
        name ${text},
        is_admin ${boolean} not null,
        locale ${text},
        invited_by ${integer},
        created_at ${timestamp} not null,
        expires_at ${timestamp} not null,
        settled_at ${timestamp}
      )`,
      'create unique index invitations_email_key on invitations (email_key)',
      'create index invitations_expires_at_idx on invitations (expires_at)',
      'create index invitations_invited_by_idx on invitations (invited_by)',
    ],
  },
];
