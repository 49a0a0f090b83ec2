import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { deriveKey } from '../../crypto/derived-keys.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { currentOrigin } from '../../origin.ts';
import type { Accounts, User } from '../accounts/index.ts';
import type { Throttle } from '../throttle/index.ts';
import { noteSetupNonce, readSetupNonce } from './store.ts';

function setupToken(secretKey: string, nonce: string): string {
  return createHmac('sha256', deriveKey(secretKey, 'setup-token')).update(nonce).digest('base64url');
}

/** The token that makes the first admin, while there is no admin. */
export async function currentSetupToken(
  kernel: Kernel,
  accounts: Accounts,
  secretKey: string,
): Promise<string | undefined> {
  const { db } = kernel;
  if (await accounts.hasAdmin()) return undefined;
  const nonce =
    (await readSetupNonce(db.read)) ??
    (await db.transaction((tx) => noteSetupNonce(tx, randomBytes(16).toString('base64url'))));
  return setupToken(secretKey, nonce);
}

/**
 * Makes the first admin, once: of racing requests the database lets one through, and a refused password or a taken
 * address uses nothing up.
 * @throws DoorwardError `invalid_setup_token`, also when there is an admin already; `email_registered`, `rate_limited`.
 */
export async function setUp(
  kernel: Kernel,
  features: { accounts: Accounts; throttle: Throttle },
  secretKey: string,
  input: { token: string; email: string; password: string; name: string },
): Promise<User> {
  const { db, audit } = kernel;
  const { accounts, throttle } = features;
  const { token, ...account } = input;
  const attempt = await throttle.setUp(currentOrigin().network);
  await attempt.take();
  return attempt.within(async () => {
    const nonce = (await accounts.hasAdmin()) ? undefined : await readSetupNonce(db.read);
    if (nonce === undefined || !isEqual(token, setupToken(secretKey, nonce))) {
      await db.transaction((tx) => audit.record(tx, { kind: 'setup.refused', user_id: null }));
      throw new DoorwardError('invalid_setup_token');
    }
    return accounts.create(
      { ...account, is_admin: true },
      {
        kind: 'setup.completed',
        async allow(tx) {
          if (await accounts.hasAdmin(tx)) throw new DoorwardError('invalid_setup_token');
          await attempt.succeed(tx);
        },
      },
    );
  }, isRefusal);
}

const isRefusal = (error: unknown) => error instanceof DoorwardError && error.code === 'invalid_setup_token';

function isEqual(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
