import assert from 'node:assert/strict';
import { join } from 'node:path';
import { runCommand } from '../support/command.ts';
import { SECRET_KEY } from '../support/instances.ts';
import {
  assertThrottled,
  countStatuses,
  onThrottled,
  password,
  type Throttled,
} from '../support/throttle.ts';

const root = join(import.meta.dirname, '..', '..');

/** An address of its own for each number, so that only the account is what is throttled. */
const address = (number: number) => `203.0.${Math.floor(number / 200)}.${(number % 200) + 1}`;

/** Fails as often as it may, waiting as long as it must; returns the waits. The last one is where it is over. */
async function waitsOf(
  a: Throttled,
  username: string,
  advance: (seconds: number) => void,
  most: number,
): Promise<number[]> {
  const waits: number[] = [];
  for (let failures = 1; failures <= most; failures++) {
    assert.equal((await a.try(username, { from: address(failures) })).status, 401, `try ${failures}`);
    const answer = await a.try(username, { from: address(failures + 1) });
    if (answer.status === 401) {
      failures += 1;
      waits.push(0, 0);
      continue;
    }
    const seconds = assertThrottled(answer);
    waits.push(seconds);
    if (failures === most) break;
    advance(seconds - 1);
    assert.equal(assertThrottled(await a.try(username, { from: address(failures + 1) })), 1);
    advance(1);
  }
  return waits;
}

const firstWaits = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900];
const month = 30 * 86_400;

onThrottled('five failures are free, then a wait doubles, and after a hundred it is over', async (s) => {
  const a = await s.open();
  const user = await a.signIn();
  const device = (await a.try(user.email, { password })).body.device_token;
  const waits = await waitsOf(a, user.email, s.advance, 100);
  assert.deepEqual(waits.slice(4, 16), firstWaits);
  assert.ok(waits.slice(16, 99).every((wait) => wait === 900));
  assert.deepEqual(waits.slice(99), [month]);
  // Also for the right password, and from anywhere, a day later.
  s.advance(86_400);
  assertThrottled(await a.try(user.email, { password, from: '198.51.100.1' }));
  // But for the owner, whose device is known; then it is open again.
  assert.equal((await a.try(user.email, { password, device })).status, 200);
  assert.equal((await a.try(user.email, { password, from: '198.51.100.1' })).status, 200);
});

onThrottled('a row of failures is forgotten after 30 days, and then deleted', async (s) => {
  const a = await s.open({ THROTTLE_ACCOUNT_MAX_FAILURES: 6 });
  const { email } = await a.signIn();
  assert.equal((await waitsOf(a, email, s.advance, 6)).at(-1), month);
  s.advance(month - 1);
  assertThrottled(await a.try(email, { password }));
  await a.doorward.throttle.deleteExpired();
  assertThrottled(await a.try(email, { password }));
  s.advance(1);
  for (let free = 0; free < 4; free++) assert.equal((await a.try(email)).status, 401);
  assert.equal((await a.try(email, { password })).status, 200);

  s.advance(month + 1);
  await a.doorward.throttle.deleteExpired();
  const { counters } = await a.doorward.kernel.db.read
    .selectFrom('throttle_counters')
    .select((eb) => eb.fn.countAll<number>().as('counters'))
    .executeTakeFirstOrThrow();
  assert.equal(counters, 0);
});

onThrottled(
  'an unknown address, and a text that is none, are throttled exactly as an account is',
  async (s) => {
    const a = await s.open();
    const { email } = await a.signIn();
    const seen: unknown[][] = [];
    for (const username of [email, 'nobody@example.com', 'no address at all', '']) {
      const answers: unknown[] = [];
      for (let number = 0; number < 12; number++) {
        const { status, text, headers } = await a.try(username, { from: address(number) });
        const { 'x-request-id': _, date: __, ...rest } = headers;
        answers.push([status, text, rest]);
        if (number % 2 === 1) s.advance(1);
      }
      seen.push(answers);
    }
    for (const answers of seen.slice(1)) assert.deepEqual(answers, seen[0]);
  },
);

onThrottled('spellings of one address share a counter', async (s) => {
  const a = await s.open();
  const { email } = await a.signIn({ email: 'Jörg.Test@bücher.example' });
  const spellings = [
    email,
    email.toUpperCase(),
    ` ${email} `,
    'jörg.test@xn--bcher-kva.example',
    'jo\u0308rg.test@BÜCHER.example',
  ];
  for (const [number, spelling] of spellings.entries())
    assert.equal((await a.try(spelling, { from: address(number) })).status, 401, spelling);
  for (const spelling of spellings) assertThrottled(await a.try(spelling, { from: '198.51.100.1' }));
  // No address at all: case and compatibility forms are folded as well.
  for (const spelling of ['root', 'ROOT', ' root', 'Root', 'ｒｏｏｔ'])
    assert.equal((await a.try(spelling)).status, 401);
  assertThrottled(await a.try('rOOt'));
});

onThrottled('of 50 wrong passwords at once, on two instances, five are looked at', async (s) => {
  const instances = [await s.open(), await s.open()];
  const [a] = instances as [Throttled];
  const { email } = await a.signIn();
  const race = () =>
    Promise.all(
      Array.from({ length: 50 }, (_, number) =>
        (instances[number % 2] as Throttled).try(email, { from: address(number) }),
      ),
    );
  assert.deepEqual(countStatuses(await race()), { 401: 5, 429: 45 });
  // And one after each wait.
  for (const wait of [1, 2, 4]) {
    s.advance(wait);
    assert.deepEqual(countStatuses(await race()), { 401: 1, 429: 49 });
  }
  s.advance(8);
  assert.equal((await a.try(email, { password })).status, 200);
});

onThrottled('right passwords at once all get in, from wherever', async (s) => {
  const a = await s.open({ HASH_CONCURRENCY: 8 });
  const user = await a.signIn();
  const device = (await a.try(user.email, { password })).body.device_token;
  const atOnce = (options: { device?: string }) =>
    Promise.all(Array.from({ length: 16 }, () => a.try(user.email, { password, ...options })));
  assert.deepEqual(countStatuses(await atOnce({})), { 200: 16 });
  assert.deepEqual(countStatuses(await atOnce({ device })), { 200: 16 });
});

onThrottled('whoever waits for those before them is bounded', async (s) => {
  const a = await s.open({ HASH_CONCURRENCY: 8, HASH_QUEUE_LIMIT: 10 });
  const { email } = await a.signIn();
  const gate = Promise.withResolvers<void>();
  const { queue } = a.doorward.passwords;
  const held = Array.from({ length: 8 }, () => queue.run(() => gate.promise));
  const tries = Array.from({ length: 20 }, (_, number) =>
    a.try(email, { password, from: address(number) }).then((answer) => {
      if (answer.status === 503) gate.resolve();
      return answer;
    }),
  );
  assert.deepEqual(countStatuses(await Promise.all(tries)), { 200: 14, 503: 6 });
  await Promise.all(held);
});

onThrottled('a clock that went ahead and came back locks nobody out', async (s) => {
  const a = await s.open({
    THROTTLE_ACCOUNT_MAX_FAILURES: 6,
    THROTTLE_NETWORK_FAILURES_PER_HOUR: 6,
    THROTTLE_PAIR_FAILURES_PER_HOUR: 6,
  });
  const { email } = await a.signIn();
  const jump = 400 * 86_400;
  s.advance(jump);
  for (let free = 0; free < 5; free++) assert.equal((await a.try(email)).status, 401);
  s.advance(1);
  assert.equal((await a.try(email)).status, 401);
  assertThrottled(await a.try(email, { password }));
  s.advance(-jump);
  for (let free = 0; free < 5; free++) assert.equal((await a.try(email)).status, 401);
  assertThrottled(await a.try(email, { password }));
  s.advance(1);
  assert.equal((await a.try(email, { password })).status, 200);
  // A clock of another instance that is a minute ahead is no reason to forget.
  s.advance(3660);
  for (let free = 0; free < 5; free++) assert.equal((await a.try(email)).status, 401);
  s.advance(-60);
  assertThrottled(await a.try(email, { password }));
});

onThrottled('what was guessed before an account existed is not held against its owner', async (s) => {
  const a = await s.open({ THROTTLE_ACCOUNT_MAX_FAILURES: 5, THROTTLE_PAIR_FAILURES_PER_HOUR: 5 });
  const makes: ((email: string) => Promise<unknown>)[] = [
    (email) => a.request('POST', '/auth/signup', { json: { email, password, name: 'X' } }),
    (email) => a.doorward.admin.create({ email, password, name: 'X' }),
    async (email) => {
      const { accounts, passwords } = a.doorward;
      const hashed_password = await passwords.hash(password);
      const state = { is_active: true, is_admin: false, created_at: undefined };
      return accounts.import([{ email, name: 'X', hashed_password, ...state }]);
    },
  ];
  for (const [number, make] of makes.entries()) {
    const email = `later${number}@example.com`;
    for (let failures = 0; failures < 5; failures++) assert.equal((await a.try(email)).status, 401);
    assertThrottled(await a.try(email, { password }));
    await make(email);
    assert.equal((await a.try(email, { password })).status, 200, `${number}`);
  }
});

onThrottled('the right password among wrong ones at once is no way around', async (s) => {
  const a = await s.open();
  const { email } = await a.signIn();
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, number) =>
      a.try(email, { from: address(number), ...(number === 39 ? { password } : {}) }),
    ),
  );
  assert.ok((countStatuses(answers)[401] ?? 0) <= 5);
});

onThrottled('a success forgets the failures before it', async (s) => {
  const a = await s.open();
  const { email } = await a.signIn();
  for (let round = 0; round < 3; round++) {
    for (let free = 0; free < 4; free++) assert.equal((await a.try(email)).status, 401);
    assert.equal((await a.try(email, { password })).status, 200);
  }
});

onThrottled(
  'a deactivated account is told so after the right password, as often as it is asked',
  async (s) => {
    const a = await s.open();
    const { id, email } = await a.signIn();
    await a.doorward.admin.change(id, { is_active: false });
    for (let times = 0; times < 8; times++)
      assert.equal((await a.try(email, { password })).body.code, 'account_deactivated');
    for (let free = 0; free < 5; free++) assert.equal((await a.try(email)).status, 401);
    assertThrottled(await a.try(email, { password }));
  },
);

onThrottled('failures outlive a restart, and another instance knows them', async (s) => {
  const a = await s.open();
  const { email } = await a.signIn();
  for (let free = 0; free < 5; free++) assert.equal((await a.try(email)).status, 401);
  const b = await s.open();
  assertThrottled(await b.try(email, { password }));
  await a.close();
  const c = await s.open();
  assertThrottled(await c.try(email, { password }));
  s.advance(1);
  assert.equal((await c.try(email, { password })).status, 200);
});

onThrottled('an administrator, the command line and a password reset unlock an account', async (s) => {
  const a = await s.open({ THROTTLE_ACCOUNT_MAX_FAILURES: 5 });
  const admin = await a.signIn({ is_admin: true });
  const asAdmin = { token: admin.access_token };
  const { id, email } = await a.signIn();
  const record = s.t.mock.method(a.doorward.kernel.audit, 'record');
  const lock = async () => {
    for (let free = 0; free < 5; free++) assert.equal((await a.try(email)).status, 401);
    assertThrottled(await a.try(email, { password }));
  };
  const assertOpen = async (given = password) =>
    assert.equal((await a.try(email, { password: given })).status, 200);

  await lock();
  assert.equal((await a.request('POST', `/auth/users/${id}/unlock`, asAdmin)).status, 204);
  assert.equal((await a.request('POST', '/auth/users/99/unlock', asAdmin)).status, 404);
  await assertOpen();
  const kinds = record.mock.calls.map(({ arguments: [, event] }) => event.kind);
  assert.deepEqual(kinds.filter((kind) => kind === 'user.unlocked').length, 1);
  assert.equal((await a.request('POST', `/auth/users/${id}/unlock`)).status, 401);

  await lock();
  const env = { SECRET_KEY, DATABASE_URL: s.databaseUrl };
  const unlocked = await runCommand(['users', 'unlock', email], { cwd: root, env });
  assert.equal(unlocked.code, 0, unlocked.stderr);
  await assertOpen();

  await lock();
  const reset = ['users', 'set-password', email, '--password-stdin'];
  const set = await runCommand(reset, { cwd: root, env, input: 'Another-Pass-9!' });
  assert.equal(set.code, 0, set.stderr);
  await assertOpen('Another-Pass-9!');
});

onThrottled('what is refused costs no hash, no transaction and no event', async (s) => {
  const a = await s.open({ THROTTLE_NETWORK_SIGN_UPS_PER_HOUR: 1, THROTTLE_NETWORK_SETUPS_PER_HOUR: 1 });
  const { email } = await a.signIn();
  const user = await a.signIn();
  const ask = a.from('192.0.2.1');
  const spend = [
    () => ask('POST', '/auth/signup', { json: { email: 'x@example.com', password, name: 'X' } }),
    () => ask('POST', '/auth/setup', { json: { token: 'x', email: 'x@example.com', password, name: 'X' } }),
    () => ask('DELETE', '/auth/me', { json: { current_password: 'x' }, token: user.access_token }),
    () =>
      ask('POST', '/auth/me/password', {
        json: { current_password: 'x', new_password: 'Another-Pass-9!' },
        token: user.access_token,
      }),
    () => a.try(email),
  ];
  const policies = ['signup', 'setup', 'password', 'password', 'login'];
  for (let times = 0; times < 5; times++) for (const one of spend) await one();

  const { kernel, passwords } = a.doorward;
  const calls = [
    s.t.mock.method(passwords.queue, 'run'),
    s.t.mock.method(kernel.db, 'transaction'),
    s.t.mock.method(kernel.audit, 'record'),
  ];
  for (const [number, one] of spend.entries()) assertThrottled(await one(), policies[number]);
  for (const call of calls) assert.equal(call.mock.callCount(), 0);
});

onThrottled('with RATE_LIMITS=off nothing is counted', async (s) => {
  const a = await s.open({ RATE_LIMITS: 'off', THROTTLE_NETWORK_FAILURES_PER_HOUR: 1 });
  const { email } = await a.signIn();
  for (let times = 0; times < 8; times++) assert.equal((await a.try(email)).status, 401);
  const rows = await a.doorward.kernel.db.read.selectFrom('throttle_counters').selectAll().execute();
  assert.deepEqual(rows, []);
});

onThrottled('no counter tells whose it is', async (s) => {
  const a = await s.open();
  const { email } = await a.signIn();
  await a.try(email);
  await a.try('a typed password?');
  const { read } = a.doorward.kernel.db;
  const rows = await read.selectFrom('throttle_counters').selectAll().where('failures', '>', 0).execute();
  assert.equal(rows.length, 5, 'two accounts, two pairs, one network');
  for (const { key } of rows) assert.match(key, /^[\w-]{22}(\.[\w-]{22})?$/);
});
