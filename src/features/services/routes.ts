import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { Closed, Text } from '../../http/schema.ts';
import type { Sessions } from '../sessions/index.ts';

const TokenForm = Closed({
  token: Text({}),
  token_type_hint: Type.Optional(Text({ description: 'Not needed: a token tells what it is.' })),
});

/** RFC 7662, 2.2. What is not active says nothing more. */
const Introspection = Type.Object({
  active: Type.Boolean(),
  token_type: Type.Optional(Type.String()),
  sub: Type.Optional(Type.String()),
  username: Type.Optional(Type.String()),
  sid: Type.Optional(Type.String()),
  iss: Type.Optional(Type.String()),
  iat: Type.Optional(Type.Integer()),
  exp: Type.Optional(Type.Integer()),
  jti: Type.Optional(Type.String()),
  is_admin: Type.Optional(Type.Boolean()),
});

/** For services that cannot verify JWTs; by HTTP Basic with a credential of `doorward services create`. */
export function serviceRoutes(sessions: Sessions): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/introspect',
      {
        config: { access: 'service', form: true },
        schema: {
          tags: ['service'],
          operationId: 'introspect',
          summary: 'Tell whether a token is active (RFC 7662)',
          body: TokenForm,
          response: { 200: Introspection },
        },
      },
      (request) => sessions.introspect(request.body.token),
    );

    app.post(
      '/revoke',
      {
        config: { access: 'service', form: true },
        schema: {
          tags: ['service'],
          operationId: 'revoke',
          summary: 'End the session of a token (RFC 7009)',
          description: 'A token that is not valid is answered the same.',
          body: TokenForm,
          response: { 200: Type.Object({}) },
        },
      },
      async (request) => {
        await sessions.revokeToken(request.body.token);
        return {};
      },
    );
  };
}
