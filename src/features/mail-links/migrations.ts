import type { Migration } from '../../database/database.ts';

export const mailLinkMigrations: readonly Migration[] = [
  {
    id: '0012-mail-links',
    statements: ({ text, integer, timestamp, clustered }) => [
      `create table mail_links (
        id ${text} primary key,
        purpose ${text} not null,
        user_id ${integer} references users (id) on delete cascade,
        invitation_id ${integer},
        email_key ${text} not null,
        detail ${text},
        token_digest ${text} not null unique,
        code_digest ${text},
        code_tries ${integer} not null,
        code_expires_at ${timestamp},
        browser_digest ${text},
        created_at ${timestamp} not null,
        expires_at ${timestamp} not null
      ) ${clustered}`,
      'create index mail_links_user_idx on mail_links (user_id, purpose)',
      'create index mail_links_invitation_idx on mail_links (invitation_id)',
      'create index mail_links_email_idx on mail_links (email_key, purpose)',
      'create index mail_links_expires_at_idx on mail_links (expires_at)',
    ],
  },
];
