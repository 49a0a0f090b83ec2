import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { DoorwardError } from '../../errors.ts';
import { QueryInteger } from '../../http/schema.ts';
import type { Revocations, SignedMessage } from './index.ts';

/** More would be more than one process should hold. */
const maxFollowers = 10_000;
/** A follower that reads so slowly is cut off; it comes back with its cursor. */
const maxBufferedBytes = 1_048_576;

function toEvent({ jws, cursor }: SignedMessage): string {
  return `id: ${cursor}\nevent: revocations\ndata: ${jws}\n\n`;
}

export function revocationRoutes(revocations: Revocations): FastifyPluginAsyncTypebox {
  return async (app) => {
    const open = new Set<() => void>();
    // Streams never end by themselves, and a server that waits for them does not stop.
    app.addHook('preClose', async () => {
      for (const end of open) end();
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
            304: Type.Null({ description: 'Nothing new' }),
          },
        },
      },
      async (request, reply) => {
        const lastEventId = request.headers['last-event-id'];
        const isNumber = typeof lastEventId === 'string' && /^\d{1,15}$/.test(lastEventId);
        const cursor = isNumber ? Number(lastEventId) : request.query.cursor;
        if (!String(request.headers.accept ?? '').includes('text/event-stream')) {
          const message = await revocations.since(cursor);
          const etag = `"${message.cursor}"`;
          reply.header('etag', etag).header('cache-control', 'no-cache');
          if (request.headers['if-none-match'] === etag && message.isEmpty) return reply.code(304).send(null);
          return reply.type('application/jwt').send(message.jws);
        }

        if (open.size >= maxFollowers) throw new DoorwardError('overloaded', { retryAfterSeconds: 10 });
        const { raw } = reply;
        // Followed before the past is read, so that nothing falls between the two; what comes meanwhile waits.
        let waiting: SignedMessage[] | undefined = [];
        const unfollow = revocations.follow((message) => {
          if (waiting !== undefined) waiting.push(message);
          else if (raw.writableLength > maxBufferedBytes) end();
          else raw.write(toEvent(message));
        });
        const end = () => {
          unfollow();
          open.delete(end);
          raw.end();
        };
        open.add(end);
        raw.on('close', end);
        let past: SignedMessage;
        try {
          past = await revocations.since(cursor);
        } catch (error) {
          unfollow();
          open.delete(end);
          raw.off('close', end);
          throw error;
        }
        reply.hijack();
        for (const [name, value] of Object.entries(reply.getHeaders())) {
          if (value !== undefined) raw.setHeader(name, value);
        }
        raw.writeHead(200, { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
        for (const message of [past, ...waiting]) raw.write(toEvent(message));
        waiting = undefined;
      },
    );
  };
}
