import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * Tells in the `Link` header (RFC 8288) where the next page is: the path that was asked, whatever host the client named, with the
 * parameters that the route has. Others may be anything, a secret that is somewhere it should not be, too.
 */
export function linkNextPage(request: FastifyRequest, reply: FastifyReply, cursor: string | undefined): void {
  if (cursor === undefined) return;
  const { pathname, searchParams } = new URL(request.originalUrl, 'http://localhost');
  const { properties = {} } = (request.routeOptions.schema?.querystring ?? {}) as { properties?: object };
  for (const name of [...searchParams.keys()]) {
    if (name === 'skip' || !Object.hasOwn(properties, name)) searchParams.delete(name);
  }
  searchParams.set('cursor', cursor);
  reply.header('Link', `<${pathname}?${searchParams}>; rel="next"`);
}
