import {
  createLocalJWKSet,
  type FlattenedJWSInput,
  type JSONWebKeySet,
  type JWSHeaderParameters,
  type LocalJWKSet,
} from 'jose';
import { VerificationError } from './errors.ts';

/** As long as the server says that its keys may be kept. */
const maxAgeMs = 30_000;
/** Tokens of made-up keys cost a question this often at most. */
const cooldownMs = 1000;
const timeoutMs = 5000;

/** The published keys of a server, asked for anew as they age. */
export interface RemoteKeys {
  /**
   * For jose: the key that a header names. Asks the server when it is not known yet.
   * @throws VerificationError `verifier_unavailable` when it must ask and gets no answer.
   */
  find(header: JWSHeaderParameters, token: FlattenedJWSInput): ReturnType<LocalJWKSet>;
  /** Asks the server unless the keys known are those with these ids. Throws as `find` does. */
  agree(kids: readonly string[]): Promise<void>;
  stop(): void;
}

/** `onWithdrawn` is called when a key that was known is gone: what it verified is to be forgotten. */
export function createRemoteKeys(url: string, onWithdrawn: () => void): RemoteKeys {
  const stopping = new AbortController();
  let find: LocalJWKSet | undefined;
  let kids: readonly string[] = [];
  let askedAt = Number.NEGATIVE_INFINITY;
  let answeredAt = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;

  async function ask(): Promise<void> {
    askedAt = performance.now();
    const timeout = AbortSignal.timeout(timeoutMs);
    const answer = await fetch(url, {
      signal: AbortSignal.any([stopping.signal, timeout]),
      redirect: 'error',
    });
    if (!answer.ok) throw new Error(`the keys were answered with ${answer.status}`);
    const jwks = (await answer.json()) as JSONWebKeySet;
    const found = createLocalJWKSet(jwks);
    const foundKids = jwks.keys.map(({ kid }) => kid ?? '');
    find = found;
    answeredAt = askedAt;
    const isWithdrawn = kids.some((kid) => !foundKids.includes(kid));
    kids = foundKids;
    if (isWithdrawn) onWithdrawn();
  }

  /** Whoever comes while it waits or asks shares the one question. */
  function refresh(): Promise<void> {
    asking ??= pause(askedAt + cooldownMs - performance.now(), stopping.signal)
      .then(ask)
      .catch((cause) => {
        throw new VerificationError('verifier_unavailable', { reason: 'the keys are out of reach', cause });
      })
      .finally(() => {
        asking = undefined;
      });
    return asking;
  }

  // What is known goes on to count while the server is away; how long is the revocations' to say.
  const timer = setInterval(() => refresh().catch(() => {}), maxAgeMs);
  if (typeof timer === 'object') timer.unref();

  return {
    async find(header, token) {
      // The server names each of its keys; what it does not name is not worth a question.
      if (header.kid === undefined) throw new Error('the header names no key');
      const calledAt = performance.now();
      // A key that was made a moment ago: its token waits for the answer rather than to be refused for being new. An
      // answer under way may be older than the key, so that it can take a second question.
      while (!kids.includes(header.kid) && answeredAt < calledAt) await refresh();
      if (find === undefined) throw new Error('there are no keys');
      return find(header, token);
    },
    async agree(published) {
      const calledAt = performance.now();
      const isSame = published.length === kids.length && published.every((kid) => kids.includes(kid));
      if (!isSame && answeredAt < calledAt) await refresh();
    },
    stop() {
      clearInterval(timer);
      stopping.abort();
    },
  };
}

/** Waits that long, or until `signal` aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
