import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Invitations } from '../../src/features/invitations/index.ts';
import { DoorwardError } from '../../src/index.ts';
import { type Journey, journey, type Open } from '../support/journey.ts';

const password = 'Chosen-By-Ada-42!';
const name = 'Ada Lovelace';

/** Two instances on one database. */
async function openTwo(open: Open): Promise<[Journey, Journey]> {
  const one = await open({ HASH_QUEUE_LIMIT: 1000 });
  return [one, await open({ DATABASE_URL: one.databaseUrl, HASH_QUEUE_LIMIT: 1000 })];
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error) => (error instanceof DoorwardError ? error.code : String(error)),
  );

async function tokenTo(instance: Journey, to: string): Promise<string> {
  const mail = (await instance.mails()).findLast((each) => each.kind === 'invitation' && each.to === to);
  return mail?.token ?? assert.fail(`no invitation to ${to}`);
}

/** That nobody is invited any more who has an account for good, and how many accounts there are. */
async function assertNoneLeft({ doorward }: Journey): Promise<void> {
  const left = await doorward.kernel.db.read
    .selectFrom('invitations')
    .innerJoin('users', 'users.email_key', 'invitations.email_key')
    .select('invitations.email')
    .where('users.email_verified', '=', true)
    .where('invitations.settled_at', 'is', null)
    .execute();
  assert.deepEqual(left, []);
}

/** How often PostgreSQL had to undo a transaction because two waited for each other. */
async function countDeadlocks({ doorward }: Journey): Promise<number> {
  const { rows } = await sql<{ deadlocks: number }>`
    select deadlocks from pg_stat_database where datname = current_database()`.execute(
    doorward.kernel.db.read,
  );
  return Number(rows[0]?.deadlocks);
}

journey('whoever is made, or comes to an address, while it is invited is invited no more', async (open) => {
  const [one, two] = await openTwo(open);
  const { admin, accounts, kernel } = one.doorward;
  // Long enough that the invitation comes between what the other transaction wrote and its end.
  let written = Promise.withResolvers<void>();
  for (const event of ['user.created', 'user.readdressed'] as const)
    kernel.events.on(event, async () => {
      written.resolve();
      await sleep(150);
    });
  const { id } = await one.signIn({ email: 'before@example.com' });
  const ways: Record<string, (email: string) => Promise<unknown>> = {
    created: (email) => admin.create({ email, password, name }),
    readdressed: (email) => admin.change(id, { email }),
    imported: (email) => {
      const hashed_password = '$2b$04$.4HEVyj9UqfAHCH.gz9VyepiFPDMUqWe0RJCpipY4TTNeYla025le';
      return accounts.import([
        { email, name, hashed_password, is_active: true, is_admin: false, created_at: undefined },
      ]);
    },
  };
  for (const [way, come] of Object.entries(ways)) {
    written = Promise.withResolvers();
    const email = `${way}@example.com`;
    const [came, invited] = await Promise.all([
      codeOf(come(email)),
      written.promise.then(() => codeOf(two.doorward.invitations.create({ email }))),
    ]);
    assert.deepEqual([way, came, invited], [way, 'done', 'email_registered']);
  }
  await assertNoneLeft(one);
});

journey(
  'making an account races with accepting the invitation to it, and nobody waits for ever',
  async (open, { database }) => {
    const [one, two] = await openTwo(open);
    const outcomes = new Set<string>();
    for (let round = 0; round < 15; round++) {
      const email = `accepted-${round}@example.com`;
      await one.doorward.invitations.create({ email });
      const token = await tokenTo(one, email);
      const accept: Parameters<Invitations['accept']>[0] = { token, password, name };
      const [accepted, made] = await Promise.all([
        codeOf(two.doorward.invitations.accept(accept)),
        codeOf(one.doorward.admin.create({ email, password, name })),
      ]);
      outcomes.add(`${accepted}, ${made}`);
    }
    for (const outcome of outcomes)
      assert.ok(['done, email_registered', 'email_registered, done'].includes(outcome), outcome);
    await assertNoneLeft(one);
    if (database.name === 'PostgreSQL') {
      await sleep(1100);
      assert.equal(await countDeadlocks(one), 0);
    }
    assert.deepEqual((await one.doorward.audit.verify()).findings, []);
  },
);

journey(
  'making an account, signing up, inviting, accepting and withdrawing at once leave one account',
  async (open, { database }) => {
    const [one, two] = await openTwo(open);
    for (let round = 0; round < 8; round++) {
      const email = `all-${round}@example.com`;
      await one.doorward.invitations.create({ email });
      const token = await tokenTo(one, email);
      const { invitations } = two.doorward;
      const [{ id } = { id: 0 }] = (await invitations.list({ limit: 1 })).invitations;
      await Promise.all([
        codeOf(invitations.accept({ token, password, name })),
        codeOf(one.doorward.admin.create({ email, password, name })),
        codeOf(two.doorward.accounts.signUp({ email, password, name })),
        codeOf(one.doorward.invitations.create({ email })),
        codeOf(round % 2 ? invitations.resend(id) : invitations.withdraw(id)),
      ]);
      assert.ok(await one.doorward.accounts.findByEmail(email));
    }
    await assertNoneLeft(one);
    if (database.name === 'PostgreSQL') {
      await sleep(1100);
      assert.equal(await countDeadlocks(one), 0);
    }
  },
);
