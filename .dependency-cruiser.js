/** Which way imports may point. See docs/architecture.md. Types alone may come from anywhere: nothing is left of them at run time. */
const notOfTypes = { dependencyTypesNot: ['type-only'] };
const layer = (name, path, ...mayNot) => ({
  name,
  severity: 'error',
  from: { path, pathNot: '\\.test\\.ts$' },
  to: { path: mayNot, ...notOfTypes },
});

export default {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: notOfTypes, ...notOfTypes },
    },
    {
      name: 'features-by-their-face',
      comment: 'Of another feature only index.ts may be imported.',
      severity: 'error',
      from: { path: '^src/features/([^/]+)/' },
      to: {
        path: '^src/features/([^/]+)/',
        pathNot: ['^src/features/$1/', '^src/features/[^/]+/index\\.ts$'],
        ...notOfTypes,
      },
    },
    {
      name: 'only-routes-know-http',
      comment: 'What a feature does never sees Fastify; its routes do.',
      severity: 'error',
      from: { path: '^src/(features|crypto|database)/', pathNot: ['/(routes|index)\\.ts$', '\\.test\\.ts$'] },
      to: { path: ['^src/http/', 'node_modules/@?fastify'], ...notOfTypes },
    },
    {
      name: 'only-database-knows-a-driver',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/database/', '\\.test\\.ts$'] },
      to: { path: ['node_modules/better-sqlite3', 'node_modules/pg/'], ...notOfTypes },
    },
    {
      name: 'only-mail-fills-in-templates',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/mail/'] },
      to: { path: ['node_modules/i18next', 'node_modules/liquidjs'], ...notOfTypes },
    },
    layer('client-imports-nothing', '^src/client/', '^src/(?!client/)'),
    layer('verifier-imports-no-server', '^src/verify/', '^src/(?!verify/)'),
    layer('errors-import-nothing', '^src/errors\\.ts$', '.+'),
    layer(
      'crypto-is-pure',
      '^src/crypto/',
      '^src/(database|http|features|cli)/',
      '^src/(kernel|doorward|app|plugin|server)\\.ts$',
    ),
    layer(
      'mail-is-pure',
      '^src/mail/',
      '^src/(database|http|features|cli)/',
      '^src/(kernel|doorward|app|plugin|server)\\.ts$',
    ),
    layer(
      'database-knows-no-feature',
      '^src/database/',
      '^src/(http|features|cli)/',
      '^src/(kernel|doorward|app|plugin|server)\\.ts$',
    ),
    layer(
      'http-knows-no-feature',
      '^src/http/',
      '^src/(database|features|cli)/',
      '^src/(kernel|doorward|app|plugin|server)\\.ts$',
    ),
    layer(
      'features-know-no-assembly',
      '^src/features/',
      '^src/(doorward|app|plugin|server)\\.ts$',
      '^src/cli/',
    ),
    layer(
      'observed-from-outside',
      '^src/(crypto|database|http|features|cli)/|^src/(kernel|doorward|app|plugin)\\.ts$',
      '^src/observability/',
    ),
    layer('outbox-below', '^src/features/outbox/', '^src/features/(?!outbox/)'),
    layer(
      'throttle-below',
      '^src/features/throttle/',
      '^src/features/(passwords|accounts|keys|sessions|revocations|services|admin|restore|health)/',
    ),
    layer(
      'mail-links-below',
      '^src/features/mail-links/',
      '^src/features/(passwords|accounts|keys|sessions|revocations|services|admin|restore|health)/',
    ),
    layer(
      'passwords-below',
      '^src/features/passwords/',
      '^src/features/(accounts|keys|sessions|revocations|services|admin|restore|health)/',
    ),
    layer(
      'accounts-below',
      '^src/features/accounts/',
      '^src/features/(keys|sessions|revocations|services|admin|restore|health|leaving|personal-data)/',
    ),
    layer(
      'keys-below',
      '^src/features/keys/',
      '^src/features/(accounts|passwords|sessions|revocations|services|admin|restore|health)/',
    ),
    layer(
      'sessions-below',
      '^src/features/sessions/',
      '^src/features/(revocations|services|admin|restore|health|email-change|notices|invitations|email-login|leaving|personal-data)/',
    ),
    layer(
      'invitations-and-email-login-above',
      '^src/features/(outbox|throttle|mail-links|passwords|accounts|keys)/',
      '^src/features/(invitations|email-login)/',
    ),
    layer(
      'verification-and-recovery-below',
      '^src/features/(verification|recovery)/',
      '^src/features/(sessions|revocations|services|admin|restore|health|email-change|notices|invitations|email-login)/',
    ),
    layer(
      'verification-and-recovery-on-top',
      '^src/features/(throttle|mail-links|passwords|accounts|keys|sessions)/',
      '^src/features/(verification|recovery)/',
    ),
    layer(
      'only-the-command-line-on-top',
      '^src/(doorward|app|plugin|server|settings|kernel)\\.ts$',
      '^src/cli/',
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    parser: 'swc',
    enhancedResolveOptions: { conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
