/** Every kind of event, and whether it tells of a success. Closed: a new kind is a new line here and in the README. */
export const auditKinds = {
  'setup.completed': 'success',
  'setup.refused': 'failure',
  /** Somebody made their own account. */
  'user.signed_up': 'success',
  /** Somebody signed up with the address of an account, and was not told that there is one. */
  'sign_up.refused': 'failure',
  /** An administrator or the command line made it. */
  'user.created': 'success',
  'user.imported': 'success',
  /** `detail.fields` names what changed. */
  'user.updated': 'success',
  /** The address was proved, or an administrator vouched for it. */
  'user.verified': 'success',
  'user.promoted': 'success',
  'user.demoted': 'success',
  'user.activated': 'success',
  'user.deactivated': 'success',
  /** The owner closed the account; it is erased when the grace is over. */
  'user.closed': 'success',
  'user.restored': 'success',
  /** The owner was given everything that is held on them. */
  'user.exported': 'success',
  /** It is erased. */
  'user.deleted': 'success',
  /** Somebody made the throttle forget the failed logins of an account. */
  'user.unlocked': 'success',
  'login.succeeded': 'success',
  'login.failed': 'failure',
  /** A budget of the throttle ran out; told once, when it does. */
  'login.throttled': 'failure',
  'sign_up.throttled': 'failure',
  /** A refresh token was refused. */
  'session.refused': 'failure',
  /** A spent refresh token was shown; its session ended. */
  'session.reused': 'failure',
  'session.ended': 'success',
  /** The owner changed it, and knew the old one. */
  'password.changed': 'success',
  /** Somebody else set it, or the owner by a mail. */
  'password.reset': 'success',
  /** An administrator had a mail sent that resets it. */
  'password.reset_sent': 'success',
  /** Whoever proved the address did not set it. */
  'password.removed': 'success',
  /** The current password was wrong where it was asked for again. */
  'password.refused': 'failure',
  /** The owner asked for another address; it takes effect when it is confirmed. */
  'email_change.asked': 'success',
  /** By the former address. */
  'email_change.undone': 'success',
  'invitation.created': 'success',
  'invitation.resent': 'success',
  'invitation.withdrawn': 'success',
  'invitation.accepted': 'success',
  /** The code of a mail was wrong. */
  'code.refused': 'failure',
  'key.created': 'success',
  'key.retired': 'success',
  'secret_key.changed': 'success',
  'service.created': 'success',
  'service.deleted': 'success',
  /** An administrator had a mail of the outbox sent again. */
  'mail.resent': 'success',
  'audit.pruned': 'success',
  'database.restored': 'success',
} as const satisfies Record<string, 'success' | 'failure'>;

export type AuditKind = keyof typeof auditKinds;
