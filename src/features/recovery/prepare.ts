import type { Kernel } from '../../kernel.ts';
import { type Accounts, requireEmailAddress, stateOf } from '../accounts/index.ts';
import type { MailLinks } from '../mail-links/index.ts';
import type { Outbox, Preparer } from '../outbox/index.ts';

/** Makes the link, where there is an account that a new password opens. */
export function prepareReset(
  { settings }: Kernel,
  { accounts, mailLinks, outbox }: { accounts: Accounts; mailLinks: MailLinks; outbox: Outbox },
): Preparer {
  return async (tx, mail) => {
    const user = await accounts.lockRecipient(tx, mail);
    if (user === undefined || stateOf(user) === 'suspended') return undefined;
    const { browser_digest = null } = mail.params;
    const { link, code, expires_at } = await mailLinks.mint(tx, {
      purpose: 'reset_password',
      user_id: user.id,
      email_key: requireEmailAddress(user.email).email_key,
      ttlSeconds: settings.RESET_PASSWORD_EXPIRE_MINUTES * 60,
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
