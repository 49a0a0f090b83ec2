import assert from 'node:assert/strict';
import type { TestResponse } from '../../src/testing/index.ts';
import {
  assertFailure,
  assertToken,
  type Journey,
  journey,
  type Open,
  password,
} from '../support/journey.ts';

/** Two instances on one database: what must hold between processes holds between these. */
async function openTwo(open: Open): Promise<[Journey, Journey]> {
  const one = await open({ HASH_CONCURRENCY: 4 });
  return [one, await open({ HASH_CONCURRENCY: 4, DATABASE_URL: one.databaseUrl })];
}

function countByStatus(answers: TestResponse[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

journey('of 50 sign-ups with one email at once, one makes the account', async (open) => {
  const [one, two] = await openTwo(open);
  const spellings = ['one@example.com', 'ONE@example.com', 'One@EXAMPLE.com'];
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      (index % 2 === 0 ? one : two).request('POST', '/auth/signup', {
        json: { email: spellings[index % 3], password: `${password}${index}`, name: `User ${index}` },
      }),
    ),
  );
  assert.deepEqual(countByStatus(answers), { 201: 1, 409: 49 });
  for (const answer of answers.filter(({ status }) => status === 409)) {
    assertFailure(answer, 409, 'Email already registered', 'email_registered');
  }
  const winner = answers.findIndex(({ status }) => status === 201);
  const logins = await Promise.all(
    [0, 1, 49].map((index) => one.logIn('one@example.com', `${password}${index}`)),
  );
  assert.equal((await two.logIn('one@example.com', `${password}${winner}`)).status, 200);
  assert.ok(logins.filter(({ status }) => status === 200).length <= 1);
});

journey('of 20 who change to one email at once, one gets it', async (open) => {
  const [one, two] = await openTwo(open);
  const admin = await one.signIn({ is_admin: true });
  const users = await Promise.all(Array.from({ length: 10 }, () => one.signIn()));
  const json = { email: 'wanted@example.com' };
  const answers = await Promise.all(
    users.flatMap(({ id, access_token }) => [
      one.request('PATCH', '/auth/me', { json, token: access_token }),
      two.request('PATCH', `/auth/users/${id}`, { json, token: admin.access_token }),
    ]),
  );
  // Both ways of the one who got it may have succeeded.
  assert.ok(answers.some(({ status }) => status === 200));
  const owners = new Set(answers.filter(({ status }) => status === 200).map(({ body }) => body.id));
  assert.equal(owners.size, 1);
  for (const answer of answers.filter(({ status }) => status !== 200)) {
    assertFailure(answer, 409, 'Email already taken', 'email_taken');
  }
});

type Admin = Awaited<ReturnType<Journey['signIn']>>;
type Removal = (by: Admin, of: Admin, instance: Journey) => Promise<TestResponse>;
const removals: Record<string, Removal> = {
  delete: (by, of, { request }) => request('DELETE', `/auth/users/${of.id}`, { token: by.access_token }),
  deactivate: (by, of, { request }) =>
    request('POST', `/auth/users/${of.id}/deactivate`, { token: by.access_token }),
  demote: (by, of, { request }) =>
    request('PATCH', `/auth/users/${of.id}`, { json: { is_admin: false }, token: by.access_token }),
  'demote oneself': (by, _of, { request }) =>
    request('PATCH', `/auth/users/${by.id}`, { json: { is_admin: false }, token: by.access_token }),
  'close the own account': (by, _of, { request }) =>
    request('DELETE', '/auth/me', { json: { current_password: password }, token: by.access_token }),
};

journey('two admins who remove each other, 100 rounds: always one is left', async (open) => {
  const [one, two] = await openTwo(open);
  const names = Object.keys(removals);
  let left: Admin | undefined;
  for (let round = 0; round < 100; round += 1) {
    const [a, b] = [left ?? (await one.signIn({ is_admin: true })), await two.signIn({ is_admin: true })];
    const [byA = '', byB = ''] = [
      names[round % names.length],
      names[Math.floor(round / names.length) % names.length],
    ];
    const answers = await Promise.all([removals[byA]?.(a, b, one), removals[byB]?.(b, a, two)]);
    const what = `round ${round}, ${byA} and ${byB}: ${answers.map((answer) => answer?.status)}`;
    for (const answer of answers) assert.ok(answer !== undefined && answer.status < 500, what);
    const { users } = await one.doorward.admin.list({
      is_admin: true,
      is_active: true,
      limit: 10,
      sort: 'id',
      count: false,
    });
    assert.ok(users.length >= 1 && users.length <= 2, what);
    assert.ok(
      answers.some((answer) => answer !== undefined && answer.status < 300),
      `${what}: somebody succeeds`,
    );
    const stays = [a, b].find(({ id }) => users.some((user) => user.id === id));
    assert.ok(stays !== undefined, what);
    for (const { id } of users) {
      if (id !== stays.id) await one.doorward.admin.change(id, { is_admin: false });
    }
    left = stays;
  }
});

/** Logins under way at every moment of `event`; answers those that opened a session. */
async function logInAround(user: Admin, [one, two]: [Journey, Journey], event: () => Promise<unknown>) {
  const logins: Promise<TestResponse>[] = [];
  let isOver = false;
  const keepComing = async () => {
    for (let index = 0; !isOver && index < 30; index += 1) {
      logins.push((index % 2 === 0 ? one : two).logIn(user.email));
      if (index % 3 === 2) await Promise.race(logins.slice(-3));
    }
  };
  await Promise.all([
    keepComing(),
    event().finally(() => {
      isOver = true;
    }),
  ]);
  const answers = await Promise.all(logins);
  for (const { status, text } of answers) assert.ok([200, 401, 403].includes(status), text);
  return answers.filter(({ status }) => status === 200).map(({ body }) => body.access_token as string);
}

journey('no login survives a password change, a deactivation or a deletion that it raced', async (open) => {
  const [one, two] = await openTwo(open);
  const admin = await one.signIn({ is_admin: true });
  for (let round = 0; round < 4; round += 1) {
    const changes = await two.signIn();
    const before = await logInAround(changes, [one, two], () =>
      two.request('POST', '/auth/me/password', {
        json: { current_password: password, new_password: 'NewSecure456!' },
        token: changes.access_token,
      }),
    );
    assert.equal((await one.logIn(changes.email, 'NewSecure456!')).status, 200, 'the change was made');
    for (const token of before) await assertToken(one, token, 'dead');
    await assertToken(one, changes.access_token, 'good');

    const off = await two.signIn();
    const opened = await logInAround(off, [one, two], async () => {
      await one.logIn(off.email);
      return two.request('POST', `/auth/users/${off.id}/deactivate`, { token: admin.access_token });
    });
    for (const token of opened) await assertToken(one, token, 'inactive');
    await one.request('POST', `/auth/users/${off.id}/activate`, { token: admin.access_token });
    for (const token of [...opened, off.access_token]) await assertToken(two, token, 'dead');

    const gone = await two.signIn();
    const tokens = await logInAround(gone, [one, two], async () => {
      await one.logIn(gone.email);
      return two.request('DELETE', `/auth/users/${gone.id}`, { token: admin.access_token });
    });
    for (const token of [...tokens, gone.access_token]) await assertToken(one, token, 'dead');
  }
});

journey('of password changes at once, the first one counts', async (open) => {
  const [one, two] = await openTwo(open);
  const { email, access_token } = await one.signIn();
  const other = (await two.logIn(email)).body.access_token as string;
  const change = (instance: Journey, token: string, new_password: string) =>
    instance.request('POST', '/auth/me/password', {
      json: { current_password: password, new_password },
      token,
    });
  const answers = await Promise.all([
    change(one, access_token, 'FirstSecure456!'),
    change(two, other, 'SecondSecure456!'),
  ]);
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  const [first] = answers;
  assert.ok(answers.every(({ status }) => [200, 400, 401].includes(status)));
  const [winner, loser] = first?.status === 200 ? [access_token, other] : [other, access_token];
  await assertToken(one, winner, 'good');
  await assertToken(one, loser, 'dead');
  const [a, b] = await Promise.all(
    ['FirstSecure456!', 'SecondSecure456!'].map((given) => one.logIn(email, given)),
  );
  assert.deepEqual([a?.status, b?.status], first?.status === 200 ? [200, 401] : [401, 200]);
});
