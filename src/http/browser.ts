import { randomBytes } from 'node:crypto';
import { parseCookie, stringifySetCookie } from 'cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DoorwardError } from '../errors.ts';

/**
 * What is kept in cookies that a script in the page can never read: the two tokens, that the device is known, and the mark
 * by which a browser that asked for a mail is known again.
 */
export type CookieKind = 'access' | 'refresh' | 'device' | 'mark';

/** A mail may wait so long before its link is made. */
const longestDelaySeconds = 2 * 86_400;
/** Most links are over by then. */
const leastMarkTtlSeconds = 30 * 86_400;

/** What a browser that keeps its tokens in cookies is given and checked for. */
export interface BrowserRules {
  /** Whether a browser would keep a cookie. */
  readonly isAvailable: boolean;
  /** @throws DoorwardError `cookies_unavailable` where a browser would not keep them: http to anywhere but this machine. */
  assertAvailable(): void;
  /** Sets a cookie for `maxAgeSeconds`; 0 removes it. */
  setCookie(reply: FastifyReply, kind: CookieKind, token: string, maxAgeSeconds: number): void;
  /** Removes the tokens. The device stays known. */
  clearCookies(reply: FastifyReply): void;
  readCookie(request: FastifyRequest, kind: CookieKind): string | undefined;
  /**
   * The mark of the browser that asks for a mail, given to it if it has none: the mail's link then works in no other. Null
   * where no page of ours asks, whose browser is sure to keep it and to show it where the link leads.
   */
  markOf(request: FastifyRequest, reply: FastifyReply): string | null;
  /** Whether a browser says that it sends the request for a page of ours. */
  isSameSite(request: FastifyRequest): boolean;
  /**
   * Refuses a request that another site made the browser send (OWASP CSRF Prevention: Fetch Metadata, then Origin).
   * One that tells neither is refused as well: cookies belong to browsers, and those tell.
   * @throws DoorwardError `cross_site_request`.
   */
  assertSameSite(request: FastifyRequest): void;
  /** Whether CORS_ORIGINS names anybody. */
  readonly hasOtherOrigins: boolean;
  /** Whether pages of this origin may call with cookies. */
  isAllowedOrigin(origin: string): boolean;
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);
const localHosts = new Set(['localhost', '127.0.0.1', '[::1]']);

/** CORS_ORIGINS as a set of origins. */
export function parseOrigins(list: string): ReadonlySet<string> {
  return new Set(
    list
      .split(',')
      .map((origin) => origin.trim())
      .filter((origin) => origin !== ''),
  );
}

export function createBrowserRules(settings: {
  PUBLIC_URL: string;
  ACCOUNT_URL: string;
  CORS_ORIGINS: string;
  VERIFY_EMAIL_EXPIRE_HOURS: number;
}): BrowserRules {
  const { protocol, hostname, origin: ownOrigin } = new URL(settings.PUBLIC_URL);
  const isSecure = protocol === 'https:';
  const isAvailable = isSecure || localHosts.has(hostname);
  // `__Host-`: the browser takes the cookie from this host alone, over TLS alone, and sends it to no other.
  const nameOf = (kind: CookieKind) => `${isSecure ? '__Host-' : ''}doorward_${kind}`;
  const origins = parseOrigins(settings.CORS_ORIGINS);
  // No link that works in one browser alone works longer.
  const longestLinkSeconds = Math.ceil(settings.VERIFY_EMAIL_EXPIRE_HOURS * 3600);
  const markTtlSeconds = Math.max(leastMarkTtlSeconds, longestLinkSeconds + longestDelaySeconds);

  const rules: BrowserRules = {
    isAvailable,
    assertAvailable() {
      if (!isAvailable) throw new DoorwardError('cookies_unavailable');
    },
    setCookie(reply, kind, token, maxAgeSeconds) {
      reply.header(
        'set-cookie',
        stringifySetCookie({
          name: nameOf(kind),
          value: token,
          path: '/',
          httpOnly: true,
          secure: isSecure,
          sameSite: 'lax',
          maxAge: maxAgeSeconds,
        }),
      );
    },
    clearCookies(reply) {
      rules.setCookie(reply, 'access', '', 0);
      rules.setCookie(reply, 'refresh', '', 0);
    },
    readCookie(request, kind) {
      const header = request.headers.cookie;
      return header === undefined ? undefined : parseCookie(header)[nameOf(kind)] || undefined;
    },
    markOf(request, reply) {
      const isOurs = request.headers['sec-fetch-site'] === 'same-origin';
      if (!isAvailable || !isOurs || new URL(settings.ACCOUNT_URL).origin !== ownOrigin) return null;
      const mark = rules.readCookie(request, 'mark') ?? randomBytes(16).toString('base64url');
      rules.setCookie(reply, 'mark', mark, markTtlSeconds);
      return mark;
    },
    isSameSite(request) {
      const site = request.headers['sec-fetch-site'];
      const { origin } = request.headers;
      if (site === 'same-origin' || (site === undefined && origin === ownOrigin)) return true;
      return origin !== undefined && origins.has(origin);
    },
    assertSameSite(request) {
      if (!safeMethods.has(request.method) && !rules.isSameSite(request))
        throw new DoorwardError('cross_site_request');
    },
    hasOtherOrigins: origins.size > 0,
    isAllowedOrigin: (origin) => origins.has(origin),
  };
  return rules;
}
