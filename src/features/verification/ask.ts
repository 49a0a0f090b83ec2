import { currentOrigin } from '../../origin.ts';
import type { Outbox } from '../outbox/index.ts';
import type { Throttle } from '../throttle/index.ts';

/** Who asks for the mail: a user who is signed in, or somebody who names an address. */
export type Asked = { user: { id: number; email: string; locale: string | null } } | { email: string };

/**
 * Asks for the mail that verifies an address. For an address of nobody it does the same; what comes of it is decided when
 * the mail is prepared.
 * @throws DoorwardError `rate_limited`.
 */
export async function askForVerification(
  { throttle, outbox }: { throttle: Throttle; outbox: Outbox },
  { asked, browser_digest }: { asked: Asked; browser_digest: string | null },
): Promise<void> {
  const { network, languages } = currentOrigin();
  const { id, email, locale } = 'user' in asked ? asked.user : { id: null, locale: null, ...asked };
  const attempt = await throttle.mail({ address: email, network });
  await attempt.take((tx) =>
    outbox.enqueue(tx, {
      kind: 'verify_email',
      to: email,
      user_id: id,
      locale: outbox.localeFor(locale, languages),
      params: { browser_digest },
    }),
  );
}
