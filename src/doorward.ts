import { type AuthService, createAuthService } from './auth-service.ts';
import type { Argon2Parameters } from './crypto/password-hash.ts';
import type { Migration } from './database/database.ts';
import { databaseLocation, openDatabase } from './database/open.ts';
import { briefly } from './errors.ts';
import { type Accounts, accountMigrations, createAccounts } from './features/accounts/index.ts';
import { type Admin, adminMigrations, createAdmin } from './features/admin/index.ts';
import { type Audit, auditMigrations, beginsAuditLog, createAudit } from './features/audit/index.ts';
import { createEmailChange, type EmailChange, emailChangeMigrations } from './features/email-change/index.ts';
import { createEmailLogin, type EmailLogin } from './features/email-login/index.ts';
import { createHealth, type Health } from './features/health/index.ts';
import { createInvitations, type Invitations, invitationMigrations } from './features/invitations/index.ts';
import {
  assertSecretKey,
  findSecretKey,
  type Keys,
  keyMigrations,
  loadKeys,
  settleSecretKey,
} from './features/keys/index.ts';
import { createLeaving, type Leaving, leavingMigrations } from './features/leaving/index.ts';
import { createMailLinks, type MailLinks, mailLinkMigrations } from './features/mail-links/index.ts';
import { createNotices } from './features/notices/index.ts';
import { createOutbox, type Outbox, outboxMigrations } from './features/outbox/index.ts';
import { createPasswords, type Passwords, passwordMigrations } from './features/passwords/index.ts';
import { createPersonalData, type PersonalData } from './features/personal-data/index.ts';
import { createRecovery, type Recovery } from './features/recovery/index.ts';
import { createRevocations, type Revocations, revocationMigrations } from './features/revocations/index.ts';
import { createServices, type Services, serviceMigrations } from './features/services/index.ts';
import { createSessions, type Sessions, sessionMigrations, tokenParties } from './features/sessions/index.ts';
import { createSettingsView, type KnownSources, type SettingsView } from './features/settings/index.ts';
import { createStatistics, type Statistics, statisticsMigrations } from './features/statistics/index.ts';
import { createStatus, type Status, statusMigrations } from './features/status/index.ts';
import { createThrottle, type Throttle, throttleMigrations } from './features/throttle/index.ts';
import { createVerification, type Verification } from './features/verification/index.ts';
import { type Clock, createCounters, createEvents, type Kernel, type Log } from './kernel.ts';
import { createLog } from './log.ts';
import { createMailRenderer } from './mail/index.ts';
import { repeat } from './repeat.ts';
import { type GivenSettings, readSettings, type Settings } from './settings.ts';
import { describeOldNode } from './version.ts';

/** The schema's history, of all features. */
export const migrations: readonly Migration[] = [
  ...accountMigrations,
  ...passwordMigrations,
  ...keyMigrations,
  ...sessionMigrations,
  ...adminMigrations,
  ...revocationMigrations,
  ...serviceMigrations,
  ...throttleMigrations,
  ...auditMigrations,
  ...mailLinkMigrations,
  ...outboxMigrations,
  ...emailChangeMigrations,
  ...invitationMigrations,
  ...leavingMigrations,
  ...statusMigrations,
  ...statisticsMigrations,
];

/** What an embedding program may bring of its own. */
export interface DoorwardOptions {
  /** A Pino logger, or one like it. By default entries go to standard output from LOG_LEVEL on. */
  log?: Log;
  clock?: Clock;
  /** Which of the settings were found in the environment or in a file, for administrators to see. */
  settingSources?: KnownSources;
}

/** The features of one instance, wired together. What serves them over HTTP is added by `createDoorward`. */
export interface Core extends AuthService {
  readonly settings: Settings;
  readonly kernel: Kernel;
  readonly audit: Audit;
  readonly outbox: Outbox;
  readonly throttle: Throttle;
  readonly mailLinks: MailLinks;
  readonly accounts: Accounts;
  readonly passwords: Passwords;
  readonly keys: Keys;
  readonly sessions: Sessions;
  readonly emailChange: EmailChange;
  readonly emailLogin: EmailLogin;
  readonly invitations: Invitations;
  readonly leaving: Leaving;
  readonly personalData: PersonalData;
  readonly verification: Verification;
  readonly recovery: Recovery;
  readonly revocations: Revocations;
  readonly services: Services;
  readonly admin: Admin;
  readonly settingsView: SettingsView;
  readonly status: Status;
  readonly statistics: Statistics;
  readonly health: Health;
  /** Waits for hashes and mails under way, then closes the database. */
  close(): Promise<void>;
}

/** How soon an instance learns of a key that another one made or withdrew. */
const keyReloadIntervalMs = 1000;
/** How soon a mail is found that another instance, or an unfinished transaction, asked for, and one that is to be retried. */
const outboxIntervalMs = 1000;
const maintenanceIntervalMs = 10 * 60_000;
const checkpointIntervalMs = 60_000;
const heartbeatIntervalMs = 15_000;
const activeUsersIntervalMs = 30_000;

/**
 * Opens the database, brings its schema up to date, reads or makes the keys and builds every feature. `hashCost` is for
 * the test kit alone, instead of what the ARGON2_* settings say; neither settings nor options lead to it, so that no
 * server can be told to make weak hashes.
 * @throws SettingsError for a setting that is not accepted.
 * @throws SecretKeyMismatchError when SECRET_KEY is not the one that the database was made with.
 * @throws DoorwardError `database_unavailable`.
 */
export async function createCore(
  given: GivenSettings = {},
  options: DoorwardOptions = {},
  hashCost?: Argon2Parameters,
): Promise<Core> {
  const oldNode = describeOldNode();
  if (oldNode !== undefined) throw new Error(oldNode);
  const read = readSettings(given);
  const log = options.log ?? createLog(read.LOG_LEVEL);
  const clock = options.clock ?? { now: () => new Date() };
  const db = await openDatabase({
    url: read.DATABASE_URL,
    poolSize: read.DATABASE_POOL_SIZE,
    onError: (error) => log.warn(briefly(error), 'database connection lost'),
  });
  try {
    const beginsLog = await beginsAuditLog(db, migrations);
    // A wrong SECRET_KEY must not be what the log of a database with users begins under.
    if (beginsLog) await findSecretKey(db, read.SECRET_KEY, read.DATABASE_URL);
    await db.migrate(migrations);
    const secretKey = await settleSecretKey(db, read.SECRET_KEY, read.DATABASE_URL);
    const settings = Object.freeze({ ...read, SECRET_KEY: secretKey });
    const base = { settings, db, clock, log, events: createEvents(), counters: createCounters() };
    const audit = createAudit(base, secretKey);
    const kernel: Kernel = { ...base, audit };
    // Not before it is known that SECRET_KEY is the right one, and before anything is recorded.
    await db.transaction((tx) => assertSecretKey(tx, secretKey));
    await audit.prepare(beginsLog);
    const outbox = createOutbox(kernel, { renderer: createMailRenderer(settings) }, secretKey);
    const throttle = createThrottle(kernel, secretKey);
    const mailLinks = createMailLinks(kernel, throttle, secretKey);
    const passwords = createPasswords(kernel, throttle, hashCost);
    const accounts = createAccounts(kernel, { passwords, throttle });
    const keys = await loadKeys(kernel, secretKey);
    const sessions = createSessions(kernel, { accounts, passwords, throttle, keys });
    createNotices(kernel, { accounts, outbox, throttle });
    const emailChange = createEmailChange(kernel, {
      accounts,
      passwords,
      sessions,
      throttle,
      mailLinks,
      outbox,
    });
    const emailLogin = createEmailLogin(kernel, {
      accounts,
      passwords,
      sessions,
      throttle,
      mailLinks,
      outbox,
    });
    const invitations = createInvitations(kernel, { accounts, passwords, throttle, mailLinks, outbox });
    const statistics = createStatistics(kernel, audit);
    const personalData = createPersonalData(kernel, {
      ...{ passwords, sessions, emailChange, invitations, mailLinks, outbox, audit, statistics },
    });
    const leaving = createLeaving(kernel, { accounts, outbox });
    const verification = createVerification(kernel, { accounts, throttle, mailLinks, outbox });
    const recovery = createRecovery(kernel, { accounts, passwords, throttle, mailLinks, outbox });
    const revocations = createRevocations(kernel, { keys });
    const services = createServices(kernel);
    const admin = createAdmin(kernel, { accounts, throttle }, secretKey);
    const settingsView = createSettingsView(settings, {
      given,
      sources: options.settingSources ?? new Map(),
      secretKeyIsInFile: databaseLocation(read.DATABASE_URL) !== 'memory',
    });
    const status = createStatus(kernel, { audit, outbox, passwords });
    const auth = createAuthService({
      keys: () => keys.current(),
      parties: tokenParties(settings),
      accessTokenTtlSeconds: settings.ACCESS_TOKEN_EXPIRE_MINUTES * 60,
      refreshTokenTtlSeconds: settings.REFRESH_TOKEN_EXPIRE_DAYS * 86_400,
      now: () => clock.now(),
    });

    const every = (intervalMs: number, what: string, work: () => Promise<void>) =>
      repeat(work, { intervalMs, what, log });
    const timers = [
      every(keyReloadIntervalMs, 'reloading the keys', () => keys.reload()),
      every(maintenanceIntervalMs, 'maintaining the keys', () => keys.maintain()),
      every(maintenanceIntervalMs, 'removing expired sessions', () => sessions.deleteExpired()),
      every(maintenanceIntervalMs, 'removing expired throttle counters', () => throttle.deleteExpired()),
      every(maintenanceIntervalMs, 'removing expired links of mails', () => mailLinks.deleteExpired()),
      every(maintenanceIntervalMs, 'freeing former addresses', () => emailChange.deleteExpired()),
      every(maintenanceIntervalMs, 'removing invitations that are over', () => invitations.deleteOver()),
      every(maintenanceIntervalMs, 'removing expired revocations', () => revocations.deleteExpired()),
      every(activeUsersIntervalMs, 'writing down who was active', () => statistics.flush()),
      every(maintenanceIntervalMs, 'counting past days', () => statistics.countPastDays()),
      every(maintenanceIntervalMs, 'removing old audit events', () => audit.prune()),
      every(outboxIntervalMs, 'working on the outbox', () => outbox.work()),
      every(maintenanceIntervalMs, 'erasing accounts that are due', () => leaving.eraseDue()),
      every(maintenanceIntervalMs, 'erasing accounts that nobody proved', () => leaving.eraseUnverified()),
      every(maintenanceIntervalMs, 'erasing what was left of erased accounts', () => leaving.sweepTraces()),
      every(maintenanceIntervalMs, 'rewriting the database', () => db.tidy()),
      every(maintenanceIntervalMs, 'removing old mails', () => outbox.deleteOld()),
      every(heartbeatIntervalMs, 'telling others that this instance runs', () => status.instances.beat()),
      every(checkpointIntervalMs, 'writing an audit checkpoint', () => audit.checkpoint()),
    ];

    return {
      ...auth,
      settings,
      kernel,
      audit,
      outbox,
      throttle,
      mailLinks,
      accounts,
      passwords,
      keys,
      sessions,
      emailChange,
      emailLogin,
      invitations,
      leaving,
      personalData,
      verification,
      recovery,
      revocations,
      services,
      admin,
      settingsView,
      status,
      statistics,
      health: createHealth(kernel, { keys, migrations }),
      async close() {
        for (const timer of timers) clearInterval(timer);
        revocations.stop();
        await passwords.queue.drain();
        await outbox.stop();
        await Promise.all([
          audit
            .checkpoint()
            .catch((error) => log.warn({ err: error }, 'the last audit checkpoint was not written')),
          statistics
            .flush()
            .catch((error) => log.warn({ err: error }, 'who was active was not written down')),
          status.instances
            .leave()
            .catch((error) => log.warn({ err: error }, 'this instance stays on the list until it is missed')),
        ]);
        await db.close();
      },
    };
  } catch (error) {
    await db.close();
    throw error;
  }
}
