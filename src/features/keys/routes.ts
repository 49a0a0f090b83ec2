import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { Closed, mayFail, OneOf } from '../../http/schema.ts';
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

const SigningKey = Closed(
  {
    kid: Type.String({ description: 'As in the header of the tokens that it signs.' }),
    algorithm: Type.String(),
    state: OneOf(['next', 'signing', 'former'], {
      description:
        '`next`: published, and signs from `signs_from` on. `former`: honoured until `retires_at`.',
    }),
    created_at: Type.String({ format: 'date-time' }),
    signs_from: Type.String({ format: 'date-time' }),
    retires_at: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
      description: 'When it is withdrawn; null while no other follows it.',
    }),
  },
  { title: 'SigningKey' },
);

/** What administrators see of the keys, and do. */
export function keyAdminRoutes(keys: Keys): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/keys',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['keys'],
          operationId: 'list_keys',
          summary: 'The signing keys, the one that signs latest first',
          response: { 200: Type.Array(SigningKey) },
        },
      },
      () => keys.list(),
    );

    app.post(
      '/keys/rotate',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['keys'],
          operationId: 'rotate_keys',
          summary: 'Make a new signing key',
          description:
            'It is published at once and signs after `KEY_PUBLICATION_LEAD_SECONDS`; until then the answer is 200 with that ' +
            'key, so that asking again makes no other. Sooner, for emergencies, on the command line alone.',
          response: { 200: SigningKey, 201: SigningKey, ...mayFail(409) },
        },
      },
      async (_request, reply) => {
        const { key, isNew } = await keys.rotate({ immediately: false });
        return reply.code(isNew ? 201 : 200).send(key);
      },
    );
  };
}
