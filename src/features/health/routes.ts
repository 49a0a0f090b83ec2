import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Database } from '../../database/database.ts';
import { DoorwardError } from '../../errors.ts';

const Health = Type.Object({ status: Type.Literal('ok') });

/** `isDraining` tells that the process stops taking requests. */
export function healthRoutes(db: Database, isDraining: () => boolean): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/health/live',
      {
        config: { access: 'public' },
        schema: {
          tags: ['service'],
          operationId: 'live',
          summary: 'The process runs',
          response: { 200: Health },
        },
      },
      async () => ({ status: 'ok' as const }),
    );

    app.get(
      '/health/ready',
      {
        config: { access: 'public' },
        schema: {
          tags: ['service'],
          operationId: 'ready',
          summary: 'Requests can be served: the database answers',
          response: { 200: Health },
        },
      },
      async () => {
        if (isDraining()) throw new DoorwardError('shutting_down');
        await db.ping();
        return { status: 'ok' as const };
      },
    );
  };
}
