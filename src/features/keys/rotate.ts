import type { SigningAlgorithm } from '../../crypto/tokens.ts';
import { signingKeysLock } from '../../database/lock-names.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { assertSecretKey } from './change-secret-key.ts';
import { makeSigningKey, pickSigningKey } from './signing-key.ts';
import { deleteSigningKey, insertSigningKey, listSigningKeys, type SigningKeyRow } from './store.ts';

/**
 * Makes a new signing key. It is published at once and signs after KEY_PUBLICATION_LEAD_SECONDS (`immediately`: at
 * once, which a verifier may meet before it has heard of the key). `already` may find one that makes it unneeded.
 * @throws SecretKeyMismatchError when SECRET_KEY was changed meanwhile: nobody else could read the key.
 */
export async function rotateKey(
  kernel: Kernel,
  secretKey: string,
  options: {
    immediately: boolean;
    already: (stored: readonly SigningKeyRow[]) => SigningKeyRow | undefined;
  },
): Promise<{ key: SigningKeyRow; isNew: boolean }> {
  const { db, clock, settings, audit } = kernel;
  const createdAt = clock.now();
  const leadMs = options.immediately ? 0 : settings.KEY_PUBLICATION_LEAD_SECONDS * 1000;
  const signsFrom = new Date(createdAt.getTime() + leadMs);
  // Made before the transaction: an RSA key takes long, and one too many costs nothing.
  const made = await makeSigningKey(settings.ALGORITHM as SigningAlgorithm, secretKey, {
    createdAt,
    signsFrom,
  });
  return db.transaction(async (tx) => {
    await db.lock(tx, signingKeysLock);
    await assertSecretKey(tx, secretKey);
    const found = options.already(await listSigningKeys(tx));
    if (found !== undefined) return { key: found, isNew: false };
    await insertSigningKey(tx, made);
    await audit.record(tx, { kind: 'key.created', user_id: null, detail: { kid: made.kid } });
    return { key: made, isNew: true };
  });
}

/**
 * Withdraws a key: its tokens die.
 * @throws DoorwardError `key_not_found`; `only_usable_key` when nothing else could sign.
 */
export async function retireKey(kernel: Kernel, kid: string): Promise<void> {
  const { db, clock, settings, audit } = kernel;
  await db.transaction(async (tx) => {
    await db.lock(tx, signingKeysLock);
    const stored = await listSigningKeys(tx);
    if (!stored.some((key) => key.kid === kid)) throw new DoorwardError('key_not_found');
    const now = clock.now();
    const others = stored.filter((key) => key.kid !== kid && Date.parse(key.signs_from) <= now.getTime());
    const isOnlyUsable = pickSigningKey(others, settings.ALGORITHM, now) === undefined;
    if (isOnlyUsable && settings.ALGORITHM !== 'HS256') throw new DoorwardError('only_usable_key');
    await deleteSigningKey(tx, kid);
    await audit.record(tx, { kind: 'key.retired', user_id: null, detail: { kid } });
  });
}

/** Time beyond the longest token, for instances that have not yet heard that a key stopped signing. */
const withdrawalMarginMs = 5 * 60_000;

/** How long a key is honoured once another signs. */
const honouredMs = (settings: { ACCESS_TOKEN_EXPIRE_MINUTES: number }) =>
  settings.ACCESS_TOKEN_EXPIRE_MINUTES * 60_000 + withdrawalMarginMs;

/** Whether every token that a stored key signed has expired at `now`, because another one has signed for so long. */
function isSpent(
  row: SigningKeyRow,
  stored: readonly SigningKeyRow[],
  settings: { ALGORITHM: SigningAlgorithm; ACCESS_TOKEN_EXPIRE_MINUTES: number },
  now: Date,
): boolean {
  const then = new Date(now.getTime() - honouredMs(settings));
  const signedThen = stored.filter((key) => Date.parse(key.signs_from) <= then.getTime());
  const successor = signedThen.find((key) => key.algorithm === settings.ALGORITHM);
  return successor !== undefined && successor.kid !== row.kid && row.signs_from <= successor.signs_from;
}

/** When a stored key is withdrawn as things are: undefined while no other has signed, or will sign, since it did. */
export function retirementOf(
  row: SigningKeyRow,
  stored: readonly SigningKeyRow[],
  settings: { ALGORITHM: SigningAlgorithm; ACCESS_TOKEN_EXPIRE_MINUTES: number },
): Date | undefined {
  const times = stored
    .filter(({ kid, algorithm, signs_from }) => {
      const isLater = kid !== row.kid && signs_from >= row.signs_from;
      return isLater && algorithm === settings.ALGORITHM;
    })
    .map(({ signs_from }) => Date.parse(signs_from));
  return times.length === 0 ? undefined : new Date(Math.min(...times) + honouredMs(settings));
}

/** Deletes the keys whose tokens are gone. */
export async function withdrawSpentKeys(kernel: Kernel): Promise<void> {
  const { db, clock, settings, audit } = kernel;
  const spent = (rows: readonly SigningKeyRow[]) =>
    rows.filter((row) => isSpent(row, rows, settings, clock.now()));
  if (spent(await listSigningKeys(db.read)).length === 0) return;
  await db.transaction(async (tx) => {
    await db.lock(tx, signingKeysLock);
    for (const { kid } of spent(await listSigningKeys(tx))) {
      await deleteSigningKey(tx, kid);
      await audit.record(tx, { kind: 'key.retired', user_id: null, detail: { kid } });
    }
  });
}
