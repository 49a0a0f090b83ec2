import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { AnyPassword, Closed, mayFail, Text } from '../../http/schema.ts';
import type { Sessions } from './index.ts';

const TokenResponse = Type.Object({
  access_token: Type.String(),
  refresh_token: Type.String(),
  token_type: Type.Literal('bearer'),
  expires_in: Type.Integer({ description: 'Lifetime of the access token in seconds' }),
});

/** The OAuth 2.0 password form (RFC 6749, 4.3.2), with the fields that FastAPI's form accepts beside it. */
const LoginForm = Closed({
  username: Text({}),
  password: AnyPassword,
  grant_type: Type.Optional(Type.Literal('password')),
  scope: Type.Optional(Text({})),
  client_id: Type.Optional(Text({})),
  client_secret: Type.Optional(Text({})),
});

export function sessionRoutes(sessions: Sessions): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/login',
      {
        config: { access: 'public', form: true },
        schema: {
          tags: ['sessions'],
          operationId: 'login',
          summary: 'Log in with email and password',
          body: LoginForm,
          response: { 200: TokenResponse, ...mayFail(401, 403) },
        },
      },
      (request) =>
        sessions.logIn({
          username: request.body.username,
          password: request.body.password,
          client: { network: request.ip, userAgent: request.headers['user-agent'] ?? '' },
        }),
    );
  };
}
