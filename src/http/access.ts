import type { FastifyInstance, onRequestHookHandler } from 'fastify';

/** Who may use a route. `optionalUser`: everybody, but whoever shows a token must show a good one of an active user. */
export type Access = 'public' | 'optionalUser' | 'currentUser' | 'activeUser' | 'adminUser' | 'service';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Doorward: who may use the route. Every route of Doorward declares it; a host's routes need not. */
    access?: Access;
    /** Doorward: what the document tells of a route that sees by itself to who may use it. */
    describedAs?: Access;
  }
}

/** What checks a request before its body is read, by the access that a route declares. */
export type RouteGuards = Partial<Record<Exclude<Access, 'public'>, onRequestHookHandler>>;

/**
 * Puts a guard before every route that is added to `app` or its children from now on, as its `config.access` says.
 * A route that does not say makes the start fail.
 */
export function installAccess(app: FastifyInstance, guards: RouteGuards): void {
  app.addHook('onRoute', (route) => {
    const access = route.config?.access;
    if (access === 'public') return;
    const guard = access === undefined || !Object.hasOwn(guards, access) ? undefined : guards[access];
    if (guard === undefined) throw new Error(`${route.method} ${route.url} does not declare who may use it`);
    route.onRequest = [guard, ...[route.onRequest ?? []].flat()];
  });
}
