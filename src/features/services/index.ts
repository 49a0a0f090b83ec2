import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { DoorwardError, ValidationError, valueError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { deleteService, findSecretDigest, insertService, listServices, type Service } from './store.ts';

export { serviceMigrations } from './migrations.ts';
export { serviceRoutes } from './routes.ts';
export type { Service } from './store.ts';

/** Credentials of services that ask about tokens, because they cannot verify JWTs themselves. */
export interface Services {
  /**
   * Makes a credential. The secret is told here and never again: only its digest is stored.
   * @throws ValidationError for a name that is none; DoorwardError `service_name_taken`.
   */
  create(name: string): Promise<{ service: Service; secret: string }>;
  list(): Promise<Service[]>;
  /** @throws DoorwardError `service_not_found`. */
  delete(name: string): Promise<void>;
  /** @throws DoorwardError `invalid_client`. */
  authenticate(name: string, secret: string): Promise<void>;
}

const namePattern = /^[a-z0-9][a-z0-9._-]{0,63}$/;

// The secret is 256 random bits: a plain digest cannot be searched, and costs a request nothing.
const digestOf = (secret: string) => createHash('sha256').update(secret).digest('base64url');

export function createServices(kernel: Kernel): Services {
  const { db, clock, audit } = kernel;
  return {
    async create(name) {
      if (!namePattern.test(name)) {
        const message = 'use 1 to 64 of a-z, 0-9, dot, dash and underscore';
        throw new ValidationError([valueError(['body', 'name'], message)]);
      }
      const secret = randomBytes(32).toString('base64url');
      const created_at = clock.now().toISOString();
      const service = await db.transaction(async (tx) => {
        const made = await insertService(tx, { name, secret_digest: digestOf(secret), created_at });
        if (made !== undefined)
          await audit.record(tx, { kind: 'service.created', user_id: null, detail: { name } });
        return made;
      });
      if (service === undefined) throw new DoorwardError('service_name_taken');
      return { service, secret };
    },
    list: () => listServices(db.read),
    async delete(name) {
      await db.transaction(async (tx) => {
        if (!(await deleteService(tx, name))) throw new DoorwardError('service_not_found');
        await audit.record(tx, { kind: 'service.deleted', user_id: null, detail: { name } });
      });
    },
    async authenticate(name, secret) {
      const stored = namePattern.test(name) ? await findSecretDigest(db.read, name) : undefined;
      const isRight = timingSafeEqual(Buffer.from(digestOf(secret)), Buffer.from(stored ?? digestOf('')));
      if (stored === undefined || !isRight) throw new DoorwardError('invalid_client');
    },
  };
}
