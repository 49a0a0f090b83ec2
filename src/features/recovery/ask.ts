import { currentOrigin } from '../../origin.ts';
import type { Outbox } from '../outbox/index.ts';
import type { Throttle } from '../throttle/index.ts';

/**
 * Asks for the mail that resets a password. For an address of nobody it does the same; what comes of it is decided when the
 * mail is prepared.
 * @throws DoorwardError `rate_limited`.
 */
export async function askForReset(
  { throttle, outbox }: { throttle: Throttle; outbox: Outbox },
  { email, browser_digest }: { email: string; browser_digest: string | null },
): Promise<void> {
  const { network, languages } = currentOrigin();
  const attempt = await throttle.mail({ address: email, network });
  await attempt.take((tx) =>
    outbox.enqueue(tx, {
      kind: 'reset_password',
      to: email,
      user_id: null,
      locale: outbox.localeFor(null, languages),
      params: { browser_digest },
    }),
  );
}
