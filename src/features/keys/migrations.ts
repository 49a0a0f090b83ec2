import type { Migration } from '../../database/database.ts';

export const keyMigrations: readonly Migration[] = [
  {
    id: '0003-signing-keys',
    statements: ({ text, timestamp }) => [
      `create table signing_keys (
        kid ${text} primary key,
        algorithm ${text} not null,
        public_jwk ${text} not null,
        private_jwe ${text} not null,
        created_at ${timestamp} not null,
        signs_from ${timestamp} not null
      )`,
      // One row: whatever derives from SECRET_KEY was derived from the key with this fingerprint.
      `create table secret_key_checks (
        id ${text} primary key check (id = 'current'),
        fingerprint ${text} not null
      )`,
      // What still verifies tokens made before SECRET_KEY was changed, encrypted under the present one.
      `create table former_secret_keys (
        fingerprint ${text} primary key,
        keys_jwe ${text} not null,
        replaced_at ${timestamp} not null
      )`,
    ],
  },
];
