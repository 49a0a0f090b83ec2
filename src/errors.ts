/**
 * Every failure a client can meet: its code, its status and its constant public text. The reason for a particular
 * failure goes to the log and never into an answer.
 */
export const failures = {
  not_authenticated: [401, 'Not authenticated'],
  invalid_token: [401, 'Could not validate credentials'],
  invalid_credentials: [401, 'Invalid email or password'],
  invalid_refresh_token: [401, 'Invalid refresh token'],
  invalid_client: [401, 'Invalid client'],
  account_deactivated: [403, 'Account is deactivated'],
  inactive_user: [403, 'Inactive user'],
  email_not_verified: [403, 'Email not verified'],
  recent_login_required: [403, 'Recent login required'],
  admin_required: [403, 'Admin privileges required'],
  cross_site_request: [403, 'Cross-site request refused'],
  registration_closed: [403, 'Registration is closed'],
  invalid_setup_token: [403, 'Invalid setup token'],
  cookies_unavailable: [400, 'Cookies need an https PUBLIC_URL'],
  current_password_incorrect: [400, 'Current password is incorrect'],
  invalid_link: [400, 'Invalid or expired link'],
  invalid_code: [400, 'Invalid or expired code'],
  link_from_another_browser: [400, 'This link was asked for in another browser'],
  cannot_delete_self: [400, 'Cannot delete yourself'],
  cannot_deactivate_self: [400, 'Cannot deactivate yourself'],
  user_not_found: [404, 'User not found'],
  invitation_not_found: [404, 'Invitation not found'],
  mail_not_found: [404, 'Mail not found'],
  service_not_found: [404, 'Service not found'],
  key_not_found: [404, 'Key not found'],
  session_not_found: [404, 'Session not found'],
  email_registered: [409, 'Email already registered'],
  already_invited: [409, 'Already invited'],
  email_taken: [409, 'Email already taken'],
  service_name_taken: [409, 'Service name already taken'],
  shared_secret_signs: [409, 'ALGORITHM is HS256'],
  only_usable_key: [409, 'The only usable key cannot be retired'],
  account_suspended: [409, 'Account is suspended'],
  last_admin: [409, 'At least one active admin must remain'],

  bad_request: [400, 'Bad request'],
  not_found: [404, 'Not Found'],
  method_not_allowed: [405, 'Method Not Allowed'],
  request_timeout: [408, 'Request timeout'],
  payload_too_large: [413, 'Payload too large'],
  unsupported_media_type: [415, 'Unsupported media type'],
  rate_limited: [429, 'Too many requests'],
  header_fields_too_large: [431, 'Request header fields too large'],
  internal_error: [500, 'Internal server error'],
  overloaded: [503, 'Service is overloaded'],
  database_unavailable: [503, 'Database is unavailable'],
  shutting_down: [503, 'Service is shutting down'],
} as const satisfies Record<string, readonly [status: number, detail: string]>;

/** A code from the closed list. */
export type FailureCode = keyof typeof failures;

/** A budget that is spent, for the `RateLimit` headers. It tells nothing of whom it was asked for. */
export interface SpentBudget {
  /** What is budgeted, e.g. `login`. */
  readonly policy: string;
  readonly quota: number;
  readonly windowSeconds: number;
}

/** A failure from the closed list. `message` and `cause` are for the log; `detail` is what a client sees. */
export class DoorwardError extends Error {
  override readonly name = 'DoorwardError';
  readonly code: FailureCode;
  readonly status: number;
  readonly detail: string;
  /** Seconds after which trying again makes sense; sent as `Retry-After`. */
  readonly retryAfterSeconds: number | undefined;
  readonly budget: SpentBudget | undefined;

  constructor(
    code: FailureCode,
    options: { reason?: string; cause?: unknown; retryAfterSeconds?: number; budget?: SpentBudget } = {},
  ) {
    const [status, detail] = failures[code];
    super(options.reason ?? detail, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.status = status;
    this.detail = detail;
    this.retryAfterSeconds = options.retryAfterSeconds ?? (status === 503 ? 1 : undefined);
    this.budget = options.budget;
  }
}

/**
 * An error as the log has it. Of what is no mistake of ours (503) it tells why, and what the cause is called (SQLSTATE,
 * errno), without stacks: while a database is away there is one of them for each request.
 */
export function briefly(error: unknown): object {
  if (!(error instanceof DoorwardError) || error.status <= 500) return { err: error };
  const { code, message, cause } = error;
  if (!(cause instanceof Error)) return { code, reason: message };
  const reason = [...new Set([message, cause.message])].filter((text) => text !== '').join(': ');
  return { code, reason, ...('code' in cause && { cause_code: cause.code }) };
}

/** One fault of an input, in the shape of FastAPI and pydantic 2. It never holds what was sent. */
export interface ValidationIssue {
  /** The kind of fault, e.g. `missing`, `string_too_short`, `extra_forbidden`, `value_error`. */
  type: string;
  /** Where: `body`, `query` or `path`, then the field. */
  loc: (string | number)[];
  msg: string;
  ctx?: Record<string, string | number>;
}

/** Input that the schema or a rule refuses: 422 `validation_error`. */
export class ValidationError extends Error {
  override readonly name = 'ValidationError';
  readonly code = 'validation_error';
  readonly status = 422;
  readonly issues: readonly ValidationIssue[];

  constructor(issues: readonly ValidationIssue[]) {
    super(issues.map((issue) => `${issue.loc.join('.')}: ${issue.type}`).join(', '));
    this.issues = issues;
  }
}

/** A fault of one field that only a rule can see, as pydantic reports a `ValueError`. */
export function valueError(loc: (string | number)[], message: string): ValidationIssue {
  return { type: 'value_error', loc, msg: `Value error, ${message}`, ctx: { error: message } };
}
