import { deriveKey } from '../../crypto/derived-keys.ts';
import { removeInBatches } from '../../database/batches.ts';
import type { Transaction } from '../../database/database.ts';
import type { Kernel } from '../../kernel.ts';
import type { Throttle } from '../throttle/index.ts';
import { type MintedLink, mintLink, type NewLink } from './mint.ts';
import { type Proof, type Shown, showProof } from './redeem.ts';
import { deleteExpiredLinks, deleteLinks, describeLinks, type LinkPurpose, type MailLink } from './store.ts';

export { digestBrowser } from './digests.ts';
export { mailLinkMigrations } from './migrations.ts';
export type { Proof, SentProof, Shown } from './redeem.ts';
export type { LinkPurpose } from './store.ts';

/** Links and codes that go out in mails, each good for one thing, once. */
export interface MailLinks {
  /** See `mint.ts`. */
  mint(tx: Transaction, link: NewLink): Promise<MintedLink>;
  /** See `redeem.ts`. */
  show(purpose: LinkPurpose, proof: Proof): Promise<Shown>;
  /** Voids links of one purpose, but for those that were mailed to one of these addresses. */
  voidLinks(
    tx: Transaction,
    userId: number,
    purpose: LinkPurpose,
    exceptKeys?: readonly string[],
  ): Promise<void>;
  /** The links of a user that are under way, without what proves them. */
  describe(userId: number): Promise<Pick<MailLink, 'purpose' | 'created_at' | 'expires_at'>[]>;
  voidInvitation(tx: Transaction, invitationId: number): Promise<void>;
  /** Removes links that are over, a batch a transaction. */
  deleteExpired(): Promise<void>;
}

const deleteBatchSize = 500;

export function createMailLinks(kernel: Kernel, throttle: Throttle, secretKey: string): MailLinks {
  const { db, clock, events } = kernel;
  const codeKey = deriveKey(secretKey, 'mail-code');
  // Whoever changed the password, the address or the state knew nothing of a link that is still under way, or it is the
  // link of somebody who is to be kept out. Undoing a change of the address must outlive what the intruder does next.
  const voidAll = (tx: Transaction, { user_id }: { user_id: number }) =>
    deleteLinks(tx, { user_id }, { all_but: 'undo_email_change' });
  events.on('password.changed', voidAll);
  events.on('user.readdressed', voidAll);
  events.on('user.deactivated', voidAll);
  events.on('user.closed', voidAll);

  return {
    mint: (tx, link) => mintLink(kernel, codeKey, tx, link),
    show: (purpose, proof) => showProof(kernel, throttle, codeKey, purpose, proof),
    voidLinks: (tx, user_id, only, exceptKeys = []) => deleteLinks(tx, { user_id }, { only, exceptKeys }),
    describe: (userId) => describeLinks(db.read, userId),
    voidInvitation: (tx, invitation_id) => deleteLinks(tx, { invitation_id }, 'all'),
    async deleteExpired() {
      const now = clock.now().toISOString();
      await removeInBatches(db, (tx) => deleteExpiredLinks(tx, now, deleteBatchSize));
    },
  };
}
