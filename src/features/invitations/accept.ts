import type { Transaction } from '../../database/database.ts';
import { activeAdminsLock } from '../../database/lock-names.ts';
import { DoorwardError, ValidationError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { PreparedAccount, User } from '../accounts/index.ts';
import type { InvitationFeatures } from './index.ts';
import { isLive, isSettled } from './invitation.ts';
import { findByLink } from './show.ts';
import { deleteInvitation, findInvitation } from './store.ts';

const kind = 'invitation.accepted';

/**
 * Makes the account that an invitation is for, verified, for the invited address alone. An account that somebody made with
 * it meanwhile, and did not prove, becomes that account: whoever made it keeps nothing of it.
 * @throws DoorwardError `invalid_link`; `email_registered` where an account has the address for good, and `last_admin`, which
 * leave the link as it is; `rate_limited`, `overloaded`.
 * @throws ValidationError without a name anywhere, and when the policy refuses the password.
 */
export async function acceptInvitation(
  kernel: Kernel,
  features: InvitationFeatures,
  input: { token: string; password: string; name?: string | undefined },
): Promise<User> {
  const { db, clock } = kernel;
  const { accounts, outbox } = features;
  const { invitation, use } = await findByLink(kernel, features, input.token);
  const { id, email, is_admin, locale } = invitation;
  const name = input.name ?? invitation.name;
  if (name === null)
    throw new ValidationError([{ type: 'missing', loc: ['body', 'name'], msg: 'Field required' }]);
  const account = { email, password: input.password, name, is_admin, locale: locale ?? undefined };
  const prepared = await accounts.prepare(account, { kind }, async () => {
    // Before a hash is paid for. Where the account came by this link, the link is what is wrong.
    const user = await accounts.findByEmail(email);
    if (user === undefined || !isSettled(user)) return;
    throw new DoorwardError((await findInvitation(db.read, id)) ? 'email_registered' : 'invalid_link');
  });

  const settle = async (tx: Transaction, holder: User | undefined): Promise<User> => {
    const present = await findInvitation(tx, id);
    if (present !== undefined && holder !== undefined && isSettled(holder))
      throw new DoorwardError('email_registered');
    if (present === undefined || !isLive(present, clock.now()))
      throw new DoorwardError('invalid_link', { reason: 'the invitation is over' });
    if (!(await deleteInvitation(tx, id))) throw new DoorwardError('invalid_link');
    await use(tx);
    await outbox.discard(tx, 'invitation', email);
    if (holder !== undefined) return takeOver(kernel, features, tx, holder, prepared);
    const made = await accounts.insert(tx, prepared, kind);
    if (made === undefined) throw new DoorwardError('email_registered');
    return made;
  };
  // Whose word it is counts now: the inviter may be no administrator any more.
  return accounts.withHolder(email, settle, (tx) => db.lock(tx, activeAdminsLock));
}

/** Whoever is invited has proved the address, and gets the account that has it, without anything that opened it so far. */
async function takeOver(
  { audit }: Kernel,
  { accounts, passwords, mailLinks }: InvitationFeatures,
  tx: Transaction,
  user: User,
  { user: { email, name, is_admin, locale }, hash }: PreparedAccount,
): Promise<User> {
  // Ends all sessions, forgets devices and voids links.
  await passwords.replace(tx, user.id, hash, null);
  await mailLinks.voidLinks(tx, user.id, 'undo_email_change');
  const taken = await accounts.apply(
    tx,
    user.id,
    {
      // As it was invited: mail to another spelling of it was not seen to arrive.
      email,
      name,
      is_admin,
      is_active: true,
      email_verified: true,
      pending_email: null,
      ...(locale === null ? {} : { locale }),
    },
    'owner',
  );
  await audit.record(tx, { kind, user_id: user.id, actor: user.id });
  return taken;
}
