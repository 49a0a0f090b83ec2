import { type KeyObject, randomBytes, randomInt } from 'node:crypto';
import type { Transaction } from '../../database/database.ts';
import type { Kernel } from '../../kernel.ts';
import { digestCode, digestToken } from './digests.ts';
import { deleteLinks, insertLink, type LinkPurpose } from './store.ts';

/** A link to be made. */
export interface NewLink {
  purpose: LinkPurpose;
  user_id: number | null;
  invitation_id?: number;
  email_key: string;
  detail?: string;
  /** How long the link works. */
  ttlSeconds: number;
  /** Whether the mail has a code besides, for another device. */
  withCode: boolean;
  /** `digestBrowser` of the mark of the browser that asked, if one did: see `http/browser.ts`. */
  browser_digest: string | null;
}

/** What is mailed. It is stored nowhere but in the outbox until it is sent. */
export interface MintedLink {
  id: string;
  /** The page to open, with the token in its fragment, which no request carries and no GET uses up. */
  link: string;
  code: string | null;
  expires_at: string;
}

/** The pages below ACCOUNT_URL that links lead to. */
const pages: Record<LinkPurpose, string> = {
  verify_email: 'verify-email',
  reset_password: 'reset-password',
  email_login: 'login/email',
  change_email: 'change-email',
  undo_email_change: 'undo-email-change',
  invitation: 'invitation',
};

const codeDigits = 6;

/** Makes a link. The one that it supersedes is void; only changes of the email are undone by several. */
export async function mintLink(
  { clock, settings }: Kernel,
  codeKey: KeyObject,
  tx: Transaction,
  { purpose, user_id, invitation_id, email_key, detail, ttlSeconds, withCode, browser_digest }: NewLink,
): Promise<MintedLink> {
  if (purpose !== 'undo_email_change' && user_id !== null)
    await deleteLinks(tx, { user_id }, { only: purpose });
  if (invitation_id !== undefined) await deleteLinks(tx, { invitation_id }, 'all');
  const id = randomBytes(16).toString('base64url');
  const token = randomBytes(32).toString('base64url');
  const code = withCode ? String(randomInt(10 ** codeDigits)).padStart(codeDigits, '0') : null;
  const now = clock.now();
  const inSeconds = (seconds: number) => new Date(now.getTime() + seconds * 1000).toISOString();
  const expires_at = inSeconds(ttlSeconds);
  await insertLink(tx, {
    id,
    purpose,
    user_id,
    invitation_id: invitation_id ?? null,
    email_key,
    detail: detail ?? null,
    token_digest: digestToken(token),
    code_digest: code === null ? null : digestCode(codeKey, id, code),
    code_tries: 0,
    code_expires_at:
      code === null ? null : inSeconds(Math.min(ttlSeconds, settings.MAIL_CODE_EXPIRE_MINUTES * 60)),
    browser_digest,
    created_at: now.toISOString(),
    expires_at,
  });
  return { id, link: `${settings.ACCOUNT_URL}/${pages[purpose]}#token=${token}`, code, expires_at };
}
