import type { Transaction } from '../../database/database.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { currentOrigin } from '../../origin.ts';
import type { Throttle } from '../throttle/index.ts';
import type { Passwords } from './index.ts';

/** The current password of a user, as a session gives it. */
export interface CurrentPassword {
  user: { id: number; email: string };
  sid: string;
  current_password: string;
}

/**
 * Runs `work` when the current password is right. `work` calls `confirm` in the transaction that relies on it.
 * @throws DoorwardError `current_password_incorrect`, also when another change came first; `rate_limited`; `overloaded`.
 */
export async function withCurrentPassword(
  { db, audit }: Kernel,
  { passwords, throttle }: { passwords: Passwords; throttle: Throttle },
  { user, sid, current_password }: CurrentPassword,
  work: (confirm: (tx: Transaction) => Promise<void>) => Promise<void>,
): Promise<void> {
  const attempt = await throttle.confirm({ user, sid, network: currentOrigin().network });
  try {
    await attempt.within(async () => {
      const checked = await passwords.check(user.id, current_password, attempt);
      if (checked === undefined) throw new DoorwardError('current_password_incorrect');
      await work(async (tx) => {
        if (!(await passwords.confirm(tx, user.id, checked)))
          throw new DoorwardError('current_password_incorrect');
        await attempt.succeed(tx);
      });
    }, isIncorrect);
  } catch (error) {
    if (isIncorrect(error)) {
      await db.transaction(async (tx) => {
        await attempt.fail(tx, user.id);
        await audit.record(tx, { kind: 'password.refused', user_id: user.id });
      });
    }
    throw error;
  }
}

const isIncorrect = (error: unknown) =>
  error instanceof DoorwardError && error.code === 'current_password_incorrect';
