import type { Kernel } from '../../kernel.ts';
import { currentOrigin } from '../../origin.ts';
import { requireEmailAddress } from '../accounts/index.ts';
import type { Preparer } from '../outbox/index.ts';
import type { EmailLoginFeatures } from './index.ts';
import { mayLogIn } from './log-in.ts';

/**
 * Asks for the mail that logs in. For an address of nobody it does the same; what comes of it is decided when the mail is
 * prepared.
 * @throws DoorwardError `rate_limited`.
 */
export async function askForLogin(
  { throttle, outbox }: Pick<EmailLoginFeatures, 'throttle' | 'outbox'>,
  { email, browser_digest }: { email: string; browser_digest: string | null },
): Promise<void> {
  const { network, languages } = currentOrigin();
  const attempt = await throttle.mail({ address: email, network });
  await attempt.take((tx) =>
    outbox.enqueue(tx, {
      kind: 'email_login',
      to: email,
      user_id: null,
      locale: outbox.localeFor(null, languages),
      params: { browser_digest },
    }),
  );
}

/** Makes the link, for whoever has the address and may log in. */
export function prepareLogin(
  { settings }: Kernel,
  { accounts, mailLinks, outbox }: Pick<EmailLoginFeatures, 'accounts' | 'mailLinks' | 'outbox'>,
): Preparer {
  return async (tx, mail) => {
    const user = await accounts.lockRecipient(tx, mail);
    if (user === undefined || !mayLogIn(user)) return undefined;
    const { browser_digest = null } = mail.params;
    const { link, code, expires_at } = await mailLinks.mint(tx, {
      purpose: 'email_login',
      user_id: user.id,
      email_key: requireEmailAddress(user.email).email_key,
      ttlSeconds: settings.EMAIL_LOGIN_EXPIRE_MINUTES * 60,
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
