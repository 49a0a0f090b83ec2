import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient, NoAnswerError, type RawAnswer } from './fault-client.ts';
import type { Random } from './fault-random.ts';

export interface Tokens {
  access_token: string;
  refresh_token: string;
}

/** More would make the checks slower than what they check. */
const rememberedTokens = 60;

/** Somebody whom nothing may let in, whatever happens to the server: with sessions that ended, and with wrong passwords. */
export class Intruder {
  attempts = 0;
  readonly #ended: Tokens[] = [];

  /** Takes the tokens of sessions whose end was acknowledged. */
  take(ended: readonly Tokens[]): void {
    this.#ended.push(...ended);
    this.#ended.splice(0, this.#ended.length - rememberedTokens);
  }

  /** Tries until `isOver`, or, unless it is to be `steadfast`, until the server is gone. */
  async run(
    url: string,
    random: Random,
    emails: () => readonly string[],
    isOver: () => boolean,
    { steadfast, pauseMs }: { steadfast: boolean; pauseMs: number },
  ): Promise<void> {
    const client = createClient(url, { connections: 2 });
    try {
      while (!isOver()) {
        await sleep(random.below(2 * pauseMs));
        const email = emails().length > 0 ? random.pick(emails()) : 'nobody@example.com';
        const tokens = this.#ended.length > 0 ? random.pick(this.#ended) : undefined;
        const json = { username: email, password: `Wrong!${random.below(1e6)}Aa` };
        const isAnswered =
          tokens === undefined || random.chance(0.2)
            ? await this.#try(client.ask('POST', '/auth/login', { json }))
            : await this.#show(client, tokens, random);
        if (!isAnswered && !steadfast) return;
      }
    } finally {
      client.close();
    }
  }

  /** Asserts that every session that ended is refused by a server that is well. */
  async verify(client: Client): Promise<void> {
    for (const { access_token: token, refresh_token } of this.#ended) {
      const me = await client.ask('GET', '/auth/me', { token });
      assert.ok(me.status === 401 || me.status === 403, `an ended session is answered ${me.status}`);
      const refreshed = await client.ask('POST', '/auth/refresh', { json: { refresh_token } });
      assert.equal(refreshed.status, 401, 'an ended session is refreshed');
      this.attempts += 2;
    }
  }

  #show(client: Client, { access_token: token, refresh_token }: Tokens, random: Random): Promise<boolean> {
    if (random.chance(0.5)) return this.#try(client.ask('GET', '/auth/me', { token }));
    return this.#try(client.ask('POST', '/auth/refresh', { json: { refresh_token } }));
  }

  /** Resolves to whether the server answered. */
  async #try(asking: Promise<RawAnswer>): Promise<boolean> {
    try {
      const { status, text } = await asking;
      assert.ok([401, 403, 503].includes(status), `an intruder was answered ${status} ${text}`);
      this.attempts++;
      return true;
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
      return false;
    }
  }
}
