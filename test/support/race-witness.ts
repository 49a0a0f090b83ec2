/** What the tokens of a session show to somebody who may read them. */
interface Claims {
  sid: string;
  gen: number;
  exp: number;
}

interface SessionFacts {
  /** The refresh token of each generation. */
  readonly refreshTokens: Map<number, string>;
  /** When a token of a generation was first presented and honoured. */
  readonly usedAt: Map<number, number>;
  /** The newest generation, and the newest that was known before this moment. */
  newest: number;
  settled: number;
  newestAccessToken: string;
  lastMoment: number;
  /** Somebody else has shown a spent token: the session must end. */
  isAttacked: boolean;
}

/** A token that must not be honoured any more, and the newest ones of its session. */
export interface SpentToken {
  readonly sid: string;
  readonly refreshToken: string;
  readonly newest: { readonly refreshToken: string; readonly accessToken: string };
}

function claimsOf(token: string): Claims {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

/** Sees every request that a server answered, and holds the answers against the contract. Times in milliseconds. */
export class Witness {
  readonly violations: string[] = [];
  refreshes = 0;
  rotations = 0;
  readonly #sessions = new Map<string, SessionFacts>();
  readonly #graceMs: number;

  constructor(graceSeconds: number) {
    this.#graceMs = graceSeconds * 1000;
  }

  sawLogin(now: number, answer: { access_token: string; refresh_token: string }): string {
    const { sid } = claimsOf(answer.refresh_token);
    this.#sawTokens(sid, now, answer);
    return sid;
  }

  sawRefresh(
    now: number,
    shown: string,
    status: number,
    answer: { code?: string; access_token: string; refresh_token: string },
  ): void {
    const { sid, gen } = claimsOf(shown);
    const facts = this.#sessions.get(sid);
    if (facts === undefined || status >= 500) return;
    if (status !== 200) {
      if (!facts.isAttacked)
        this.#violate(now, sid, `generation ${gen} of ${facts.newest} got ${answer.code}`);
      return;
    }
    this.refreshes++;
    const successorUsedAt = facts.usedAt.get(gen + 1);
    if (successorUsedAt !== undefined && successorUsedAt <= now - this.#graceMs) {
      this.#violate(now, sid, `generation ${gen} was honoured after its time`);
    }
    const given = claimsOf(answer.refresh_token).gen;
    const settled = facts.lastMoment < now ? facts.newest : facts.settled;
    if (given < settled || given < gen || given > gen + 1) {
      this.#violate(now, sid, `generation ${gen} got ${given} when ${settled} was there`);
    }
    if (!facts.usedAt.has(gen)) facts.usedAt.set(gen, now);
    this.#sawTokens(sid, now, answer);
  }

  sawAccess(now: number, token: string, status: number): void {
    const { sid, gen, exp } = claimsOf(token);
    const facts = this.#sessions.get(sid);
    if (facts === undefined || status >= 500) return;
    if (status === 200 && !facts.usedAt.has(gen)) facts.usedAt.set(gen, now);
    if (status !== 200 && !facts.isAttacked && exp * 1000 > now) {
      this.#violate(now, sid, `an access token of generation ${gen} got ${status}`);
    }
  }

  sawSignedOut(now: number, sid: string, who: string): void {
    if (!this.#sessions.get(sid)?.isAttacked) this.#violate(now, sid, `${who} was signed out`);
  }

  /** A token of the session whose successor came into use the grace ago, if there is one. */
  spentToken(now: number, sid: string, choose: (count: number) => number): SpentToken | undefined {
    const facts = this.#sessions.get(sid);
    if (facts === undefined) return undefined;
    const spent = [...facts.refreshTokens].filter(([gen]) => {
      const usedAt = facts.usedAt.get(gen + 1);
      return usedAt !== undefined && usedAt <= now - this.#graceMs;
    });
    const newest = {
      refreshToken: facts.refreshTokens.get(facts.newest) ?? '',
      accessToken: facts.newestAccessToken,
    };
    const [, refreshToken] = spent[choose(spent.length)] ?? [];
    return refreshToken === undefined ? undefined : { sid, refreshToken, newest };
  }

  attack(sid: string): void {
    const facts = this.#sessions.get(sid);
    if (facts) facts.isAttacked = true;
  }

  isAttacked(sid: string): boolean {
    return this.#sessions.get(sid)?.isAttacked === true;
  }

  #sawTokens(sid: string, now: number, answer: { access_token: string; refresh_token: string }): void {
    const { gen } = claimsOf(answer.refresh_token);
    const facts = this.#sessions.get(sid) ?? {
      refreshTokens: new Map(),
      usedAt: new Map(),
      newest: 0,
      settled: 0,
      newestAccessToken: '',
      lastMoment: now,
      isAttacked: false,
    };
    this.#sessions.set(sid, facts);
    if (facts.lastMoment < now) facts.settled = facts.newest;
    facts.lastMoment = now;
    const known = facts.refreshTokens.get(gen) ?? answer.refresh_token;
    if (known !== answer.refresh_token) this.#violate(now, sid, `generation ${gen} has two refresh tokens`);
    facts.refreshTokens.set(gen, known);
    if (gen >= facts.newest) facts.newestAccessToken = answer.access_token;
    if (gen > facts.newest && facts.newest > 0) this.rotations++;
    facts.newest = Math.max(facts.newest, gen);
  }

  #violate(now: number, sid: string, what: string): void {
    this.violations.push(`${new Date(now).toISOString()} session ${sid.slice(0, 6)}: ${what}`);
  }
}
