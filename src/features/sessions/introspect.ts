import type { AccessTokenClaims, RefreshTokenClaims } from '../../crypto/claims.ts';
import { verifyRefreshToken } from '../../crypto/tokens.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { Accounts } from '../accounts/index.ts';
import type { Keys } from '../keys/index.ts';
import type { Authenticated } from './authenticate.ts';
import { decideRotation } from './rotation.ts';
import { findSession } from './store.ts';
import type { VerifyAccess } from './verify-access.ts';

/** What is told of a token (RFC 7662, 2.2). */
export interface Introspection {
  active: boolean;
  token_type?: string;
  sub?: string;
  username?: string;
  sid?: string;
  iss?: string;
  iat?: number;
  exp?: number;
  jti?: string;
  is_admin?: boolean;
}

/** The claims of a token of either kind, or undefined for what is no valid token of ours. */
export async function readToken(
  kernel: Kernel,
  keys: Keys,
  verifyAccess: VerifyAccess,
  token: string,
): Promise<AccessTokenClaims | RefreshTokenClaims | undefined> {
  const now = kernel.clock.now();
  for (const verify of [
    () => verifyRefreshToken(token, keys.current(), now),
    () => verifyAccess(token, now),
  ]) {
    try {
      return await verify();
    } catch (error) {
      if (!(error instanceof DoorwardError && error.code === 'invalid_token')) throw error;
    }
  }
  return undefined;
}

/** Tells whether a token would be accepted now, and whose it is. An access token that is asked about came into use. */
export async function introspect(
  kernel: Kernel,
  features: { accounts: Accounts; keys: Keys },
  access: {
    verify: VerifyAccess;
    authenticate: (token: string) => Promise<Authenticated>;
  },
  token: string,
): Promise<Introspection> {
  const claims = await readToken(kernel, features.keys, access.verify, token);
  if (claims === undefined) return { active: false };
  const user = claims.type === 'access' ? await ownerOfAccessToken() : await ownerOfRefreshToken(claims);
  if (!user?.is_active) return { active: false };
  const { sub, sid, iat, exp, jti } = claims;
  return {
    active: true,
    token_type: claims.type === 'access' ? 'Bearer' : 'refresh_token',
    username: user.email,
    is_admin: user.is_admin,
    ...(claims.type === 'access' ? { iss: claims.iss } : {}),
    ...{ sub, sid, iat, exp, jti },
  };

  async function ownerOfAccessToken() {
    try {
      return (await access.authenticate(token)).user;
    } catch (error) {
      if (error instanceof DoorwardError && error.code === 'invalid_token') return undefined;
      throw error;
    }
  }

  /** Asking is not showing: a spent refresh token is not active, and its session goes on. */
  async function ownerOfRefreshToken({ sid, sub, gen }: RefreshTokenClaims) {
    const session = await findSession(kernel.db.read, sid);
    if (session === undefined || String(session.user_id) !== sub) return undefined;
    const outcome = decideRotation(session, gen, kernel.clock.now(), kernel.settings.REFRESH_GRACE_SECONDS);
    return outcome === 'refuse' || outcome === 'reuse' ? undefined : features.accounts.find(session.user_id);
  }
}
