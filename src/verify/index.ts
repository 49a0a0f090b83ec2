import { jwtVerify } from 'jose';
import type { AccessTokenClaims } from '../crypto/claims.ts';
import { VerificationError } from './errors.ts';
import { expressGuard, fastifyGuard, honoGuard } from './guards.ts';
import { createRemoteKeys } from './keys.ts';
import { followRevocations } from './revocations.ts';

export type { AccessTokenClaims } from '../crypto/claims.ts';
export { VerificationError, type VerificationFailure } from './errors.ts';

export interface VerifierOptions {
  /** Where Doorward is, e.g. `https://accounts.example.com`. */
  url: string;
  /** Where its endpoints are mounted. `/auth` unless told. */
  prefix?: string;
  /** The `iss` to expect. `url` unless told. */
  issuer?: string;
  /** The `aud` to expect. The issuer unless told. */
  audience?: string;
  /**
   * Seconds for which tokens are accepted though the revocations are out of reach. 60 unless told. What keeps half of it
   * silent is asked anew.
   */
  staleSeconds?: number;
}

/** The variables of a Hono application with the guard: `new Hono<{ Variables: VerifiedVariables }>()`. */
export interface VerifiedVariables {
  claims: AccessTokenClaims;
}

/** Verifies access tokens of a Doorward somewhere else. */
export interface Verifier {
  /** The claims of an access token. @throws VerificationError. */
  verify(token: string): Promise<AccessTokenClaims>;
  /** An `onRequest` hook for Fastify; sets `request.claims`. */
  readonly fastify: ReturnType<typeof fastifyGuard>;
  /** Middleware for Express; sets `req.claims`. */
  readonly express: ReturnType<typeof expressGuard>;
  /** Middleware for Hono; sets the variable `claims`. */
  readonly hono: ReturnType<typeof honoGuard>;
  /**
   * Resolves when keys and revocations have been heard. Requests before that wait for it themselves.
   * @throws VerificationError `verifier_unavailable` after 5 seconds.
   */
  ready(): Promise<void>;
  /** Ends its connection and its timers; nothing is verified any more. */
  close(): void;
}

const maxRememberedTokens = 10_000;
const maxTokenLength = 4096;

/** Base64url decoders forgive white space; one token then had many texts. */
const compactToken = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * Makes a verifier that asks nobody while a request waits: keys are kept, revocations are followed, and a token that
 * was verified is remembered until it expires. It refuses within a second of a revocation, and refuses everything when
 * it has not heard of revocations for `staleSeconds`. It needs fetch and WebCrypto, and nothing of Node.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const { prefix = '/auth', staleSeconds = 60 } = options;
  const url = options.url.replace(/\/+$/, '');
  const { issuer = url, audience = issuer } = options;
  if (!(staleSeconds > 0)) throw new RangeError('staleSeconds must be more than 0');
  let remembered = new Map<string, AccessTokenClaims>();
  const keys = createRemoteKeys(`${url}/.well-known/jwks.json`, () => {
    // Another map, so that a verification under way does not enter what a withdrawn key has signed.
    remembered = new Map();
  });
  const revocations = followRevocations({ url: `${url}${prefix}/revocations`, issuer, keys, staleSeconds });

  function recall(token: string): AccessTokenClaims | undefined {
    const claims = remembered.get(token);
    if (claims === undefined || claims.exp > Date.now() / 1000) return claims;
    remembered.delete(token);
    return undefined;
  }

  function admit(claims: AccessTokenClaims): AccessTokenClaims {
    assertFresh();
    if (revocations.has(claims.sid)) throw new VerificationError('revoked_token');
    return claims;
  }

  function assertFresh(): void {
    if (revocations.isFresh()) return;
    throw new VerificationError('verifier_unavailable', {
      reason: 'the revocations have not been heard lately',
    });
  }

  async function verifyAnew(token: string): Promise<AccessTokenClaims> {
    await revocations.ready();
    assertFresh();
    const memory = remembered;
    try {
      if (token.length > maxTokenLength) throw new Error('the token is too long');
      if (!compactToken.test(token)) throw new Error('the text is no token');
      const { payload: claims } = await jwtVerify<AccessTokenClaims>(token, keys.find, {
        typ: 'at+jwt',
        issuer,
        audience,
        algorithms: ['ES256', 'EdDSA', 'RS256'],
        requiredClaims: ['sub', 'sid', 'gen', 'type', 'iat', 'exp', 'jti'],
      });
      if (claims.type !== 'access' || typeof claims.sid !== 'string') throw new Error('not an access token');
      if (memory.size >= maxRememberedTokens) {
        const [oldest] = memory.keys();
        if (oldest !== undefined) memory.delete(oldest);
      }
      memory.set(token, claims);
      return admit(claims);
    } catch (cause) {
      if (cause instanceof VerificationError) throw cause;
      const reason = cause instanceof Error ? cause.message : 'invalid';
      throw new VerificationError('invalid_token', { reason, cause });
    }
  }

  const verify = (token: string): AccessTokenClaims | Promise<AccessTokenClaims> => {
    const claims = recall(token);
    return claims === undefined ? verifyAnew(token) : admit(claims);
  };

  return {
    verify: async (token) => verify(token),
    fastify: fastifyGuard(verify),
    express: expressGuard(verify),
    hono: honoGuard(verify),
    ready: () => revocations.ready(),
    close() {
      keys.stop();
      revocations.stop();
    },
  };
}
