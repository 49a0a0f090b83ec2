// Written by scripts/write-client-types.ts out of the OpenAPI document.

export type UserRead = {
  id: number;
  email: string;
  name: string;
  is_active: boolean;
  is_admin: boolean;
  created_at: string;
  email_verified: boolean;
  pending_email: string | null;
  locale: string | null;
  delete_after: string | null;
};
export type SessionRead = {
  id: string;
  device: string;
  network: string;
  created_at: string;
  last_seen_at: string;
  expires_at: string;
  current: boolean;
};
export type InvitationRead = {
  id: number;
  email: string;
  name: string | null;
  is_admin: boolean;
  invited_by: number | null;
  created_at: string;
  expires_at: string;
  state: 'pending' | 'expired';
};
export type ShownInvitation = { email: string; name: string | null; is_admin: boolean; expires_at: string };
export type ImportRow = {
  email: string;
  name: string;
  password_hash?: string;
  is_admin?: boolean;
  is_active?: boolean;
  email_verified?: boolean;
  created_at?: string;
  locale?: string;
};
export type ImportReport = {
  dry_run: boolean;
  results: {
    row: number;
    result: 'created' | 'would_create' | 'already_registered' | 'invalid';
    user_id: number | null;
    issues: { type: string; loc: (string | number)[]; msg: string; ctx?: Record<string, string | number> }[];
  }[];
};
export type UserLifeCycle = {
  state: 'pending' | 'active' | 'suspended' | 'deletion_scheduled';
  transitions: {
    to: 'pending' | 'active' | 'suspended' | 'deletion_scheduled' | 'erased';
    action: 'activate' | 'deactivate' | 'set_email' | 'delete';
    refused_because: 'cannot_deactivate_self' | 'cannot_delete_self' | 'last_admin' | null;
  }[];
  demotion_refused_because: 'cannot_deactivate_self' | 'cannot_delete_self' | 'last_admin' | null;
};
export type AuditEvent = {
  id: string;
  time: string;
  kind:
    | 'setup.completed'
    | 'setup.refused'
    | 'user.signed_up'
    | 'sign_up.refused'
    | 'user.created'
    | 'user.imported'
    | 'user.updated'
    | 'user.verified'
    | 'user.promoted'
    | 'user.demoted'
    | 'user.activated'
    | 'user.deactivated'
    | 'user.closed'
    | 'user.restored'
    | 'user.exported'
    | 'user.deleted'
    | 'user.unlocked'
    | 'login.succeeded'
    | 'login.failed'
    | 'login.throttled'
    | 'sign_up.throttled'
    | 'session.refused'
    | 'session.reused'
    | 'session.ended'
    | 'password.changed'
    | 'password.reset'
    | 'password.reset_sent'
    | 'password.removed'
    | 'password.refused'
    | 'email_change.asked'
    | 'email_change.undone'
    | 'invitation.created'
    | 'invitation.resent'
    | 'invitation.withdrawn'
    | 'invitation.accepted'
    | 'code.refused'
    | 'key.created'
    | 'key.retired'
    | 'secret_key.changed'
    | 'service.created'
    | 'service.deleted'
    | 'mail.resent'
    | 'audit.pruned'
    | 'database.restored';
  result: 'success' | 'failure';
  actor: number | null;
  user_id: number | null;
  network: string | null;
  request_id: string | null;
  detail: Record<string, unknown>;
};
export type AuditVerification = {
  instance_id: string;
  state: 'none' | 'running' | 'done' | 'failed';
  started_at: string | null;
  finished_at: string | null;
  events_checked: number;
  events_total: number;
  result: {
    ok: boolean;
    events: number;
    pruned: number;
    erased: number;
    checkpoints: number;
    until: string | null;
    public_key: string;
    findings: { code: string; message: string; chain?: number; position?: number; event_id?: string }[];
    findings_left_out: number;
  } | null;
};
export type OutboxRead = {
  id: number;
  kind:
    | 'verify_email'
    | 'reset_password'
    | 'email_login'
    | 'change_email'
    | 'email_change_asked'
    | 'email_changed'
    | 'email_restored'
    | 'invitation'
    | 'already_registered'
    | 'new_device'
    | 'password_changed'
    | 'session_reused'
    | 'account_attacked'
    | 'changed_by_administrator'
    | 'deletion_scheduled'
    | 'account_restored'
    | 'account_deleted';
  user_id: number | null;
  to: string;
  locale: string;
  state: 'asked' | 'queued' | 'sent' | 'dead';
  attempts: number;
  next_attempt_at: string | null;
  expires_at: string | null;
  last_error: string | null;
  message_id: string;
  created_at: string;
  sent_at: string | null;
};
export type MailRead = {
  id: number;
  kind:
    | 'verify_email'
    | 'reset_password'
    | 'email_login'
    | 'change_email'
    | 'email_change_asked'
    | 'email_changed'
    | 'email_restored'
    | 'invitation'
    | 'already_registered'
    | 'new_device'
    | 'password_changed'
    | 'session_reused'
    | 'account_attacked'
    | 'changed_by_administrator'
    | 'deletion_scheduled'
    | 'account_restored'
    | 'account_deleted';
  user_id: number | null;
  to: string;
  locale: string;
  state: 'asked' | 'queued' | 'sent' | 'dead';
  attempts: number;
  next_attempt_at: string | null;
  expires_at: string | null;
  last_error: string | null;
  message_id: string;
  created_at: string;
  sent_at: string | null;
  subject: string;
  text: string;
  html: string;
};
export type SigningKey = {
  kid: string;
  algorithm: string;
  state: 'next' | 'signing' | 'former';
  created_at: string;
  signs_from: string;
  retires_at: string | null;
};
export type SettingRead = {
  name: string;
  description: string;
  accepts: string;
  default: string | null;
  value: string | null;
  source: 'environment' | 'file' | 'option' | 'default';
  is_secret: boolean;
  is_set: boolean;
};
export type ServiceStatus = {
  instance: { id: string; version: string; started_at: string };
  instances: { id: string; version: string; started_at: string; last_seen_at: string; is_current: boolean }[];
  database: { kind: 'sqlite' | 'postgresql' };
  hash_queue: { running: number; waiting: number; slots: number; limit: number };
  mail: { is_configured: boolean };
  outbox: { asked: number; queued: number; sent: number; dead: number; oldest_waiting_at: string | null };
  audit_log: { events: number; checkpoint: number | null; checkpoint_at: string | null };
};
export type Statistics = {
  days: {
    day: string;
    sign_ups: number;
    logins: number;
    failed_logins: number;
    throttled: number;
    active_users: number;
  }[];
  totals: { users: number; active: number; admins: number; unverified: number; scheduled: number };
  counted_at: string;
};
/** JSON bodies of requests and of their successful answers. */
export interface Api {
  'POST /auth/signup': {
    body: { email: string; password: string; name: string; locale?: string };
    response: UserRead;
  };
  'GET /auth/me': { body: undefined; response: UserRead };
  'PUT /auth/me': {
    body: { name?: string; email?: string; locale?: string; current_password?: string };
    response: UserRead;
  };
  'PATCH /auth/me': {
    body: { name?: string; email?: string; locale?: string; current_password?: string };
    response: UserRead;
  };
  'DELETE /auth/me': { body: { current_password: string }; response: undefined };
  'POST /auth/change-email': { body: { token?: string; code?: string }; response: UserRead };
  'POST /auth/change-email/undo': { body: { token: string }; response: UserRead };
  'POST /auth/verify-email/request': { body: { email?: string }; response: { message: string } };
  'POST /auth/verify-email': { body: { token?: string; email?: string; code?: string }; response: UserRead };
  'POST /auth/forgot-password': { body: { email: string }; response: { message: string } };
  'POST /auth/reset-password': {
    body: { token?: string; email?: string; code?: string; new_password: string };
    response: { message: string };
  };
  'POST /auth/users/{user_id}/reset-password': { body: undefined; response: { message: string } };
  'GET /auth/me/export': { body: undefined; response: Record<string, unknown> };
  'POST /auth/me/password': {
    body: { current_password: string; new_password: string };
    response: { message: string };
  };
  'POST /auth/login': {
    body: {
      username: string;
      password: string;
      grant_type?: 'password';
      scope?: string;
      client_id?: string;
      client_secret?: string;
    };
    response:
      | {
          access_token: string;
          refresh_token: string;
          token_type: 'bearer';
          expires_in: number;
          device_token?: string;
        }
      | { token_type: 'cookie'; expires_in: number };
  };
  'POST /auth/refresh': {
    body: {
      refresh_token?: string;
      grant_type?: 'refresh_token';
      scope?: string;
      client_id?: string;
      client_secret?: string;
    };
    response:
      | {
          access_token: string;
          refresh_token: string;
          token_type: 'bearer';
          expires_in: number;
          device_token?: string;
        }
      | { token_type: 'cookie'; expires_in: number };
  };
  'POST /auth/logout': { body: undefined; response: undefined };
  'GET /auth/me/sessions': { body: undefined; response: SessionRead[] };
  'DELETE /auth/me/sessions': { body: undefined; response: undefined };
  'DELETE /auth/me/sessions/{sid}': { body: undefined; response: undefined };
  'POST /auth/login/email': { body: { email: string }; response: { message: string } };
  'POST /auth/login/email/verify': {
    body: { token?: string; email?: string; code?: string };
    response:
      | {
          access_token: string;
          refresh_token: string;
          token_type: 'bearer';
          expires_in: number;
          device_token?: string;
        }
      | { token_type: 'cookie'; expires_in: number };
  };
  'POST /auth/invitations': {
    body: { email: string; name?: string; is_admin?: boolean; locale?: string };
    response: InvitationRead;
  };
  'GET /auth/invitations': { body: undefined; response: InvitationRead[] };
  'POST /auth/invitations/{id}/resend': { body: undefined; response: InvitationRead };
  'DELETE /auth/invitations/{id}': { body: undefined; response: undefined };
  'POST /auth/invitations/show': { body: { token: string }; response: ShownInvitation };
  'POST /auth/invitations/accept': {
    body: { token: string; password: string; name?: string };
    response: UserRead;
  };
  'GET /auth/users': { body: undefined; response: UserRead[] };
  'POST /auth/users': {
    body: {
      email: string;
      password: string;
      name: string;
      locale?: string;
      is_admin?: boolean;
      is_active?: boolean;
    };
    response: UserRead;
  };
  'POST /auth/users/import': { body: { dry_run: boolean; rows: ImportRow[] }; response: ImportReport };
  'GET /auth/users/{user_id}': { body: undefined; response: UserRead };
  'PATCH /auth/users/{user_id}': {
    body: { email?: string; name?: string; locale?: string; is_admin?: boolean; is_active?: boolean };
    response: UserRead;
  };
  'DELETE /auth/users/{user_id}': { body: undefined; response: undefined };
  'GET /auth/users/{user_id}/life-cycle': { body: undefined; response: UserLifeCycle };
  'POST /auth/users/{user_id}/activate': { body: undefined; response: UserRead };
  'POST /auth/users/{user_id}/deactivate': { body: undefined; response: UserRead };
  'POST /auth/users/{user_id}/unlock': { body: undefined; response: undefined };
  'POST /auth/setup': {
    body: { token: string; email: string; password: string; name: string };
    response: UserRead;
  };
  'GET /auth/audit-events': { body: undefined; response: AuditEvent[] };
  'GET /auth/audit-events/export': { body: undefined; response: undefined };
  'POST /auth/audit-events/verify': { body: undefined; response: AuditVerification };
  'GET /auth/audit-events/verification': { body: undefined; response: AuditVerification };
  'GET /auth/me/activity': { body: undefined; response: AuditEvent[] };
  'GET /auth/outbox': { body: undefined; response: OutboxRead[] };
  'GET /auth/outbox/{id}': { body: undefined; response: MailRead };
  'GET /auth/outbox/{id}/html': { body: undefined; response: undefined };
  'POST /auth/outbox/{id}/resend': { body: undefined; response: OutboxRead };
  'GET /auth/keys': { body: undefined; response: SigningKey[] };
  'POST /auth/keys/rotate': { body: undefined; response: SigningKey };
  'GET /auth/settings': { body: undefined; response: SettingRead[] };
  'GET /auth/status': { body: undefined; response: ServiceStatus };
  'GET /auth/statistics': { body: undefined; response: Statistics };
  'POST /auth/introspect': {
    body: { token: string; token_type_hint?: string };
    response: {
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
    };
  };
  'POST /auth/revoke': {
    body: { token: string; token_type_hint?: string };
    response: Record<string, unknown>;
  };
  'GET /auth/revocations': { body: undefined; response: undefined };
  'GET /auth/users/{user_id}/sessions': { body: undefined; response: SessionRead[] };
  'DELETE /auth/users/{user_id}/sessions': { body: undefined; response: undefined };
  'DELETE /auth/users/{user_id}/sessions/{sid}': { body: undefined; response: undefined };
}
