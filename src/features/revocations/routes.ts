import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { DoorwardError } from '../../errors.ts';
import { QueryInteger } from '../../http/schema.ts';
import type { Revocations, SignedMessage } from './index.ts';
import { type EventStream, openStream } from './stream.ts';

/** More would be more than one process should hold. */
const maxFollowers = 10_000;
/** Whether the asker has this already (RFC 9110, 13.1.2). */
function hasAlready(request: FastifyRequest, etag: string): boolean {
  const tags = (request.headers['if-none-match'] ?? '').split(',');
  return tags.some((tag) => tag.trim().replace(/^W\//, '') === etag);
}

export function revocationRoutes(revocations: Revocations): FastifyPluginAsyncTypebox {
  return async (app) => {
    const open = new Set<EventStream>();
    // Streams never end by themselves, and a server that waits for them does not stop.
    app.addHook('preClose', async () => {
      for (const stream of open) stream.end();
    });

    app.get(
      '/revocations',
      {
        config: { access: 'public' },
        schema: {
          tags: ['service'],
          operationId: 'revocations',
          summary: 'Sessions that ended while their access tokens may be unexpired',
          description:
            'A JWS signed with a published key. `cursor` asks for what came after an earlier answer. With ' +
            '`Accept: text/event-stream` the connection stays open and tells what comes.',
          querystring: Type.Object({ cursor: QueryInteger({ minimum: 0, default: 0 }) }),
          response: {
            200: {
              description: 'The signed message, or a stream of them',
              content: {
                'application/jwt': { schema: Type.String() },
                'text/event-stream': { schema: Type.String() },
              },
            },
            304: Type.Unsafe<undefined>({ type: 'null', description: 'Nothing new' }),
          },
        },
      },
      async (request, reply) => {
        const lastEventId = request.headers['last-event-id'];
        const isNumber = typeof lastEventId === 'string' && /^\d{1,15}$/.test(lastEventId);
        const cursor = isNumber ? Number(lastEventId) : request.query.cursor;
        const wantsStream = String(request.headers.accept ?? '').includes('text/event-stream');
        if (!wantsStream || request.method === 'HEAD') {
          const message = await revocations.since(cursor);
          const etag = `"${message.digest}"`;
          reply.header('etag', etag);
          if (hasAlready(request, etag)) return reply.code(304).send();
          return reply.type('application/jwt').send(message.jws);
        }

        if (open.size >= maxFollowers) throw new DoorwardError('overloaded', { retryAfterSeconds: 10 });
        const { raw } = reply;
        const stream = openStream(raw, revocations, open);
        let past: SignedMessage;
        try {
          past = await revocations.since(cursor);
        } catch (error) {
          stream.leave();
          throw error;
        }
        reply.hijack();
        // Gone meanwhile, or the server stops.
        if (!open.has(stream)) return;
        for (const [name, value] of Object.entries(reply.getHeaders())) {
          if (value !== undefined) raw.setHeader(name, value);
        }
        raw.writeHead(200, { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
        void stream.tell(past);
      },
    );
  };
}
