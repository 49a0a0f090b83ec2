import {
  createAccessToken,
  createRefreshToken,
  type TokenKeys,
  type TokenParties,
} from '../../crypto/tokens.ts';
import type { Settings } from '../../settings.ts';
import type { SessionRow } from './store.ts';

/** The answer of a login (RFC 6749, 5.1). `expires_in` is the access token's lifetime in seconds. */
export interface TokenResponse {
  access_token: string;
  refresh_token: string;
  token_type: 'bearer';
  expires_in: number;
  /** What a known device shows in X-Device-Token when it logs in again; of a login alone. */
  device_token?: string;
}

const seconds = (time: string | Date) => Math.floor(new Date(time).getTime() / 1000);

/** An answer of a login or refresh, and what a cookie must know besides: the refresh token's lifetime in seconds. */
export interface IssuedTokens extends TokenResponse {
  refresh_expires_in: number;
}

export function tokenParties(settings: Settings): TokenParties {
  return { issuer: settings.ISSUER, audience: settings.AUDIENCE };
}

/** The tokens of a session's current generation. Neither outlives the session. */
export async function issueTokens(
  session: Pick<SessionRow, 'id' | 'user_id' | 'generation' | 'generation_issued_at' | 'expires_at'>,
  keys: TokenKeys,
  settings: Settings,
  now: Date,
): Promise<IssuedTokens> {
  const subject = { sub: String(session.user_id), sid: session.id, gen: session.generation };
  const sessionEnd = seconds(session.expires_at);
  const issuedAt = seconds(now);
  const expiresAt = Math.min(issuedAt + Math.floor(settings.ACCESS_TOKEN_EXPIRE_MINUTES * 60), sessionEnd);
  const generationIssuedAt = seconds(session.generation_issued_at);
  const refreshExpiresAt = Math.min(
    generationIssuedAt + Math.floor(settings.REFRESH_TOKEN_EXPIRE_DAYS * 86_400),
    sessionEnd,
  );
  const [access_token, refresh_token] = await Promise.all([
    createAccessToken({ ...subject, issuedAt, expiresAt }, keys, tokenParties(settings)),
    createRefreshToken({ ...subject, issuedAt: generationIssuedAt, expiresAt: refreshExpiresAt }, keys),
  ]);
  return {
    access_token,
    refresh_token,
    token_type: 'bearer',
    expires_in: expiresAt - issuedAt,
    refresh_expires_in: refreshExpiresAt - issuedAt,
  };
}
