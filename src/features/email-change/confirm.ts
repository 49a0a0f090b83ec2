import { userLock } from '../../database/lock-names.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { currentOrigin } from '../../origin.ts';
import { requireEmailAddress, type User } from '../accounts/index.ts';
import type { Proof } from '../mail-links/index.ts';
import type { EmailChangeFeatures } from './index.ts';
import { reserve } from './store.ts';

const dayMs = 86_400_000;
/** The link that undoes is made a little later than the reservation. */
const marginMs = 3_600_000;

/**
 * Gives an account the address that a mail was proved to reach. The former one, if it was proved as well, stays reserved for
 * as long as that can be undone. Sessions go on: whoever asked was signed in.
 * @throws DoorwardError `invalid_link`, `invalid_code`, `link_from_another_browser`, `rate_limited`; `email_taken` when somebody
 * has it by now, which uses nothing up.
 */
export async function confirmChange(
  kernel: Kernel,
  { accounts, mailLinks, outbox }: EmailChangeFeatures,
  { proof, caller }: { proof: Proof; caller: { id: number } | undefined },
): Promise<User> {
  const { db, clock, settings } = kernel;
  const { link, use } = await mailLinks.show('change_email', proof);
  const userId = link.user_id ?? 0;
  if (caller !== undefined && caller.id !== userId)
    throw new DoorwardError('invalid_link', { reason: 'the link is of another account' });
  return db.transaction(async (tx) => {
    await db.lock(tx, userLock(userId));
    await use(tx);
    const user = await accounts.find(userId, tx);
    const email = link.detail;
    if (user === undefined || email === null || user.pending_email !== email)
      throw new DoorwardError('invalid_link', { reason: 'the change was taken back' });
    const changed = await accounts.apply(tx, userId, { email, email_verified: true }, 'owner');
    // It may be a stranger's, by a slip of the owner who now corrects it.
    if (!user.email_verified) return changed;
    const now = clock.now().getTime();
    await reserve(tx, {
      ...requireEmailAddress(user.email),
      user_id: userId,
      reserved_at: new Date(now).toISOString(),
      reserved_until: new Date(now + settings.EMAIL_UNDO_EXPIRE_DAYS * dayMs + marginMs).toISOString(),
    });
    await outbox.enqueue(tx, {
      kind: 'email_changed',
      to: user.email,
      user_id: userId,
      locale: outbox.localeFor(user.locale, currentOrigin().languages),
      params: { new_email: email },
    });
    return changed;
  });
}
