import { compactVerify } from 'jose';
import { VerificationError } from './errors.ts';
import { type Received, readEvents, readText } from './event-stream.ts';
import { pause, type RemoteKeys } from './keys.ts';

/** What a message of the feed says. See the server's `features/revocations`. */
interface FeedMessage {
  iss: string;
  iat: number;
  since: number;
  cursor: number;
  revoked: { sid: string; exp: number }[];
  /** The published keys. */
  kids?: string[];
}

const streamType = 'text/event-stream';
const pollType = 'application/jwt';

/** What came of a question: messages over a stream, one message, nothing for too long, or a refusal. */
type Listened = 'streamed' | 'answered' | 'silent' | 'failed';

/** What this verifier knows of revocations. */
export interface RevocationList {
  has(sid: string): boolean;
  /** Whether the server was heard lately enough to know. */
  isFresh(): boolean;
  /** Resolves when the server has been heard for the first time; fails after a while, VerificationError. */
  ready(): Promise<void>;
  stop(): void;
}

const reconnectMs = 200;
const maxReconnectMs = 900;
/** Between questions where streams do not come through. */
const pollMs = 500;
/** After so many questions a stream is tried again. */
const pollsBeforeStream = 200;
const readyTimeoutMs = 5000;
/** The server sends a message as soon as a stream begins: one that brings nothing is held back by something in between. */
const firstPieceMs = 2500;
/** Unless the server takes so long to make it: after a silence it is given more time. */
const maxFirstPieceMs = 10_000;
/** A stream that brings nothing for this long is dead: the server sends a message every 10 s. */
const maxSilenceMs = 25_000;
/** A message is to be whole after this long: one that comes octet by octet would be waited for for ever. */
const maxMessageMs = 120_000;
const pruneIntervalMs = 60_000;

/**
 * Follows the feed at `url` over server-sent events, and comes back by itself with the cursor it had. Where something
 * in between swallows streams, it asks again and again instead.
 */
export function followRevocations(options: {
  url: string;
  issuer: string;
  keys: RemoteKeys;
  staleSeconds: number;
}): RevocationList {
  const { url, issuer, keys, staleSeconds } = options;
  const silenceMs = Math.min(maxSilenceMs, staleSeconds * 500);
  const revoked = new Map<string, number>();
  const stopping = new AbortController();
  let cursor = 0;
  /** When what we know was true, on the clock of `performance.now()`. */
  let trueAt = Number.NEGATIVE_INFINITY;
  /** How far the server's clock is ahead of `performance.now()`, by the message that was least delayed. */
  let leadSeconds = Number.NEGATIVE_INFINITY;
  let announceFirst: (() => void) | undefined;
  let waitingForFirst: Promise<void> | undefined;

  /**
   * When a message was made, on the clock of `performance.now()`. One that somebody kept and shows again is as old as it
   * is, so that nobody can make us believe that nothing has happened since; and clocks that differ do not matter.
   */
  function madeAtMs(iat: number, beganAt: number): number {
    leadSeconds = Math.max(leadSeconds, iat - beganAt / 1000);
    const bySteadyClock = (iat - leadSeconds) * 1000;
    // After the server's clock was set back.
    const byWallClock = performance.now() - Math.abs(Date.now() - iat * 1000);
    return Math.max(bySteadyClock, byWallClock);
  }

  async function take({ text, beganAt }: Received): Promise<void> {
    const { payload, protectedHeader } = await compactVerify(text, keys.find, {
      algorithms: ['ES256', 'EdDSA', 'RS256'],
    });
    const message = JSON.parse(new TextDecoder().decode(payload)) as FeedMessage;
    if (protectedHeader.typ !== 'revocations+jwt' || message.iss !== issuer)
      throw new Error('not a message of this feed');
    // Whatever it was signed for and whenever: a session that has ended has ended.
    for (const { sid, exp } of message.revoked) revoked.set(sid, exp);
    const madeAt = madeAtMs(message.iat, beganAt);
    if (beganAt - madeAt > staleSeconds * 1000) throw new Error('a message from the past');
    // `since` is 0 when the server begins anew; otherwise what is missing between is to be asked for.
    if (message.since > cursor) throw new Error('a message is missing');
    cursor = message.cursor;
    if (message.kids !== undefined) await keys.agree(message.kids);
    // It knows of nothing that happened after it began to come: what took too long is no news.
    const knewAt = Math.min(madeAt, beganAt);
    if (performance.now() - knewAt > staleSeconds * 1000) return;
    trueAt = Math.max(trueAt, knewAt);
    announceFirst?.();
  }

  /** One question and its answer, which is a stream if the server is asked for one and nothing in between objects. */
  async function listen(accept: string, firstMs: number): Promise<Listened> {
    const connection = new AbortController();
    const giveUp = () => connection.abort();
    let patienceMs = Math.min(firstMs, silenceMs);
    let silence = setTimeout(giveUp, patienceMs);
    let limit = setTimeout(giveUp, maxMessageMs);
    const onPiece = () => {
      clearTimeout(silence);
      silence = setTimeout(giveUp, patienceMs);
    };
    stopping.signal.addEventListener('abort', giveUp);
    let outcome: Listened | undefined;
    try {
      const answer = await fetch(`${url}?cursor=${cursor}`, {
        headers: { accept },
        signal: connection.signal,
        redirect: 'error',
      });
      if (!answer.ok || answer.body === null) throw new Error(`the feed was answered with ${answer.status}`);
      if (!answer.headers.get('content-type')?.startsWith('text/event-stream')) {
        await take(await readText(answer.body, onPiece));
        outcome = 'answered';
      } else {
        for await (const message of readEvents(answer.body, onPiece)) {
          await take(message);
          outcome = 'streamed';
          patienceMs = silenceMs;
          onPiece();
          clearTimeout(limit);
          limit = setTimeout(giveUp, maxMessageMs);
        }
      }
    } catch {
      // Out of reach, or not to be believed: it is asked again, and what was heard till then counts.
    } finally {
      outcome ??= connection.signal.aborted ? 'silent' : 'failed';
      clearTimeout(silence);
      clearTimeout(limit);
      stopping.signal.removeEventListener('abort', giveUp);
      connection.abort();
    }
    return outcome;
  }

  async function follow(): Promise<void> {
    let accept = streamType;
    let failureMs = reconnectMs;
    let firstMs = firstPieceMs;
    let polls = 0;
    while (!stopping.signal.aborted) {
      const outcome = await listen(accept, firstMs);
      if (outcome === 'answered') polls++;
      const isPolling =
        (outcome === 'answered' && polls % pollsBeforeStream > 0) ||
        (outcome === 'silent' && accept === streamType);
      accept = isPolling ? pollType : streamType;
      firstMs = outcome === 'silent' ? Math.min(firstMs * 2, maxFirstPieceMs) : firstPieceMs;
      const wasHeard = outcome === 'streamed' || outcome === 'answered';
      failureMs = wasHeard ? reconnectMs : Math.min(failureMs * 2, maxReconnectMs);
      const waitMs = outcome === 'answered' ? pollMs : failureMs;
      // Not all at once after a restart of the server.
      await pause(waitMs * (0.5 + Math.random() / 2), stopping.signal);
    }
  }

  const pruning = setInterval(() => {
    const now = Date.now() / 1000;
    for (const [sid, exp] of revoked) if (exp < now - staleSeconds) revoked.delete(sid);
  }, pruneIntervalMs);
  if (typeof pruning === 'object') pruning.unref();
  void follow();

  function waitForFirst(): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = () => {
        clearTimeout(timer);
        stopping.signal.removeEventListener('abort', late);
        waitingForFirst = undefined;
        reject(new VerificationError('verifier_unavailable', { reason: 'the revocations are out of reach' }));
      };
      const timer = setTimeout(late, readyTimeoutMs);
      stopping.signal.addEventListener('abort', late);
      announceFirst = () => {
        clearTimeout(timer);
        stopping.signal.removeEventListener('abort', late);
        announceFirst = undefined;
        resolve();
      };
    });
  }

  return {
    has: (sid) => revoked.has(sid),
    isFresh: () => performance.now() - trueAt <= staleSeconds * 1000 && !stopping.signal.aborted,
    ready() {
      if (trueAt !== Number.NEGATIVE_INFINITY || stopping.signal.aborted) return Promise.resolve();
      // One for all who wait: they may be many, and it may take long.
      waitingForFirst ??= waitForFirst();
      return waitingForFirst;
    },
    stop() {
      stopping.abort();
      clearInterval(pruning);
    },
  };
}
