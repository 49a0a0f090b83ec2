import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { failures } from '../../errors.ts';
import { OneOf } from '../../http/schema.ts';
import type { Health } from './index.ts';

const Ok = Type.Object({ status: Type.Literal('ok') });

/** The shape of every failure, and what is not ready. */
const NotReady = Type.Object({
  detail: Type.String({ description: 'A constant text.' }),
  code: OneOf(['shutting_down', 'database_unavailable']),
  status: Type.Literal('unavailable'),
  checks: Type.Object({
    process: OneOf(['ok', 'draining']),
    database: OneOf(['ok', 'unavailable']),
    migrations: OneOf(['ok', 'pending', 'unknown']),
    keys: OneOf(['ok', 'unavailable', 'unknown']),
  }),
});

/** `isDraining` tells that the process stops taking requests. */
export function healthRoutes(health: Health, isDraining: () => boolean): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/health/live',
      {
        config: { access: 'public' },
        schema: {
          tags: ['service'],
          operationId: 'live',
          summary: 'The process runs',
          response: { 200: Ok },
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
          summary: 'Requests can be served: database, schema and keys are there; if not, what is missing',
          response: { 200: Ok, 503: NotReady },
        },
      },
      async (_request, reply) => {
        const process = isDraining() ? ('draining' as const) : ('ok' as const);
        const checks = { process, ...(await health.check()) };
        if (Object.values(checks).every((check) => check === 'ok')) return { status: 'ok' as const };
        // Schema and keys are in the database, too: what is there is not what this process needs.
        const code = process === 'draining' ? 'shutting_down' : 'database_unavailable';
        const [status, detail] = failures[code];
        return reply
          .code(status)
          .header('retry-after', '1')
          .send({ detail, code, status: 'unavailable' as const, checks });
      },
    );
  };
}
