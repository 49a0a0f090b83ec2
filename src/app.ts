import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyPluginAsync,
  LogController,
} from 'fastify';
import { type Core, createCore, type DoorwardOptions } from './doorward.ts';
import { assertHeadFile } from './features/audit/index.ts';
import { METHODS } from './http/node-http.ts';
import { createUnknownAnswer, failureBody, securityHeaders } from './http/replies.ts';
import { LazyLog } from './http/request-log.ts';
import { serverOptions } from './http/server-options.ts';
import { toBody, toPayload } from './http/web-streams.ts';
import { createPlugin, type PluginOptions, watchRequests } from './plugin.ts';
import { type GivenSettings, readSettings } from './settings.ts';

/** How long `close` waits for the answers to what others have given us, and how often it looks. */
const drainLimitMs = 9_000;
const drainCheckMs = 10;

/** Headers of what is answered without the application. */
const ownHeaders = () => ({
  ...securityHeaders,
  'content-type': 'application/json; charset=utf-8',
  'x-request-id': serverOptions.genReqId(),
});

/** An instance of Doorward: its features, and three ways to serve them. */
export interface Doorward extends Core {
  /** For a Fastify application: `app.register(doorward.plugin, { prefix: '/auth' })`. */
  readonly plugin: FastifyPluginAsync<PluginOptions>;
  /** For Node's `http` and for Express: answers every path, so mount it for the paths that are Doorward's. */
  handler(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /**
   * For everything that speaks the Fetch standard. A body must have come within 30 s, as on the server. `remoteAddress` is the client's;
   * without it a request counts on no network.
   */
  fetch(request: Request, options?: { remoteAddress?: string }): Promise<Response>;
  /**
   * The Fastify application that serves Doorward alone. The first call makes it, and may have it
   * prepared before it has routes.
   */
  app(prepare?: (app: FastifyInstance) => void): Promise<FastifyInstance>;
}

export interface ServeOptions {
  /** What `handler`, `fetch` and `app` serve, and where. Whoever registers the plugin says it there. */
  mount?: PluginOptions | undefined;
}

/**
 * Opens an instance. See `createCore` for what it throws. Whoever opens it closes it.
 */
export async function createDoorward(
  given: GivenSettings = {},
  { mount, ...options }: DoorwardOptions & ServeOptions = {},
): Promise<Doorward> {
  // As long as it is said in the settings alone: an instance without this protection would only warn.
  await assertHeadFile(readSettings(given));
  const core = await createCore(given, options);
  try {
    return await serve(core, { mount });
  } catch (error) {
    await core.close();
    throw error;
  }
}

/** Whether somebody else has read a body that we would read: an empty one as well, if it says what it is. */
function isBodyTaken({ readableDidRead, readableEnded, method, headers }: IncomingMessage): boolean {
  const isAnnounced =
    headers['content-type'] !== undefined ||
    headers['transfer-encoding'] !== undefined ||
    Number(headers['content-length'] ?? 0) > 0;
  return (readableDidRead || readableEnded) && isAnnounced && method !== 'GET' && method !== 'HEAD';
}

/**
 * Adds to an instance what serves it. Others see it from now on, and it sees whether the SECRET_KEY was changed while nobody
 * could.
 */
export async function serve(core: Core, { mount = {} }: ServeOptions = {}): Promise<Doorward> {
  await core.status.instances.join();
  await core.keys.check();
  let isDraining = false;
  /** What others have given us to answer. They may close us before they have the answers. */
  const underWay = new Set<object>();
  const abandoned = new FinalizationRegistry((one: object) => underWay.delete(one));
  const createOwnPlugin = (isWatched: boolean) => createPlugin(core, () => isDraining, { isWatched });
  let ready: Promise<FastifyInstance> | undefined;

  async function build(prepare?: (app: FastifyInstance) => void): Promise<FastifyInstance> {
    const app = Fastify({
      ...serverOptions,
      // Lazy by itself, not by a `childLoggerFactory`, whose every child Fastify examines.
      loggerInstance: new LazyLog(() => core.kernel.log as FastifyBaseLogger) as FastifyBaseLogger,
      logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    });
    prepare?.(app);
    watchRequests(app, core.settings);
    const answerUnknown = createUnknownAnswer(app);
    app.setNotFoundHandler(answerUnknown);
    // Before a body is read: Fastify's own parsers would refuse it in a shape of their own.
    app.addHook('onRequest', (request, reply, done) => {
      // We upgrade to nothing, and Node reads nothing on such a connection behind a body that ends after its answer (24.21,
      // without us too): the next request would wait until the connection is idle for too long.
      if (request.headers.upgrade !== undefined) reply.header('connection', 'close');
      if (request.is404) answerUnknown(request, reply);
      else done();
    });
    app.addHook('preClose', async () => {
      isDraining = true;
    });
    await app.register(createOwnPlugin(true), mount);
    await app.ready();
    return app;
  }

  const app: Doorward['app'] = (prepare) => {
    ready ??= build(prepare);
    return ready;
  };

  async function answer(request: Request, remoteAddress: string | undefined): Promise<Response> {
    // Before the body is taken: nobody would hear that it failed meanwhile.
    const made = await app();
    const url = new URL(request.url);
    const { signal } = request;
    const timeoutMs = serverOptions.requestTimeout;
    const body = request.body === null ? undefined : toPayload(request.body, { signal, timeoutMs });
    const answer = await made.inject({
      // What Node's parser does not know no route takes either: one that it knows and that none takes stands for it.
      method: (METHODS.includes(request.method) ? request.method : 'PROPFIND') as 'GET',
      url: url.pathname + url.search,
      headers: Object.fromEntries(request.headers),
      ...(body === undefined ? {} : { payload: body }),
      // Left out, it would be 127.0.0.1, and all who come without one the same client. RFC 7239, 6.2.
      remoteAddress: remoteAddress || 'unknown',
      payloadAsStream: true,
    });
    const headers = new Headers();
    for (const [name, value] of Object.entries(answer.headers)) {
      for (const one of [value ?? []].flat()) headers.append(name, String(one));
    }
    const isEmpty = answer.statusCode === 204 || answer.statusCode === 304 || request.method === 'HEAD';
    const stream = answer.stream();
    // A reader that stops before the end is a client that went away.
    stream.once('close', () => answer.raw.res.destroy());
    signal.addEventListener('abort', () => stream.destroy());
    // Of what was refused no more is read.
    for (const end of ['finish', 'close']) answer.raw.res.once(end, () => body?.destroy());
    // From when somebody reads it until it has ended, or nobody can read it any more.
    const reading = {};
    abandoned.register(stream, reading);
    stream.once('close', () => underWay.delete(reading));
    const onRead = () => void (stream.closed || underWay.add(reading));
    return new Response(isEmpty ? null : toBody(stream, onRead), { status: answer.statusCode, headers });
  }

  return {
    ...core,
    plugin: createOwnPlugin(false),
    app,
    async handler(request, response) {
      // A client that went away before leaves nothing to wait for, and tells so only once.
      if (!response.closed) {
        underWay.add(response);
        response.once('close', () => underWay.delete(response));
      }
      const made = await app().catch((error) => {
        core.kernel.log.error({ err: error }, 'the application could not be made');
      });
      // Nothing of it would come any more, and we would wait for it.
      if (isBodyTaken(request))
        core.kernel.log.error({}, 'a body parser before Doorward has read the body: put it behind');
      else if (made !== undefined) return made.routing(request, response);
      response.writeHead(500, ownHeaders());
      response.end(failureBody('internal_error'));
    },
    async fetch(request, { remoteAddress } = {}) {
      if (isDraining)
        return new Response(failureBody('shutting_down'), {
          status: 503,
          headers: { ...ownHeaders(), 'retry-after': '1' },
        });
      const one = {};
      underWay.add(one);
      try {
        return await answer(request, remoteAddress);
      } finally {
        underWay.delete(one);
      }
    },
    async close() {
      isDraining = true;
      try {
        // One that could not be made is not there to be closed.
        await (await ready?.catch(() => undefined))?.close();
        for (const until = performance.now() + drainLimitMs; underWay.size > 0 && performance.now() < until; )
          await sleep(drainCheckMs);
      } finally {
        await core.close();
      }
    },
  };
}
