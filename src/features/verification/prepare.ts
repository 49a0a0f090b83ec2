import type { Kernel } from '../../kernel.ts';
import { requireEmailAddress, stateOf } from '../accounts/index.ts';
import type { Preparer } from '../outbox/index.ts';
import type { VerificationFeatures } from './index.ts';

/** Makes the link, unless there is nothing to verify. */
export function prepareVerification(
  { settings }: Kernel,
  { accounts, mailLinks, outbox }: Pick<VerificationFeatures, 'accounts' | 'mailLinks' | 'outbox'>,
): Preparer {
  return async (tx, mail) => {
    const user = await accounts.lockRecipient(tx, mail);
    if (user === undefined || user.email_verified || stateOf(user) === 'suspended') return undefined;
    const { browser_digest = null } = mail.params;
    const { link, code, expires_at } = await mailLinks.mint(tx, {
      purpose: 'verify_email',
      user_id: user.id,
      email_key: requireEmailAddress(user.email).email_key,
      ttlSeconds: settings.VERIFY_EMAIL_EXPIRE_HOURS * 3600,
      withCode: true,
      browser_digest: typeof browser_digest === 'string' ? browser_digest : null,
    });
    return {
      to: user.email,
      user_id: user.id,
      locale: outbox.localeFor(user.locale, mail.locale),
      params: { browser_digest },
      secret: { link, code },
      expires_at,
    };
  };
}
