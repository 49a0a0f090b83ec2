import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CommandOptions, startServe } from '../support/command.ts';
import { onEachDatabase } from '../support/databases.ts';
import { type Client, createClient } from '../support/fault-client.ts';
import { assertWhole, query } from '../support/fault-inspect.ts';
import { createRandom, seed } from '../support/fault-random.ts';
import { Writers } from '../support/fault-writers.ts';
import { startPostgres } from '../support/postgres.ts';

/** The whole number is 300: DOORWARD_FAULT_ROUNDS=300. */
const killRounds = Number(process.env.DOORWARD_FAULT_ROUNDS ?? 6);
const killChains = 2;
const databaseKillRounds = Math.ceil(killRounds / 6);
const writersAtOnce = 6;

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'doorward-crash-'));
});
after(() => rm(root, { recursive: true, force: true }));

async function options(databaseUrl: string) {
  const env = {
    DATABASE_URL: databaseUrl,
    RATE_LIMITS: 'off',
    // Sessions rotate often, and outlive the whole number of rounds.
    REFRESH_GRACE_SECONDS: '0.3',
    ACCESS_TOKEN_EXPIRE_MINUTES: '1440',
  };
  return { cwd: await mkdtemp(join(root, 'cwd-')), env };
}

/** A server that does not outlive the test, even if that fails. */
async function start(t: TestContext, command: CommandOptions) {
  const server = await startServe(command);
  t.after(() => server.signal('SIGKILL'));
  return server;
}

async function setupToken(output: { readonly stdout: string }): Promise<string> {
  for (;;) {
    const found = /setup token: (\S+)\n/.exec(output.stdout);
    if (found?.[1]) return found[1];
    await sleep(5);
  }
}

/** A statement of a process that is gone may still be at work in PostgreSQL. */
async function untilNobodyIsConnected(databaseUrl: string): Promise<void> {
  if (databaseUrl.startsWith('sqlite:')) return;
  const others = `select 1 from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`;
  while ((await query(databaseUrl, others)).length > 0) await sleep(5);
}

function report(t: TestContext, writers: readonly Writers[], rounds: number): void {
  const sum = (of: keyof Writers['tally']) => writers.reduce((total, { tally }) => total + tally[of], 0);
  const attempts = writers.reduce((total, { intruder }) => total + intruder.attempts, 0);
  t.diagnostic(
    `DOORWARD_SEED=${seed}: ${sum('acknowledged')} writes acknowledged, ${sum('unanswered')} without an answer, ` +
      `of which ${sum('appliedUnanswered')} were made; ${attempts} times somebody with no right tried, in vain`,
  );
  // In a single round all that was asked may have been answered by chance.
  const leastUnanswered = Math.floor(rounds / 5);
  assert.ok(sum('acknowledged') >= 4 * rounds && sum('unanswered') >= leastUnanswered, 'too little happened');
}

onEachDatabase(({ createUrl }) => {
  test(`kill -9 during writes, ${killRounds} rounds`, async (t) => {
    const chain = async (name: string, rounds: number) => {
      const databaseUrl = await createUrl();
      const started = await options(databaseUrl);
      const random = createRandom(name);
      const writers = new Writers(databaseUrl, name);
      let server = await start(t, started);
      let client: Client = createClient(server.url);
      await Writers.makeAdmin(client, await setupToken(server.output));
      for (let round = 1; round <= rounds; round++) {
        await writers.prepare(client);
        client.close();
        const writing = writers.run(server.url, writersAtOnce);
        // So that a failed assertion is not unhandled while this waits.
        writing.catch(() => {});
        await Promise.race([writers.acknowledged(4 + random.below(20)), writing]);
        const dueling = random.chance(0.5) ? writers.duel(server.url) : undefined;
        await sleep(random.below(15));
        server.signal('SIGKILL');
        await Promise.all([writing, dueling, server.ended]);
        assert.equal(server.output.stderr, '');
        assert.doesNotMatch(server.output.stdout, /"level":"(error|warn)"/);

        await untilNobodyIsConnected(databaseUrl);
        server = await start(t, started);
        client = createClient(server.url);
        try {
          await assertWhole(databaseUrl);
          await writers.verify(client);
        } catch (error) {
          const log = server.output.stdout.slice(-1500);
          throw new Error(`round ${round} of ${name}, DOORWARD_SEED=${seed}\n${log}`, { cause: error });
        }
      }
      client.close();
      server.signal('SIGTERM');
      assert.equal(await server.ended, 0);
      return writers;
    };
    const chains = Array.from({ length: killChains }, (_, index) =>
      chain(`kill${index}`, killRounds / killChains),
    );
    report(t, await Promise.all(chains), killRounds);
  });
});

test(`PostgreSQL ends at once during writes, ${databaseKillRounds} rounds under one process of Doorward`, async (t) => {
  const postgres = await startPostgres();
  t.after(() => postgres.stop());
  const databaseUrl = await postgres.createDatabase();
  const random = createRandom('database');
  const writers = new Writers(databaseUrl, 'database');
  const server = await start(t, await options(databaseUrl));
  const client = createClient(server.url);
  await Writers.makeAdmin(client, await setupToken(server.output));
  for (let round = 1; round <= databaseKillRounds; round++) {
    await writers.prepare(client);
    const writing = writers.run(server.url, writersAtOnce);
    writing.catch(() => {});
    await Promise.race([writers.acknowledged(4 + random.below(30)), writing]);
    const dueling = random.chance(0.5) ? writers.duel(server.url) : undefined;
    await postgres.kill();
    writers.stop();
    await Promise.all([writing, dueling]);
    const away = await client.ask('GET', '/health/ready');
    assert.equal(away.status, 503);
    await postgres.restart();
    // By itself, and for good: connections that died are not met again.
    while ((await client.ask('GET', '/health/ready')).status !== 200) await sleep(20);
    try {
      await assertWhole(databaseUrl);
      await writers.verify(client);
    } catch (error) {
      throw new Error(`round ${round}, DOORWARD_SEED=${seed}`, { cause: error });
    }
  }
  client.close();
  server.signal('SIGTERM');
  assert.equal(await server.ended, 0);
  assert.doesNotMatch(server.output.stdout, /"level":"error"|"status":500/);
  report(t, [writers], databaseKillRounds);
});

test('what these tests take for a damaged database is found', async (t) => {
  const databaseUrl = `sqlite:${join(root, 'damaged.db')}`;
  const server = await start(t, await options(databaseUrl));
  const client = createClient(server.url);
  await Writers.makeAdmin(client, await setupToken(server.output));
  client.close();
  server.signal('SIGTERM');
  await server.ended;
  await assertWhole(databaseUrl);
  await query(
    databaseUrl,
    `insert into users_search_text_substring (rowid, search_text) values (77, 'nobody@example.com')`,
  );
  await assert.rejects(assertWhole(databaseUrl), { code: 'SQLITE_CORRUPT_VTAB' });
});
