import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Keys } from './index.ts';

/** How long verifiers may keep the keys; KEY_PUBLICATION_LEAD_SECONDS is never shorter. */
const maxAgeSeconds = 30;

/** Mounted at the root of the host, as RFC 8615 wants it. */
export function keyRoutes(keys: Keys): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/.well-known/jwks.json',
      {
        config: { access: 'public' },
        schema: {
          tags: ['service'],
          operationId: 'jwks',
          summary: 'Public keys that verify access tokens (RFC 7517)',
          response: { 200: Type.Object({ keys: Type.Array(Type.Record(Type.String(), Type.Any())) }) },
        },
      },
      async (_request, reply) => {
        reply.header('Cache-Control', `public, max-age=${maxAgeSeconds}`);
        return keys.jwks();
      },
    );
  };
}
