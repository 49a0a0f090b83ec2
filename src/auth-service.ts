import type { AccessTokenClaims, RefreshTokenClaims } from './crypto/claims.ts';
import {
  createAccessToken,
  createRefreshToken,
  type TokenKeys,
  type TokenParties,
  verifyAccessToken,
  verifyRefreshToken,
} from './crypto/tokens.ts';
import { DoorwardError } from './errors.ts';

/** What the caller of the auth service says of a token: whose it is, and which session and generation it belongs to. */
export interface TokenData {
  /** The user's id as text. */
  sub: string;
  sid: string;
  gen: number;
}

/**
 * The token half of the reference's auth service, over the keys and lifetimes of an instance. (The other half,
 * `hashPassword` and `verifyPassword`, needs no instance.) A token made here opens nothing by itself: the guards ask
 * for a live session as well.
 */
export interface AuthService {
  createAccessToken(data: TokenData, options?: { expiresInSeconds?: number }): Promise<string>;
  createRefreshToken(data: TokenData, options?: { expiresInSeconds?: number }): Promise<string>;
  /** The claims of a token of the kind asked for, or null for any other token, an expired or a forged one. */
  decodeToken(token: string, type: 'access'): Promise<AccessTokenClaims | null>;
  decodeToken(token: string, type: 'refresh'): Promise<RefreshTokenClaims | null>;
}

export function createAuthService(options: {
  keys: () => TokenKeys;
  parties: TokenParties;
  accessTokenTtlSeconds: number;
  refreshTokenTtlSeconds: number;
  now: () => Date;
}): AuthService {
  const subject = (data: TokenData, ttlSeconds: number) => {
    const issuedAt = Math.floor(options.now().getTime() / 1000);
    return {
      sub: data.sub,
      sid: data.sid,
      gen: data.gen,
      issuedAt,
      expiresAt: issuedAt + Math.floor(ttlSeconds),
    };
  };
  async function decodeToken(token: string, type: 'access'): Promise<AccessTokenClaims | null>;
  async function decodeToken(token: string, type: 'refresh'): Promise<RefreshTokenClaims | null>;
  async function decodeToken(token: string, type: 'access' | 'refresh') {
    try {
      return type === 'access'
        ? await verifyAccessToken(token, options.keys(), options.parties, options.now())
        : await verifyRefreshToken(token, options.keys(), options.now());
    } catch (error) {
      if (error instanceof DoorwardError) return null;
      throw error;
    }
  }
  return {
    createAccessToken: (data, { expiresInSeconds = options.accessTokenTtlSeconds } = {}) =>
      createAccessToken(subject(data, expiresInSeconds), options.keys(), options.parties),
    createRefreshToken: (data, { expiresInSeconds = options.refreshTokenTtlSeconds } = {}) =>
      createRefreshToken(subject(data, expiresInSeconds), options.keys()),
    decodeToken,
  };
}
