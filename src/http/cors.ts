import type { FastifyInstance } from 'fastify';
import type { BrowserRules } from './browser.ts';
import { securityHeaders } from './replies.ts';

const preflightSeconds = 600;
const exposedHeaders = 'Link, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id, X-Total-Count';

/** Lets pages of CORS_ORIGINS call from the browser, with cookies (Fetch standard, CORS protocol). Others are told nothing. */
export function installCors(app: FastifyInstance, browser: BrowserRules): void {
  if (!browser.hasOtherOrigins) return;
  app.addHook('onRequest', (request, reply, done) => {
    const { origin } = request.headers;
    // Also where no origin asks: a cache must not give the answer to one that does.
    reply.header('vary', 'Origin');
    if (origin === undefined || !browser.isAllowedOrigin(origin)) return done();
    reply
      .header('access-control-allow-origin', origin)
      .header('access-control-allow-credentials', 'true')
      .header('access-control-expose-headers', exposedHeaders);
    const method = request.headers['access-control-request-method'];
    if (request.method !== 'OPTIONS' || method === undefined) return done();
    reply
      .code(204)
      .headers(securityHeaders)
      .header('x-request-id', request.id)
      .header('access-control-allow-methods', 'GET, HEAD, POST, PUT, PATCH, DELETE')
      .header('access-control-allow-headers', 'Authorization, Content-Type, X-Device-Token')
      .header('access-control-max-age', String(preflightSeconds))
      .send();
  });
}
