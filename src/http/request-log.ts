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
 * A logger whose children are made when they first log. Each request has one, most requests log nothing while they are served, and
 * making a child costs more than the whole rest of the log.
 */
export class LazyLog {
  readonly #make: () => FastifyBaseLogger;
  #made: FastifyBaseLogger | undefined;

  constructor(make: () => FastifyBaseLogger) {
    this.#make = make;
  }

  get #log(): FastifyBaseLogger {
    this.#made ??= this.#make();
    return this.#made;
  }

  get level() {
    return this.#log.level;
  }
  set level(level) {
    this.#log.level = level;
  }
  fatal(...entry: Entry) {
    this.#log.fatal(...entry);
  }
  error(...entry: Entry) {
    this.#log.error(...entry);
  }
  warn(...entry: Entry) {
    this.#log.warn(...entry);
  }
  info(...entry: Entry) {
    this.#log.info(...entry);
  }
  debug(...entry: Entry) {
    this.#log.debug(...entry);
  }
  trace(...entry: Entry) {
    this.#log.trace(...entry);
  }
  silent() {}
  child(...options: Parameters<FastifyBaseLogger['child']>) {
    return new LazyLog(() => this.#log.child(...options));
  }
}
