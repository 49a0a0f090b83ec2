import type { FastifyReply, FastifyRequest } from 'fastify';

/** Tells in the `Link` header (RFC 8288) where the next page is: the path that was asked, whatever host the client named. */
export function linkNextPage(request: FastifyRequest, reply: FastifyReply, cursor: string | undefined): void {
  if (cursor === undefined) return;
  const { pathname, searchParams } = new URL(request.originalUrl, 'http://localhost');
  searchParams.delete('skip');
  searchParams.set('cursor', cursor);
  reply.header('Link', `<${pathname}?${searchParams}>; rel="next"`);
}
