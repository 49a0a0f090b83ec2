import type { AccessTokenClaims } from '../crypto/claims.ts';
import { VerificationError } from './errors.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the access token says. Set by the guard of a verifier, and by nothing else. */
    claims: AccessTokenClaims;
  }
}

declare global {
  namespace Express {
    interface Request {
      /** What the access token says. Set by the guard of a verifier, and by nothing else. */
      claims: AccessTokenClaims;
    }
  }
}

/** Verifies at once what it remembers, and in a moment what it does not. */
type Verify = (token: string) => AccessTokenClaims | Promise<AccessTokenClaims>;

/** The token of an `Authorization: Bearer` header (RFC 6750, 2.1), taken as the server takes it. */
function bearerToken(header: string | undefined): string {
  if (header === undefined || header.slice(0, 7).toLowerCase() !== 'bearer ')
    throw new VerificationError('not_authenticated');
  return header.slice(7).trim();
}

/** What a refused request is answered: the same as the server's own guard answers. */
function refusal(error: VerificationError) {
  const challenge = error.code === 'not_authenticated' ? 'Bearer' : 'Bearer error="invalid_token"';
  // Whoever sent the token has no business knowing why it is bad.
  const code = error.code === 'revoked_token' ? 'invalid_token' : error.code;
  return {
    status: error.status,
    headers: {
      'cache-control': 'no-store',
      'content-type': 'application/json; charset=utf-8',
      ...(error.status === 503 ? { 'retry-after': '1' } : { 'www-authenticate': challenge }),
    },
    body: JSON.stringify({ detail: error.detail, code }),
  };
}

interface FastifyReplyLike {
  code(status: number): FastifyReplyLike;
  headers(headers: Record<string, string>): FastifyReplyLike;
  /** Whatever type of reply the host's route has declared. */
  send(body: never): unknown;
}

/** An `onRequest` hook for Fastify. Sets `request.claims`. */
export function fastifyGuard(verify: Verify) {
  return (
    request: { headers: { authorization?: string | undefined }; claims: AccessTokenClaims },
    reply: FastifyReplyLike,
    done: (error?: Error) => void,
  ): void => {
    const admit = (claims: AccessTokenClaims) => {
      request.claims = claims;
      done();
    };
    const refuse = (error: unknown) => {
      if (error instanceof VerificationError) {
        const { status, headers, body } = refusal(error);
        reply
          .code(status)
          .headers(headers)
          .send(body as never);
      } else done(error as Error);
    };
    let claims: AccessTokenClaims | Promise<AccessTokenClaims>;
    try {
      claims = verify(bearerToken(request.headers.authorization));
    } catch (error) {
      refuse(error);
      return;
    }
    if (claims instanceof Promise) claims.then(admit, refuse);
    else admit(claims);
  };
}

interface ExpressResponseLike {
  status(status: number): ExpressResponseLike;
  set(headers: Record<string, string>): ExpressResponseLike;
  end(body: string): unknown;
}

/** Middleware for Express. Sets `req.claims`. */
export function expressGuard(verify: Verify) {
  return async (
    req: { headers: { authorization?: string | undefined }; claims: AccessTokenClaims },
    res: ExpressResponseLike,
    next: (error?: unknown) => void,
  ): Promise<void> => {
    try {
      req.claims = await verify(bearerToken(req.headers.authorization));
    } catch (error) {
      if (!(error instanceof VerificationError)) return next(error);
      const { status, headers, body } = refusal(error);
      res.status(status).set(headers).end(body);
      return;
    }
    next();
  };
}

interface HonoContextLike {
  req: { header(name: string): string | undefined };
  set(key: 'claims', claims: AccessTokenClaims): void;
}

/** Middleware for Hono. Sets the variable `claims`. */
export function honoGuard(verify: Verify) {
  return async (context: HonoContextLike, next: () => Promise<void>): Promise<Response | undefined> => {
    try {
      context.set('claims', await verify(bearerToken(context.req.header('authorization'))));
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      const { status, headers, body } = refusal(error);
      return new Response(body, { status, headers });
    }
    await next();
    return undefined;
  };
}
