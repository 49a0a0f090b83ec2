import { verifyRefreshToken } from '../../crypto/tokens.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import type { Keys } from '../keys/index.ts';
import { endSessions } from './end.ts';
import type { Client } from './login.ts';
import { decideRotation } from './rotation.ts';
import { changeRotation, noteGenerationGiven, prepareRefreshLookup, type SessionRow } from './store.ts';
import { type IssuedTokens, issueTokens } from './tokens.ts';

/** Each further try means that another request moved the session on in between, which few can do within one grace. */
const maxTries = 20;

/**
 * Makes what gives the tokens of a session's current generation for a refresh token, rotating it when it is time. The
 * session is read as it is committed, and what is decided on it is written only while it still is as it was read.
 * @throws DoorwardError `invalid_refresh_token`. A spent token also ends its session, and where it came from is kept.
 */
export function createRefresh(kernel: Kernel, features: { keys: Keys }) {
  const { db, clock, settings } = kernel;
  const lookUp = prepareRefreshLookup(db);

  return async (input: { refresh_token: string; client: Client }): Promise<IssuedTokens> => {
    const keys = features.keys.current();
    const claims = await verifyRefreshToken(input.refresh_token, keys, clock.now()).catch((error) => {
      throw new DoorwardError('invalid_refresh_token', { reason: error.message, cause: error });
    });
    for (let tries = 0; tries < maxTries; tries++) {
      const now = clock.now();
      const session = await lookUp(claims.sid);
      if (session === undefined || String(session.user_id) !== claims.sub) {
        throw new DoorwardError('invalid_refresh_token', { reason: 'no such session' });
      }
      if (!session.is_active) {
        throw new DoorwardError('invalid_refresh_token', { reason: 'the user is not active' });
      }
      const outcome = await apply(kernel, session, claims.gen, input.client, now);
      if (outcome === 'reused') {
        kernel.log.warn(
          { sid: claims.sid, user_id: session.user_id, network: input.client.network },
          'a spent refresh token was shown; its session has ended',
        );
        throw new DoorwardError('invalid_refresh_token', { reason: 'the refresh token is spent' });
      }
      if (outcome !== 'moved') return issueTokens(outcome, keys, settings, now);
    }
    throw new DoorwardError('overloaded', { reason: 'the session was moved on by others at every try' });
  };
}

/** Decides, and writes in one transaction. `moved` when another request came in between. */
async function apply(
  kernel: Kernel,
  session: SessionRow,
  shownGeneration: number,
  client: Client,
  now: Date,
): Promise<SessionRow | 'reused' | 'moved'> {
  const { db, settings } = kernel;
  const time = now.toISOString();
  const change = async (changes: Partial<SessionRow>) =>
    (await db.transaction((tx) => changeRotation(tx, session, changes)))
      ? { ...session, ...changes }
      : 'moved';

  switch (decideRotation(session, shownGeneration, now, settings.REFRESH_GRACE_SECONDS)) {
    case 'refuse':
      throw new DoorwardError('invalid_refresh_token', { reason: 'the session has ended' });
    case 'reuse':
      return db.transaction(async (tx) => {
        // Nothing is changed by this but who comes first: a session that moved meanwhile is judged anew.
        if (!(await changeRotation(tx, session, { last_seen_at: session.last_seen_at }))) return 'moved';
        await endSessions(kernel, tx, session.user_id, {
          reason: 'refresh_token_reused',
          sid: session.id,
          network: client.network,
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
      const isNoted = await db.transaction((tx) => noteGenerationGiven(tx, session, time));
      return isNoted ? session : 'moved';
    }
    case 'keep':
      // The token that is shown came into use by that, which bounds how long its parent is honoured.
      return session.generation_used_at === null
        ? change({ generation_used_at: time, last_seen_at: time })
        : session;
  }
}
