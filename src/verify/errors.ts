/** Why a token is not accepted. */
export type VerificationFailure =
  /** No bearer token was sent. */
  | 'not_authenticated'
  /** Not a token of the issuer, for another audience, or no longer valid. */
  | 'invalid_token'
  /** The session of the token has ended. */
  | 'revoked_token'
  /** Nothing can be verified now: the keys or the revocations are out of reach. */
  | 'verifier_unavailable';

const details: Record<VerificationFailure, readonly [status: number, detail: string]> = {
  not_authenticated: [401, 'Not authenticated'],
  invalid_token: [401, 'Could not validate credentials'],
  revoked_token: [401, 'Could not validate credentials'],
  verifier_unavailable: [503, 'Tokens cannot be verified now'],
};

/** A token that is not accepted. `message` is for the log, `detail` for the client. */
export class VerificationError extends Error {
  override readonly name = 'VerificationError';
  readonly code: VerificationFailure;
  readonly status: number;
  readonly detail: string;

  constructor(code: VerificationFailure, options: { reason?: string; cause?: unknown } = {}) {
    const [status, detail] = details[code];
    super(options.reason ?? detail, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.status = status;
    this.detail = detail;
  }
}
