import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify';
import { DoorwardError, type FailureCode } from '../errors.ts';
import type { BrowserRules } from './browser.ts';
import { sendError, sendFailure } from './replies.ts';

/** Who asks, and by which session. */
export interface Caller {
  readonly user: {
    readonly id: number;
    readonly email: string;
    readonly name: string;
    readonly is_active: boolean;
    readonly is_admin: boolean;
    /** RFC 3339, UTC. */
    readonly created_at: string;
    readonly email_verified: boolean;
    readonly pending_email: string | null;
    readonly locale: string | null;
    readonly delete_after: string | null;
  };
  readonly session: { readonly sid: string; readonly created_at: string; readonly expires_at: string };
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks. Set by the guards `currentUser`, `activeUser` and `adminUser`, and by nothing else. */
    auth: Caller;
  }
}

/** Who asks, where a route lets everybody ask (`optionalUser`). */
export function callerOf(request: FastifyRequest): Caller | undefined {
  return request.auth as Caller | undefined;
}

/** The reference's dependencies, as hooks for `onRequest` or `preHandler` of any route. */
export interface Guards {
  /** Anybody with a live session, also a deactivated user who still holds a token. */
  readonly currentUser: onRequestHookHandler;
  /** 403 `Inactive user` for a deactivated user. */
  readonly activeUser: onRequestHookHandler;
  /** 403 `Admin privileges required` for anybody else. */
  readonly adminUser: onRequestHookHandler;
}

/** The token of an `Authorization: Bearer` header (RFC 6750, 2.1), or undefined when there is none. */
export function bearerToken(request: FastifyRequest): string | undefined {
  const header = request.headers.authorization;
  if (header === undefined || header.length < 7) return undefined;
  return header.slice(0, 7).toLowerCase() === 'bearer ' ? header.slice(7).trim() : undefined;
}

/**
 * Guards over `authenticate`, which throws DoorwardError `invalid_token`. Without a bearer token the access cookie
 * counts, unless another site made the browser send it.
 */
export function createGuards(
  authenticate: (token: string) => Promise<Caller>,
  browser: BrowserRules,
): Guards & { readonly optionalUser: onRequestHookHandler } {
  function credentialOf(request: FastifyRequest): string | undefined {
    const bearer = bearerToken(request);
    if (bearer !== undefined) return bearer;
    const cookie = browser.readCookie(request, 'access');
    if (cookie !== undefined) browser.assertSameSite(request);
    return cookie;
  }

  function guard(
    refuse: (user: Caller['user']) => FailureCode | undefined,
    { isOptional = false } = {},
  ): onRequestHookHandler {
    return (request: FastifyRequest, reply: FastifyReply, done) => {
      const admit = (caller: Caller) => {
        const refusal = refuse(caller.user);
        if (refusal !== undefined) {
          sendFailure(reply, new DoorwardError(refusal));
          return;
        }
        request.auth = caller;
        done();
      };
      const fail = (error: unknown) => sendError(error, request, reply);
      let token: string | undefined;
      try {
        token = credentialOf(request);
      } catch (error) {
        return fail(error);
      }
      if (token !== undefined) authenticate(token).then(admit, fail);
      else if (isOptional) done();
      else fail(new DoorwardError('not_authenticated'));
    };
  }

  const inactive = (user: Caller['user']) => (user.is_active ? undefined : 'inactive_user');
  return {
    currentUser: guard(() => undefined),
    optionalUser: guard(inactive, { isOptional: true }),
    activeUser: guard(inactive),
    adminUser: guard((user) => inactive(user) ?? (user.is_admin ? undefined : 'admin_required')),
  };
}

/** Name and secret of an HTTP Basic header (RFC 7617, form-encoded as RFC 6749, 2.3.1 wants), or undefined. */
function basicCredential(request: FastifyRequest): { name: string; secret: string } | undefined {
  const [scheme, encoded] = (request.headers.authorization ?? '').split(' ', 2);
  if (scheme?.toLowerCase() !== 'basic' || encoded === undefined) return undefined;
  const [, name = '', secret = ''] =
    /^([^:]*):(.*)$/s.exec(Buffer.from(encoded, 'base64').toString('utf8')) ?? [];
  try {
    return { name: decodeURIComponent(name), secret: decodeURIComponent(secret) };
  } catch {
    return undefined;
  }
}

/** Guard of the endpoints for services. `authenticate` throws DoorwardError `invalid_client`. */
export function createServiceGuard(
  authenticate: (name: string, secret: string) => Promise<void>,
): onRequestHookHandler {
  return (request, reply, done) => {
    const credential = basicCredential(request);
    const checked =
      credential === undefined
        ? Promise.reject(new DoorwardError('invalid_client'))
        : authenticate(credential.name, credential.secret);
    checked.then(
      () => done(),
      (error) => sendError(error, request, reply),
    );
  };
}
