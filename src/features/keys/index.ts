import { createSecretKey } from 'node:crypto';
import type { JWK } from 'jose';
import { deriveKey } from '../../crypto/derived-keys.ts';
import {
  type RefreshKey,
  type SigningAlgorithm,
  sharedSecretKeys,
  type TokenKey,
  type TokenKeys,
} from '../../crypto/tokens.ts';
import { signingKeysLock } from '../../database/lock-names.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import {
  assertSecretKey,
  type FormerKeys,
  findSecretKey,
  SecretKeyMismatchError,
} from './change-secret-key.ts';
import { retireKey, retirementOf, rotateKey, withdrawSpentKeys } from './rotate.ts';
import {
  decryptUnder,
  loadPrivateKey,
  loadPublicKey,
  makeSigningKey,
  pickSigningKey,
} from './signing-key.ts';
import {
  deleteFormerSecretKeys,
  insertSigningKey,
  listFormerSecretKeys,
  listSigningKeys,
  type SigningKeyRow,
} from './store.ts';

export {
  assertSecretKey,
  changeSecretKey,
  findSecretKey,
  SecretKeyMismatchError,
  settleSecretKey,
} from './change-secret-key.ts';
export { keyMigrations } from './migrations.ts';
export { keyAdminRoutes, keyRoutes } from './routes.ts';
export { makeSecretKey, writePendingSecretKey } from './secret-key.ts';

/** A signing key as an operator sees it. */
export interface ListedKey {
  kid: string;
  algorithm: string;
  created_at: string;
  signs_from: string;
  /** `next`: published, not yet signing. `former`: honoured until its tokens are gone. */
  state: 'signing' | 'next' | 'former';
  /** When it is withdrawn and its tokens are gone; null while no other follows it. */
  retires_at: string | null;
}

/** The keys of an instance. */
export interface Keys {
  /** What signs and verifies now. Another object whenever a key comes or goes. */
  current(): TokenKeys;
  /** The public keys that verify access tokens (RFC 7517 JWK Set); empty under HS256. */
  jwks(): { keys: JWK[] };
  /** Learns of keys that other instances or the command line made or withdrew. */
  reload(): Promise<void>;
  /** Whether tokens can be signed. @throws SecretKeyMismatchError, as after a change of SECRET_KEY without a restart. */
  check(): Promise<void>;
  list(): Promise<ListedKey[]>;
  /**
   * Makes a new key, see `rotate.ts`. While one waits to sign that one is given, so that asking twice makes one;
   * `immediately` makes one that signs now all the same. @throws DoorwardError `shared_secret_signs` under HS256.
   */
  rotate(options: { immediately: boolean }): Promise<{ key: ListedKey; isNew: boolean }>;
  /** See `rotate.ts`. */
  retire(kid: string): Promise<void>;
  /** Makes a key when the newest is older than KEY_ROTATION_DAYS; removes what no live token needs. */
  maintain(): Promise<void>;
}

/**
 * Loads the keys of an instance and makes the first one. Of instances that start together, one makes it.
 * @throws SecretKeyMismatchError when SECRET_KEY is not the one that the database was made with.
 */
export async function loadKeys(kernel: Kernel, secretKey: string): Promise<Keys> {
  const { settings, db, clock, audit } = kernel;
  const algorithm: SigningAlgorithm = settings.ALGORITHM;
  const isShared = algorithm === 'HS256';
  const shared = sharedSecretKeys(secretKey);

  await prepareDatabase();
  const former = await loadFormerKeys();
  const refresh: [RefreshKey, ...RefreshKey[]] = [
    { since: former[0]?.replacedAt ?? 0, key: deriveKey(secretKey, 'refresh-token') },
    // Each was in force from the time when the one before it was replaced.
    ...former.map(({ keys }, index) => ({
      since: former[index + 1]?.replacedAt ?? 0,
      key: createSecretKey(keys.refresh, 'base64url'),
    })),
  ];
  let loaded = await loadRing();

  async function prepareDatabase(): Promise<void> {
    const existing = await listSigningKeys(db.read);
    const hasKey = (rows: readonly SigningKeyRow[]) => rows.some((row) => row.algorithm === algorithm);
    const createdAt = clock.now();
    // The first key signs at once; one of a new ALGORITHM is published first.
    const leadMs = existing.length === 0 ? 0 : settings.KEY_PUBLICATION_LEAD_SECONDS * 1000;
    const signsFrom = new Date(createdAt.getTime() + leadMs);
    const made =
      isShared || hasKey(existing)
        ? undefined
        : await makeSigningKey(algorithm, secretKey, { createdAt, signsFrom });
    await db.transaction(async (tx) => {
      await db.lock(tx, signingKeysLock);
      await assertSecretKey(tx, secretKey);
      if (made === undefined || hasKey(await listSigningKeys(tx))) return;
      await insertSigningKey(tx, made);
      await audit.record(tx, { kind: 'key.created', user_id: null, detail: { kid: made.kid } });
    });
  }

  async function loadFormerKeys() {
    const rows = await listFormerSecretKeys(db.read);
    return Promise.all(
      rows.map(async (row) => ({
        replacedAt: Math.floor(Date.parse(row.replaced_at) / 1000),
        keys: await decryptUnder<FormerKeys>(secretKey, row.keys_jwe),
      })),
    );
  }

  /** The secrets of HS256: a former one as long as access tokens that it signed may live, and no longer. */
  function sharedKeys(): TokenKey[] {
    if (!isShared) return [];
    const lifetimeSeconds = settings.ACCESS_TOKEN_EXPIRE_MINUTES * 60;
    const honoured = former.filter(
      ({ replacedAt }) => replacedAt + lifetimeSeconds > clock.now().getTime() / 1000,
    );
    return [
      shared.signing,
      ...honoured.map(({ keys }) => ({ ...shared.signing, key: createSecretKey(keys.shared, 'utf8') })),
    ];
  }

  async function loadRing() {
    const rows = await listSigningKeys(db.read);
    const picked = isShared ? undefined : pickSigningKey(rows, algorithm, clock.now());
    // The secret must not begin to sign what was signed by a key pair.
    if (!isShared && picked === undefined) throw new Error('there is no signing key');
    const signing = picked === undefined ? shared.signing : await loadPrivateKey(picked, secretKey);
    const published = rows.map(loadPublicKey);
    const ring: TokenKeys = { signing, verification: [...sharedKeys(), ...published], refresh };
    const jwks = { keys: isShared ? [] : rows.map((row): JWK => JSON.parse(row.public_jwk)) };
    return { ring, jwks, version: versionOf(rows) };
  }

  function versionOf(rows: readonly SigningKeyRow[]): string {
    const signing = pickSigningKey(rows, algorithm, clock.now())?.kid;
    return JSON.stringify([signing, rows.map((row) => row.kid), sharedKeys().length]);
  }

  async function readAgain(): Promise<void> {
    if (versionOf(await listSigningKeys(db.read)) === loaded.version) return;
    // What cannot be loaded is tried again, also when the former rows come back.
    loaded = { ...loaded, version: 'none' };
    try {
      loaded = await loadRing();
    } catch (cause) {
      await findSecretKey(db, secretKey, settings.DATABASE_URL).catch((error) => {
        if (!(error instanceof SecretKeyMismatchError)) throw error;
        const reason = 'SECRET_KEY was changed: start this instance anew';
        throw new DoorwardError('database_unavailable', { reason, cause });
      });
      throw cause;
    }
  }

  let reading: Promise<void> = Promise.resolve();

  /** One after the other: what was read before a key was withdrawn must not take the place of what was read after. */
  function reload(): Promise<void> {
    reading = reading.then(readAgain, readAgain);
    return reading;
  }

  /** Not one that was made by a clock which was far ahead. */
  function signsSoon(row: SigningKeyRow): boolean {
    const latest = clock.now().getTime() + settings.KEY_PUBLICATION_LEAD_SECONDS * 1000;
    return isNext(row) && Date.parse(row.signs_from) <= latest;
  }

  function isNext({ signs_from }: SigningKeyRow): boolean {
    return Date.parse(signs_from) > clock.now().getTime();
  }

  function describe(row: SigningKeyRow, stored: readonly SigningKeyRow[]): ListedKey {
    const { kid, created_at, signs_from } = row;
    const state = loaded.ring.signing.kid === kid ? 'signing' : isNext(row) ? 'next' : 'former';
    const retires_at = retirementOf(row, stored, settings)?.toISOString() ?? null;
    return { kid, algorithm: row.algorithm, created_at, signs_from, state, retires_at };
  }

  return {
    current: () => loaded.ring,
    jwks: () => loaded.jwks,
    reload,
    async check() {
      await reload();
      await findSecretKey(db, secretKey, settings.DATABASE_URL);
    },
    async list() {
      await reload();
      const stored = await listSigningKeys(db.read);
      return stored.map((row) => describe(row, stored));
    },
    async rotate({ immediately }) {
      if (isShared)
        throw new DoorwardError('shared_secret_signs', {
          reason: 'SECRET_KEY itself signs, and has its own command to change it',
        });
      const { key, isNew } = await rotateKey(kernel, secretKey, {
        immediately,
        already: (rows) =>
          immediately ? undefined : rows.find((row) => row.algorithm === algorithm && signsSoon(row)),
      });
      await reload();
      return { key: describe(key, [key]), isNew };
    },
    async retire(kid) {
      await retireKey(kernel, kid);
      await reload();
    },
    async maintain() {
      const maxAgeMs = settings.KEY_ROTATION_DAYS * 86_400_000;
      const fresh = (rows: readonly SigningKeyRow[]) =>
        rows.find(
          (row) =>
            row.algorithm === algorithm && Date.parse(row.created_at) > clock.now().getTime() - maxAgeMs,
        );
      if (!isShared && maxAgeMs > 0 && fresh(await listSigningKeys(db.read)) === undefined) {
        await rotateKey(kernel, secretKey, { immediately: false, already: fresh });
      }
      if (!isShared) await withdrawSpentKeys(kernel);
      if (former.length > 0) {
        const longestMs = settings.REFRESH_TOKEN_EXPIRE_DAYS * 86_400_000;
        const before = new Date(clock.now().getTime() - longestMs).toISOString();
        await db.transaction((tx) => deleteFormerSecretKeys(tx, before));
      }
      await reload();
    },
  };
}
