import type { SessionRow } from './store.ts';

/** What becomes of a session whose refresh token of some generation is shown. */
export type Rotation =
  /** The session moves on by one generation. */
  | 'rotate'
  /** The current token gets itself back: the session rotated, or gave the token out, less than a grace ago. */
  | 'keep'
  /** The parent gets the current token: nobody can know yet that the reply with it arrived. */
  | 'give'
  /** A spent token: somebody kept it. The session ends. */
  | 'reuse'
  /** The session is over, or never had this generation. */
  | 'refuse';

/**
 * The rule of rotation. It looks at the session as it is stored, at the generation shown and at the clock, and at
 * nothing else; whoever applies the outcome makes sure in the database that the session is still as it was.
 * See docs/sessions.md for why it never signs an honest client out.
 */
export function decideRotation(
  session: SessionRow,
  shownGeneration: number,
  now: Date,
  graceSeconds: number,
): Rotation {
  const isOver = session.ended_at !== null || Date.parse(session.expires_at) <= now.getTime();
  if (isOver || shownGeneration > session.generation) return 'refuse';

  const graceAgo = now.getTime() - graceSeconds * 1000;
  if (shownGeneration === session.generation) {
    // `generation_given_at` starts as the time of issue and only moves on.
    return Date.parse(session.generation_given_at) <= graceAgo ? 'rotate' : 'keep';
  }
  const isParent = shownGeneration === session.generation - 1;
  if (!isParent || graceSeconds === 0) return 'reuse';
  const usedAt = session.generation_used_at;
  return usedAt === null || Date.parse(usedAt) > graceAgo ? 'give' : 'reuse';
}
