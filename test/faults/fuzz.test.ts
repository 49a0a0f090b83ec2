import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { failures } from '../../src/errors.ts';
import { type CommandOptions, startServe } from '../support/command.ts';
import { onEachDatabase } from '../support/databases.ts';
import { type Client, createClient, NoAnswerError, type RawAnswer } from '../support/fault-client.ts';
import { createRandom, seed } from '../support/fault-random.ts';
import { type Actor, createRequests, type GeneratedRequest, secretMark } from '../support/fault-requests.ts';
import { runCommand } from '../support/hosted-commands.ts';

/** The whole number is 20,000: DOORWARD_FUZZ_REQUESTS=20000. */
const requests = Number(process.env.DOORWARD_FUZZ_REQUESTS ?? 2_000);
const requestCount = { SQLite: requests, PostgreSQL: requests / 5 };
const workers = 16;
/** How often a worker looks whether its accounts are still there. */
const reviveEvery = 40;
const bodyLimit = 65_536;
const maxGrowthKib = 150 * 1024;

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'doorward-fuzz-'));
});
after(() => rm(root, { recursive: true, force: true }));

const byCode = new Map<string, readonly [number, string]>(Object.entries(failures));

/** What the contract says of every answer. */
function assertAnswer(sent: GeneratedRequest, { status, headers, text, body }: RawAnswer): void {
  assert.ok(status < 500, `a ${status}`);
  assert.match(headers['x-request-id'] ?? '', /^[\w-]{8,}$/);
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.equal(headers.server ?? headers['x-powered-by'], undefined);
  // What came is not yet JSON for everybody, e.g. in a `Link`.
  const whole = `${JSON.stringify(headers)}\n${text}`;
  const { secrets } = sent;
  // A refresh token that is not yet due gets itself back.
  const isRefreshed = status === 200 && body?.refresh_token !== undefined;
  for (const secret of [...secrets, secretMark]) {
    const isGivenBack = isRefreshed && secret === body.refresh_token;
    assert.ok(secret.length < 6 || isGivenBack || !whole.includes(secret), 'a secret came back');
  }
  assert.doesNotMatch(text, /\$argon2|"(hash|email_key|search_text)"|node_modules|at .*\.[jt]s:\d/);
  if (status < 400) return;
  if (status === 401) assert.match(headers['www-authenticate'] ?? '', /^Bearer\b/);
  if (status === 405) assert.match(headers.allow ?? '', /^[A-Z]+(, [A-Z]+)*$/);
  if (sent.method === 'HEAD') return;
  assert.match(headers['content-type'] ?? '', /^application\/json/);
  assert.deepEqual(Object.keys(body), ['detail', 'code']);
  if (body.code !== 'validation_error') {
    assert.deepEqual([status, body.detail], byCode.get(body.code));
    return;
  }
  assert.equal(status, 422);
  assert.ok(body.detail.length >= 1 && body.detail.length <= 20);
  for (const { type, loc, msg, ctx, ...others } of body.detail) {
    assert.deepEqual(
      [typeof type, typeof msg, typeof (ctx ?? {}), others],
      ['string', 'string', 'object', {}],
    );
    assert.ok(['body', 'query', 'path'].includes(loc[0]), String(loc));
  }
}

function isTooMuch({ body = '', headers = [] }: GeneratedRequest): boolean {
  return Buffer.byteLength(body) > bodyLimit || headers.join('').length > 16_000;
}

/**
 * Whoever sends more than is read may find the connection closed before they read the answer. What is no HTTP is
 * answered with a body, even where the method would have been HEAD.
 */
function isCutOff(sent: GeneratedRequest, error: unknown): boolean {
  const { method } = sent;
  if (method === 'HEAD' && error instanceof NoAnswerError && /Data after/.test(error.message)) return true;
  return isTooMuch(sent) && error instanceof NoAnswerError && !error.message.includes('timed out');
}

function describeFault(
  error: unknown,
  { method, path, headers = [], body = '' }: GeneratedRequest,
  where: string,
) {
  const shown = JSON.stringify(
    [method, path, headers, String(body)].flat().map((text) => text.slice(0, 200)),
  );
  return `${where}: ${error instanceof Error ? error.message : error}\n${shown}`;
}

async function residentKib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0);
}

/** Makes the accounts that requests come from, and makes them anew when a request has taken them away. */
class Cast {
  readonly #client: Client;
  readonly #command: CommandOptions;
  #admin: Promise<string> | undefined;
  #count = 0;
  readonly ids: number[] = [];

  constructor(client: Client, command: CommandOptions) {
    this.#client = client;
    this.#command = command;
  }

  readonly freshEmail = () => `fuzz${++this.#count}@example.com`;

  async #logIn(username: string, password: string): Promise<{ access_token: string; refresh_token: string }> {
    const answer = await this.#client.ask('POST', '/auth/login', { json: { username, password } });
    assert.equal(answer.status, 200, answer.text);
    return answer.body;
  }

  async #isGood(token: string, path: string): Promise<boolean> {
    return (await this.#client.ask('GET', path, { token })).status === 200;
  }

  async #makeAdmin(): Promise<string> {
    const email = `admin.${this.freshEmail()}`;
    const args = ['users', 'create', '--email', email, '--name', 'A', '--admin', '--password-stdin'];
    const made = await runCommand(args, { ...this.#command, input: `${secretMark}-Admin!1` });
    assert.equal(made.code, 0, made.stderr);
    return (await this.#logIn(email, `${secretMark}-Admin!1`)).access_token;
  }

  async actor(former?: Actor): Promise<Actor> {
    const known = await this.#admin;
    if (known === undefined || !(await this.#isGood(known, '/auth/users?limit=1'))) {
      if ((await this.#admin) === known) this.#admin = this.#makeAdmin();
    }
    const admin = (await this.#admin) ?? '';
    const base = former ?? (await this.#newcomer());
    const user = (await this.#isGood(base.tokens.user, '/auth/me')) ? base : await this.#newcomer();
    return { ...user, tokens: { ...user.tokens, admin } };
  }

  async #newcomer(): Promise<Actor> {
    const email = this.freshEmail();
    const password = `${secretMark}-User!1.${this.#count}`;
    const json = { email, password, name: 'User' };
    const signedUp = await this.#client.ask('POST', '/auth/signup', { json });
    assert.equal(signedUp.status, 201, signedUp.text);
    const { access_token, refresh_token } = await this.#logIn(email, password);
    // From now on others may take it away.
    const { id } = signedUp.body;
    this.ids.push(id);
    if (this.ids.length > 50) this.ids.shift();
    const dead = `${access_token.slice(0, -10)}${secretMark}AAAA`;
    return {
      tokens: { anonymous: undefined, user: access_token, admin: '', dead, refresh: refresh_token },
      user: { id, email, password },
      ids: this.ids,
      freshEmail: this.freshEmail,
    };
  }
}

onEachDatabase(({ name, createReadyUrl }) => {
  const total = requestCount[name];
  test(`${total} requests that a fuzzer made: never a 5xx, a secret or an answer of another shape`, async (t) => {
    const env = { DATABASE_URL: await createReadyUrl(), LOG_LEVEL: 'debug' };
    const command = { cwd: await mkdtemp(join(root, 'cwd-')), env };
    const server = await startServe(command);
    t.after(() => server.signal('SIGKILL'));
    const client = createClient(server.url, { connections: 4 });
    const cast = new Cast(client, command);
    const statuses = new Map<number, number>();
    const codes = new Set<string>();
    const faults: string[] = [];
    let cut = 0;
    let warmKib = 0;
    let sentCount = 0;

    const work = async (worker: number) => {
      const random = createRandom(`${name}/${worker}`);
      const generate = createRequests(random);
      // Its patience is longer than the server's: after a request with `Upgrade`, Node tells of what is no HTTP on the
      // same connection only when its time for headers is over, with 408.
      const own = createClient(server.url, { connections: 1 });
      let actor = await cast.actor();
      for (let index = 0; index < total / workers; index++) {
        if (index % reviveEvery === reviveEvery - 1) actor = await cast.actor(actor);
        const sent = generate(actor);
        try {
          const answer = await own.send(sent);
          assertAnswer(sent, answer);
          statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
          if (answer.body?.code) codes.add(answer.body.code);
          if (answer.status === 200 && sent.path.includes('/me/password')) actor = await cast.actor();
        } catch (error) {
          if (isCutOff(sent, error)) cut++;
          else faults.push(describeFault(error, sent, `worker ${worker}, request ${index}`));
        }
        // Enough to know by.
        if (faults.length >= 20) return;
        if (++sentCount === Math.floor(total / 4)) warmKib = await residentKib(server.pid);
      }
      own.close();
    };
    await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));

    assert.deepEqual(faults, [], `DOORWARD_SEED=${seed}`);
    assert.equal((await client.ask('GET', '/health/ready')).status, 200, 'the process lives');
    const endKib = await residentKib(server.pid);
    client.close();
    server.signal('SIGTERM');
    assert.equal(await server.ended, 0);
    t.diagnostic(
      `DOORWARD_SEED=${seed}: ${sentCount} requests, ${cut} cut off, statuses ${JSON.stringify([...statuses].sort())}, ` +
        `codes ${[...codes].sort().join(' ')}, RSS ${(warmKib / 1024).toFixed(0)} to ${(endKib / 1024).toFixed(0)} MiB`,
    );
    assert.ok(endKib - warmKib < maxGrowthKib, `grew from ${warmKib} to ${endKib} KiB`);
    assert.ok(!server.output.stdout.includes(secretMark), 'a secret is in the log');
    assert.equal(server.output.stderr, '');
    assert.doesNotMatch(server.output.stdout, /"level":"error"/);
    // That the fuzzer gets everywhere. What a short run may well miss is asked of the long ones alone.
    const rare = total < 16_000 ? [] : [201, 204, 405, 409, 413, 415];
    const seen = [200, 400, 401, 403, 404, 422, ...rare];
    assert.deepEqual(
      seen.filter((status) => !statuses.has(status)),
      [],
    );
  });
});
