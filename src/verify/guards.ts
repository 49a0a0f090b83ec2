import type { AccessTokenClaims } from '../crypto/tokens.ts';
import { VerificationError } from './errors.ts';

/** Verifies at once what it remembers, and in a moment what it does not. */
type Verify = (token: string) => AccessTokenClaims | Promise<AccessTokenClaims>;

function bearerToken(header: string | undefined): string {
  const [, token] = /^bearer +(\S+)\s*$/i.exec(header ?? '') ?? [];
  if (token === undefined) throw new VerificationError('not_authenticated');
  return token;
}

/** What a refused request is answered: the same as the server's own guard answers. */
function refusal(error: unknown) {
  if (!(error instanceof VerificationError)) throw error;
  const isUnavailable = error.status === 503;
  const challenge = error.code === 'not_authenticated' ? 'Bearer' : 'Bearer error="invalid_token"';
  return {
    status: error.status as 401 | 503,
    headers: {
      'cache-control': 'no-store',
      ...(isUnavailable ? { 'retry-after': '1' } : { 'www-authenticate': challenge }),
    },
    body: { detail: error.detail, code: error.code },
  };
}

interface FastifyRequestLike {
  headers: { authorization?: string | undefined };
  claims?: AccessTokenClaims;
}
interface FastifyReplyLike {
  code(status: number): FastifyReplyLike;
  headers(headers: Record<string, string>): FastifyReplyLike;
  send(body: unknown): unknown;
}

/** An `onRequest` hook for Fastify. Sets `request.claims`. */
export function fastifyGuard(verify: Verify) {
  return (request: FastifyRequestLike, reply: FastifyReplyLike, done: (error?: Error) => void): void => {
    const admit = (claims: AccessTokenClaims) => {
      request.claims = claims;
      done();
    };
    const refuse = (error: unknown) => {
      try {
        const { status, headers, body } = refusal(error);
        reply.code(status).headers(headers).send(body);
      } catch (unforeseen) {
        done(unforeseen as Error);
      }
    };
    try {
      const claims = verify(bearerToken(request.headers.authorization));
      if (claims instanceof Promise) claims.then(admit, refuse);
      else admit(claims);
    } catch (error) {
      refuse(error);
    }
  };
}

interface ExpressRequestLike {
  headers: { authorization?: string | undefined };
  claims?: AccessTokenClaims;
}
interface ExpressResponseLike {
  status(status: number): ExpressResponseLike;
  set(headers: Record<string, string>): ExpressResponseLike;
  json(body: unknown): unknown;
}

/** Middleware for Express. Sets `req.claims`. */
export function expressGuard(verify: Verify) {
  return async (
    req: ExpressRequestLike,
    res: ExpressResponseLike,
    next: (error?: unknown) => void,
  ): Promise<void> => {
    try {
      req.claims = await verify(bearerToken(req.headers.authorization));
    } catch (error) {
      try {
        const { status, headers, body } = refusal(error);
        res.status(status).set(headers).json(body);
      } catch (unforeseen) {
        next(unforeseen);
      }
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
      const { status, headers, body } = refusal(error);
      return Response.json(body, { status, headers });
    }
    await next();
    return undefined;
  };
}
