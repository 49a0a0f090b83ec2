import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { argon2BelowOwaspMinimum } from './crypto/password-hash.ts';
import { parseEmailAddress } from './email-address.ts';
import { readNetworks } from './network.ts';

/**
 * Every setting of Doorward. A setting has one name everywhere: in the environment, in `createDoorward({ … })`, in the
 * code and in the documentation. The table in the README is made from this one.
 */
interface Setting<T> {
  /** The text a value is read from when none is given; `undefined` leaves the setting unset. */
  readonly default: string | undefined;
  /** What is accepted, in words, for the error line and the documentation. */
  readonly accepts: string;
  readonly help: string;
  /** Never printed. */
  readonly secret?: true;
  /** The value, or undefined for what is not accepted. */
  readonly parse: (text: string) => T | undefined;
}

function number(options: {
  default: string | undefined;
  min: number;
  max: number;
  integer: boolean;
  help: string;
}): Setting<number> {
  const { min, max } = options;
  return {
    default: options.default,
    accepts: `${options.integer ? 'a whole number' : 'a number'} from ${min} to ${max}`,
    help: options.help,
    parse(text) {
      if (!/^\d+(\.\d+)?$/.test(text)) return undefined;
      const value = Number(text);
      return value < min || value > max || (options.integer && !Number.isInteger(value)) ? undefined : value;
    },
  };
}

const integer = (value: string | undefined, min: number, max: number, help: string) =>
  number({ default: value, min, max, integer: true, help });

const duration = (value: string, min: number, max: number, help: string) =>
  number({ default: value, min, max, integer: false, help });

function choice<const T extends string>(values: readonly T[], help: string): Setting<T> {
  return {
    default: values[0],
    accepts: `one of ${values.join(', ')}`,
    help,
    parse: (text) => values.find((value) => value === text),
  };
}

function text(
  value: string | undefined,
  accepts: string,
  help: string,
  fits: (text: string) => boolean,
): Setting<string> {
  return { default: value, accepts, help, parse: (given) => (fits(given) ? given : undefined) };
}

/** What is no address of IPv6 becomes part of a URL as it is. */
function isHost(value: string): boolean {
  return isIP(value) !== 0 || (/^[\p{L}\p{M}\p{N}_.-]+$/u.test(value) && URL.canParse(`http://${value}`));
}

function isHttpOrigin(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const url = new URL(value);
  return (
    (url.protocol === 'https:' || url.protocol === 'http:') &&
    !url.search &&
    !url.hash &&
    !value.endsWith('/')
  );
}

const sampleSecrets = [
  'your-secret-key',
  'your_secret_key',
  'changeme',
  'change-me',
  'change_me',
  'secret-key',
  'supersecret',
  '09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7',
];

/** What is in it is printed and sent as it is, so it holds no password; a collector's token goes into a header. */
function isCollectorUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, username, password, search, hash } = new URL(value);
  return /^https?:$/.test(protocol) && `${username}${password}${search}${hash}` === '';
}

/** A secret of 32 bytes or more that is neither a sample out of somebody's documentation nor one character repeated. */
export function isUsableSecret(value: string): boolean {
  const lower = value.toLowerCase();
  const isSample = sampleSecrets.some((sample) => lower.includes(sample));
  return Buffer.byteLength(value) >= 32 && !isSample && new Set(value).size >= 8;
}

/** Where mails are handed over. Options of the connection are not taken from it: they could switch off the checks of TLS. */
function isMailUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, hostname, pathname, search, hash, username, password } = new URL(value);
  const isServer = /^smtps?:$/.test(protocol) && hostname !== '' && /^\/?$/.test(pathname);
  return isServer && `${search}${hash}` === '' && isPercentEncoded(`${username}:${password}`);
}

/** A sign of per cent that begins no escape is a password that was not written as a URL has it: no mail would be sent. */
function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** A name and an address out of `NAME <address>` or an address alone; undefined for anything else. */
export function readMailbox(value: string): { name: string; address: string } | undefined {
  const [, name = '', bracketed] = /^([^<>"\p{C}]*)<([^<>]+)>$/u.exec(value) ?? [];
  const address = (bracketed ?? value).trim();
  return parseEmailAddress(address) === undefined &&
    !/^[\w.+-]+@(localhost|[\w.-]+|\[[\d.:a-f]+\])$/i.test(address)
    ? undefined
    : { name: name.trim(), address };
}

/** No access token lives longer, whatever an instance was set to before. */
export const maxAccessTokenMinutes = 1440;

const collectorUrl = 'an http or https URL without user name, password, query or fragment';

const definitions = {
  HOST: text(
    '127.0.0.1',
    'a host name or an IP address, without brackets and port',
    'Address the server listens on.',
    isHost,
  ),
  PORT: integer('8000', 0, 65_535, 'Port the server listens on; 0 takes any free one.'),
  PUBLIC_URL: text(
    undefined,
    'an http or https URL without a trailing slash, query or fragment',
    'Where clients reach this server. By default http://HOST:PORT.',
    isHttpOrigin,
  ),
  CORS_ORIGINS: text(
    '',
    'origins such as https://app.example.com, separated by commas',
    'Other origins whose pages may call from a browser, with cookies.',
    (value) =>
      value.split(',').every((part) => {
        const origin = part.trim();
        return (
          origin === '' || (URL.canParse(origin) && new URL(origin).origin === origin && origin !== 'null')
        );
      }),
  ),
  TRUSTED_PROXIES: text(
    '',
    'addresses or networks, separated by commas',
    'Proxies whose word on the client is believed. Empty: nobody is.',
    (value) => readNetworks(value) !== undefined,
  ),
  TRUSTED_PROXY_HEADER: choice(
    ['x-forwarded-for', 'forwarded'],
    'Where TRUSTED_PROXIES tell the client: the one header that is read, from the right.',
  ),
  METRICS_PORT: {
    ...integer(
      '0',
      0,
      65_535,
      'Port on HOST that serves GET /metrics for Prometheus; 0 takes any free one. Unset: none.',
    ),
    default: undefined,
  },
  OTEL_EXPORTER_OTLP_ENDPOINT: text(
    undefined,
    collectorUrl,
    'OpenTelemetry collector that is sent traces, without /v1/traces. Unset: none are made.',
    isCollectorUrl,
  ),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: text(
    undefined,
    collectorUrl,
    'The same for traces alone, as it is, path included.',
    isCollectorUrl,
  ),
  LOG_LEVEL: choice(['info', 'debug', 'warn', 'error', 'silent'], 'Least severe log entries to write.'),

  DATABASE_URL: text(
    'sqlite:./data/doorward.db',
    'sqlite:FILE, sqlite::memory: or postgres://USER:PASSWORD@HOST:PORT/DATABASE',
    'Where the data is kept.',
    (value) => /^sqlite:./.test(value) || (/^postgres(ql)?:\/\//.test(value) && URL.canParse(value)),
  ),
  DATABASE_POOL_SIZE: integer('10', 1, 1000, 'PostgreSQL connections an instance holds at most.'),

  SECRET_KEY: {
    default: undefined,
    accepts: 'at least 32 bytes, not a sample value',
    help: 'Secret from which keys are derived. Unset: made at first start and kept in secret.key beside the database.',
    secret: true,
    parse: (value) => (isUsableSecret(value) ? value : undefined),
  } as Setting<string>,
  ALGORITHM: choice(
    ['ES256', 'EdDSA', 'RS256', 'HS256'],
    'How access tokens are signed; HS256 signs with SECRET_KEY.',
  ),
  KEY_PUBLICATION_LEAD_SECONDS: integer(
    '60',
    30,
    86_400,
    'Seconds a new signing key is published before it signs; not below the 30 that verifiers cache the keys for.',
  ),
  KEY_ROTATION_DAYS: duration(
    '90',
    0,
    3650,
    'Days after which a new signing key is made; 0 leaves it to you.',
  ),
  ISSUER: text(
    undefined,
    'a text',
    'The iss of access tokens. By default PUBLIC_URL.',
    (value) => value !== '',
  ),
  AUDIENCE: text(
    undefined,
    'a text',
    'The aud of access tokens. By default ISSUER; under HS256 none.',
    (value) => value !== '',
  ),
  ACCESS_TOKEN_EXPIRE_MINUTES: duration('15', 0.05, maxAccessTokenMinutes, 'Minutes an access token lives.'),
  REFRESH_TOKEN_EXPIRE_DAYS: duration('7', 0.0001, 3650, 'Days a session lives without being refreshed.'),
  REFRESH_GRACE_SECONDS: duration(
    '10',
    0,
    3600,
    'Seconds within which a session rotates once at most, and for which the parent of a refresh token that came into ' +
      'use is still honoured; 0 is strict rotation.',
  ),
  SESSION_EXPIRE_DAYS: duration('30', 0.0001, 3650, 'Days a session lives at most.'),
  REVOCATION_FEED: choice(
    ['on', 'off'],
    'Whether GET /auth/revocations tells verifiers which sessions ended.',
  ),

  AUDIT_RETENTION_DAYS: integer('365', 0, 36_500, 'Days the audit log keeps events; 0 keeps all.'),
  AUDIT_HEAD_FILE: text(
    undefined,
    'the path of a file',
    'File that holds the newest signed checkpoint of the audit log. By default beside a SQLite file, with ' +
      '.audit-head at the end of its name; with PostgreSQL none.',
    (value) => value !== '' && !value.includes('\0'),
  ),

  REGISTRATION: choice(['open', 'invite', 'closed'], 'Who may sign up: anybody, invited people, nobody.'),
  REQUIRE_VERIFIED_EMAIL: choice(
    ['off', 'on'],
    'Whether a login waits until the address is verified, and sends the verification again.',
  ),
  HIDE_REGISTERED_EMAILS: choice(
    ['off', 'on'],
    'Whether no answer tells who has an account, sign-up included; takes REQUIRE_VERIFIED_EMAIL.',
  ),
  EMAIL_LOGIN: choice(['off', 'on'], 'Whether people may log in by a mail instead of a password.'),
  RECENT_LOGIN_MINUTES: duration(
    '15',
    1,
    1440,
    'Minutes after a login within which an email is changed without the current password.',
  ),
  DELETION_GRACE_DAYS: duration(
    '0',
    0,
    3650,
    'Days after which an account that its owner closed is erased; until then a login restores it. 0: at once.',
  ),
  UNVERIFIED_EXPIRE_DAYS: duration(
    '0',
    0,
    3650,
    'Days after which an account whose present address is not verified, and that nobody uses, is erased; 0: never.',
  ),

  MAIL_URL: {
    default: undefined,
    accepts: 'smtp://USER:PASSWORD@HOST:PORT or smtps://…, with special characters percent-encoded',
    help: 'The server that mails are handed to. Unset: they stay in the outbox, where administrators read them.',
    secret: true,
    parse: (value) => (isMailUrl(value) ? value : undefined),
  } as Setting<string>,
  MAIL_FROM: text(
    undefined,
    'an address, or NAME <address>',
    'Sender of all mails. By default PRODUCT_NAME at the host of PUBLIC_URL.',
    (value) => readMailbox(value) !== undefined,
  ),
  MAIL_TEMPLATES: text(
    undefined,
    'the path of a folder',
    'Folder with templates and messages of your own, which come before the built-in ones.',
    (value) => value !== '' && !value.includes('\0'),
  ),
  ACCOUNT_URL: text(
    undefined,
    'an http or https URL without a trailing slash, query or fragment',
    'Where the pages are that links in mails lead to. By default PUBLIC_URL/account.',
    isHttpOrigin,
  ),
  PAGES: choice(['on', 'off'], 'Whether the pages for people are served, under /account and /console.'),
  PRODUCT_NAME: text(
    'Doorward',
    'a text of 1 to 60 characters without control characters',
    'What mails and pages call the product.',
    (value) => /^[^\p{C}<>"]{1,60}$/u.test(value) && value.trim() === value,
  ),
  PRODUCT_COLOR: text(
    '#1f6feb',
    'a colour such as #1f6feb',
    'Colour of buttons in mails and pages.',
    (value) => /^#[0-9a-f]{6}$/i.test(value),
  ),
  PRODUCT_LOGO_URL: text(
    undefined,
    'an https URL',
    'Picture at the head of mails and pages. Unset: none.',
    (value) => URL.canParse(value) && new URL(value).protocol === 'https:' && new URL(value).href === value,
  ),
  VERIFY_EMAIL_EXPIRE_HOURS: duration('24', 0.01, 8760, 'Hours a link that verifies an address works.'),
  RESET_PASSWORD_EXPIRE_MINUTES: duration('30', 1, 10_080, 'Minutes a link that resets a password works.'),
  EMAIL_LOGIN_EXPIRE_MINUTES: duration('15', 1, 1440, 'Minutes a link that logs in works.'),
  INVITATION_EXPIRE_DAYS: duration('7', 0.01, 365, 'Days an invitation can be accepted.'),
  EMAIL_UNDO_EXPIRE_DAYS: duration('7', 0.01, 365, 'Days a change of the email can be undone.'),
  MAIL_CODE_EXPIRE_MINUTES: duration('10', 1, 1440, 'Minutes the code of a mail works.'),
  MAIL_CODE_TRIES: integer('5', 1, 100, 'Tries that the code of a mail takes.'),
  OUTBOX_RETENTION_DAYS: duration('30', 1, 3650, 'Days the outbox keeps mails that were sent or given up.'),

  PASSWORD_POLICY: choice(
    ['composition', 'nist'],
    'composition: upper case, lower case, digit and special character; nist: 15 characters, no composition.',
  ),
  ARGON2_MEMORY_KIB: integer('65536', 7168, 1_048_576, 'Memory of one password hash in KiB.'),
  ARGON2_PASSES: integer('3', 1, 16, 'Passes of one password hash over its memory.'),
  ARGON2_LANES: integer('4', 1, 16, 'Lanes of one password hash.'),
  HASH_CONCURRENCY: integer(
    undefined,
    1,
    256,
    'Password hashes computed at once. By default the number of cores divided by ARGON2_LANES, rounded up.',
  ),
  HASH_QUEUE_LIMIT: integer('100', 0, 100_000, 'Password hashes that may wait; beyond it the answer is 503.'),

  RATE_LIMITS: choice(['on', 'off'], 'Whether tries are counted and throttled; off for load tests only.'),
  THROTTLE_ACCOUNT_FREE_FAILURES: integer(
    '5',
    1,
    1000,
    'Wrong passwords in a row that an account takes before tries have to wait; so does each known device and session.',
  ),
  THROTTLE_ACCOUNT_MAX_WAIT_SECONDS: integer(
    '900',
    1,
    86_400,
    'Longest wait after a wrong password; it doubles from 1 s with each.',
  ),
  THROTTLE_ACCOUNT_MAX_FAILURES: integer(
    '100',
    1,
    1000,
    'Wrong passwords in a row after which unknown devices are refused until somebody helps.',
  ),
  THROTTLE_PAIR_FAILURES_PER_HOUR: integer(
    '20',
    1,
    1_000_000,
    'Failed logins that an account takes from one network an hour.',
  ),
  THROTTLE_NETWORK_FAILURES_PER_HOUR: integer(
    '200',
    1,
    1_000_000,
    'Failed logins that a network may make an hour; IPv6 counts by /64.',
  ),
  THROTTLE_NETWORK_SIGN_UPS_PER_HOUR: integer('60', 1, 1_000_000, 'Sign-ups that a network may try an hour.'),
  THROTTLE_ADDRESS_MAILS_PER_HOUR: integer(
    '5',
    1,
    1_000_000,
    'Mails that can be asked for to one address an hour; as many again that sign-ups and unverified accounts cause.',
  ),
  THROTTLE_NETWORK_MAILS_PER_HOUR: integer(
    '50',
    1,
    1_000_000,
    'Mails that a network may ask for an hour, and links and codes that it may try in vain.',
  ),
  THROTTLE_NETWORK_SETUPS_PER_HOUR: integer(
    '20',
    1,
    1_000_000,
    'Setup tokens that a network may try an hour.',
  ),
  THROTTLE_NETWORK_REFUSED_REFRESHES_PER_HOUR: integer(
    '600',
    1,
    1_000_000,
    'Refused refreshes of a network in an hour after which the answer is 429.',
  ),
};

type Definitions = typeof definitions;
type SettingName = keyof Definitions;
type ValueOf<K extends SettingName> = Definitions[K] extends Setting<infer T> ? T : never;
/** Unset unless given. */
type UnsetName =
  | 'METRICS_PORT'
  | 'OTEL_EXPORTER_OTLP_ENDPOINT'
  | 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'
  | 'MAIL_URL'
  | 'MAIL_TEMPLATES'
  | 'PRODUCT_LOGO_URL';
type OptionalName =
  | 'PUBLIC_URL'
  | 'ACCOUNT_URL'
  | 'MAIL_FROM'
  | 'SECRET_KEY'
  | 'ISSUER'
  | 'AUDIENCE'
  | 'AUDIT_HEAD_FILE'
  | 'HASH_CONCURRENCY'
  | UnsetName;

/** Settings as a caller of `createDoorward` may give them: typed values, or text as in the environment. */
export type GivenSettings = { readonly [K in SettingName]?: ValueOf<K> | string | undefined };

/** Settings in force. What depends on another setting is resolved, but for AUDIENCE, which stays unset under HS256. */
export type Settings = {
  readonly [K in Exclude<SettingName, OptionalName>]: ValueOf<K>;
} & {
  readonly [K in UnsetName]?: ValueOf<K> | undefined;
} & {
  readonly PUBLIC_URL: string;
  readonly ACCOUNT_URL: string;
  readonly MAIL_FROM: string;
  readonly ISSUER: string;
  readonly AUDIENCE: string | undefined;
  /** None in memory, and on PostgreSQL unless it is given. */
  readonly AUDIT_HEAD_FILE: string | undefined;
  readonly HASH_CONCURRENCY: number;
  /** Unset until the instance has read or made its secret. */
  readonly SECRET_KEY: string | undefined;
};

/** Values that stop a start, one line a setting, each naming it and what it accepts. Never holds a value. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join('\n'));
    this.lines = lines;
  }
}

export const settingNames = Object.keys(definitions) as SettingName[];

/** A setting as documentation shows it. */
export function describeSetting(name: SettingName) {
  const { default: fallback, accepts, help, secret } = definitions[name] as Setting<unknown>;
  return {
    name,
    default: fallback,
    accepts,
    help,
    secret: secret === true,
  };
}

/**
 * Checks settings and fills in the defaults.
 * @throws SettingsError with a line for every setting that is not accepted.
 */
export function readSettings(given: GivenSettings): Settings {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(definitions, name)) faults.push(`${name} is not a setting`);
  }
  for (const name of settingNames) {
    const definition = definitions[name] as Setting<unknown>;
    const raw = given[name] ?? definition.default;
    if (raw === undefined) continue;
    values[name] = definition.parse(String(raw));
    if (values[name] === undefined) faults.push(`${name} must be ${definition.accepts}`);
  }
  if (faults.length > 0) throw new SettingsError(faults);

  const read = values as Omit<Settings, OptionalName> & Partial<Pick<Settings, OptionalName>>;
  const parameters = {
    memoryKib: read.ARGON2_MEMORY_KIB,
    passes: read.ARGON2_PASSES,
    lanes: read.ARGON2_LANES,
  };
  if (argon2BelowOwaspMinimum(parameters)) {
    throw new SettingsError([
      'ARGON2_MEMORY_KIB with ARGON2_PASSES must be at least 47104 with 1, 19456 with 2, 12288 with 3, 9216 with 4 or 7168 with 5',
    ]);
  }
  if (read.METRICS_PORT === read.PORT && read.PORT !== 0) {
    throw new SettingsError(['METRICS_PORT must be another port than PORT']);
  }
  if (read.HIDE_REGISTERED_EMAILS === 'on' && read.REQUIRE_VERIFIED_EMAIL === 'off') {
    throw new SettingsError(['HIDE_REGISTERED_EMAILS takes REQUIRE_VERIFIED_EMAIL=on']);
  }
  if (read.REFRESH_GRACE_SECONDS >= read.REFRESH_TOKEN_EXPIRE_DAYS * 86_400) {
    throw new SettingsError(['REFRESH_GRACE_SECONDS must be less than REFRESH_TOKEN_EXPIRE_DAYS']);
  }
  // A zone, as in fe80::1%eth0, means something on this machine alone, and no URL has one.
  const host = read.HOST.replace(/%.*/, '');
  const PUBLIC_URL = read.PUBLIC_URL ?? `http://${host.includes(':') ? `[${host}]` : host}:${read.PORT}`;
  const ACCOUNT_URL = read.ACCOUNT_URL ?? `${PUBLIC_URL}/account`;
  const MAIL_FROM = read.MAIL_FROM ?? `${read.PRODUCT_NAME} <doorward@${new URL(PUBLIC_URL).hostname}>`;
  const ISSUER = read.ISSUER ?? PUBLIC_URL;
  const AUDIENCE = read.AUDIENCE ?? (read.ALGORITHM === 'HS256' ? undefined : ISSUER);
  const sqliteFile = /^sqlite:(?!:memory:$)(.+)$/s.exec(read.DATABASE_URL)?.[1];
  const AUDIT_HEAD_FILE = read.AUDIT_HEAD_FILE ?? (sqliteFile && `${sqliteFile}.audit-head`);
  // A hash has a thread for each lane: more at once than there are cores for take turns, which costs them a fifth.
  const HASH_CONCURRENCY = read.HASH_CONCURRENCY ?? Math.ceil(availableParallelism() / read.ARGON2_LANES);
  return Object.freeze({
    ...read,
    PUBLIC_URL,
    ACCOUNT_URL,
    MAIL_FROM,
    ISSUER,
    AUDIENCE,
    AUDIT_HEAD_FILE,
    HASH_CONCURRENCY,
    SECRET_KEY: read.SECRET_KEY,
  });
}
