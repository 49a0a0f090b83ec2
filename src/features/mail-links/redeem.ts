import type { KeyObject } from 'node:crypto';
import type { Transaction } from '../../database/database.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { currentOrigin } from '../../origin.ts';
import type { Attempt, Throttle } from '../throttle/index.ts';
import { digestBrowser, digestCode, digestToken, isSameDigest } from './digests.ts';
import {
  deleteLink,
  findLinkByToken,
  findLinkOfUser,
  giveBackCodeTry,
  type LinkPurpose,
  type MailLink,
  takeCodeTry,
} from './store.ts';

/** What somebody shows to prove that a mail reached them. */
export type Proof =
  | { token: string; browser: string | null }
  /** The code, by whoever is signed in as the user or names the user's address; undefined when nobody has it. */
  | { code: string; user: { id: number; email: string } | undefined };

/** A proof as it was sent; a code without an address is the caller's. */
export type SentProof =
  | { token: string; browser: string | null }
  | { code: string; email: string | undefined };

/** What was shown, before it is used up. */
export interface Shown {
  readonly link: MailLink;
  /**
   * Uses the link up, in the transaction of what it is good for: one conditional delete, so that of racing requests one
   * wins. When the transaction fails for another reason, the link is as it was.
   * @throws DoorwardError `invalid_link` or `invalid_code` when it is used up or void by now.
   */
  use(tx: Transaction): Promise<void>;
}

/**
 * Finds what a token or a code stands for. Nothing is used up but, by a code, one of its tries, which is counted durably
 * before the code is looked at. What is wrong counts on the network.
 * @throws DoorwardError `invalid_link`, `link_from_another_browser`, `invalid_code`, `rate_limited`.
 */
export async function showProof(
  kernel: Kernel,
  throttle: Throttle,
  codeKey: KeyObject,
  purpose: LinkPurpose,
  proof: Proof,
): Promise<Shown> {
  const attempt = await throttle.redeem(currentOrigin().network);
  const invalid = () => new DoorwardError('token' in proof ? 'invalid_link' : 'invalid_code');
  return attempt.within(
    async () => {
      const link =
        'token' in proof
          ? await byToken(kernel, attempt, purpose, proof)
          : await byCode(kernel, attempt, codeKey, purpose, proof);
      if (link === undefined) throw invalid();
      return {
        link,
        async use(tx) {
          if (!(await deleteLink(tx, link.id))) throw invalid();
        },
      };
    },
    (error) => error instanceof DoorwardError && /^invalid_(link|code)$/.test(error.code),
  );
}

const isOver = (time: string | null, now: Date) => time === null || Date.parse(time) <= now.getTime();

async function byToken(
  { db, clock }: Kernel,
  attempt: Attempt,
  purpose: LinkPurpose,
  { token, browser }: { token: string; browser: string | null },
): Promise<MailLink | undefined> {
  const link = await findLinkByToken(db.read, purpose, digestToken(token));
  if (link === undefined || isOver(link.expires_at, clock.now())) {
    await attempt.take();
    return undefined;
  }
  // Somebody else's browser: a link that was forwarded, or the owner of an address that somebody signed up with.
  if (link.browser_digest !== null && digestBrowser(browser) !== link.browser_digest)
    throw new DoorwardError('link_from_another_browser');
  return link;
}

async function byCode(
  { db, clock, settings, audit }: Kernel,
  attempt: Attempt,
  codeKey: KeyObject,
  purpose: LinkPurpose,
  { code, user }: { code: string; user: { id: number; email: string } | undefined },
): Promise<MailLink | undefined> {
  // The same for an address of nobody: one transaction for the try, one for what came of it.
  const link = await findLinkOfUser(db.read, purpose, user?.id ?? 0);
  const { id = '', code_digest = null, code_expires_at = null } = link ?? {};
  const isOpen = code_digest !== null && !isOver(code_expires_at, clock.now());
  let isTaken = false as boolean;
  await attempt.take(async (tx) => {
    isTaken = await takeCodeTry(tx, isOpen ? id : '', settings.MAIL_CODE_TRIES);
  });
  const digits = code.replaceAll(/[\s-]/g, '');
  const isRight = isTaken && isSameDigest(digestCode(codeKey, id, digits), code_digest ?? '');
  await db.transaction(async (tx) => {
    if (isRight) {
      await giveBackCodeTry(tx, id);
      await attempt.succeed(tx);
    } else await audit.record(tx, { kind: 'code.refused', user_id: user?.id ?? null });
  });
  return isRight ? link : undefined;
}
