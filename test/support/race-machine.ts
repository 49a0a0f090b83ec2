import { setImmediate as turn } from 'node:timers/promises';
import { ApiError, type Client, connect } from '../../src/client/client.ts';
import type { Environment, TabMessage } from '../../src/client/environment.ts';
import type { RaceNetwork } from './race-network.ts';
import type { Choices, RaceTime } from './race-time.ts';
import type { Witness } from './race-witness.ts';

export interface Race {
  readonly time: RaceTime;
  readonly network: RaceNetwork;
  readonly witness: Witness;
  readonly instances: number;
  /** Off at the end, to see who is still signed in. */
  faults: boolean;
}

/** No request is under way for longer: with the client's limit for replies that is the grace. See docs/sessions.md. */
const longestRequestMs = 4_500;

/** A machine with a lid and one store, which its 1 to 8 tabs share. */
export class Machine {
  readonly race: Race;
  readonly name: string;
  readonly choices: Choices;
  readonly hasLocks: boolean;
  readonly #hasSlowStore: boolean;
  readonly #clockErrorMs: number;
  #text: string | undefined;
  #locks: { tab: Tab; begin: () => void }[] = [];
  #wakers: (() => void)[] = [];
  isLidOpen = true;
  /** While its session is ending nothing else befalls it. */
  isLeftAlone = false;
  /** Its tabs go on, also at the end, until they know that the session is over. */
  isAttacked = false;
  tabs: Tab[] = [];

  constructor(race: Race, name: string, choices: Choices) {
    this.race = race;
    this.name = name;
    this.choices = choices;
    this.hasLocks = choices.chance(0.5);
    this.#hasSlowStore = choices.chance(0.3);
    this.#clockErrorMs = choices.pick([0, 0, 90_000, -90_000, 86_400_000, -86_400_000]);
  }

  get email(): string {
    return `${this.name}@example.com`;
  }

  /** The session that its store holds. */
  get sid(): string {
    const token = JSON.parse(this.#text ?? '{}').refresh_token ?? '';
    return token === '' ? '' : JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString()).sid;
  }

  /** Signs in, in tabs that are all new. */
  async begin(): Promise<void> {
    const { time } = this.race;
    for (const tab of this.tabs) tab.crash();
    this.tabs = [];
    this.#text = undefined;
    const first = new Tab(this);
    for (;;) {
      try {
        await first.client.login(this.email, 'SecurePass123!');
        break;
      } catch {
        await time.sleep(1000);
      }
    }
    const others = Math.floor(this.choices.between(0, 8));
    this.tabs = [first, ...Array.from({ length: others }, () => new Tab(this))];
    this.isLeftAlone = false;
    this.isAttacked = false;
    for (const tab of this.tabs) tab.live();
  }

  /** What befalls a machine. */
  live(): void {
    const { choices, race } = this;
    const again = (leastS: number, mostS: number, happen: () => void) => {
      race.time.in(choices.between(leastS, mostS) * 1000, () => {
        if (race.faults && !this.isLeftAlone) happen();
        again(leastS, mostS, happen);
      });
    };
    // All at the same moment, as tabs do whose tokens expire together.
    again(20, 60, () => {
      for (const tab of this.tabs) tab.attempt(() => tab.client.refresh());
    });
    again(60, 400, () => {
      this.isLidOpen = false;
      const seconds = choices.chance(0.5) ? choices.between(5, 60) : choices.between(60, 7200);
      race.time.in(seconds * 1000, () => this.openLid());
    });
    again(30, 200, () => choices.pick(this.tabs).freeze(choices.between(5, 300) * 1000));
    again(60, 200, () => {
      if (!this.isLidOpen) return;
      if (this.tabs.length > 1 && choices.chance(0.5)) this.tabs.pop()?.crash();
      else if (this.tabs.length < 8) {
        const tab = new Tab(this);
        this.tabs.push(tab);
        tab.live();
      }
    });
  }

  openLid(): void {
    this.isLidOpen = true;
    this.wake();
  }

  leaveAlone(): void {
    this.isLeftAlone = true;
    for (const tab of this.tabs) tab.freeze(0);
    this.openLid();
  }

  wake(): void {
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const wake of wakers) wake();
  }

  async untilAwake(tab: Tab): Promise<void> {
    while (!this.isLidOpen || tab.isFrozen || tab.isDead) {
      await new Promise<void>((wake) => {
        this.#wakers.push(wake);
      });
    }
  }

  environmentOf(tab: Tab): Environment {
    const { race } = this;
    const { time } = race;
    // A store takes its turns, but no sleep falls between reading a token and sending it.
    const slow = () => (this.#hasSlowStore ? time.during(turn()) : undefined);
    return {
      storage: {
        get: async () => {
          await slow();
          return this.#text;
        },
        set: async (text) => {
          await slow();
          if (!tab.isDead) this.#text = text;
        },
        remove: async () => {
          await slow();
          if (!tab.isDead) this.#text = undefined;
        },
      },
      fetch: (url, init) => tab.send(new URL(url).pathname, init),
      locks: this.hasLocks ? { request: (_, { signal }, work) => this.#lock(tab, signal, work) } : undefined,
      tabs: {
        post: (message) => {
          for (const other of this.tabs) {
            if (other !== tab) time.in(tab.choices.between(0, 100), () => other.hear(message));
          }
        },
        listen: (hear) => tab.listeners.push(hear),
      },
      monotonic: () => time.now,
      wall: () => time.now + this.#clockErrorMs,
      sleep: (milliseconds) => time.sleep(milliseconds).then(() => this.untilAwake(tab)),
      timeout: (milliseconds) => {
        const controller = new AbortController();
        time.in(milliseconds, () => this.untilAwake(tab).then(() => controller.abort()));
        return controller.signal;
      },
      random: () => tab.choices.next(),
    };
  }

  /** Web Locks, 5.5: in the order of asking; a tab that crashes gives its locks back. */
  #lock(tab: Tab, signal: AbortSignal, work: () => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const request = {
        tab,
        begin: () => {
          signal.removeEventListener('abort', giveUp);
          this.untilAwake(tab)
            .then(work)
            .then(resolve, reject)
            .finally(() => this.#unlock(request));
        },
      };
      const giveUp = () => {
        this.#locks = this.#locks.filter((other) => other !== request);
        reject(signal.reason);
      };
      signal.addEventListener('abort', giveUp);
      this.#locks.push(request);
      if (this.#locks[0] === request) request.begin();
    });
  }

  #unlock(request: { tab: Tab; begin: () => void }): void {
    if (this.#locks[0] !== request) return;
    this.#locks.shift();
    this.#locks[0]?.begin();
  }

  releaseLocksOf(tab: Tab): void {
    const [holder] = this.#locks;
    this.#locks = this.#locks.filter((request) => request.tab !== tab);
    if (holder?.tab === tab) this.#locks[0]?.begin();
  }
}

/** A tab with a client of its own. */
export class Tab {
  readonly machine: Machine;
  readonly choices: Choices;
  readonly client: Client;
  readonly listeners: ((message: TabMessage) => void)[] = [];
  isDead = false;
  isFrozen = false;
  signedOut = 0;

  constructor(machine: Machine) {
    this.machine = machine;
    this.choices = machine.choices.fork();
    let sid = machine.sid;
    this.client = connect(
      {
        url: 'http://race.example',
        onSignedOut: () => {
          if (this.isDead) return;
          this.signedOut++;
          const { time, witness } = machine.race;
          witness.sawSignedOut(time.now, sid, `a tab of ${machine.name}`);
        },
      },
      machine.environmentOf(this),
    );
    const { login } = this.client;
    this.client.login = async (email, password) => {
      await login(email, password);
      sid = machine.sid;
    };
  }

  /** Does what tabs do, at times of its own, until it is closed. */
  async live(): Promise<void> {
    const { race } = this.machine;
    while (!this.isDead) {
      await race.time.sleep(this.choices.between(100, 20_000));
      await this.machine.untilAwake(this);
      if (!race.faults && !this.machine.isAttacked) return;
      if (this.choices.chance(0.7)) await this.attempt(() => this.client.refresh());
      else await this.attempt(() => this.client.fetch('/auth/me'));
    }
  }

  /** The network may fail; what the server says, the witness judges. */
  async attempt(work: () => Promise<unknown>): Promise<void> {
    await this.machine.untilAwake(this);
    await work().catch((error) => {
      const isExpected =
        error instanceof ApiError || error instanceof TypeError || error.name === 'AbortError';
      if (!isExpected) this.machine.race.witness.violations.push(String(error.stack));
    });
  }

  freeze(milliseconds: number): void {
    this.isFrozen = milliseconds > 0;
    this.machine.race.time.in(milliseconds, () => {
      this.isFrozen = false;
      this.machine.wake();
    });
  }

  /** It never goes on, wherever it was. */
  crash(): void {
    this.isDead = true;
    this.machine.releaseLocksOf(this);
  }

  async hear(message: TabMessage): Promise<void> {
    await this.machine.untilAwake(this);
    for (const hear of this.listeners) hear(message);
  }

  /** The network as it is: loses, delays and repeats. */
  send(path: string, init: RequestInit): Promise<Response> {
    const { signal } = init;
    const aborted = new Promise<never>((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason));
    });
    return Promise.race([this.#transmit(path, init), aborted]);
  }

  async #transmit(path: string, init: RequestInit): Promise<Response> {
    const { choices, machine } = this;
    const { time, network, instances, faults } = machine.race;
    const server = () => Math.floor(choices.between(0, instances));
    if (!faults) return network.deliver(server(), path, init);

    const failIn = async (milliseconds: number): Promise<never> => {
      await time.sleep(milliseconds);
      await machine.untilAwake(this);
      throw new TypeError('fetch failed');
    };
    if (choices.chance(0.08)) return failIn(choices.between(0, 3000));
    const delayMs = choices.chance(0.3) ? choices.between(0, longestRequestMs - 100) : 0;
    if (choices.chance(0.06)) {
      const repeatMs = choices.between(delayMs, longestRequestMs - 100);
      const repeatedTo = server();
      time.in(repeatMs, () => network.deliver(repeatedTo, path, init).catch(() => {}));
    }
    if (delayMs > 0) await time.sleep(delayMs);
    const response = await network.deliver(server(), path, init);
    if (choices.chance(0.1)) return failIn(choices.between(0, 8000));
    const replyMs = choices.chance(0.85) ? choices.between(0, 300) : choices.between(0, 40_000);
    await time.sleep(replyMs);
    await machine.untilAwake(this);
    return response;
  }
}
