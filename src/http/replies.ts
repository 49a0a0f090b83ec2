import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import { briefly, DoorwardError, type FailureCode, failures, ValidationError } from '../errors.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Doorward: the route stands for the methods that its path does not have; these are what it has. */
    refuses?: readonly string[];
  }
}

/** Headers of every answer of ours. A route may override one. */
export const securityHeaders = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

/** RFC 6750 §3: no error code when no token was sent. */
const challenges: Partial<Record<FailureCode, string>> = {
  not_authenticated: 'Bearer',
  invalid_credentials: 'Bearer',
  invalid_client: 'Basic realm="doorward", charset="UTF-8"',
  invalid_token: 'Bearer error="invalid_token"',
  invalid_refresh_token: 'Bearer error="invalid_token"',
};

/** Errors of Fastify and of the connection, before a handler ran. */
const requestErrors: Record<string, FailureCode> = {
  FST_ERR_BAD_URL: 'bad_request',
  FST_ERR_MAX_PARAM_LENGTH: 'bad_request',
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload_too_large',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'bad_request',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_ROUTE_MISSING_CONTENT_TYPE: 'unsupported_media_type',
  FST_ERR_HANDLER_TIMEOUT: 'overloaded',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  // The client went away while it sent the body; nobody reads the answer.
  ECONNRESET: 'bad_request',
};

/** The body of a failure: constant text. */
export function failureBody(code: FailureCode): string {
  return JSON.stringify({ detail: failures[code][1], code });
}

/** Gives `app` and its children the contract's error replies and headers. What is unknown is the host's to answer. */
export function installReplies(app: FastifyInstance): void {
  // Most requests spell a path without parameters to the letter. Looking it up is cheap; `routeOptions`, which Fastify
  // makes anew whenever it is read, is not.
  const plainPaths = new Set<string>();
  app.addHook('onRoute', ({ url }) => {
    if (!/[:*]/.test(url)) plainPaths.add(url);
  });
  app.addHook('onRequest', (request, reply, done) => prepareReply(plainPaths, request, reply, done));
  app.setErrorHandler(sendError);
}

/** Answers 404 in the contract's shape; also for the root of a server that serves nothing but Doorward. */
export function sendNotFound(_request: FastifyRequest, reply: FastifyReply): void {
  sendFailure(reply, new DoorwardError('not_found'));
}

/**
 * Answers with a failure, whatever error handler, serializer or schema the route has; the reply is then sent. What is
 * foreseen is answered as it is; everything else is 500, with the reason in the log alone.
 */
export function sendFailure(reply: FastifyReply, error: unknown): FastifyReply {
  const failure = toFailure(error);
  logFailure(reply.request, failure, error);
  reply
    .code(failure.status)
    .header('content-type', 'application/json; charset=utf-8')
    .header('cache-control', 'no-store')
    .header('x-request-id', reply.request.id);
  if (failure instanceof ValidationError) {
    return reply.send(JSON.stringify({ detail: failure.issues, code: failure.code }));
  }
  const challenge = challenges[failure.code];
  if (challenge !== undefined) reply.header('www-authenticate', challenge);
  if (failure.retryAfterSeconds !== undefined) {
    const seconds = Math.max(1, Math.ceil(failure.retryAfterSeconds));
    reply.header('retry-after', String(seconds));
    if (failure.budget !== undefined) {
      // draft-ietf-httpapi-ratelimit-headers-11
      const { policy, quota, windowSeconds } = failure.budget;
      reply.header('ratelimit-policy', `"${policy}";q=${quota};w=${windowSeconds}`);
      reply.header('ratelimit', `"${policy}";r=0;t=${seconds}`);
    }
  }
  return reply.send(failureBody(failure.code));
}

/** The error handler of our routes. */
export function sendError(error: unknown, _request: FastifyRequest, reply: FastifyReply): void {
  // A client's fault that neither we nor Fastify told: a hook of the host did, and the host answers it.
  if (error instanceof Error && toFailure(error).status === 500 && isClientFault(error)) reply.send(error);
  else sendFailure(reply, error);
}

function isClientFault({ statusCode }: Error & { statusCode?: unknown }): boolean {
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode <= 499;
}

function toFailure(error: unknown): DoorwardError | ValidationError {
  if (error instanceof DoorwardError || error instanceof ValidationError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const known = requestErrors[code];
  return known === undefined
    ? new DoorwardError('internal_error', { cause: error })
    : new DoorwardError(known, { reason: code });
}

function logFailure(request: FastifyRequest, failure: DoorwardError | ValidationError, error: unknown): void {
  if (failure instanceof ValidationError) return;
  const { code, message } = failure;
  if (failure.status === 500) request.log.error({ err: error, code }, 'request failed');
  else if (failure.status > 500) request.log.warn(briefly(failure), 'request failed');
  else if (message !== failure.detail) request.log.info({ code, reason: message }, 'request refused');
}

function prepareReply(
  plainPaths: ReadonlySet<string>,
  request: FastifyRequest,
  reply: FastifyReply,
  done: HookHandlerDoneFunction,
): void {
  reply.headers(securityHeaders).header('x-request-id', request.id);
  // Answered here, before a body is read.
  const isFound = plainPaths.has(request.url) || (!request.is404 && isSpelledAsRouted(request));
  if (!isFound) sendFailure(reply, new DoorwardError('not_found'));
  else if (!isDecodable(request.url) || !hasOneHost(request))
    sendFailure(reply, new DoorwardError('bad_request'));
  else done();
}

const spellings = new Map<string, RegExp>();

/**
 * Whether the path is spelled as its route is. A router forgives: it decodes, it ends a path at `#`, it takes an empty
 * parameter, and a host's own may ignore case and slashes. To whoever counts or guards by path, in front of us, such a
 * spelling is another path, so it must not be another way to the same handler.
 */
function isSpelledAsRouted({ url, routeOptions }: FastifyRequest): boolean {
  return isSpelledAs(url, routeOptions.url ?? '');
}

function isSpelledAs(url: string, route: string): boolean {
  // RFC 9112, 3.2.2: a request target may be a whole URL.
  const [path = ''] = url.replace(/^https?:\/\/[^/?#]*/i, '').split('?', 1);
  if (path === route) return true;
  let spelling = spellings.get(route);
  if (spelling === undefined) {
    const segments = route.split('/').map((segment) => {
      if (segment === '*') return '.*';
      return segment.startsWith(':') ? '[^/#]+' : segment.replaceAll(/[^\w-]/g, '\\$&');
    });
    spelling = new RegExp(`^${segments.join('/')}$`);
    spellings.set(route, spelling);
  }
  return spelling.test(path) && !encodedUnreserved.test(path);
}

/** RFC 3986, 2.3: what never needs to be encoded. */
const encodedUnreserved = /%(?:2[de]|3\d|4[1-9a-f]|5[\daf]|6[1-9a-f]|7[\dae])/i;

/** RFC 9112, 3.2: HTTP/1.1 needs one Host, and two may be understood differently by whoever is in front of us. */
function hasOneHost({ raw: { httpVersion, headers, rawHeaders = [] } }: FastifyRequest): boolean {
  if (headers.host === undefined) return httpVersion !== '1.1';
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === 4 && name.toLowerCase() === 'host') count++;
  }
  return count <= 1;
}

/** Whether the percent-encoding is whole and encodes UTF-8. Fastify sees to the path, and lets anything pass in the query. */
function isDecodable(url: string): boolean {
  if (!url.includes('%')) return true;
  try {
    decodeURIComponent(url);
    return true;
  } catch {
    return false;
  }
}

/**
 * Answers 405 with `Allow`, before a body is read, on every path that was added to `app` or its children between this
 * call and the call of the function that it returns. That one is called last.
 */
export function refuseOtherMethods(app: FastifyInstance): () => void {
  const urls = new Set<string>();
  app.addHook('onRoute', ({ url }) => {
    urls.add(url);
  });

  return () => {
    // Registered last, so that this runs after the plugins before it have added their routes.
    app.register(async (child) => {
      for (const url of [...urls]) {
        const allow = app.supportedMethods.filter((method) => app.hasRoute({ method, url }));
        child.route({
          method: app.supportedMethods.filter((method) => !allow.includes(method)),
          url: url.slice(app.prefix.length),
          exposeHeadRoute: false,
          schema: { hide: true },
          config: { access: 'public', refuses: allow },
          onRequest: (_request, reply) => sendNotAllowed(reply, allow),
          handler: () => {},
        });
      }
    });
  };
}

function sendNotAllowed(reply: FastifyReply, allow: readonly string[]): void {
  sendFailure(reply.header('allow', allow.join(', ')), new DoorwardError('method_not_allowed'));
}

/**
 * The same for the methods that the router does not know, of WebDAV and others: a route for each of them on each path
 * would be twenty for one that is used. For the root of a server that serves nothing but Doorward, before it has routes; what is
 * returned answers 404, or 405 where the path is a route's.
 */
export function createUnknownAnswer(app: FastifyInstance) {
  const routes = new Map<string, readonly string[]>();
  app.addHook('onRoute', ({ url, config }) => {
    if (config?.refuses !== undefined) routes.set(url, config.refuses);
  });

  return (request: FastifyRequest, reply: FastifyReply): void => {
    reply.headers(securityHeaders);
    const found = app.supportedMethods.includes(request.method)
      ? []
      : [...routes].filter(([route]) => isSpelledAs(request.url, route));
    // As a router, which takes a path to the letter before one with a parameter.
    const [, allow] = found.find(([route]) => !route.includes(':')) ?? found[0] ?? [];
    if (allow === undefined) sendNotFound(request, reply);
    else sendNotAllowed(reply, allow);
  };
}
