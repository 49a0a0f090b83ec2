import type { FastifyBaseLogger, FastifyInstance } from 'fastify';

const maxPathLength = 200;
/** At these an entry would be made for nothing. */
const quietLevels = new Set(['warn', 'error', 'fatal', 'silent']);

/** One entry a request: what was asked, without the query string, and how it went. */
export function installRequestLog(app: FastifyInstance): void {
  if (quietLevels.has(app.log.level)) return;
  app.addHook('onResponse', (request, reply, done) => {
    const [path = ''] = request.url.split('?', 1);
    // Not by the request's child, which most requests then need not have.
    app.log.info(
      {
        request_id: request.id,
        method: request.method,
        path: path.slice(0, maxPathLength),
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 10) / 10,
        network: request.clientAddress,
        user_id: request.auth?.user.id,
      },
      'request',
    );
    done();
  });
}

type Entry = [fields: unknown, message?: string];

/**
 * The child of a logger that each request has, made when it is first used. Most requests log nothing while they are
 * served, and making a child costs more than the whole rest of the log.
 */
export class LazyChildLog {
  readonly #parent: FastifyBaseLogger;
  readonly #options: Parameters<FastifyBaseLogger['child']>;
  #child: FastifyBaseLogger | undefined;

  constructor(parent: FastifyBaseLogger, ...options: Parameters<FastifyBaseLogger['child']>) {
    this.#parent = parent;
    this.#options = options;
  }

  get #made(): FastifyBaseLogger {
    this.#child ??= this.#parent.child(...this.#options);
    return this.#child;
  }

  get level() {
    return this.#made.level;
  }
  fatal(...entry: Entry) {
    this.#made.fatal(...entry);
  }
  error(...entry: Entry) {
    this.#made.error(...entry);
  }
  warn(...entry: Entry) {
    this.#made.warn(...entry);
  }
  info(...entry: Entry) {
    this.#made.info(...entry);
  }
  debug(...entry: Entry) {
    this.#made.debug(...entry);
  }
  trace(...entry: Entry) {
    this.#made.trace(...entry);
  }
  silent() {}
  child(...options: Parameters<FastifyBaseLogger['child']>) {
    return this.#made.child(...options);
  }
}
