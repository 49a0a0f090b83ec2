import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import fp from 'fastify-plugin';
import type { Core } from './doorward.ts';
import { accountRoutes, type ChangeOwn } from './features/accounts/index.ts';
import { adminRoutes } from './features/admin/index.ts';
import { auditRoutes } from './features/audit/index.ts';
import { emailChangeRoutes } from './features/email-change/index.ts';
import { emailLoginRoutes } from './features/email-login/index.ts';
import { healthRoutes } from './features/health/index.ts';
import { invitationRoutes } from './features/invitations/index.ts';
import { keyAdminRoutes, keyRoutes } from './features/keys/index.ts';
import { digestBrowser } from './features/mail-links/index.ts';
import { outboxRoutes } from './features/outbox/index.ts';
import { passwordRoutes } from './features/passwords/index.ts';
import { personalDataRoutes } from './features/personal-data/index.ts';
import { recoveryRoutes } from './features/recovery/index.ts';
import { revocationRoutes } from './features/revocations/index.ts';
import { serviceRoutes } from './features/services/index.ts';
import { sessionRoutes, userSessionRoutes } from './features/sessions/index.ts';
import { settingRoutes } from './features/settings/index.ts';
import { statisticsRoutes } from './features/statistics/index.ts';
import { statusRoutes } from './features/status/index.ts';
import { verificationRoutes } from './features/verification/index.ts';
import { installAccess } from './http/access.ts';
import { installBodyParsers } from './http/body-parsers.ts';
import { type BrowserRules, createBrowserRules } from './http/browser.ts';
import { installClientAddress } from './http/client-address.ts';
import { installCors } from './http/cors.ts';
import { createGuards, createServiceGuard, type Guards } from './http/guards.ts';
import { registerOpenApi } from './http/openapi.ts';
import { registerPages } from './http/pages.ts';
import { installReplies, refuseOtherMethods, sendNotFound } from './http/replies.ts';
import { installRequestLog } from './http/request-log.ts';
import { createSerializerCompiler } from './http/serialization.ts';
import { createValidatorCompiler } from './http/validation.ts';
import { withOrigin } from './origin.ts';
import { version } from './version.ts';

declare module 'fastify' {
  interface FastifyInstance extends Guards {}
}

export interface PluginOptions {
  /** Where the endpoints are mounted. */
  prefix?: string;
  /** `/openapi.json` and `/docs` at the root of the host. */
  docs?: boolean;
  /** `/health/live` and `/health/ready` at the root of the host. */
  health?: boolean;
  /** `/.well-known/jwks.json` at the root of the host, which can have one. */
  jwks?: boolean;
  /** The pages for people, `/account` and `/console` at the root of the host, unless PAGES switches them off. */
  pages?: boolean;
}

/** Of a header that is kept. */
const maxHeaderLength = 512;

/** Knows and logs the requests of `app` and its children, and lets pages of CORS_ORIGINS read what they answer. */
export function watchRequests(app: FastifyInstance, settings: Core['settings']): void {
  installClientAddress(app, settings);
  installRequestLog(app);
  installCors(app, createBrowserRules(settings));
}

/**
 * The Fastify plugin. It adds the guards `currentUser`, `activeUser` and `adminUser` to the host, for the host's own
 * routes, and the endpoints in a context of their own: nothing else of the host changes. `isWatched`: the host has called
 * `watchRequests` for all that it answers.
 */
export function createPlugin(
  core: Core,
  isDraining: () => boolean,
  { isWatched }: { isWatched: boolean },
): FastifyPluginAsync<PluginOptions> {
  const plugin: FastifyPluginAsync<PluginOptions> = async (host, options) => {
    const { docs = true, health = true, jwks = true, pages = true } = options;
    const prefix = tidy(options.prefix ?? '/auth');
    const browser = createBrowserRules(core.settings);
    const guards = createGuards(core.sessions.authenticate, browser);
    // Overwritten by the guards; a route without a guard that reads it fails instead of seeing nobody. In a context of a host
    // with another of us it is there.
    const isSecond = host.hasDecorator('currentUser') && host.hasRequestDecorator('auth');
    if (!isSecond) host.decorateRequest('auth');
    for (const name of ['currentUser', 'activeUser', 'adminUser'] as const) host.decorate(name, guards[name]);

    await host.register(async (app) => {
      if (!isWatched) watchRequests(app, core.settings);
      installReplies(app);
      installBodyParsers(app);
      app.setValidatorCompiler(createValidatorCompiler());
      app.setSerializerCompiler(createSerializerCompiler());
      const finish = refuseOtherMethods(app);
      // As browsers see it: a proxy may take it away.
      const base = new URL(core.settings.PUBLIC_URL).pathname.replace(/\/$/, '');
      if (docs) await registerOpenApi(app, { base, prefix, version, title: 'Doorward' });
      if (pages && core.settings.PAGES === 'on')
        await registerPages(app, { base, prefix, version, settings: core.settings });
      installAccess(app, { ...guards, service: createServiceGuard(core.services.authenticate) });
      if (jwks) app.register(keyRoutes(core.keys));
      // Once the body is read: what reads it would lose the context. What only reads leaves nothing to be told of it.
      app.addHook('preHandler', (request, _reply, done) => {
        if (request.method === 'GET' || request.method === 'HEAD') return done();
        const actor = request.auth?.user.id ?? null;
        withOrigin(
          {
            via: 'http',
            actor,
            network: request.clientAddress || null,
            request_id: request.id,
            user_agent: request.headers['user-agent']?.slice(0, maxHeaderLength) ?? null,
            languages: request.headers['accept-language']?.slice(0, maxHeaderLength) ?? null,
          },
          done,
        );
      });
      if (health) app.register(healthRoutes(core.health, isDraining));
      app.register(
        async (auth) => {
          // Without a prefix the 404 is the host's.
          if (prefix !== '') auth.setNotFoundHandler(sendNotFound);
          await mountFeatures(auth, core, browser);
        },
        { prefix },
      );
      finish();
    });
  };
  // Without this the host would not see the guards; with it Fastify leaves the prefix to us.
  return fp(plugin, { name: 'doorward', fastify: '5.x' });
}

/** A prefix as Fastify understands it, which forgives slashes that lack or are too many: pages and documents join it with paths. */
function tidy(prefix: string): string {
  const parts = prefix.split('/').filter((part) => part !== '');
  return parts.map((part) => `/${part}`).join('');
}

async function mountFeatures(app: FastifyInstance, core: Core, browser: BrowserRules): Promise<void> {
  const changeOwn: ChangeOwn = (request, reply, changes) => {
    const mark = changes.email === undefined ? null : browser.markOf(request, reply);
    const browser_digest = digestBrowser(mark);
    return core.emailChange.changeOwn({ ...request.auth, browser_digest }, changes);
  };
  app.register(accountRoutes(core.accounts, changeOwn, browser));
  app.register(emailChangeRoutes(core.emailChange, browser));
  app.register(verificationRoutes(core.verification, browser));
  app.register(recoveryRoutes(core.recovery, browser));
  app.register(personalDataRoutes(core.personalData));
  app.register(passwordRoutes(core.passwords));
  app.register(sessionRoutes(core.sessions, browser));
  if (core.settings.EMAIL_LOGIN === 'on')
    app.register(emailLoginRoutes(core.emailLogin, core.accounts.findByEmail, browser));
  app.register(invitationRoutes(core.invitations));
  app.register(adminRoutes(core.admin));
  app.register(auditRoutes(core.audit, core.status.instances.id));
  app.register(outboxRoutes(core.outbox, core.settings.PRODUCT_LOGO_URL));
  app.register(keyAdminRoutes(core.keys));
  app.register(settingRoutes(core.settingsView));
  app.register(statusRoutes(core.status));
  app.register(statisticsRoutes(core.statistics));
  app.register(serviceRoutes(core.sessions));
  if (core.settings.REVOCATION_FEED === 'on') app.register(revocationRoutes(core.revocations));
  app.register(userSessionRoutes(core.sessions, core.admin.find));
}
