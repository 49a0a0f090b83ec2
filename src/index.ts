export { createDoorward, type Doorward, type ServeOptions } from './app.ts';
export type { AuthService, TokenData } from './auth-service.ts';
export type { AccessTokenClaims, RefreshTokenClaims } from './crypto/claims.ts';
export {
  type Argon2Parameters,
  defaultArgon2Parameters,
  hashPassword,
  verifyPassword,
} from './crypto/password-hash.ts';
export {
  createAccessToken,
  createRefreshToken,
  sharedSecretKeys,
  type TokenKeys,
  type TokenParties,
  type TokenSubject,
  verifyAccessToken,
  verifyRefreshToken,
} from './crypto/tokens.ts';
export type { DoorwardOptions } from './doorward.ts';
export {
  DoorwardError,
  type FailureCode,
  failures,
  ValidationError,
  type ValidationIssue,
} from './errors.ts';
export type { User } from './features/accounts/index.ts';
export { SecretKeyMismatchError } from './features/keys/index.ts';
export type { TokenResponse } from './features/sessions/index.ts';
export type { Caller, Guards } from './http/guards.ts';
export type { PluginOptions } from './plugin.ts';
export { type GivenSettings, type Settings, SettingsError } from './settings.ts';
