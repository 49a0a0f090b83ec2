import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { DoorwardError } from '../errors.ts';
import type { Settings } from '../settings.ts';
import { parseOrigins } from './browser.ts';
import type { PagesConfig } from './pages-config.ts';
import { sendError } from './replies.ts';

/** The documents, each with the path below which it serves every page. */
const documents = { account: '/account', console: '/console' } as const;

/** Beside this folder in the package; beside the sources only where they were built. */
const folder =
  [join(import.meta.dirname, '../pages'), join(import.meta.dirname, '../../dist/pages')].find((path) =>
    existsSync(join(path, 'account.html')),
  ) ?? join(import.meta.dirname, '../pages');

/**
 * Serves the pages for people: `/account` and `/console`, and their files in `/account/assets`. `base` is the path of
 * PUBLIC_URL, `prefix` where the endpoints are. Called before `installAccess`, because the files' routes are not ours to mark.
 * @throws Error when they were not built.
 */
export async function registerPages(
  app: FastifyInstance,
  { base, prefix, version, settings }: { base: string; prefix: string; version: string; settings: Settings },
): Promise<void> {
  const config: PagesConfig = {
    base: base + app.prefix,
    prefix,
    version,
    product: {
      name: settings.PRODUCT_NAME,
      color: settings.PRODUCT_COLOR,
      logo_url: settings.PRODUCT_LOGO_URL ?? null,
    },
    registration: settings.REGISTRATION,
    email_login: settings.EMAIL_LOGIN === 'on',
    hides_registered_emails: settings.HIDE_REGISTERED_EMAILS === 'on',
    sends_mails: settings.MAIL_URL !== undefined,
    deletion_grace_days: settings.DELETION_GRACE_DAYS,
    password_policy: settings.PASSWORD_POLICY,
    return_origins: [...parseOrigins(settings.CORS_ORIGINS)],
  };

  await app.register(async (files) => {
    // A path that leads out of the folder is refused by @fastify/static, in a shape of its own.
    files.setErrorHandler((error, request, reply) => {
      const isRefusal = error instanceof Error && 'statusCode' in error && Number(error.statusCode) < 500;
      sendError(isRefusal ? new DoorwardError('not_found') : error, request, reply);
    });
    await files.register(fastifyStatic, {
      root: join(folder, 'assets'),
      prefix: '/account/assets/',
      // Their names change with their content.
      maxAge: '365d',
      immutable: true,
      preCompressed: true,
      index: false,
      decorateReply: false,
      schemaHide: true,
    });
  });

  for (const [name, path] of Object.entries(documents)) {
    const send = createDocument(join(folder, `${name}.html`), config);
    const route = { schema: { hide: true }, config: { access: 'public' } } as const;
    app.get(path, route, (_request, reply) => send(reply));
    app.get(`${path}/*`, route, (_request, reply) => send(reply));
  }
}

/** A document that answers each request with a nonce of its own. */
function createDocument(path: string, config: PagesConfig): (reply: FastifyReply) => FastifyReply {
  const { name, logo_url } = config.product;
  // In a block of data that no browser runs; only its end must not appear within.
  const json = JSON.stringify(config).replaceAll('<', '\\u003c');
  const html = readFileSync(path, 'utf8')
    .replaceAll('"./assets/', () => `"${config.base}/account/assets/`)
    .replace('<!--config-->', () => `<script type="application/json" id="doorward-config">${json}</script>`)
    .replace('<title></title>', () => `<title>${escapeHtml(name)}</title>`);
  const images = logo_url === null ? '' : ` ${new URL(logo_url).origin}`;
  return (reply) => {
    const nonce = randomBytes(16).toString('base64');
    return reply
      .headers({
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': [
          "default-src 'none'",
          "script-src 'self'",
          // The library of the pages writes its variables into style elements, with this nonce.
          `style-src 'self' 'nonce-${nonce}'`,
          `img-src 'self' data:${images}`,
          "connect-src 'self'",
          // Mails, which the console shows as they are sent, in a frame that runs nothing.
          "frame-src 'self'",
          "form-action 'self'",
          "base-uri 'none'",
          "frame-ancestors 'none'",
        ].join('; '),
        'cross-origin-opener-policy': 'same-origin',
      })
      .send(html.replace('<!--nonce-->', `<meta name="csp-nonce" nonce="${nonce}">`));
  };
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
