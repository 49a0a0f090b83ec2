import { databaseLocation } from '../../database/open.ts';
import type { Kernel } from '../../kernel.ts';
import type { Audit } from '../audit/index.ts';
import type { Outbox } from '../outbox/index.ts';
import type { Passwords } from '../passwords/index.ts';
import { createInstances, type Instances, type ListedInstance } from './instances.ts';

export { createInstances } from './instances.ts';
export { statusMigrations } from './migrations.ts';
export { statusRoutes } from './routes.ts';

/** How the instance that answers is, and all that share its database. */
export interface ServiceStatus {
  readonly instance: Omit<ListedInstance, 'last_seen_at' | 'is_current'>;
  readonly instances: ListedInstance[];
  readonly database: { readonly kind: 'sqlite' | 'postgresql' };
  /** Of this instance. */
  readonly hash_queue: { running: number; waiting: number; slots: number; limit: number };
  readonly mail: { readonly is_configured: boolean };
  readonly outbox: Awaited<ReturnType<Outbox['describe']>>;
  readonly audit_log: Awaited<ReturnType<Audit['describe']>>;
}

export interface Status {
  readonly instances: Instances;
  read(): Promise<ServiceStatus>;
}

export function createStatus(
  kernel: Kernel,
  { audit, outbox, passwords }: { audit: Audit; outbox: Outbox; passwords: Passwords },
): Status {
  const { settings } = kernel;
  const instances = createInstances(kernel);
  const kind = databaseLocation(settings.DATABASE_URL) === 'postgres' ? 'postgresql' : 'sqlite';
  return {
    instances,
    async read() {
      const { current, all } = await instances.list();
      const { id, version, started_at } = current;
      return {
        instance: { id, version, started_at },
        instances: all,
        database: { kind },
        hash_queue: {
          running: passwords.queue.running,
          waiting: passwords.queue.waiting,
          slots: settings.HASH_CONCURRENCY,
          limit: settings.HASH_QUEUE_LIMIT,
        },
        mail: { is_configured: settings.MAIL_URL !== undefined },
        outbox: await outbox.describe(),
        audit_log: await audit.describe(),
      };
    },
  };
}
