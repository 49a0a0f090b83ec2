import type { Database, Migration } from '../../database/database.ts';
import { chainNumbers } from './event.ts';
import { hasUsers } from './store.ts';

const firstMigration = '0009-audit';

export const auditMigrations: readonly Migration[] = [
  {
    id: firstMigration,
    statements: ({ integer, text }) => [
      // Nothing refers to users: what happened outlives whom it happened to. Times are texts, because they are hashed.
      `create table audit_events (
        id ${text} primary key,
        chain ${integer} not null,
        position ${integer} not null,
        time ${text} not null,
        kind ${text} not null,
        result ${text} not null,
        actor ${integer},
        user_id ${integer},
        request_id ${text},
        personal ${text},
        salt ${text},
        personal_hash ${text},
        hash ${text} not null,
        constraint audit_events_place unique (chain, position)
      )`,
      'create index audit_events_user_idx on audit_events (user_id, id)',
      'create index audit_events_actor_idx on audit_events (actor, id)',
      'create index audit_events_kind_idx on audit_events (kind, id)',
      `create table audit_chains (
        chain ${integer} primary key,
        position ${integer} not null,
        hash ${text} not null,
        base_position ${integer} not null,
        base_hash ${text} not null,
        broken_at ${integer},
        mac ${text} not null
      )`,
      // Without a mac, which takes SECRET_KEY; the first start adds it.
      `insert into audit_chains (chain, position, hash, base_position, base_hash, broken_at, mac) values ${chainNumbers
        .map((chain) => `(${chain}, 0, '', 0, '', null, '')`)
        .join(', ')}`,
      `create table audit_checkpoints (
        number ${integer} primary key,
        time ${text} not null,
        statement ${text} not null
      )`,
    ],
  },
];

/**
 * Whether a database has users and gets its audit log by migrations that it still lacks. The start that applies them signs
 * what the log begins with; a later one cannot tell it from a log that somebody emptied.
 */
export async function beginsAuditLog(db: Database, migrations: readonly Migration[]): Promise<boolean> {
  const missing = new Set((await db.pendingMigrations(migrations)).map(({ id }) => id));
  return missing.has(firstMigration) && !missing.has('0001-users') && (await hasUsers(db.read));
}
