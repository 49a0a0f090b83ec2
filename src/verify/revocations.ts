import { compactVerify } from 'jose';
import type { RemoteKeys } from './keys.ts';

/** What a message of the feed says. See the server's `features/revocations`. */
interface FeedMessage {
  iss: string;
  iat: number;
  since: number;
  cursor: number;
  revoked: { sid: string; exp: number }[];
}

/** What this verifier knows of revocations. */
export interface RevocationList {
  has(sid: string): boolean;
  /** Whether the server was heard lately enough to know. */
  isFresh(): boolean;
  /** Resolves when the server has been heard for the first time; fails after a while. */
  ready(): Promise<void>;
  stop(): void;
}

const reconnectMs = 200;
const maxReconnectMs = 900;
const readyTimeoutMs = 5000;
/** A stream without a sign of life for this long is dead: the server sends one every 10 s. */
const silenceMs = 25_000;
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
  const revoked = new Map<string, number>();
  const stopping = new AbortController();
  const firstHeard = Promise.withResolvers<void>();
  let cursor = 0;
  let issuedAt = 0;
  let heardAt = Number.NEGATIVE_INFINITY;

  async function take(jws: string): Promise<void> {
    const { payload, protectedHeader } = await compactVerify(jws, keys.find);
    const message = JSON.parse(new TextDecoder().decode(payload)) as FeedMessage;
    if (protectedHeader.typ !== 'revocations+jwt' || message.iss !== issuer)
      throw new Error('not a message of this feed');
    if (message.iat < issuedAt) throw new Error('a message from the past');
    // `since` is 0 when the server begins anew; otherwise what is missing between is to be asked for.
    if (message.since > cursor) throw new Error('a message is missing');
    for (const { sid, exp } of message.revoked) revoked.set(sid, exp);
    cursor = message.cursor;
    issuedAt = message.iat;
    heardAt = performance.now();
    firstHeard.resolve();
  }

  async function followOnce(): Promise<void> {
    const connection = new AbortController();
    const giveUp = () => connection.abort();
    let silence = setTimeout(giveUp, silenceMs);
    stopping.signal.addEventListener('abort', giveUp);
    try {
      const answer = await fetch(`${url}?cursor=${cursor}`, {
        headers: { accept: 'text/event-stream, application/jwt' },
        signal: connection.signal,
        redirect: 'error',
      });
      if (!answer.ok || answer.body === null) throw new Error(`the feed was answered with ${answer.status}`);
      if (!answer.headers.get('content-type')?.startsWith('text/event-stream'))
        return await take(await answer.text());
      let buffered = '';
      const decoder = new TextDecoder();
      for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
        clearTimeout(silence);
        silence = setTimeout(giveUp, silenceMs);
        buffered += decoder.decode(chunk, { stream: true });
        const events = buffered.split('\n\n');
        buffered = events.pop() ?? '';
        for (const event of events) {
          const data = /^data: (.+)$/m.exec(event)?.[1];
          if (data !== undefined) await take(data);
        }
      }
    } finally {
      clearTimeout(silence);
      stopping.signal.removeEventListener('abort', giveUp);
      connection.abort();
    }
  }

  async function follow(): Promise<void> {
    let waitMs = reconnectMs;
    while (!stopping.signal.aborted) {
      const before = heardAt;
      await followOnce().catch(() => {});
      waitMs = heardAt === before ? Math.min(waitMs * 2, maxReconnectMs) : reconnectMs;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, waitMs * (0.5 + Math.random() / 2));
      stopping.signal.addEventListener('abort', () => resolve(), { once: true });
      await promise;
      clearTimeout(timer);
    }
  }

  const pruning = setInterval(() => {
    const now = Date.now() / 1000;
    for (const [sid, exp] of revoked) if (exp < now - staleSeconds) revoked.delete(sid);
  }, pruneIntervalMs);
  if (typeof pruning === 'object') pruning.unref();
  void follow();

  return {
    has: (sid) => revoked.has(sid),
    isFresh: () => performance.now() - heardAt <= staleSeconds * 1000,
    async ready() {
      const late = Promise.withResolvers<never>();
      const timer = setTimeout(
        () => late.reject(new Error('the revocations are out of reach')),
        readyTimeoutMs,
      );
      try {
        await Promise.race([firstHeard.promise, late.promise]);
      } finally {
        clearTimeout(timer);
      }
    },
    stop() {
      stopping.abort();
      clearInterval(pruning);
    },
  };
}
