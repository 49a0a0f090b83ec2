/** What both kinds of token say. Times are in whole seconds since the epoch (RFC 7519 NumericDate). */
interface SessionClaims {
  /** The user's id as text. */
  sub: string;
  /** The session. */
  sid: string;
  /** The session's generation that the token belongs to. */
  gen: number;
  iat: number;
  exp: number;
  jti: string;
}

export interface AccessTokenClaims extends SessionClaims {
  type: 'access';
  iss: string;
  aud?: string | string[];
}

export interface RefreshTokenClaims extends SessionClaims {
  type: 'refresh';
}
