import { userLock } from '../../database/lock-names.ts';
import type { Kernel } from '../../kernel.ts';
import { requireEmailAddress } from '../accounts/index.ts';
import type { Preparer } from '../outbox/index.ts';
import { isSomebodyElses } from './ask.ts';
import type { EmailChangeFeatures } from './index.ts';
import { findReservation } from './store.ts';

/** Makes the link that confirms, unless the change was taken back or the address is somebody's, who is told instead. */
export function prepareConfirmation(kernel: Kernel, features: EmailChangeFeatures): Preparer {
  const { db, settings } = kernel;
  const { accounts, mailLinks, outbox } = features;
  return async (tx, { to, user_id, locale, params }) => {
    if (user_id === null) return undefined;
    await db.lock(tx, userLock(user_id));
    const user = await accounts.find(user_id, tx);
    if (user === undefined || user.pending_email !== to) return undefined;
    if (await isSomebodyElses(kernel, features, tx, user_id, to)) {
      const owner = await accounts.findByEmail(to, tx);
      if (owner !== undefined)
        await outbox.enqueue(tx, {
          kind: 'already_registered',
          to: owner.email,
          user_id: owner.id,
          locale: outbox.localeFor(owner.locale),
          params: {},
        });
      return undefined;
    }
    const { new_email, browser_digest } = params;
    const { link, code, expires_at } = await mailLinks.mint(tx, {
      purpose: 'change_email',
      user_id,
      email_key: requireEmailAddress(to).email_key,
      detail: to,
      ttlSeconds: settings.VERIFY_EMAIL_EXPIRE_HOURS * 3600,
      withCode: true,
      browser_digest: typeof browser_digest === 'string' ? browser_digest : null,
    });
    return {
      to,
      user_id,
      locale,
      params: { new_email: new_email ?? to, browser_digest: browser_digest ?? null },
      secret: { link, code },
      expires_at,
    };
  };
}

/** Makes a link that restores the address which the mail goes to, while it is the account's or reserved for it. */
export function prepareUndo(
  { db, clock, settings }: Kernel,
  { accounts, mailLinks }: EmailChangeFeatures,
): Preparer {
  return async (tx, { to, user_id, locale, params }) => {
    if (user_id === null) return undefined;
    await db.lock(tx, userLock(user_id));
    const user = await accounts.find(user_id, tx);
    if (user === undefined) return undefined;
    const { email_key } = requireEmailAddress(to);
    const isPresent = requireEmailAddress(user.email).email_key === email_key;
    const reserved = await findReservation(tx, email_key, clock.now().toISOString());
    const isKept = reserved?.user_id === user_id;
    if (!isPresent && !isKept) return undefined;
    const ttlSeconds = settings.EMAIL_UNDO_EXPIRE_DAYS * 86_400;
    const keptSeconds = isKept
      ? (Date.parse(reserved.reserved_until) - clock.now().getTime()) / 1000
      : ttlSeconds;
    const { link, expires_at } = await mailLinks.mint(tx, {
      purpose: 'undo_email_change',
      user_id,
      email_key,
      detail: to,
      // One that is made anew later must not outlive what it restores.
      ttlSeconds: Math.min(ttlSeconds, keptSeconds),
      withCode: false,
      browser_digest: null,
    });
    return { to, user_id, locale, params, secret: { link, code: null }, expires_at };
  };
}
