import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type {
  ConnectionError,
  FastifyError,
  FastifyHttpOptions,
  FastifyReply,
  FastifyRequest,
} from 'fastify';
import { type FailureCode, failures } from '../errors.ts';
import { BODY_LIMIT } from './body-parsers.ts';
import { STATUS_CODES } from './node-http.ts';
import { failureBody, securityHeaders, sendFailure } from './replies.ts';

/** What Node's HTTP parser refuses, by the code of its error; anything else is a bad request. */
const parserErrors: Record<string, FailureCode> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'header_fields_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'payload_too_large',
};

/** Makes request ids: unguessable from outside this process, different for every request, cheap. */
export function createRequestIds(): () => string {
  const prefix = randomBytes(9).toString('base64url');
  let count = 0;
  return () => `${prefix}-${(++count).toString(36)}`;
}

const requestId = createRequestIds();

/** How long a client may take to read that it was refused, in milliseconds. */
const lingerMs = 1_000;

/** Options of the Fastify instance of the standalone server. All times in milliseconds. */
export const serverOptions = {
  bodyLimit: BODY_LIMIT,
  genReqId: requestId,
  /** The whole request must have arrived by then. */
  requestTimeout: 30_000,
  /** Longer than the 60 s of common proxies, so that the proxy closes first and never meets a closing connection. */
  keepAliveTimeout: 65_000,
  // Node answers a request without Host by itself, in no shape; `prepareReply` does it in ours.
  http: { headersTimeout: 15_000, connectionsCheckingInterval: 2_000, requireHostHeader: false },
  /** On close, idle connections end at once and busy ones after their answer. */
  forceCloseConnections: 'idle',
  /** What arrives on an open connection during the drain is still answered, in the contract's shape. */
  return503OnClosing: false,
  routerOptions: {
    caseSensitive: true,
    ignoreTrailingSlash: false,
    ignoreDuplicateSlashes: false,
    maxParamLength: 512,
  },
  frameworkErrors: sendFrameworkError,
  clientErrorHandler: sendParserError,
} as const satisfies FastifyHttpOptions<Server>;

/** Answers what the router refuses before there is a route: an URL that cannot be decoded, an overlong parameter. */
function sendFrameworkError(error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void {
  sendFailure(reply.headers(securityHeaders), error);
}

/** Answers what is no HTTP, or too slow, or too large for the parser; then the connection ends. */
function sendParserError(error: ConnectionError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || isAnswering(socket)) {
    socket.destroy();
    return;
  }
  const code = parserErrors[error.code] ?? 'bad_request';
  const [status] = failures[code];
  const body = failureBody(code);
  const headers = {
    ...securityHeaders,
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    'x-request-id': requestId(),
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
  closeLingering(socket);
}

/**
 * Drops what still comes, until the client ends the connection or `lingerMs` have passed. A connection that is closed on
 * unread octets is reset, and a client that was still sending would lose the answer (RFC 9112, section 9.6).
 */
function closeLingering(socket: Socket): void {
  socket.removeAllListeners('data');
  socket.on('data', () => {});
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once('close', () => clearTimeout(timer));
}

/** Whether an answer to an earlier request is already on this connection, which ours would corrupt. */
function isAnswering(socket: Socket & { _httpMessage?: { headersSent: boolean } | null }): boolean {
  return socket._httpMessage?.headersSent === true;
}
