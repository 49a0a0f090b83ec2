import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { deriveKey } from '../../crypto/derived-keys.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { Accounts, User } from '../accounts/index.ts';
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
 * @throws DoorwardError `invalid_setup_token`, also when there is an admin already; `email_registered`.
 */
export async function setUp(
  kernel: Kernel,
  accounts: Accounts,
  secretKey: string,
  input: { token: string; email: string; password: string; name: string },
): Promise<User> {
  const { token, ...account } = input;
  const nonce = await readSetupNonce(kernel.db.read);
  if (nonce === undefined || (await accounts.hasAdmin())) throw new DoorwardError('invalid_setup_token');
  const expected = Buffer.from(setupToken(secretKey, nonce));
  const given = Buffer.from(token);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new DoorwardError('invalid_setup_token');
  }
  return accounts.create({ ...account, is_admin: true }, async (tx) => {
    if (await accounts.hasAdmin(tx)) throw new DoorwardError('invalid_setup_token');
  });
}
