import type { RawRequest } from './fault-client.ts';
import type { Random } from './fault-random.ts';

/** Who sends, and what is known to be there. */
export interface Actor {
  readonly tokens: { anonymous: undefined; user: string; admin: string; dead: string; refresh: string };
  readonly user: { id: number; email: string; password: string };
  /** Ids that may be acted upon. */
  readonly ids: readonly number[];
  /** Makes an email that nobody has. */
  freshEmail(): string;
}

export interface GeneratedRequest extends RawRequest {
  /** What the answer and the log must not hold. */
  readonly secrets: readonly string[];
}

/** Every password that is sent holds it, so that one that comes back is seen. */
export const secretMark = 'sEcReT';

type Fields = Record<string, 'email' | 'name' | 'password' | 'current' | 'boolean' | 'text' | 'token'>;

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly query?: readonly string[];
  readonly body?: Fields;
  readonly isForm?: boolean;
}

const account: Fields = { email: 'email', password: 'password', name: 'name' };
const listQuery = ['skip', 'limit', 'q', 'is_active', 'is_admin', 'sort', 'cursor', 'count', 'access_token'];

/** The wire contract's operations. */
const operations: readonly Operation[] = [
  { method: 'POST', path: '/auth/signup', body: account },
  { method: 'POST', path: '/auth/login', body: { username: 'email', password: 'current' }, isForm: true },
  { method: 'GET', path: '/auth/me' },
  { method: 'PUT', path: '/auth/me', body: { name: 'name', email: 'email' } },
  { method: 'PATCH', path: '/auth/me', body: { name: 'name', email: 'email' } },
  { method: 'DELETE', path: '/auth/me', body: { current_password: 'current' } },
  {
    method: 'POST',
    path: '/auth/me/password',
    body: { current_password: 'current', new_password: 'password' },
  },
  { method: 'GET', path: '/auth/users', query: listQuery },
  { method: 'POST', path: '/auth/users', body: { ...account, is_admin: 'boolean', is_active: 'boolean' } },
  { method: 'GET', path: '/auth/users/:id' },
  { method: 'GET', path: '/auth/users/:id/life-cycle' },
  {
    method: 'PATCH',
    path: '/auth/users/:id',
    body: { name: 'name', email: 'email', is_admin: 'boolean', is_active: 'boolean' },
  },
  { method: 'DELETE', path: '/auth/users/:id' },
  { method: 'POST', path: '/auth/users/:id/activate' },
  { method: 'POST', path: '/auth/users/:id/deactivate' },
  { method: 'POST', path: '/auth/setup', body: { token: 'token', ...account } },
  { method: 'POST', path: '/auth/refresh', body: { refresh_token: 'token' } },
  { method: 'POST', path: '/auth/logout' },
  { method: 'GET', path: '/auth/me/sessions' },
  { method: 'DELETE', path: '/auth/me/sessions/:id' },
  { method: 'GET', path: '/auth/users/:id/sessions' },
  { method: 'DELETE', path: '/auth/users/:id/sessions/x' },
  { method: 'POST', path: '/auth/users/:id/reset-password' },
  { method: 'GET', path: '/.well-known/jwks.json' },
  { method: 'GET', path: '/health/live' },
  { method: 'GET', path: '/health/ready' },
  { method: 'GET', path: '/openapi.json' },
  { method: 'GET', path: '/docs' },
  { method: 'GET', path: '/docs/static/index.html' },
  { method: 'GET', path: '/' },
];

const otherMethods = [
  'GET',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'SEARCH',
  'QUERY',
  'PURGE',
];

const oddIds = [
  '-1',
  '0',
  '1e0',
  '9e99',
  '%00',
  '1.0',
  '0x1',
  '+1',
  '%201',
  '1%20',
  '01',
  '9007199254740993',
  '9223372036854775808',
  '-9223372036854775809',
  'NaN',
  '%F0%9F%98%80',
  '%ff',
  '%',
  '%2e%2e',
  '..',
  '1;drop',
  "1'",
  'x'.repeat(65),
  '1'.repeat(64),
  '%D9%A1',
  '[object%20Object]',
  'me',
  '__proto__',
  'constructor',
];

const oddTexts = [
  '',
  ' ',
  '\t\n',
  '\u00a0\u3000',
  'a'.repeat(101),
  '😀'.repeat(100),
  '😀'.repeat(101),
  'x'.repeat(5000),
  'nul\0inside',
  '\ud800',
  'tail\udfff',
  'é'.normalize('NFD'),
  '\u202eright to left',
  '\ufeff',
  '\u200b',
  'ﷺ'.repeat(90),
  "'; drop table users; --",
  '%',
  '_%_',
  '"*"',
  'NEAR(a b)',
  '" OR 1',
  '\\',
  '<script>alert(1)</script>',
  'İı\u0130',
  '\u0000\u0000',
  '__proto__',
  'null',
  'true',
  '1',
];

const oddEmails = [
  'x',
  '@',
  'a@',
  '@b.example',
  'a@b',
  'a b@example.com',
  'a@b@example.com',
  '"quoted"@example.com',
  `${'a'.repeat(64)}@example.com`,
  `${'a'.repeat(65)}@example.com`,
  `a@${'b.'.repeat(120)}example.com`,
  `a@${'x'.repeat(64)}.example`,
  'a@xn--.example',
  'a@xn--zzzzzz.example',
  'a@bücher.example',
  'A@BÜCHER.EXAMPLE',
  'a@\u0000.example',
  'a@exam\ud800ple.com',
  'a@[127.0.0.1]',
  'a@127.0.0.1',
  'a@example.com.',
  'a@-example.com',
  'a@example..com',
  '.a@example.com',
  'ünï@example.com',
  'a@\u3002example.com',
  'a@ex\u00adample.com',
  'a\r\nBcc: b@example.com',
];

const oddValues: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e308,
  [],
  {},
  ['a'],
  [null],
  { $ne: null },
  { length: 5 },
  [[[[]]]],
  '',
  'yes',
];

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Makes requests: half of them what a client would send, half of them not. */
export function createRequests(random: Random) {
  const { pick, chance, below } = random;
  let count = 0;

  const secret = () => `${secretMark}-${below(1e9).toString(36)}.${++count}!A1`;

  function password(actor: Actor, kind: 'password' | 'current', secrets: string[]): unknown {
    if (kind === 'current' && chance(0.4)) {
      secrets.push(actor.user.password);
      return actor.user.password;
    }
    const text = pick([
      secret,
      () => secret().slice(0, 10),
      () => `${secret()}${'x'.repeat(200)}`,
      () => `${secret()}${'x'.repeat(60_000)}`,
      () => `${secret()}\0`,
      () => `${secret()}\ud800`,
      () => `  ${secret()}  `,
      () => `${secret()}${'é'.normalize('NFD')}`,
    ])();
    secrets.push(text.slice(0, 20).trim());
    return chance(0.1) ? pick<unknown>([[text], { a: text }, [[text]]]) : text;
  }

  function value(actor: Actor, kind: Fields[string], secrets: string[]): unknown {
    if (chance(0.06)) return pick(oddValues);
    switch (kind) {
      case 'email':
        return pick([
          () => actor.user.email,
          () => actor.user.email.toUpperCase(),
          () => actor.freshEmail(),
          () => actor.freshEmail(),
          () => pick(oddEmails),
          () => ` ${actor.freshEmail()} `,
        ])();
      case 'name':
      case 'text':
        return chance(0.5) ? `Name ${below(1000)}` : pick(oddTexts);
      case 'boolean':
        return chance(0.8) ? chance(0.5) : pick<unknown>(['true', 1, 0, 'yes', null]);
      case 'token':
        return token(actor, secrets);
      case 'password':
      case 'current':
        return password(actor, kind, secrets);
    }
  }

  function token(actor: Actor, secrets: string[]): string {
    const { user, admin, dead, refresh } = actor.tokens;
    const [head = '', claims = '', signature = ''] = user.split('.');
    const made = pick([
      () => dead,
      () => refresh,
      () => `${head}.${claims}.${signature.slice(0, -2)}xx`,
      () => `${head}.${claims}.`,
      () => `${base64url({ alg: 'none', typ: 'at+jwt' })}.${claims}.`,
      () => `${base64url({ alg: 'none', typ: 'at+jwt' })}.${claims}.${signature}`,
      () => `${base64url({ alg: 'HS256', typ: 'at+jwt' })}.${claims}.${signature}`,
      () => `${base64url({ alg: 'ES256', typ: 'at+jwt', kid: '../../x' })}.${claims}.${signature}`,
      () =>
        `${base64url({ alg: 'ES256', typ: 'at+jwt', jku: 'http://127.0.0.1:1/x' })}.${claims}.${signature}`,
      () => `${base64url({ alg: 'ES256', typ: 'at+jwt', crit: ['x'] })}.${claims}.${signature}`,
      () => `${base64url({ alg: 'ES256', typ: 'at+jwt', b64: false, crit: ['b64'] })}.${claims}.${signature}`,
      () => `${base64url(null)}.${base64url(null)}.${signature}`,
      () => `${head}.${base64url({ ...oddValues })}.${signature}`,
      () => `${secretMark}${'A'.repeat(16 * 1024)}`,
      () => `${secretMark}${'A'.repeat(3000)}.${claims}.${signature}`,
      () => `${admin}.${admin}`,
      () => `${secretMark}.${secretMark}.${secretMark}`,
      () => `${secretMark}.${secretMark}.${secretMark}.${secretMark}.${secretMark}`,
    ])();
    secrets.push(made.slice(0, 4000));
    return made;
  }

  function authorization(actor: Actor, secrets: string[]): string[] {
    const { user, admin } = actor.tokens;
    const kind = below(20);
    if (kind < 3) return [];
    if (kind < 14) {
      const good = kind < 9 ? admin : user;
      secrets.push(good);
      return [pick(['authorization', 'Authorization']), `${pick(['Bearer', 'bearer', 'BEARER'])} ${good}`];
    }
    const bad = token(actor, secrets);
    return pick([
      () => ['authorization', `Bearer ${bad}`],
      () => ['authorization', `Basic ${Buffer.from(`a:${secret()}`).toString('base64')}`],
      () => ['authorization', bad],
      () => ['authorization', 'Bearer'],
      () => ['authorization', 'Bearer '],
      () => ['authorization', `Bearer\t${user}`],
      () => ['authorization', `Bearer  ${user}`],
      () => ['authorization', ''],
      () => ['authorization', `Bearer ${user}`, 'authorization', `Bearer ${admin}`],
      () => ['cookie', `access_token=${user}; ${'x=1; '.repeat(100)}`],
      () => ['authorization', `Bearer \xff\xfe${bad}`],
    ])();
  }

  function oddHeaders(): string[] {
    return pick([
      () => ['x-request-id', '<script>'],
      () => ['x-forwarded-for', '1.2.3.4, ::1', 'x-forwarded-proto', 'https'],
      () => ['x-forwarded-host', 'evil.example', 'forwarded', 'for=1.2.3.4'],
      () => ['accept', 'text/html', 'accept-encoding', 'br, gzip'],
      () => ['accept', '*/*;q=', 'accept-version', '2.0.0'],
      () => ['x-huge', 'x'.repeat(12_000)],
      () => ['x-huge', 'x'.repeat(20_000)],
      () => Array.from({ length: 120 }, (_, index) => [`x-many-${index}`, '1']).flat(),
      () => ['content-encoding', pick(['gzip', 'br', 'identity', 'nonsense'])],
      () => ['origin', 'https://evil.example', 'access-control-request-method', 'DELETE'],
      () => ['if-none-match', '*', 'range', 'bytes=0-1'],
      () => ['user-agent', 'x'.repeat(4000)],
      () => ['user-agent', '\xff\xfe\x80'],
      () => ['upgrade', 'websocket', 'connection', 'upgrade'],
      () => ['x-http-method-override', 'DELETE'],
      () => ['transfer-encoding', 'chunked'],
      () => ['host', 'other.example'],
      () => ['constructor', 'x', '__proto__', 'y'],
      () => ['if-modified-since', 'never', 'te', 'trailers'],
    ])();
  }

  function path(operation: Operation, actor: Actor): string {
    const id = chance(0.6) ? String(pick(actor.ids)) : pick(oddIds);
    let made = operation.path.replace(':id', id);
    if (chance(0.12)) {
      const at = below(made.length);
      made = pick([
        () => `${made}/`,
        () => made.replaceAll('/', '//'),
        () => made.toUpperCase(),
        () => `${made.slice(0, at)}%${made.charCodeAt(at).toString(16)}${made.slice(at + 1)}`,
        () =>
          `${made.slice(0, at)}${pick(['%00', '%', '%zz', '%c0%ae', '%ff', '%0d%0a', '%2f', '%5c', ';', '\\', '~', '*', '\xc3\xa9', '\xff', '|', '"', '<'])}${made.slice(at)}`,
        () => `${made.slice(0, at)}/../${made.slice(at)}`,
        () => `${made.slice(0, at)}/./${made.slice(at)}`,
        () => `/docs/static/..%2f..%2f..%2fpackage.json`,
        () => `/docs/static/%2e%2e/%2e%2e/package.json`,
        () => `/docs/static/${'../'.repeat(8)}etc/passwd`,
        () => `${made}${'x'.repeat(3000)}`,
        () => `http://evil.example${made}`,
        () => `//evil.example${made}`,
        () => `${made}#fragment`,
        () => '*',
        () => made.slice(1) || 'x',
        () => made.slice(0, at) || '/',
      ])();
    }
    return made;
  }

  function queryString(operation: Operation, secrets: string[]): string {
    const names = operation.query ?? (chance(0.1) ? listQuery : []);
    const parts: string[] = [];
    for (const name of names) {
      if (chance(0.6)) continue;
      const text = pick([
        () => String(below(60)),
        () =>
          pick([
            '0',
            '-1',
            '201',
            '9e99',
            '1e0',
            '%00',
            '%',
            '%ff',
            '',
            '%20',
            '1.5',
            '99999999999999999999',
            '2147483648',
            '+1',
          ]),
        () =>
          pick([
            'true',
            'false',
            'maybe',
            '1',
            'T',
            'id',
            '-email',
            'name',
            '-created_at',
            'password',
            '__proto__',
          ]),
        () => encodeURIComponent(pick(oddTexts).toWellFormed()),
        () => base64url([pick(oddTexts).toWellFormed(), below(9)]),
        () => base64url(pick(oddValues)),
      ])();
      parts.push(`${name}=${text}`);
      if (chance(0.05)) parts.push(`${name}=${text}`);
      if (chance(0.02)) parts.push(`${name}[]=1`, `${name}[x]=1`);
    }
    if (chance(0.03))
      parts.push(pick(['__proto__=1', 'constructor=1', '=', '&&&', `a=${'x'.repeat(9000)}`, '\xe9=\xff']));
    // The page redirects with the query it was asked with.
    if (chance(0.02) && !operation.path.startsWith('/docs')) {
      const sent = secret();
      secrets.push(sent);
      parts.push(`password=${sent}`);
    }
    return parts.length === 0 ? '' : `?${parts.join('&')}`;
  }

  function json(fields: Fields, actor: Actor, secrets: string[]): string {
    const made: Record<string, unknown> = {};
    for (const [name, kind] of Object.entries(fields)) {
      if (chance(0.06)) continue;
      made[name] = value(actor, kind, secrets);
    }
    if (chance(0.05))
      made[
        pick(['is_admin', 'id', 'is_active', 'constructor', 'toString', '', 'x'.repeat(300), 'é', 'a/b~c'])
      ] = pick(oddValues);
    if (chance(0.02)) {
      const sent = secret();
      secrets.push(sent);
      made[sent] = sent;
    }
    let text = JSON.stringify(made);
    if (chance(0.03)) text = `{"__proto__":{"is_admin":true},${text.slice(1)}`.replace(',}', '}');
    if (chance(0.02)) text = `${text.slice(0, -1)},"email":"${actor.freshEmail()}"}`.replace('{,', '{');
    return text;
  }

  const brokenJson = (): string | Buffer =>
    pick<() => string | Buffer>([
      () => '',
      () => '{',
      () => 'null',
      () => '[]',
      () => '"text"',
      () => '0',
      () => 'true',
      () => '[{}]',
      () => `{"email":"${'['.repeat(30)}`,
      () => '['.repeat(10_000) + ']'.repeat(10_000),
      () => `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
      () => `{"email":${'['.repeat(10_000)}${']'.repeat(10_000)},"password":"a","name":"b"}`,
      () => `{"name":"\\ud800"}`,
      () => `{"name":"\\u0000"}`,
      () => Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]),
      () => Buffer.from('\ufeff{"name":"x"}'),
      () => Buffer.from('{"name":"x"}', 'utf16le'),
      () => `{"a":1e999,"b":-0,"c":0.1e-999}`,
      () => `{${Array.from({ length: 3000 }, (_, index) => `"k${index}":1`).join(',')}}`,
      () => `{"name":'x'}`,
      () => '{"name":"x",}',
      () => `"${'x'.repeat(65_534)}`,
      () => ' '.repeat(65_536),
    ])();

  const brokenForm = (): string =>
    pick([
      () => 'username=a%40example.com&username=b%40example.com&password=x',
      () => 'username=%zz&password=%',
      () => 'username=%ff%fe&password=%c0%80',
      () => 'username',
      () => '&&&&',
      () => '=x',
      () => 'username=a%00&password=%00',
      () => '__proto__=1&username=a&password=b',
      () => 'username[]=a&password[x]=b',
      () => `username=a&password=b&grant_type=${pick(['password', 'refresh_token', ''])}`,
      () => `username=${'%20'.repeat(20_000)}`,
      () => '{"username":"a","password":"b"}',
      () => Array.from({ length: 5000 }, (_, index) => `k${index}=1`).join('&'),
    ])();

  function body(operation: Operation, actor: Actor, secrets: string[]): Pick<RawRequest, 'headers' | 'body'> {
    const fields = operation.body ?? account;
    const type = (contentType: string) => ['content-type', contentType];
    if (chance(0.82)) {
      const text = json(fields, actor, secrets);
      if (!operation.isForm || chance(0.4)) return { headers: type('application/json'), body: text };
      const pairs = Object.entries(JSON.parse(text) as object).map(
        ([name, given]) => [name, String(given).toWellFormed()] as [string, string],
      );
      return { headers: type('application/x-www-form-urlencoded'), body: `${new URLSearchParams(pairs)}` };
    }
    return pick<() => Pick<RawRequest, 'headers' | 'body'>>([
      () => ({ headers: type('application/json'), body: brokenJson() }),
      () => ({ headers: type('application/json'), body: brokenJson() }),
      () => ({ headers: type('application/json; charset=utf-16'), body: json(fields, actor, secrets) }),
      () => ({ headers: type('application/x-www-form-urlencoded'), body: brokenForm() }),
      () => ({
        headers: type(
          pick([
            'text/plain',
            'text/json',
            'application/xml',
            'multipart/form-data; boundary=x',
            '',
            ';',
            'application/json;;',
            'a/b/c',
            'application/problem+json',
            'application/JSON',
            'x'.repeat(500),
          ]),
        ),
        body: json(fields, actor, secrets),
      }),
      () => ({ body: json(fields, actor, secrets) }),
      () => ({ headers: type('application/json'), body: JSON.stringify(json(fields, actor, secrets)) }),
      () => ({
        headers: [...type('application/json'), 'transfer-encoding', 'chunked'],
        body: json(fields, actor, secrets),
      }),
      () => ({ headers: [...type('application/json'), ...type('text/plain')], body: '{}' }),
      () =>
        chance(0.1)
          ? { headers: type('application/json'), body: `{"name":"${'x'.repeat(2 ** 20)}"}` }
          : { headers: type('application/json'), body: 'x'.repeat(65_537) },
    ])();
  }

  return (actor: Actor): GeneratedRequest => {
    const operation = pick(operations);
    const secrets: string[] = [];
    const method = chance(0.05) ? pick(otherMethods) : operation.method;
    const headers = authorization(actor, secrets);
    if (chance(0.07)) headers.push(...oddHeaders());
    const made = {
      method,
      path: path(operation, actor) + queryString(operation, secrets),
    };
    if (method === 'TRACE' || !(operation.body !== undefined ? chance(0.96) : chance(0.06))) {
      return { ...made, headers, secrets };
    }
    const { headers: bodyHeaders = [], body: content } = body(operation, actor, secrets);
    return {
      ...made,
      headers: [...headers, ...bodyHeaders],
      secrets,
      ...(content === undefined ? {} : { body: content }),
    };
  };
}
