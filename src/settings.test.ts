import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import {
  describeSetting,
  type GivenSettings,
  readSettings,
  SettingsError,
  settingNames,
} from './settings.ts';

const goodSecret = 'settings-3f9c1b7e5a2d4860-not-a-sample';

/** What each setting refuses, and beside it what it takes. */
const scenarios: [name: (typeof settingNames)[number], bad: string[], good: string[]][] = [
  [
    'HOST',
    ['', '999.1.1.1', '[::1]', '127.0.0.1:80', 'zz.example.com/id', 'http://zz', 'zz zz', '::zz'],
    ['0.0.0.0', '::1', 'fe80::1%eth0', 'localhost', 'id.example.com', 'app_1'],
  ],
  ['PORT', ['', ' 81', '-1', '65536', '1e3', '0x50', '80.5', 'http'], ['0', '80', '65535']],
  [
    'PUBLIC_URL',
    [
      '',
      'zz.example.com',
      'ftp://zz.example.com',
      'https://zz.example.com/',
      'https://zz.example.com?q',
      'https://zz.example.com#f',
    ],
    ['https://id.example.com', 'http://localhost:8000', 'https://example.com/id'],
  ],
  [
    'TRUSTED_PROXIES',
    [
      'everybody',
      '10.0.0.0/8;zz',
      '*',
      '10.0.0.256',
      '10.0.0.0/33',
      '0.0.0.0/0',
      '::1/129',
      '010.1.1.1',
      '1/8',
    ],
    ['', '127.0.0.1', '10.0.0.0/8, ::1', '2001:db8::/32,::ffff:10.0.0.0/104'],
  ],
  ['TRUSTED_PROXY_HEADER', ['', 'Forwarded', 'x-real-ip'], ['x-forwarded-for', 'forwarded']],
  ['METRICS_PORT', ['', '-1', '65536', '9.5', 'on'], ['0', '9464']],
  ...(['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] as const).map(
    (name): [typeof name, string[], string[]] => [
      name,
      [
        '',
        'zz',
        'zz:4318',
        'grpc://zz:4317',
        'https://u:zz@h',
        'https://zz@h',
        'https://h/?k=zz',
        'http://h#zz',
      ],
      ['http://localhost:4318', 'https://otel.example.com/some/path/'],
    ],
  ),
  ['LOG_LEVEL', ['', 'INFO', 'verbose'], ['info', 'debug', 'warn', 'error', 'silent']],
  [
    'DATABASE_URL',
    ['', 'sqlite:', 'zzz.db', 'mysql://zz/db', 'postgres:zz', 'file:zz'],
    ['sqlite::memory:', 'sqlite:./a.db', 'postgres://u:p@h:5432/d', 'postgresql://h/d'],
  ],
  ['DATABASE_POOL_SIZE', ['0', '1001', 'many'], ['1', '1000']],
  [
    'SECRET_KEY',
    [
      '',
      'zzshort',
      'zz-thirty-one-bytes-0123456789a',
      'z'.repeat(64),
      'your-secret-key-your-secret-key-zz1',
      'CHANGEME-CHANGEME-CHANGEME-zz-0123',
      '09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7',
    ],
    [goodSecret, 'geheim-€€€€€€€€-schlüssel'],
  ],
  ['ALGORITHM', ['', 'none', 'es256', 'HS512', 'RS512'], ['ES256', 'EdDSA', 'RS256', 'HS256']],
  ['ISSUER', [''], ['anything']],
  ['AUDIENCE', [''], ['anything']],
  ['ACCESS_TOKEN_EXPIRE_MINUTES', ['0', '-5', '1441', 'soon', 'Infinity', 'NaN'], ['0.5', '15', '1440']],
  ['REFRESH_TOKEN_EXPIRE_DAYS', ['0', '-7', '3651', 'weekly'], ['0.5', '7', '3650']],
  ['REFRESH_GRACE_SECONDS', ['-1', '3601', 'soon'], ['0', '10', '0.5']],
  ['REVOCATION_FEED', ['', 'ON', 'yes'], ['on', 'off']],
  ['KEY_PUBLICATION_LEAD_SECONDS', ['0', '29', '30.5', '86401'], ['30', '60']],
  ['KEY_ROTATION_DAYS', ['-1', '3651', 'yearly'], ['0', '90', '0.5']],
  [
    'CORS_ORIGINS',
    ['*', 'null', 'zz', 'https://zz.example.com/', 'https://a.example.com,zz', 'ftp://zz/x'],
    ['', 'https://app.example.com', 'https://a.example.com, http://localhost:3000'],
  ],
  ['SESSION_EXPIRE_DAYS', ['0', '-30', '3651', 'never'], ['0.5', '30']],
  ['AUDIT_RETENTION_DAYS', ['-1', '0.5', '36501', 'for ever'], ['0', '365']],
  ['AUDIT_HEAD_FILE', ['', 'zz\0'], ['/var/lib/doorward/audit.head']],
  ['REGISTRATION', ['', 'OPEN', 'anybody'], ['open', 'invite', 'closed']],
  ['REQUIRE_VERIFIED_EMAIL', ['', 'ON', 'yes'], ['off', 'on']],
  ['HIDE_REGISTERED_EMAILS', ['', 'ON', 'yes'], ['off']],
  ['EMAIL_LOGIN', ['', 'ON', 'yes'], ['off', 'on']],
  ['RECENT_LOGIN_MINUTES', ['0', '1441', 'soon'], ['1', '15']],
  ['DELETION_GRACE_DAYS', ['-1', '3651', 'never'], ['0', '30']],
  ['UNVERIFIED_EXPIRE_DAYS', ['-1', '3651', 'never'], ['0', '7']],
  [
    'MAIL_URL',
    [
      '',
      'zz',
      'http://zz.example.com',
      'smtp://',
      'smtp://zz/path',
      'smtp://zz?tls.rejectUnauthorized=false',
      'smtp://user:100%zz@zz',
      'smtp://us%er:pass@zz',
    ],
    ['smtp://mail.example.com:587', 'smtps://user:pass%40word@mail.example.com'],
  ],
  [
    'MAIL_FROM',
    ['', 'zz', 'zz <zz', 'A\r\nBcc: zz <zz@example.com>', '<a@zz.example>, b@zz.example'],
    ['accounts@example.com', 'Example Accounts <accounts@example.com>', 'x@localhost'],
  ],
  ['MAIL_TEMPLATES', ['', 'zz\0'], ['/etc/doorward/mail']],
  [
    'ACCOUNT_URL',
    ['', 'zz', 'https://zz.example.com/', 'https://zz.example.com/#a', 'javascript:zz'],
    ['https://app.example.com/account'],
  ],
  ['PAGES', ['', 'no', 'ON'], ['on', 'off']],
  ['PRODUCT_NAME', ['', ' zz', 'z\nz', 'zz <b>', 'z'.repeat(61)], ['Doorward', 'Café Überall']],
  ['PRODUCT_COLOR', ['', 'zz', '#fff', 'red', '#1f6feb;zz'], ['#1f6feb', '#FFFFFF']],
  [
    'PRODUCT_LOGO_URL',
    ['', 'zz', 'http://zz.example.com/l.png', 'data:zz', 'https://zz.example.com/"'],
    ['https://example.com/logo.png'],
  ],
  ['VERIFY_EMAIL_EXPIRE_HOURS', ['0', '8761', 'a day'], ['24', '0.5']],
  ['RESET_PASSWORD_EXPIRE_MINUTES', ['0', '10081', 'soon'], ['30']],
  ['EMAIL_LOGIN_EXPIRE_MINUTES', ['0', '1441', 'soon'], ['15']],
  ['INVITATION_EXPIRE_DAYS', ['0', '366', 'a week'], ['7']],
  ['EMAIL_UNDO_EXPIRE_DAYS', ['0', '366', 'a week'], ['7']],
  ['MAIL_CODE_EXPIRE_MINUTES', ['0', '1441', 'soon'], ['10']],
  ['MAIL_CODE_TRIES', ['0', '101', '1.5'], ['5']],
  ['OUTBOX_RETENTION_DAYS', ['0', '3651', 'for ever'], ['30']],
  ['THROTTLE_ADDRESS_MAILS_PER_HOUR', ['0', '1000001', 'few'], ['1', '5']],
  ['THROTTLE_NETWORK_MAILS_PER_HOUR', ['0', '1000001', 'few'], ['1', '50']],
  ['PASSWORD_POLICY', ['', 'strict'], ['composition', 'nist']],
  ['ARGON2_MEMORY_KIB', ['7167', '1048577', '64MB'], ['12288', '65536']],
  ['ARGON2_PASSES', ['0', '17', 'three'], ['1', '16']],
  ['ARGON2_LANES', ['0', '17', 'four'], ['1', '16']],
  ['HASH_CONCURRENCY', ['0', '257', 'all'], ['1', '256']],
  ['HASH_QUEUE_LIMIT', ['-1', '100001', 'none'], ['0', '100000']],
  ['RATE_LIMITS', ['', 'ON', 'no'], ['on', 'off']],
  ['THROTTLE_ACCOUNT_FREE_FAILURES', ['0', '1001', 'few'], ['1', '5']],
  ['THROTTLE_ACCOUNT_MAX_WAIT_SECONDS', ['0', '86401', '1.5'], ['1', '900']],
  ['THROTTLE_ACCOUNT_MAX_FAILURES', ['0', '1001', 'many'], ['1', '100']],
  ['THROTTLE_PAIR_FAILURES_PER_HOUR', ['0', '1000001', 'few'], ['1', '20']],
  ['THROTTLE_NETWORK_FAILURES_PER_HOUR', ['0', '1000001', 'few'], ['1', '200']],
  ['THROTTLE_NETWORK_SIGN_UPS_PER_HOUR', ['0', '1000001', 'few'], ['1', '60']],
  ['THROTTLE_NETWORK_SETUPS_PER_HOUR', ['0', '1000001', 'few'], ['1', '20']],
  ['THROTTLE_NETWORK_REFUSED_REFRESHES_PER_HOUR', ['0', '1000001', 'few'], ['1', '600']],
];

function faults(given: object): readonly string[] {
  try {
    readSettings(given);
  } catch (error) {
    assert.ok(error instanceof SettingsError);
    assert.equal(error.message, error.lines.join('\n'));
    return error.lines;
  }
  return [];
}

test('every setting refuses what it does not accept, in one line that names it and never tells the value', () => {
  assert.deepEqual(
    scenarios.map(([name]) => name).sort(),
    [...settingNames].sort(),
    'every setting has a scenario',
  );
  for (const [name, bad, good] of scenarios) {
    for (const value of bad) {
      const line = `${name} must be ${describeSetting(name).accepts}`;
      assert.deepEqual(faults({ [name]: value }), [line], `${name}=${value}`);
      if (value.includes('zz')) assert.ok(!line.includes(value));
    }
    for (const value of good) assert.deepEqual(faults({ [name]: value }), [], `${name}=${value}`);
  }
});

test('every fault has its line, and what is no setting is told by its name', () => {
  assert.deepEqual(faults({ PORT: 'zzz', REGISTRATION: 'zzz', SECRET: goodSecret }), [
    'SECRET is not a setting',
    'PORT must be a whole number from 0 to 65535',
    'REGISTRATION must be one of open, invite, closed',
  ]);
});

test('hashes weaker than every minimum of OWASP stop the start', () => {
  for (const [memory, passes, isEnough] of [
    [47104, 1, true],
    [47103, 1, false],
    [19456, 2, true],
    [19455, 2, false],
    [12288, 3, true],
    [12287, 3, false],
    [9216, 4, true],
    [9215, 4, false],
    [7168, 5, true],
  ] as const) {
    const lines = faults({ ARGON2_MEMORY_KIB: memory, ARGON2_PASSES: passes });
    assert.equal(lines.length, isEnough ? 0 : 1, `${memory} KiB, ${passes} passes`);
    for (const line of lines) assert.match(line, /^ARGON2_MEMORY_KIB with ARGON2_PASSES must be at least /);
  }
});

test('the metrics have a port of their own', () => {
  assert.deepEqual(faults({ METRICS_PORT: 8000 }), ['METRICS_PORT must be another port than PORT']);
  assert.deepEqual(faults({ METRICS_PORT: 0, PORT: 0 }), []);
});

test('as many hashes at once as there are cores for, each of which has a thread for each lane', () => {
  const cores = availableParallelism();
  const atOnce = (given: GivenSettings) => readSettings(given).HASH_CONCURRENCY;
  assert.equal(atOnce({ ARGON2_LANES: 1 }), cores);
  assert.equal(atOnce({ ARGON2_LANES: 16 }), Math.ceil(cores / 16));
  assert.equal(atOnce({}), Math.ceil(cores / 4));
  assert.equal(atOnce({ HASH_CONCURRENCY: 7 }), 7);
});

test('the defaults are those of the contract', () => {
  // Not the number of cores; see docs/decisions/hashes-at-once.md.
  const { HASH_CONCURRENCY, HASH_QUEUE_LIMIT, DATABASE_POOL_SIZE, ...settings } = readSettings({});
  assert.ok(HASH_CONCURRENCY >= 1 && HASH_QUEUE_LIMIT >= 1 && DATABASE_POOL_SIZE >= 1);
  assert.deepEqual(settings, {
    HOST: '127.0.0.1',
    PORT: 8000,
    DATABASE_URL: 'sqlite:./data/doorward.db',
    PUBLIC_URL: 'http://127.0.0.1:8000',
    ISSUER: 'http://127.0.0.1:8000',
    AUDIENCE: 'http://127.0.0.1:8000',
    CORS_ORIGINS: '',
    TRUSTED_PROXIES: '',
    TRUSTED_PROXY_HEADER: 'x-forwarded-for',
    LOG_LEVEL: 'info',
    SECRET_KEY: undefined,
    ALGORITHM: 'ES256',
    KEY_PUBLICATION_LEAD_SECONDS: 60,
    KEY_ROTATION_DAYS: 90,
    ACCESS_TOKEN_EXPIRE_MINUTES: 15,
    REFRESH_TOKEN_EXPIRE_DAYS: 7,
    REFRESH_GRACE_SECONDS: 10,
    SESSION_EXPIRE_DAYS: 30,
    REVOCATION_FEED: 'on',
    AUDIT_RETENTION_DAYS: 365,
    AUDIT_HEAD_FILE: './data/doorward.db.audit-head',
    REGISTRATION: 'open',
    REQUIRE_VERIFIED_EMAIL: 'off',
    HIDE_REGISTERED_EMAILS: 'off',
    EMAIL_LOGIN: 'off',
    RECENT_LOGIN_MINUTES: 15,
    DELETION_GRACE_DAYS: 0,
    UNVERIFIED_EXPIRE_DAYS: 0,
    MAIL_FROM: 'Doorward <doorward@127.0.0.1>',
    ACCOUNT_URL: 'http://127.0.0.1:8000/account',
    PAGES: 'on',
    PRODUCT_NAME: 'Doorward',
    PRODUCT_COLOR: '#1f6feb',
    VERIFY_EMAIL_EXPIRE_HOURS: 24,
    RESET_PASSWORD_EXPIRE_MINUTES: 30,
    EMAIL_LOGIN_EXPIRE_MINUTES: 15,
    INVITATION_EXPIRE_DAYS: 7,
    EMAIL_UNDO_EXPIRE_DAYS: 7,
    MAIL_CODE_EXPIRE_MINUTES: 10,
    MAIL_CODE_TRIES: 5,
    OUTBOX_RETENTION_DAYS: 30,
    THROTTLE_ADDRESS_MAILS_PER_HOUR: 5,
    THROTTLE_NETWORK_MAILS_PER_HOUR: 50,
    PASSWORD_POLICY: 'composition',
    ARGON2_MEMORY_KIB: 65536,
    ARGON2_PASSES: 3,
    ARGON2_LANES: 4,
    RATE_LIMITS: 'on',
    THROTTLE_ACCOUNT_FREE_FAILURES: 5,
    THROTTLE_ACCOUNT_MAX_WAIT_SECONDS: 900,
    THROTTLE_ACCOUNT_MAX_FAILURES: 100,
    THROTTLE_PAIR_FAILURES_PER_HOUR: 20,
    THROTTLE_NETWORK_FAILURES_PER_HOUR: 200,
    THROTTLE_NETWORK_SIGN_UPS_PER_HOUR: 60,
    THROTTLE_NETWORK_SETUPS_PER_HOUR: 20,
    THROTTLE_NETWORK_REFUSED_REFRESHES_PER_HOUR: 600,
  });
});

test('settings that follow from others', () => {
  const { ACCOUNT_URL, MAIL_FROM } = readSettings({
    PUBLIC_URL: 'https://id.example.com',
    PRODUCT_NAME: 'Example',
  });
  assert.deepEqual(
    [ACCOUNT_URL, MAIL_FROM],
    ['https://id.example.com/account', 'Example <doorward@id.example.com>'],
  );
  assert.throws(() => readSettings({ HIDE_REGISTERED_EMAILS: 'on' }), /takes REQUIRE_VERIFIED_EMAIL=on/);
  assert.ok(readSettings({ HIDE_REGISTERED_EMAILS: 'on', REQUIRE_VERIFIED_EMAIL: 'on' }));
  assert.throws(
    () => readSettings({ REFRESH_GRACE_SECONDS: 3600, REFRESH_TOKEN_EXPIRE_DAYS: 0.04 }),
    /REFRESH_GRACE_SECONDS must be less than REFRESH_TOKEN_EXPIRE_DAYS/,
  );
  assert.equal(readSettings({ HOST: '::1', PORT: 81 }).PUBLIC_URL, 'http://[::1]:81');
  assert.equal(readSettings({ HOST: 'fe80::1%eth0' }).PUBLIC_URL, 'http://[fe80::1]:8000');
  const hosted = readSettings({ PUBLIC_URL: 'https://id.example.com' });
  assert.deepEqual([hosted.ISSUER, hosted.AUDIENCE], [hosted.PUBLIC_URL, hosted.PUBLIC_URL]);
  const named = readSettings({ ISSUER: 'us' });
  assert.deepEqual([named.ISSUER, named.AUDIENCE], ['us', 'us']);
  assert.equal(readSettings({ ALGORITHM: 'HS256' }).AUDIENCE, undefined);
  assert.equal(readSettings({ ALGORITHM: 'HS256', AUDIENCE: 'them' }).AUDIENCE, 'them');
  assert.equal(readSettings({ DATABASE_URL: 'sqlite::memory:' }).AUDIT_HEAD_FILE, undefined);
  assert.equal(readSettings({ DATABASE_URL: 'postgres://h/d' }).AUDIT_HEAD_FILE, undefined);
  assert.equal(readSettings({ DATABASE_URL: 'postgres://h/d', AUDIT_HEAD_FILE: 'a' }).AUDIT_HEAD_FILE, 'a');
  assert.ok(Object.isFrozen(hosted));
});

test('a value may be given as it is or as text', () => {
  assert.deepEqual(
    readSettings({ PORT: 81, ACCESS_TOKEN_EXPIRE_MINUTES: 0.5 }),
    readSettings({ PORT: '81', ACCESS_TOKEN_EXPIRE_MINUTES: '0.5' }),
  );
});
