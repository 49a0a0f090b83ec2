import { setTimeout as sleep } from 'node:timers/promises';
import type { AccessTokenClaims } from '../../crypto/claims.ts';
import { UnknownKeyError, verifyAccessToken } from '../../crypto/tokens.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { Keys } from '../keys/index.ts';
import { tokenParties } from './tokens.ts';

/** The claims of an access token that is valid at `now`. @throws DoorwardError `invalid_token`. */
export type VerifyAccess = (token: string, now: Date) => Promise<AccessTokenClaims>;

/** Tokens of made-up keys cost a look at the database this often at most. */
const keyReloadIntervalMs = 1000;

/** A token of a key that another instance has just made waits for it rather than to be refused for being new here. */
export function createVerifyAccess({ settings }: Kernel, keys: Keys): VerifyAccess {
  const parties = tokenParties(settings);
  let reloadedAt = -keyReloadIntervalMs;
  let reloading: Promise<void> | undefined;

  /** Whoever comes while it waits or reads shares the one reading. */
  function reloadKeys(): Promise<void> {
    reloading ??= sleep(Math.max(0, reloadedAt + keyReloadIntervalMs - performance.now()))
      .then(() => keys.reload())
      .finally(() => {
        reloadedAt = performance.now();
        reloading = undefined;
      });
    return reloading;
  }

  return async (token, now) => {
    try {
      return await verifyAccessToken(token, keys.current(), parties, now);
    } catch (error) {
      if (!(error instanceof DoorwardError && error.cause instanceof UnknownKeyError)) throw error;
      await reloadKeys();
      return verifyAccessToken(token, keys.current(), parties, now);
    }
  };
}
