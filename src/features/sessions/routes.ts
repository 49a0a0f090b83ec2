import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { DoorwardError, ValidationError } from '../../errors.ts';
import type { BrowserRules } from '../../http/browser.ts';
import { bearerToken } from '../../http/guards.ts';
import { AnyPassword, Closed, mayFail, NoContent, OneOf, Text, UserId, UserPath } from '../../http/schema.ts';
import { deviceTokenTtlSeconds } from '../throttle/index.ts';
import type { Sessions } from './index.ts';
import type { LoggedIn } from './login.ts';
import type { Client } from './open.ts';
import type { IssuedTokens } from './tokens.ts';

const expires_in = Type.Integer({ description: 'Lifetime of the access token in seconds' });

/** RFC 6749, 5.1; with cookies the body carries no token. */
export const TokenAnswer = Type.Union([
  Type.Object({
    access_token: Type.String(),
    refresh_token: Type.String(),
    token_type: Type.Literal('bearer'),
    expires_in,
    device_token: Type.Optional(
      Type.String({ description: 'Of a login: to be sent as `X-Device-Token` with the next one.' }),
    ),
  }),
  Type.Object({ token_type: Type.Literal('cookie'), expires_in }),
]);

/** Where the tokens travel: in bodies, or in cookies that scripts cannot read. */
export const TransportQuery = Type.Object({ transport: OneOf(['body', 'cookie'], { default: 'body' }) });

/** The OAuth 2.0 password form (RFC 6749, 4.3.2), with the fields that FastAPI's form accepts beside it. */
const LoginForm = Closed({
  username: Text({}),
  password: AnyPassword,
  grant_type: Type.Optional(Type.Literal('password')),
  scope: Type.Optional(Text({})),
  client_id: Type.Optional(Text({})),
  client_secret: Type.Optional(Text({})),
});

/** RFC 6749, 6; as JSON the token alone is enough. */
const RefreshForm = Closed({
  refresh_token: Type.Optional(Text({ description: 'Left out with `transport=cookie`.' })),
  grant_type: Type.Optional(Type.Literal('refresh_token')),
  scope: Type.Optional(Text({})),
  client_id: Type.Optional(Text({})),
  client_secret: Type.Optional(Text({})),
});

/** A session as its owner and administrators see it. */
export const SessionRead = Type.Object(
  {
    id: Type.String({ description: 'The `sid` of its tokens.' }),
    device: Type.String({ description: 'Browser and system in words, as the client told them.' }),
    network: Type.String(),
    created_at: Type.String({ format: 'date-time' }),
    last_seen_at: Type.String({ format: 'date-time', description: 'At most a minute behind.' }),
    expires_at: Type.String({
      format: 'date-time',
      description: 'When it ends if it is not refreshed before.',
    }),
    current: Type.Boolean({ description: 'Whether it is the session that asks.' }),
  },
  { title: 'SessionRead' },
);

/** Another request ended the session first. */
function ignoreEnded(error: unknown): void {
  if (!(error instanceof DoorwardError && error.code === 'session_not_found')) throw error;
}

function missingRefreshToken(): ValidationError {
  return new ValidationError([{ type: 'missing', loc: ['body', 'refresh_token'], msg: 'Field required' }]);
}

function clientOf(request: FastifyRequest): Client {
  return { network: request.clientAddress, userAgent: request.headers['user-agent'] ?? '' };
}

/** How tokens travel: in bodies, or in cookies. */
export type TokenTransport = 'body' | 'cookie';

/** The answer with its tokens where the client wants them. */
function deliver(
  browser: BrowserRules,
  reply: FastifyReply,
  transport: TokenTransport,
  tokens: IssuedTokens,
) {
  const { refresh_expires_in, ...response } = tokens;
  if (transport === 'body') return response;
  browser.setCookie(reply, 'access', tokens.access_token, tokens.expires_in);
  browser.setCookie(reply, 'refresh', tokens.refresh_token, refresh_expires_in);
  return { token_type: 'cookie' as const, expires_in: tokens.expires_in };
}

/**
 * What every login over HTTP does alike, however somebody proves who they are: `logIn` gets the client, and what it returns
 * is answered.
 * @throws DoorwardError `cookies_unavailable`, `cross_site_request`.
 */
export async function answerLogin(
  browser: BrowserRules,
  request: FastifyRequest,
  reply: FastifyReply,
  transport: TokenTransport,
  logIn: (client: Client) => Promise<LoggedIn>,
) {
  // Logging a victim in as somebody else is an attack as well.
  if (transport === 'cookie') {
    browser.assertAvailable();
    browser.assertSameSite(request);
  }
  // The header first: a client that sends it knows what it keeps.
  const [header] = [request.headers['x-device-token'] ?? []].flat();
  const deviceToken = header ?? browser.readCookie(request, 'device');
  const tokens = await logIn({ ...clientOf(request), deviceToken });
  // Never for another site, which could make the browser forget the device by logging it in as somebody else.
  if (browser.isAvailable && browser.isSameSite(request))
    browser.setCookie(reply, 'device', tokens.device_token, deviceTokenTtlSeconds);
  return deliver(browser, reply, transport, tokens);
}

export function sessionRoutes(sessions: Sessions, browser: BrowserRules): FastifyPluginAsyncTypebox {
  /** The tokens of a request that shows none but in cookies. */
  const cookieTokens = (request: FastifyRequest) =>
    bearerToken(request) === undefined
      ? [browser.readCookie(request, 'refresh'), browser.readCookie(request, 'access')].filter(
          (token) => token !== undefined,
        )
      : [];

  return async (app) => {
    app.post(
      '/login',
      {
        config: { access: 'public', form: true },
        schema: {
          tags: ['sessions'],
          operationId: 'login',
          summary: 'Log in with email and password',
          description:
            'A client without cookies sends the `device_token` of the last login as the header `X-Device-Token`: a ' +
            'known device gets in while others are throttled.',
          querystring: TransportQuery,
          body: LoginForm,
          response: { 200: TokenAnswer, ...mayFail(401, 403, 429) },
        },
      },
      async (request, reply) => {
        const { username, password } = request.body;
        const { transport } = request.query;
        return answerLogin(browser, request, reply, transport, (client) =>
          sessions.logIn({ username, password, client }),
        );
      },
    );

    app.post(
      '/refresh',
      {
        config: { access: 'public', form: true },
        // With cookies there is nothing to say in a body.
        preValidation: async (request) => {
          request.body ??= {};
        },
        schema: {
          tags: ['sessions'],
          operationId: 'refresh',
          summary: 'Get new tokens for a refresh token',
          description:
            'A lost reply is made good by asking again with the same token. A token that is spent ends its session.',
          querystring: TransportQuery,
          body: RefreshForm,
          response: { 200: TokenAnswer, ...mayFail(401, 403, 429) },
        },
      },
      async (request, reply) => {
        const { transport } = request.query;
        if (transport === 'body') {
          const { refresh_token } = request.body;
          if (refresh_token === undefined) throw missingRefreshToken();
          return deliver(
            browser,
            reply,
            transport,
            await sessions.refresh({ refresh_token, client: clientOf(request) }),
          );
        }
        browser.assertSameSite(request);
        const refresh_token = browser.readCookie(request, 'refresh');
        if (refresh_token === undefined) throw new DoorwardError('invalid_refresh_token');
        try {
          return deliver(
            browser,
            reply,
            transport,
            await sessions.refresh({ refresh_token, client: clientOf(request) }),
          );
        } catch (error) {
          if (error instanceof DoorwardError && error.code === 'invalid_refresh_token')
            browser.clearCookies(reply);
          throw error;
        }
      },
    );

    app.post(
      '/logout',
      {
        // With cookies either token says which session it is: the access token may have expired meanwhile.
        config: { access: 'public', describedAs: 'activeUser' },
        onRequest(request, reply, done) {
          if (cookieTokens(request).length > 0) done();
          else app.activeUser.call(app, request, reply, done);
        },
        schema: {
          tags: ['sessions'],
          operationId: 'logout',
          summary: 'End the session that asks',
          response: { 204: NoContent },
        },
      },
      async (request, reply) => {
        const tokens = cookieTokens(request);
        if (tokens.length > 0) {
          browser.assertSameSite(request);
          for (const token of tokens) await sessions.revokeToken(token, 'logged_out');
          browser.clearCookies(reply);
        } else {
          const { user, session } = request.auth;
          await sessions.end(user.id, 'logged_out', { sid: session.sid }).catch(ignoreEnded);
        }
        return reply.code(204).send();
      },
    );

    app.get(
      '/me/sessions',
      {
        config: { access: 'activeUser' },
        schema: {
          tags: ['sessions'],
          operationId: 'list_sessions',
          summary: 'List the own live sessions, the one seen last first',
          response: { 200: Type.Array(SessionRead) },
        },
      },
      (request) => sessions.list(request.auth.user.id, request.auth.session.sid),
    );

    app.delete(
      '/me/sessions',
      {
        config: { access: 'activeUser' },
        schema: {
          tags: ['sessions'],
          operationId: 'end_other_sessions',
          summary: 'End every own session but the one that asks',
          response: { 204: NoContent },
        },
      },
      async (request, reply) => {
        const { user, session } = request.auth;
        await sessions.end(user.id, 'revoked', { exceptSid: session.sid });
        return reply.code(204).send();
      },
    );

    app.delete(
      '/me/sessions/:sid',
      {
        config: { access: 'activeUser' },
        schema: {
          tags: ['sessions'],
          operationId: 'end_session',
          summary: 'End one own session',
          params: Type.Object({ sid: Text({ maxLength: 64 }) }),
          response: { 204: NoContent, ...mayFail(404) },
        },
      },
      async (request, reply) => {
        await sessions.end(request.auth.user.id, 'revoked', { sid: request.params.sid });
        return reply.code(204).send();
      },
    );
  };
}

/** The same for administrators, on any user. */
export function userSessionRoutes(
  sessions: Sessions,
  requireUser: (userId: number) => Promise<unknown>,
): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/users/:user_id/sessions',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['users'],
          operationId: 'list_user_sessions',
          summary: 'List the live sessions of a user',
          params: UserPath,
          response: { 200: Type.Array(SessionRead), ...mayFail(404) },
        },
      },
      async (request) => {
        await requireUser(request.params.user_id);
        return sessions.list(request.params.user_id, request.auth.session.sid);
      },
    );

    app.delete(
      '/users/:user_id/sessions',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['users'],
          operationId: 'end_user_sessions',
          summary: 'End all sessions of a user',
          params: UserPath,
          response: { 204: NoContent, ...mayFail(404) },
        },
      },
      async (request, reply) => {
        await requireUser(request.params.user_id);
        await sessions.end(request.params.user_id, 'revoked_by_admin');
        return reply.code(204).send();
      },
    );

    app.delete(
      '/users/:user_id/sessions/:sid',
      {
        config: { access: 'adminUser' },
        schema: {
          tags: ['users'],
          operationId: 'end_user_session',
          summary: 'End one session of a user',
          params: Type.Object({ user_id: UserId, sid: Text({ maxLength: 64 }) }),
          response: { 204: NoContent, ...mayFail(404) },
        },
      },
      async (request, reply) => {
        const { user_id, sid } = request.params;
        await requireUser(user_id);
        await sessions.end(user_id, 'revoked_by_admin', { sid });
        return reply.code(204).send();
      },
    );
  };
}
