import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
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

/** Whether the asker has this already (RFC 9110, 13.1.2). */
function hasAlready(request: FastifyRequest, etag: string): boolean {
  const tags = (request.headers['if-none-match'] ?? '').split(',');
  return tags.some((tag) => tag.trim().replace(/^W\//, '') === etag);
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
          reply.header('etag', etag).header('cache-control', 'no-cache');
          if (hasAlready(request, etag)) return reply.code(304).send();
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
          // What is not read would keep the connection, and a server that stops, waiting.
          if (raw.writableNeedDrain) raw.destroy();
          else raw.end();
        };
        open.add(end);
        raw.on('close', end);
        // It may have left while a hook of the host was awaited: no 'close' comes any more.
        if (raw.destroyed || raw.closed) end();
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
        // Gone meanwhile, or the server stops.
        if (!open.has(end)) return;
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
