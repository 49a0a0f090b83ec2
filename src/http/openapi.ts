import fastifySwagger, { type SwaggerTransformObject } from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify';
import { DoorwardError } from '../errors.ts';
import type { Access } from './access.ts';
import { STATUS_CODES } from './node-http.ts';
import { sendError } from './replies.ts';
import { ErrorBody, ValidationErrorBody } from './schema.ts';

type Json = Record<string, unknown>;

/** The page loads its own files and asks its own origin; it neither needs inline scripts nor may be framed. */
const DOCS_CSP = [
  "default-src 'none'",
  "script-src 'self'",
  // The hash is of the one style element that Swagger UI's script adds.
  "style-src 'self' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const SECURITY_SCHEME = 'OAuth2PasswordBearer';
const SERVICE_SCHEME = 'ServiceCredential';

/**
 * Serves `GET /openapi.json` (OpenAPI 3.1, made from the schemas that validate) and the page `GET /docs` for the routes
 * that are added to `app` and its children from now on. `base` is the path below which browsers see the server, without a slash
 * at its end; `prefix` is where the log-in route is. Called before `installAccess`, because the page's routes are not ours to mark.
 */
export async function registerOpenApi(
  app: FastifyInstance,
  { base, prefix, version, title }: { base: string; prefix: string; version: string; title: string },
): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title, version },
      ...(base === '' ? {} : { servers: [{ url: base }] }),
      components: {
        securitySchemes: {
          [SECURITY_SCHEME]: {
            type: 'oauth2',
            flows: { password: { tokenUrl: `${base}${app.prefix}${prefix}/login`, scopes: {} } },
          },
          [SERVICE_SCHEME]: { type: 'http', scheme: 'basic' },
        },
      },
    },
    convertConstToEnum: false,
    transform: ({ schema, url, route }) => ({ schema: describe(schema, url, route), url }),
    transformObject: nameSchemas,
  });

  await app.register(async (page) => {
    // A path that leads out of the page's folder is refused by @fastify/static, in a shape of its own.
    page.setErrorHandler((error, request, reply) => {
      const isRefusal = error instanceof Error && 'statusCode' in error && Number(error.statusCode) < 500;
      sendError(isRefusal ? new DoorwardError('not_found') : error, request, reply);
    });
    await page.register(fastifySwaggerUi, {
      routePrefix: '/docs',
      indexPrefix: base,
      staticCSP: DOCS_CSP,
      theme: { title },
      uiConfig: { layout: 'BaseLayout', persistAuthorization: false, tryItOutEnabled: true },
    });
  });

  let document: string | undefined;
  app.get('/openapi.json', { schema: { hide: true }, config: { access: 'public' } }, (_request, reply) => {
    document ??= JSON.stringify(app.swagger());
    return reply.type('application/json').send(document);
  });
}

/** What a route's schema says to a reader: our keywords left out, and the failures that such a route can answer. */
function describe(schema: FastifySchema | undefined, url: string, route: RouteOptions): FastifySchema {
  if (schema === undefined || schema.hide === true) return { hide: true };
  const access = route.config?.describedAs ?? route.config?.access ?? 'public';
  const forms = route.config?.form === true ? ['application/x-www-form-urlencoded'] : [];
  return {
    operationId: operationIdOf(String(route.method), url),
    ...schema,
    ...(access === 'public' ? {} : { security: securityOf(access) }),
    ...(schema.body === undefined
      ? {}
      : { body: plain(schema.body), consumes: ['application/json', ...forms] }),
    ...(schema.querystring === undefined ? {} : { querystring: withOptionalDefaults(schema.querystring) }),
    ...(schema.params === undefined ? {} : { params: plain(schema.params) }),
    response: responsesOf(schema, access, String(route.method)),
  };
}

/** `GET /users/:user_id` becomes `get_users_user_id`. */
function operationIdOf(method: string, url: string): string {
  return `${method}${url}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_');
}

function securityOf(access: Access): Record<string, string[]>[] {
  const needed = { [access === 'service' ? SERVICE_SCHEME : SECURITY_SCHEME]: [] };
  return access === 'optionalUser' ? [{}, needed] : [needed];
}

function responsesOf(schema: FastifySchema, access: Access, method: string): Record<string, object> {
  const responses: Record<string, object> = { 400: ErrorBody, 500: ErrorBody, 503: ErrorBody };
  if (access !== 'public') responses[401] = ErrorBody;
  if (['optionalUser', 'activeUser', 'adminUser'].includes(access)) responses[403] = ErrorBody;
  // A body is read also where none is asked for.
  const isBodyRead = !/^(GET|HEAD)$/.test(method);
  if (isBodyRead) {
    responses[413] = ErrorBody;
    responses[415] = ErrorBody;
  }
  if (isBodyRead || schema.querystring !== undefined || schema.params !== undefined) {
    responses[422] = ValidationErrorBody;
  }
  Object.assign(responses, schema.response);
  for (const [status, response] of Object.entries(responses)) {
    const description = (response as Json).description ?? STATUS_CODES[status];
    responses[status] = { ...response, 'x-response-description': description };
  }
  return responses;
}

/** A copy without the keyword `text`, which only our validator knows. */
function plain(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(plain);
  if (schema === null || typeof schema !== 'object') return schema;
  const kept = Object.entries(schema).filter(([key, value]) => key !== 'text' || typeof value !== 'string');
  return Object.fromEntries(kept.map(([key, value]) => [key, plain(value)]));
}

/** A parameter with a default is required of what the handler gets, not of what is sent. */
function withOptionalDefaults(schema: unknown): unknown {
  const { properties, required, ...rest } = plain(schema) as {
    properties: Record<string, Json>;
    required?: string[];
  };
  return {
    ...rest,
    properties,
    required: required?.filter((name) => properties[name]?.default === undefined) ?? [],
  };
}

/** Moves every schema that has a title to the document's components, so that it is told once and has a name. */
function nameSchemas(document: Parameters<SwaggerTransformObject>[0]): ReturnType<SwaggerTransformObject> {
  if (!('openapiObject' in document)) return document.swaggerObject;
  const { openapiObject } = document;
  const schemas: Record<string, unknown> = {};
  const name = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(name);
    if (value === null || typeof value !== 'object') return value;
    const named = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, name(inner)]));
    const { title } = named;
    if (typeof title !== 'string') return named;
    schemas[title] = named;
    return { $ref: `#/components/schemas/${title}` };
  };
  const paths = name(openapiObject.paths);
  return {
    ...openapiObject,
    paths,
    components: { ...openapiObject.components, schemas },
  } as typeof openapiObject;
}
