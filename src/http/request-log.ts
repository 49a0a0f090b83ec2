import type { FastifyInstance } from 'fastify';

const maxPathLength = 200;
/** At these an entry would be made for nothing. */
const quietLevels = new Set(['warn', 'error', 'fatal', 'silent']);

/** One entry a request: what was asked, without the query string, and how it went. */
export function installRequestLog(app: FastifyInstance): void {
  if (quietLevels.has(app.log.level)) return;
  app.addHook('onResponse', (request, reply, done) => {
    const [path = ''] = request.url.split('?', 1);
    request.log.info(
      {
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
