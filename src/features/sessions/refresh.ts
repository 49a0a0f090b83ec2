import { verifyRefreshToken } from '../../crypto/tokens.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { Keys } from '../keys/index.ts';
import type { Throttle } from '../throttle/index.ts';
import { endSessions } from './end.ts';
import type { Client } from './open.ts';
import { decideRotation } from './rotation.ts';
import { changeRotation, noteGenerationGiven, prepareRefreshLookup, type SessionRow } from './store.ts';
import { type IssuedTokens, issueTokens } from './tokens.ts';

/** Each further try means that another request moved the session on in between, which few can do within one grace. */
const maxTries = 20;

type Refusal = 'invalid_token' | 'no_session' | 'inactive_user' | 'session_ended' | 'reused';

const refusalReasons: Record<Refusal, string> = {
  invalid_token: 'the token is not valid',
  no_session: 'no such session',
  inactive_user: 'the user is not active',
  session_ended: 'the session has ended',
  reused: 'the refresh token is spent',
};

/**
 * Makes what gives the tokens of a session's current generation for a refresh token, rotating it when it is time. The
 * session is read as it is committed, and what is decided on it is written only while it still is as it was read.
 * @throws DoorwardError `invalid_refresh_token`, and `rate_limited` in its place where that came too often. A spent token
 * also ends its session, and where it came from is kept.
 */
export function createRefresh(kernel: Kernel, features: { keys: Keys; throttle: Throttle }) {
  const { db, clock, settings, audit, counters } = kernel;
  const lookUp = prepareRefreshLookup(db);

  /** What is valid is never throttled; only what is refused anyway counts. */
  async function refuse(
    refusal: Refusal,
    client: Client,
    { userId = null, cause }: { userId?: number | null; cause?: unknown } = {},
  ): Promise<never> {
    await features.throttle.refuseRefresh(client.network, async (tx) => {
      if (refusal === 'reused') return;
      await audit.record(tx, { kind: 'session.refused', user_id: userId, detail: { reason: refusal } });
    });
    counters.count('refreshes', refusal === 'reused' ? 'reused' : 'refused');
    const reason = cause instanceof Error ? cause.message : refusalReasons[refusal];
    throw new DoorwardError('invalid_refresh_token', { reason, cause });
  }

  return async (input: { refresh_token: string; client: Client }): Promise<IssuedTokens> => {
    const { refresh_token, client } = input;
    const keys = features.keys.current();
    const claims = await verifyRefreshToken(refresh_token, keys, clock.now()).catch((cause) =>
      refuse('invalid_token', client, { cause }),
    );
    for (let tries = 0; tries < maxTries; tries++) {
      const now = clock.now();
      const session = await lookUp(claims.sid);
      if (session === undefined || String(session.user_id) !== claims.sub)
        return refuse('no_session', client);
      const userId = session.user_id;
      if (!session.is_active) return refuse('inactive_user', client, { userId });
      const outcome = await apply(kernel, session, claims.gen, client, now);
      if (outcome === 'ended') return refuse('session_ended', client, { userId });
      if (outcome === 'reused') {
        kernel.log.warn(
          { sid: claims.sid, user_id: userId, network: client.network },
          'a spent refresh token was shown; its session has ended',
        );
        return refuse('reused', client, { userId });
      }
      if (outcome === 'moved') continue;
      counters.count('refreshes', outcome.generation === session.generation ? 'given' : 'rotated');
      counters.noteActive(userId);
      return issueTokens(outcome, keys, settings, now);
    }
    throw new DoorwardError('overloaded', { reason: 'the session was moved on by others at every try' });
  };
}

/** Decides, and writes. `moved` when another request came in between. */
async function apply(
  kernel: Kernel,
  session: SessionRow,
  shownGeneration: number,
  client: Client,
  now: Date,
): Promise<SessionRow | 'ended' | 'reused' | 'moved'> {
  const { db, settings, events, audit } = kernel;
  const time = now.toISOString();
  const change = async (changes: Partial<SessionRow>) =>
    (await db.write((one) => changeRotation(one, session, changes))) ? { ...session, ...changes } : 'moved';

  switch (decideRotation(session, shownGeneration, now, settings.REFRESH_GRACE_SECONDS)) {
    case 'refuse':
      return 'ended';
    case 'reuse':
      return db.transaction(async (tx) => {
        // Nothing is changed by this but who comes first: a session that moved meanwhile is judged anew.
        if (!(await changeRotation(tx, session, { last_seen_at: session.last_seen_at }))) return 'moved';
        await endSessions(kernel, tx, session.user_id, {
          reason: 'refresh_token_reused',
          sid: session.id,
          network: client.network,
        });
        await events.emit(tx, 'session.reused', {
          user_id: session.user_id,
          network: client.network,
          user_agent: client.userAgent,
        });
        await audit.record(tx, {
          kind: 'session.reused',
          user_id: session.user_id,
          detail: { sid: session.id },
        });
        return 'reused';
      });
    case 'rotate':
      return change({
        generation: session.generation + 1,
        generation_issued_at: time,
        generation_given_at: time,
        generation_used_at: null,
        last_seen_at: time,
      });
    case 'give': {
      // However many ask at once, the mark only moves on.
      if (session.generation_given_at >= time) return session;
      const isNoted = await db.write((one) => noteGenerationGiven(one, session, time));
      return isNoted ? session : 'moved';
    }
    case 'keep':
      // The token that is shown came into use by that, which bounds how long its parent is honoured.
      return session.generation_used_at === null
        ? change({ generation_used_at: time, last_seen_at: time })
        : session;
  }
}
