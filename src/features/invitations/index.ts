import type { Transaction } from '../../database/database.ts';
import type { Kernel } from '../../kernel.ts';
import { type Accounts, requireEmailAddress, type User } from '../accounts/index.ts';
import type { MailLinks } from '../mail-links/index.ts';
import type { Outbox } from '../outbox/index.ts';
import type { Passwords } from '../passwords/index.ts';
import type { Throttle } from '../throttle/index.ts';
import { acceptInvitation } from './accept.ts';
import { createInvitation, type NewInvitation } from './create.ts';
import type { ReadInvitation } from './invitation.ts';
import { type InvitationPage, listPage } from './list.ts';
import { mailInvitation, prepareInvitation } from './prepare.ts';
import { resendInvitation } from './resend.ts';
import { type ShownInvitation, showInvitation } from './show.ts';
import { findInvitationTo, listInvitationsBy } from './store.ts';
import { deleteOverInvitations, forgetSettled, settleInvitation, withdrawInvitation } from './withdraw.ts';

export type { ReadInvitation } from './invitation.ts';
export type { InvitationPage } from './list.ts';
export { invitationMigrations } from './migrations.ts';
export { invitationRoutes } from './routes.ts';
export type { ShownInvitation } from './show.ts';

/** How people come by invitation. `actorId` is the administrator who asks; the command line has none. */
export interface Invitations {
  /** See `create.ts`. */
  create(invitation: NewInvitation, actorId?: number): Promise<ReadInvitation>;
  /** See `list.ts`. */
  list(input: { limit: number; cursor?: string | undefined }): Promise<InvitationPage>;
  /** The invitation to an address, by its identity, if there is one. */
  findTo(emailKey: string): Promise<{ email: string; name: string | null; created_at: string } | undefined>;
  /** See `resend.ts`. */
  resend(id: number, actorId?: number): Promise<ReadInvitation>;
  /** See `withdraw.ts`. */
  withdraw(id: number): Promise<void>;
  /** See `show.ts`. */
  show(token: string): Promise<ShownInvitation>;
  /** See `accept.ts`. */
  accept(input: Parameters<typeof acceptInvitation>[2]): Promise<User>;
  /** Removes invitations that were over long ago, a batch a transaction. */
  deleteOver(): Promise<void>;
}

export interface InvitationFeatures {
  accounts: Accounts;
  passwords: Passwords;
  throttle: Throttle;
  mailLinks: MailLinks;
  outbox: Outbox;
}

export function createInvitations(kernel: Kernel, features: InvitationFeatures): Invitations {
  const { events } = kernel;
  const { accounts, outbox } = features;

  const settle = (tx: Transaction, user: { id: number; email: string }) =>
    settleInvitation(kernel, features, tx, user);
  events.on('user.created', async (tx, { user_id: id, email, email_verified }) => {
    if (email_verified) await settle(tx, { id, email });
  });
  events.on('user.readdressed', async (tx, { user_id: id, from, to: email, email_verified }) => {
    if (requireEmailAddress(from).email_key === requireEmailAddress(email).email_key) return;
    await forgetSettled(features, tx, from);
    if (email_verified) await settle(tx, { id, email });
  });
  for (const kind of ['user.verified', 'user.deactivated'] as const) {
    events.on(kind, async (tx, { user_id }) => {
      const user = await accounts.find(user_id, tx);
      if (user !== undefined) await settle(tx, user);
    });
  }
  events.on('user.deleted', (tx, { email }) => forgetSettled(features, tx, email));
  events.on('user.deleted', async (tx, { user_id }) => {
    // What was mailed names the inviter; what was not is mailed without the name.
    for (const invitation of await listInvitationsBy(tx, user_id))
      if (await outbox.discard(tx, 'invitation', invitation.email))
        await mailInvitation(features, tx, invitation);
  });
  outbox.onPrepare('invitation', prepareInvitation(kernel, features));

  return {
    create: (invitation, actorId) => createInvitation(kernel, features, invitation, actorId ?? null),
    list: (input) => listPage(kernel, input),
    async findTo(emailKey) {
      const found = await findInvitationTo(kernel.db.read, emailKey);
      return found && { email: found.email, name: found.name, created_at: found.created_at };
    },
    resend: (id, actorId) => resendInvitation(kernel, features, id, actorId ?? null),
    withdraw: (id) => withdrawInvitation(kernel, features, id),
    show: (token) => showInvitation(kernel, features, token),
    accept: (input) => acceptInvitation(kernel, features, input),
    deleteOver: () => deleteOverInvitations(kernel, features),
  };
}
