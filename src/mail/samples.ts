import type { MailKind, MailParams } from './kinds.ts';
import type { Mail, MailSettings } from './renderer.ts';

const time = '2026-03-05T14:30:00Z';
const token = 'rV3nQ0m8ZfJ2yWb7TtKxLs5dHcPgUeA1oNiM4vE9wYk';
const newDevice = { device: 'Firefox', system: 'Windows', network: '192.0.2.17', time };

/** Which page of ACCOUNT_URL a link leads to, and what the mail says. */
const samples: Readonly<Record<MailKind, { page?: string; code?: true; params?: MailParams }>> = {
  verify_email: { page: 'verify-email', code: true },
  reset_password: { page: 'reset-password', code: true },
  email_login: { page: 'login/email', code: true },
  change_email: { page: 'change-email', code: true, params: { new_email: 'ada@example.org' } },
  email_change_asked: { page: 'undo-email-change', params: { new_email: 'ada@example.org' } },
  email_changed: { page: 'undo-email-change', params: { new_email: 'ada@example.org' } },
  email_restored: { params: { email: 'ada@example.com' } },
  invitation: { page: 'invitation', params: { inviter: 'Grace Hopper' } },
  already_registered: {},
  new_device: { params: newDevice },
  password_changed: { params: { time } },
  session_reused: { params: newDevice },
  account_attacked: { params: { time } },
  changed_by_administrator: { params: { what: 'suspended', time } },
  deletion_scheduled: { params: { delete_after: '2026-04-04T14:30:00Z' } },
  account_restored: {},
  account_deleted: { params: { by_administrator: false } },
};

/** A mail with made-up content. */
export function sampleMail(
  kind: MailKind,
  locale: string,
  { ACCOUNT_URL }: Pick<MailSettings, 'ACCOUNT_URL'>,
): Mail {
  const { page, code, params = {} } = samples[kind];
  return {
    kind,
    locale,
    to: 'ada@example.com',
    params,
    link: page === undefined ? null : `${ACCOUNT_URL}/${page}#token=${token}`,
    code: code === undefined ? null : '123456',
    expires_at: page === undefined ? null : '2026-03-06T14:30:00Z',
  };
}
