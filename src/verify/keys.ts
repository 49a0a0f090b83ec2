import {
  createLocalJWKSet,
  type FlattenedJWSInput,
  type JSONWebKeySet,
  type JWSHeaderParameters,
  type LocalJWKSet,
} from 'jose';

/** As long as the server says that its keys may be kept. */
const maxAgeMs = 30_000;
/** Tokens of made-up keys cost a question this often at most. */
const cooldownMs = 1000;
const timeoutMs = 5000;

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}

/** The published keys of a server, asked for anew as they age. */
export interface RemoteKeys {
  /** For jose: the key that a header names. Asks the server when it is not known yet. */
  find(header: JWSHeaderParameters, token: FlattenedJWSInput): ReturnType<LocalJWKSet>;
  stop(): void;
}

/** `onWithdrawn` is called when a key that was known is gone: what it verified is to be forgotten. */
export function createRemoteKeys(url: string, onWithdrawn: () => void): RemoteKeys {
  let find: LocalJWKSet | undefined;
  let kids: readonly string[] = [];
  let askedAt = -cooldownMs;
  let asking: Promise<void> | undefined;

  async function ask(): Promise<void> {
    askedAt = performance.now();
    const answer = await fetch(url, { signal: AbortSignal.timeout(timeoutMs), redirect: 'error' });
    if (!answer.ok) throw new Error(`the keys were answered with ${answer.status}`);
    const jwks = (await answer.json()) as JSONWebKeySet;
    const found = createLocalJWKSet(jwks);
    const foundKids = jwks.keys.map((key) => key.kid ?? '');
    if (kids.some((kid) => !foundKids.includes(kid))) onWithdrawn();
    find = found;
    kids = foundKids;
  }

  /** Whoever comes while it waits or asks shares the one question. */
  function refresh(): Promise<void> {
    asking ??= sleep(askedAt + cooldownMs - performance.now())
      .then(ask)
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
      if (find === undefined) await refresh();
      // A key that was made a moment ago: its token waits for the answer rather than to be refused for being new.
      if (!kids.includes(header.kid ?? '')) await refresh();
      if (find === undefined) throw new Error('the keys are out of reach');
      return find(header, token);
    },
    stop: () => clearInterval(timer),
  };
}
