import assert from 'node:assert/strict';
import { channel } from 'node:diagnostics_channel';
import { after } from 'node:test';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { FastifyInstance } from 'fastify';

/** An answer as a client saw it, and the route (`/users/{user_id}`, not `/users/7`) that gave it. */
export interface SeenAnswer {
  method: string;
  route: string;
  status: number;
  contentType: string | undefined;
  /** Undefined for a stream. */
  body: string | undefined;
}

/** The part of an OpenAPI 3.1 document that this reads. */
interface Document {
  paths: Record<string, Record<string, { responses: Record<string, { content?: Record<string, unknown> }> }>>;
}

const documentId = 'https://doorward.invalid/openapi.json';

/** A pointer into the document (RFC 6901, as a URI fragment). */
function pointer(...keys: string[]): string {
  const parts = keys.map((key) => encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1')));
  return `${documentId}#/${parts.join('/')}`;
}

/** Tells where an answer differs from the document: undefined when it does not, or when the route is not in there. */
export function createConformanceCheck(document: Document): (answer: SeenAnswer) => string | undefined {
  // A document is no schema; only the schemas in it are compiled, each by its place.
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: true });
  ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  ajv.addFormat('date', /^\d{4}-\d\d-\d\d$/);
  ajv.addFormat('email', true);
  ajv.addSchema({ $id: documentId, ...document }, documentId);
  const validators = new Map<string, ValidateFunction>();

  return ({ method, route, status, contentType, body }) => {
    const path = document.paths[route];
    if (path === undefined) return undefined;
    const where = `${method} ${route} ${status}`;
    // The body of a HEAD is still there when we see it, and must be that of a GET.
    const verb = method === 'HEAD' && path.head === undefined ? 'get' : method.toLowerCase();
    const operation = path[verb];
    if (operation === undefined)
      return status === 405 ? undefined : `${where}: the operation is not in the document`;
    const response = operation.responses[status];
    if (response === undefined) return `${where}: the status is not in the document: ${body?.slice(0, 200)}`;
    if (response.content === undefined) return body === '' ? undefined : `${where}: no body is documented`;
    const type = contentType?.split(';', 1)[0] ?? '';
    if (!Object.hasOwn(response.content, type))
      return `${where}: the content type ${type} is not in the document`;

    if (body === undefined) return undefined;
    const at = pointer('paths', route, verb, 'responses', String(status), 'content', type, 'schema');
    let validate = validators.get(at);
    if (validate === undefined) {
      validate = ajv.compile({ $ref: at });
      validators.set(at, validate);
    }
    if (validate(/\bjson\b/.test(type) ? JSON.parse(body) : body)) return undefined;
    return `${where}: ${ajv.errorsText(validate.errors, { dataVar: 'body' })}: ${body.slice(0, 200)}`;
  };
}

export interface Conformance {
  /** `GET /auth/me 200` for every kind of documented answer that was seen. */
  readonly seen: ReadonlySet<string>;
  readonly faults: ReadonlySet<string>;
}

/**
 * From now on every answer of a Doorward in this process is compared with its own document, over a network or not.
 * Call it at the top of a test file: after its tests, it fails if one differed.
 */
export function checkEveryAnswer(): Conformance {
  const seen = new Set<string>();
  const faults = new Set<string>();
  const watch = (message: unknown) =>
    watchAnswers((message as { fastify: FastifyInstance }).fastify, seen, faults);
  channel('fastify.initialization').subscribe(watch);
  after(() => {
    channel('fastify.initialization').unsubscribe(watch);
    assert.deepEqual([...faults], []);
  });
  return { seen, faults };
}

function watchAnswers(app: FastifyInstance, seen: Set<string>, faults: Set<string>): void {
  let check: Promise<ReturnType<typeof createConformanceCheck>> | undefined;
  /** What the document is made of. */
  const routes: unknown[] = [];
  app.addHook('onRoute', ({ method, url, schema, config }) => {
    routes.push([method, url, schema, config?.access]);
  });
  app.addHook('onSend', async (request, reply, payload) => {
    const { url } = request.routeOptions;
    if (url === undefined || url === '/openapi.json' || url.startsWith('/docs')) return payload;
    check ??= checkOf(app, JSON.stringify(routes));
    const route = url.replaceAll(/:(\w+)/g, '{$1}');
    const { method } = request;
    const status = reply.statusCode;
    const contentType = reply.getHeader('content-type')?.toString();
    // A stream is read by nobody here.
    const isStream = typeof payload === 'object' && payload !== null && !Buffer.isBuffer(payload);
    const body = isStream ? undefined : typeof payload === 'string' ? payload : '';
    try {
      const fault = (await check)({ method, route, status, contentType, body });
      if (fault === undefined) seen.add(`${method} ${route} ${status}`);
      else faults.add(fault);
    } catch (error) {
      faults.add(`${method} ${route} ${status}: ${error}`);
    }
    return payload;
  });
}

const checks = new Map<string, Promise<ReturnType<typeof createConformanceCheck>>>();

/** Most instances of a process have the same document, and making it and compiling its schemas takes long. */
function checkOf(app: FastifyInstance, routes: string): Promise<ReturnType<typeof createConformanceCheck>> {
  const check = checks.get(routes) ?? readDocument(app).then(createConformanceCheck);
  checks.set(routes, check);
  return check;
}

/** An application without a document has nothing to hold answers against. */
async function readDocument(app: FastifyInstance): Promise<Document> {
  const answer = await app.inject('/openapi.json');
  return answer.statusCode === 200 ? answer.json() : { paths: {} };
}
