import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient, NoAnswerError, type RawAnswer } from './fault-client.ts';
import { query } from './fault-inspect.ts';
import { Intruder, type Tokens } from './fault-intruder.ts';
import { createRandom, type Random } from './fault-random.ts';

/** What is known of one account; `undefined` is: there is none. */
type State = { email: string; name: string; password: string; isActive: boolean } | undefined;

/** An account that one writer alone writes to, so that what it must be is known. */
interface Account {
  id: number | undefined;
  /** What it may be: one state after an acknowledged write, two after one without an answer. */
  states: State[];
  /** A session that a login gave, while the account cannot have lost it. */
  session: Tokens | undefined;
  /** A session before it that was not ended either. */
  other: Tokens | undefined;
  /** Whether it was written to since it was verified. */
  isChanged: boolean;
  /** What was asked and answered, for the message of a failure. */
  history: string[];
}

interface Tally {
  acknowledged: number;
  unanswered: number;
  /** Writes without an answer that the database had nevertheless. */
  appliedUnanswered: number;
}

const adminPassword = 'Admin!Secret-77';
const only = (account: Account): State => account.states[0];

/**
 * Clients that write to a server which may fail at any moment, and remember what was acknowledged. 503 counts as no
 * answer: a connection lost during COMMIT leaves open what became of it.
 */
export class Writers {
  readonly intruder = new Intruder();
  readonly tally: Tally = { acknowledged: 0, unanswered: 0, appliedUnanswered: 0 };
  readonly #databaseUrl: string;
  readonly #name: string;
  #accounts: Account[] = [];
  #count = 0;
  #round = 0;
  #isOver = false;
  #toGo = 0;
  #reached: (() => void) | undefined;
  /** The two admins take each other's role at the end of a round, so the requests of admins may be refused from then on. */
  #isAdminInDoubt = false;
  #admins: { id: number; email: string; token: string }[] = [];

  constructor(databaseUrl: string, name: string) {
    this.#databaseUrl = databaseUrl;
    this.#name = name;
  }

  /** Logs the admins in, and makes a second one where one is missing. There must be one already. */
  async prepare(client: Client): Promise<void> {
    this.#isOver = false;
    this.#isAdminInDoubt = false;
    this.#round++;
    const rows = await query(
      this.#databaseUrl,
      'select id, email from users where is_admin and is_active order by id limit 2',
    );
    this.#admins = [];
    for (const { id, email } of rows) {
      this.#admins.push({
        id: Number(id),
        email: String(email),
        token: await logIn(client, String(email), adminPassword),
      });
    }
    if (this.#admins.length === 2) return;
    const [first] = this.#admins;
    assert.ok(first !== undefined, 'no active admin is left');
    const email = `admin-${++this.#count}-${this.#name}@example.com`;
    const json = { email, name: 'Admin', password: adminPassword, is_admin: true };
    const made = await client.ask('POST', '/auth/users', { json, token: first.token });
    assert.equal(made.status, 201, made.text);
    this.#admins.push({ id: made.body.id, email, token: await logIn(client, email, adminPassword) });
  }

  /** The first admin of an empty database. */
  static async makeAdmin(client: Client, setupToken: string): Promise<void> {
    const json = { token: setupToken, email: 'first@example.com', name: 'Admin', password: adminPassword };
    assert.equal((await client.ask('POST', '/auth/setup', { json })).status, 201);
  }

  /** Writes until `stop` is called, or, unless they are to be `steadfast`, until the server is gone. */
  async run(
    url: string,
    writers: number,
    { steadfast = false, pauseMs = 0 }: { steadfast?: boolean; pauseMs?: number } = {},
  ): Promise<void> {
    // Shared out before anybody writes: what a writer makes is its own, and nobody else's.
    const shares = Array.from({ length: writers }, (_, index) =>
      this.#accounts.filter((_account, at) => at % writers === index),
    );
    const running = shares.map(async (own, index) => {
      const client = createClient(url, { connections: 2 });
      const random = createRandom(`${this.#name}/${this.#round}/${index}`);
      try {
        while (!this.#isOver) {
          const isAnswered = await this.#write(client, random, own);
          if (!isAnswered && !steadfast) return;
          if (!isAnswered) await sleep(50);
          if (pauseMs > 0) await sleep(random.below(2 * pauseMs));
        }
      } finally {
        client.close();
      }
    });
    const intruding = this.intruder.run(
      url,
      createRandom(`${this.#name}/${this.#round}/intruder`),
      () => this.#accounts.flatMap((account) => only(account)?.email ?? []),
      () => this.#isOver,
      { steadfast, pauseMs: pauseMs || 10 },
    );
    await Promise.all([...running, intruding]);
  }

  /** Resolves when so many more writes have been acknowledged. */
  acknowledged(count: number): Promise<void> {
    this.#toGo = count;
    return new Promise((resolve) => {
      this.#reached = resolve;
    });
  }

  stop(): void {
    this.#isOver = true;
  }

  /** The two admins at once take each other's role, or each other away. */
  async duel(url: string): Promise<void> {
    this.#isAdminInDoubt = true;
    const client = createClient(url);
    const random = createRandom(`${this.#name}/${this.#round}/duel`);
    const attack = async (by: number, on: number) => {
      const target = `/auth/users/${this.#admins[on]?.id}`;
      const token = this.#admins[by]?.token ?? '';
      const [method, path, json] = random.pick([
        ['PATCH', target, { is_admin: false }],
        ['DELETE', target, undefined],
        ['POST', `${target}/deactivate`, undefined],
      ] as const);
      await client.ask(method, path, { token, ...(json ? { json } : {}) }).catch(ignoreNoAnswer);
    };
    await Promise.all([attack(0, 1), attack(1, 0)]);
    client.close();
  }

  /** Asserts that every acknowledged write is there, and every other one whole or absent. */
  async verify(client: Client): Promise<void> {
    const rows = await query(this.#databaseUrl, 'select id, email, name, is_active from users');
    const byEmail = new Map(rows.map((row) => [String(row.email), row]));
    const byId = new Map(rows.map((row) => [Number(row.id), row]));
    for (const account of this.#accounts) {
      const wasOpen = account.states.length > 1;
      const row =
        account.id === undefined
          ? account.states
              .map((state) => state && byEmail.get(state.email))
              .find((found) => found !== undefined)
          : byId.get(account.id);
      const fitting: State[] = [];
      for (const state of account.states)
        if (await this.#fits(client, account, state, row)) fitting.push(state);
      const expected = JSON.stringify(account.states);
      assert.equal(
        fitting.length,
        1,
        `${JSON.stringify(row)} in the database is not what was written: ${expected}`,
      );
      if (wasOpen && fitting[0] !== account.states[0]) this.tally.appliedUnanswered++;
      const [state] = fitting;
      if (account.session !== undefined && account.isChanged && state?.isActive) {
        account.session = await this.#proveAlive(client, account, account.session);
      }
      account.states = [state];
      account.isChanged = false;
      account.id = row === undefined ? undefined : Number(row.id);
      if (state === undefined) account.session = undefined;
    }
    await this.intruder.verify(client);
    const expected = this.#accounts.filter((account) => only(account) !== undefined).length;
    const others = rows.filter(({ email }) => !/^(admin-|first@)/.test(String(email))).length;
    assert.equal(others, expected, 'accounts that nobody made');
    this.#accounts = this.#accounts.filter((account) => only(account) !== undefined);
  }

  /** What an acknowledged login or refresh gave is good, and can be refreshed. */
  async #proveAlive(client: Client, account: Account, session: Tokens): Promise<Tokens> {
    const history = () => account.history.join('\n');
    const { access_token: token, refresh_token } = session;
    const me = await client.ask('GET', '/auth/me', { token });
    assert.equal(me.status, 200, `a session is gone: ${me.text}\n${history()}`);
    const refreshed = await client.ask('POST', '/auth/refresh', { json: { refresh_token } });
    assert.equal(refreshed.status, 200, `a session is not refreshed: ${refreshed.text}\n${history()}`);
    return refreshed.body;
  }

  async #fits(
    client: Client,
    account: Account,
    state: State,
    row: Record<string, unknown> | undefined,
  ): Promise<boolean> {
    if (state === undefined || row === undefined) return state === row;
    const { email, name, isActive, password } = state;
    if (row.email !== email || row.name !== name || Boolean(row.is_active) !== isActive) return false;
    if (!account.isChanged) return true;
    const login = await client.ask('POST', '/auth/login', { json: { username: email, password } });
    return login.status === (isActive ? 200 : 403);
  }

  /** One write. Resolves to whether the server answered. */
  async #write(client: Client, random: Random, own: Account[]): Promise<boolean> {
    const live = own.filter(
      (account) => account.id !== undefined && only(account) !== undefined && account.states.length === 1,
    );
    const account = live.length > 0 ? random.pick(live) : undefined;
    const state = account && only(account);
    if (account === undefined || state === undefined || (live.length < 6 && random.chance(0.35))) {
      return this.#signUp(client, random, own);
    }
    const fresh = `${random.below(1e9).toString(36)}.${++this.#count}`;
    const admin = random.pick(this.#admins);
    const target = `/auth/users/${account.id}`;
    if (!state.isActive) {
      const activate = () => client.ask('POST', `${target}/activate`, { token: admin.token });
      return this.#record(account, { ...state, isActive: true }, activate, true);
    }
    const { session } = account;
    if (session === undefined || (account.other === undefined && random.chance(0.1))) {
      const isAnswered = await this.#logIn(client, account, state);
      if (account.session !== session) account.other = session;
      return isAnswered;
    }
    const owner = session.access_token;

    const email = `${fresh}@example.com`;
    const name = `Name ${fresh}`;
    switch (random.below(12)) {
      case 0:
        return this.#record(account, { ...state, name }, () =>
          client.ask('PUT', '/auth/me', { json: { name }, token: owner }),
        );
      case 1:
        return this.#record(account, { ...state, email }, () =>
          client.ask('PATCH', '/auth/me', { json: { email }, token: owner }),
        );
      case 2:
      case 3:
        return this.#record(account, { ...state, email, name }, () =>
          client.ask('PATCH', '/auth/me', { json: { email, name }, token: owner }),
        );
      case 4: {
        const password = `Pw!${fresh}Aa1`;
        const json = { current_password: state.password, new_password: password };
        const { other } = account;
        account.other = undefined;
        const isAnswered = await this.#record(account, { ...state, password }, () =>
          client.ask('POST', '/auth/me/password', { json, token: owner }),
        );
        if (account.states.length === 1 && other !== undefined) this.intruder.take([other]);
        return isAnswered;
      }
      case 5: {
        const json = { current_password: state.password };
        return this.#end(account, undefined, false, () =>
          client.ask('DELETE', '/auth/me', { json, token: owner }),
        );
      }
      case 6:
      case 7:
        return this.#refresh(client, account, session);
      case 8:
        return this.#logOut(client, account, session);
      case 9:
        return this.#end(account, { ...state, isActive: false }, true, () =>
          client.ask('POST', `${target}/deactivate`, { token: admin.token }),
        );
      case 10:
        return this.#end(account, undefined, true, () =>
          client.ask('DELETE', target, { token: admin.token }),
        );
      default:
        return this.#end(account, { email, name, password: state.password, isActive: false }, true, () =>
          client.ask('PATCH', target, { json: { email, name, is_active: false }, token: admin.token }),
        );
    }
  }

  /** A write that ends all sessions of the account. */
  async #end(
    account: Account,
    next: State,
    asAdmin: boolean,
    send: () => Promise<RawAnswer>,
  ): Promise<boolean> {
    const ended = [account.session, account.other].filter((tokens) => tokens !== undefined);
    account.session = undefined;
    account.other = undefined;
    const before = only(account);
    const isAnswered = await this.#record(account, next, send, asAdmin);
    const isDone = account.states.length === 1 && only(account) !== before;
    if (isDone) this.intruder.take(ended);
    return isAnswered;
  }

  /** A reply that is lost changes nothing for the client: it shows the same token again. */
  async #refresh(client: Client, account: Account, { refresh_token }: Tokens): Promise<boolean> {
    const answer = await client
      .ask('POST', '/auth/refresh', { json: { refresh_token } })
      .catch(ignoreNoAnswer);
    account.history.push(`round ${this.#round}: ${answer?.status ?? 'no answer'} to refresh`);
    account.isChanged = true;
    if (answer === undefined || answer.status === 503) {
      this.tally.unanswered++;
      return answer !== undefined;
    }
    assert.equal(answer.status, 200, `${answer.text}\n${account.history.join('\n')}`);
    account.session = answer.body;
    this.#acknowledge();
    return true;
  }

  async #logOut(client: Client, account: Account, session: Tokens): Promise<boolean> {
    account.session = undefined;
    const token = session.access_token;
    const answer = await client.ask('POST', '/auth/logout', { token }).catch(ignoreNoAnswer);
    account.history.push(`round ${this.#round}: ${answer?.status ?? 'no answer'} to logout`);
    if (answer === undefined || answer.status === 503) {
      this.tally.unanswered++;
      return answer !== undefined;
    }
    assert.equal(answer.status, 204, `${answer.text}\n${account.history.join('\n')}`);
    this.intruder.take([session]);
    this.#acknowledge();
    return true;
  }

  /** Sends a write that takes `account` to `next`, and notes what is known of it then. */
  async #record(
    account: Account,
    next: State,
    send: () => Promise<RawAnswer>,
    asAdmin = false,
  ): Promise<boolean> {
    const { session } = account;
    account.session = undefined;
    account.isChanged = true;
    account.states = [only(account), next];
    const answer = await send().catch(ignoreNoAnswer);
    account.history.push(`round ${this.#round}: ${answer?.status ?? 'no answer'} to ${JSON.stringify(next)}`);
    if (answer === undefined || answer.status === 503) {
      this.tally.unanswered++;
      return answer !== undefined;
    }
    if (asAdmin && this.#isAdminInDoubt && (answer.status === 401 || answer.status === 403)) {
      account.states = [only(account)];
      return true;
    }
    assert.ok(answer.status < 300, `a write was answered ${answer.status} ${answer.text}`);
    this.#acknowledge();
    account.states = [next];
    if (next?.isActive) account.session = session;
    if (answer.body?.id !== undefined) account.id = answer.body.id;
    return true;
  }

  /** Signs up, now and then twice at once with one email: at most one of the two gets it. */
  async #signUp(client: Client, random: Random, own: Account[]): Promise<boolean> {
    const email = `${this.#name}.${++this.#count}@example.com`;
    const tries = [1, 2].map((number) => ({
      email: number === 1 ? email : email.toUpperCase(),
      name: `New ${number}`,
      password: `Pw!${this.#count}-${number}-Aa`,
    }));
    const sent = random.chance(0.2) ? tries : tries.slice(0, 1);
    const account: Account = {
      id: undefined,
      states: [undefined, ...sent.map((each) => ({ ...each, isActive: true }))],
      session: undefined,
      other: undefined,
      isChanged: true,
      history: [`round ${this.#round}: sign up`],
    };
    own.push(account);
    this.#accounts.push(account);
    const answers = await Promise.all(
      sent.map((json) => client.ask('POST', '/auth/signup', { json }).catch(ignoreNoAnswer)),
    );
    const winner = answers.findIndex((answer) => answer?.status === 201);
    for (const answer of answers) {
      assert.ok([undefined, 201, 409, 503].includes(answer?.status), answer?.text);
    }
    assert.ok(answers.filter((answer) => answer?.status === 201).length <= 1, 'two accounts with one email');
    if (winner >= 0) {
      this.#acknowledge();
      account.states = [account.states[winner + 1]];
      account.id = answers[winner]?.body.id;
    } else {
      this.tally.unanswered++;
      // Who was told that the address is taken was told so because the other had it.
      const loser = answers.findIndex((answer) => answer?.status === 409);
      if (loser >= 0) account.states = [account.states[2 - loser]];
    }
    return answers.every((answer) => answer !== undefined);
  }

  async #logIn(client: Client, account: Account, state: NonNullable<State>): Promise<boolean> {
    const json = { username: state.email, password: state.password };
    const answer = await client.ask('POST', '/auth/login', { json }).catch(ignoreNoAnswer);
    if (answer === undefined || answer.status === 503) return answer !== undefined;
    account.history.push(`round ${this.#round}: ${answer.status} to login`);
    assert.equal(answer.status, 200, `${answer.text}\n${account.history.join('\n')}`);
    account.session = answer.body;
    account.isChanged = true;
    return true;
  }

  #acknowledge(): void {
    this.tally.acknowledged++;
    this.#toGo--;
    if (this.#toGo <= 0) this.#reached?.();
  }
}

function ignoreNoAnswer(error: unknown): undefined {
  if (!(error instanceof NoAnswerError)) throw error;
}

async function logIn(client: Client, username: string, password: string): Promise<string> {
  const answer = await client.ask('POST', '/auth/login', { json: { username, password } });
  assert.equal(answer.status, 200, answer.text);
  return answer.body.access_token;
}
