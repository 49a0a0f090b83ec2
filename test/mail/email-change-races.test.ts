import assert from 'node:assert/strict';
import type { TestResponse } from '../../src/testing/index.ts';
import { type Mailed, openMailed, password, withMails } from '../support/email-change.ts';
import { onInstances, type Scenario } from '../support/instances.ts';
import { checkEveryAnswer } from '../support/openapi-conformance.ts';

checkEveryAnswer();

/** Two instances on one database: what must hold between processes holds between these. */
async function openTwo(scenario: Scenario): Promise<[Mailed, Mailed]> {
  const one = await openMailed(scenario);
  return [one, withMails(await scenario.open({ MAIL_URL: one.smtp.url }), one.smtp)];
}

function countByStatus(answers: readonly TestResponse[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, body } of answers) {
    const what = `${status} ${body.code ?? ''}`.trim();
    counts[what] = (counts[what] ?? 0) + 1;
  }
  return counts;
}

/** The addresses that accounts have, and those that are kept, by the account. */
async function addressesOf({ doorward }: Mailed, ...emails: string[]): Promise<unknown[]> {
  const { read } = doorward.kernel.db;
  const users = await read
    .selectFrom('users')
    .select(['id', 'email'])
    .where('email_key', 'in', emails)
    .execute();
  const kept = await read
    .selectFrom('reserved_addresses')
    .select(['user_id as id', 'email'])
    .where('email_key', 'in', emails)
    .execute();
  return [...users, ...kept].map(({ id, email }) => [email, id]).sort();
}

onInstances('of 20 who confirm by one link at once, one does', async (scenario) => {
  const [one, two] = await openTwo(scenario);
  const ann = await one.signIn({ email: 'ann@example.com' });
  await one.change(ann, { email: 'new@example.com' });
  const token = await one.tokenIn('new@example.com', 'change_email');
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => (n % 2 ? one : two).confirm({ token })),
  );
  assert.deepEqual(countByStatus(answers), { 200: 1, '400 invalid_link': 19 });
  assert.equal((await one.mails(ann.email, 'email_changed')).length, 1);

  await one.change(ann, { email: 'newer@example.com' });
  const [code, link] = [
    await one.codeIn('newer@example.com'),
    await one.tokenIn('newer@example.com', 'change_email'),
  ];
  const both = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      (n % 2 ? one : two).confirm(
        ...((n % 4 === 0 ? [{ code }, ann.access_token] : [{ token: link }]) as [never]),
      ),
    ),
  );
  assert.equal(both.filter(({ status }) => status === 200).length, 1, JSON.stringify(countByStatus(both)));
  for (const { status } of both) assert.ok(status === 200 || status === 400);
});

onInstances('of 20 who undo by one link at once, one does', async (scenario) => {
  const [one, two] = await openTwo(scenario);
  const ann = await one.signIn({ email: 'ann@example.com' });
  await one.move(ann, 'new@example.com');
  const token = await one.tokenIn(ann.email, 'email_changed');
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 ? one : two).undo(token)));
  assert.deepEqual(countByStatus(answers), { 200: 1, '400 invalid_link': 19 });
  assert.equal((await one.mails(ann.email, 'email_restored')).length, 1);
});

onInstances('a confirmation and an undo at once end at the old address', async (scenario) => {
  const [one, two] = await openTwo(scenario);
  const outcomes = new Set<string>();
  for (let round = 0; round < 12; round++) {
    const [from, to] = [`from${round}@example.com`, `to${round}@example.com`];
    const { access_token } = await one.signIn({ email: from });
    await one.change({ access_token }, { email: to });
    const token = await one.tokenIn(to, 'change_email');
    const stop = await one.tokenIn(from, 'email_change_asked');
    const [first, second] = round % 2 ? [one, two] : [two, one];
    const [confirmed, undone] = await Promise.all([first.confirm({ token }), second.undo(stop)]);
    assert.equal(undone.status, 200, undone.text);
    assert.equal(undone.body.email, from);
    outcomes.add(`${confirmed.status}`);
    assert.ok([200, 400].includes(confirmed.status), confirmed.text);
    assert.deepEqual((await addressesOf(one, from, to)).length, 1);
    assert.equal((await one.confirm({ token })).status, 400);
    // Whoever may have confirmed it is logged out.
    const me = await one.me(access_token);
    assert.equal(me.status, confirmed.status === 200 ? 401 : 200);
    if (me.status === 200) assert.deepEqual([me.body.email, me.body.pending_email], [from, null]);
  }
  scenario.t.diagnostic(`confirmations answered ${[...outcomes]}`);
});

onInstances(
  'of accounts that confirm one address at once, one gets it and no link is used up',
  async (scenario) => {
    const [one, two] = await openTwo(scenario);
    for (let round = 0; round < 5; round++) {
      const wanted = `wanted${round}@example.com`;
      const users = [];
      for (let n = 0; n < 4; n++) {
        const user = await one.signIn();
        await one.change(user, { email: wanted });
        users.push({ ...user, token: await one.tokenIn(wanted, 'change_email') });
      }
      const answers = await Promise.all(users.map(({ token }, n) => (n % 2 ? one : two).confirm({ token })));
      assert.deepEqual(countByStatus(answers), { 200: 1, '409 email_taken': 3 });
      const winner = users[answers.findIndex(({ status }) => status === 200)];
      assert.ok(winner !== undefined);
      assert.deepEqual(await addressesOf(one, wanted), [[wanted, winner.id]]);
      for (const { id, token, email, access_token } of users) {
        if (id === winner.id) continue;
        const { body } = await one.me(access_token);
        assert.deepEqual([body.email, body.pending_email], [email, wanted]);
        // Free again.
        if (round === 0) continue;
        const again = await one.confirm({ token });
        assert.deepEqual([again.status, again.body.code], [409, 'email_taken']);
      }
      const admin = await one.signIn({ is_admin: true });
      await one.request('DELETE', `/auth/users/${winner.id}`, { token: admin.access_token });
      const next = users.find(({ id }) => id !== winner.id);
      assert.equal((await one.confirm({ token: next?.token ?? '' })).status, 200);
    }
  },
);

/** Others who want the address, each in another way, all at once, while `event` happens. */
async function grabAround(
  [one, two]: readonly [Mailed, Mailed],
  email: string,
  event: () => Promise<TestResponse>,
): Promise<{ event: TestResponse; grabs: TestResponse[]; imported: boolean[] }> {
  const admin = await one.signIn({ is_admin: true });
  const other = await one.signIn();
  const by = { token: admin.access_token };
  const account = { email, password, name: 'Somebody else' };
  const imported: boolean[] = [];
  const importOne = async () => {
    const user = {
      email,
      name: 'X',
      hashed_password: 'x',
      is_active: true,
      is_admin: false,
      created_at: undefined,
    };
    const ids = await two.doorward.accounts.import([user]);
    imported.push(...ids.map((id) => id !== undefined));
  };
  let answer: Promise<TestResponse> | undefined;
  const grabs: Promise<TestResponse>[] = [];
  for (let n = 0; n < 4; n++) {
    grabs.push(
      one.request('POST', '/auth/signup', { json: account }),
      two.request('PATCH', `/auth/users/${other.id}`, { json: { email }, ...by }),
    );
    if (n === 1) answer = event();
    if (n === 2) grabs.push(two.request('POST', '/auth/users', { json: account, ...by }));
    await Promise.race([importOne(), ...grabs]);
  }
  assert.ok(answer !== undefined);
  return { event: await answer, grabs: await Promise.all(grabs), imported };
}

onInstances('nobody gets an address while its account leaves it, or gets it back', async (scenario) => {
  const two = await openTwo(scenario);
  const [one] = two;
  for (let round = 0; round < 8; round++) {
    const [from, to] = [`from${round}@example.com`, `to${round}@example.com`];
    const ann = await one.signIn({ email: from });
    await one.change(ann, { email: to });
    const token = await one.tokenIn(to, 'change_email');
    const left = await grabAround(two, from, () => one.confirm({ token }));
    assert.equal(left.event.status, 200, left.event.text);
    const undoToken = await one.tokenIn(from, 'email_changed');
    const back = await grabAround(two, from, () => one.undo(undoToken));
    assert.equal(back.event.status, 200, back.event.text);
    for (const { grabs, imported } of [left, back]) {
      for (const { status, text } of grabs) assert.equal(status, 409, text);
      assert.ok(imported.every((made) => !made));
    }
    assert.deepEqual(await addressesOf(one, from, to), [[from, ann.id]]);
  }
});

onInstances('accounts that want each other’s address get neither, and nothing hangs', async (scenario) => {
  const [one, two] = await openTwo(scenario);
  const [ann, bob] = [await one.signIn(), await one.signIn()];
  await one.change(ann, { email: 'ann2@example.com' });
  await one.change(bob, { email: 'bob2@example.com' });
  const tokens = [
    await one.tokenIn('ann2@example.com', 'change_email'),
    await one.tokenIn('bob2@example.com', 'change_email'),
  ] as const;
  const admin = await one.signIn({ is_admin: true });
  const patch = (id: number, email: string) =>
    two.request('PATCH', `/auth/users/${id}`, { json: { email }, token: admin.access_token });
  const answers = await Promise.all([
    one.confirm({ token: tokens[0] }),
    two.confirm({ token: tokens[1] }),
    patch(ann.id, bob.email),
    patch(bob.id, ann.email),
  ]);
  for (const { status, text } of answers) assert.ok([200, 400, 409].includes(status), text);
});
