import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { Doorward } from '../../src/app.ts';
import { startServer } from '../../src/server.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createClient } from '../support/fault-client.ts';
import { createRandom, type Random, seed } from '../support/fault-random.ts';
import { rankTest } from '../support/rank-test.ts';

const kinds = ['known', 'unknown', 'deactivated'] as const;
type Kind = (typeof kinds)[number];
type Samples = Record<Kind, number[]>;

const pairs = [
  ['known', 'unknown'],
  ['known', 'deactivated'],
  ['unknown', 'deactivated'],
] as const;

const accountsOfAKind = 8;
/** Three logins a round. */
const rounds = 167;
const warmUpRounds = 5;

/** Six comparisons that err with this probability, and have to err twice, cry wolf once in 10^7 runs. */
const alpha = 1e-4;

/** All addresses are of one length, so that no kind is told by the size of its request. */
const emailOf = (kind: Kind, index: number) => `${kind.slice(0, 5)}${index}@example.com`;

const settings = {
  SECRET_KEY: 'timing-5b0d7c3e9f1a4826-not-a-sample',
  HOST: '127.0.0.1',
  PORT: 0,
  LOG_LEVEL: 'silent',
  RATE_LIMITS: 'off',
  // The least that OWASP allows: the shorter the hash, the less of a difference it hides.
  ARGON2_MEMORY_KIB: 7168,
  ARGON2_PASSES: 5,
  ARGON2_LANES: 1,
} as const;

async function startWithAccounts(t: TestContext, DATABASE_URL: string) {
  const server = await startServer({ ...settings, DATABASE_URL }, () => {});
  t.after(() => server.stop());
  for (let index = 0; index < accountsOfAKind; index++) {
    for (const kind of ['known', 'deactivated'] as const) {
      await server.doorward.admin.create({
        email: emailOf(kind, index),
        password: 'SecurePass123!',
        name: 'Test User',
        is_active: kind === 'known',
      });
    }
  }
  return server;
}

/** Logs in with a wrong password, one at a time, each round once in each kind in an order of its own. */
async function measure(url: string, roundCount: number, random: Random): Promise<Samples> {
  const client = createClient(url, { connections: 1 });
  const samples: Samples = { known: [], unknown: [], deactivated: [] };
  try {
    for (let round = -warmUpRounds; round < roundCount; round++) {
      const left: Kind[] = [...kinds];
      while (left.length > 0) {
        const kind = random.pick(left);
        left.splice(left.indexOf(kind), 1);
        const body = JSON.stringify({
          username: emailOf(kind, random.below(accountsOfAKind)),
          password: 'WrongPass123!',
        });
        const headers = ['content-type', 'application/json'];
        const begin = performance.now();
        const answer = await client.send({ method: 'POST', path: '/auth/login', headers, body });
        const elapsed = performance.now() - begin;
        assert.deepEqual([answer.status, answer.body.code], [401, 'invalid_credentials']);
        if (round >= 0) samples[kind].push(elapsed);
      }
    }
  } finally {
    client.close();
  }
  return samples;
}

/** The pairs of kinds that the time tells apart. */
function toldApart(samples: Samples): string[] {
  return pairs
    .filter(([one, other]) => rankTest(samples[one], samples[other]).p < alpha)
    .map(([one, other]) => `${one} and ${other}`);
}

/** Serves the instance, but answers an unknown address as it does without the work: the fault that is looked for. */
async function startLeaking(t: TestContext, doorward: Doorward): Promise<string> {
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const body = Buffer.concat(chunks).toString();
      const isUnknown = JSON.parse(body).username.startsWith(emailOf('unknown', 0).slice(0, 5));
      const answer = isUnknown
        ? Response.json({ detail: 'Invalid email or password', code: 'invalid_credentials' }, { status: 401 })
        : await doorward.fetch(
            new Request(`http://localhost${request.url}`, {
              method: 'POST',
              headers: { 'content-type': 'application/json' },
              body,
            }),
          );
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

onEachDatabase((database) => {
  test('the time of a refused login does not tell whether the address is known, unknown or deactivated', async (t) => {
    const { url } = await startWithAccounts(t, await database.createReadyUrl());
    let found: string[] = [];
    for (const attempt of ['first', 'second']) {
      const samples = await measure(url, rounds, createRandom(`${database.name} ${attempt}`));
      found = toldApart(samples);
      if (found.length === 0) return;
      t.diagnostic(`seed ${seed}, ${attempt} attempt: ${found.join(', ')}`);
    }
    assert.fail(`the time tells ${found.join(', ')}; seed ${seed}`);
  });
});

test('an answer to an unknown address that skips the hash is found by the same statistic', async (t) => {
  const { doorward } = await startWithAccounts(t, 'sqlite::memory:');
  const url = await startLeaking(t, doorward);
  const samples = await measure(url, 25, createRandom('leaking'));
  assert.deepEqual(toldApart(samples), ['known and unknown', 'unknown and deactivated'], `seed ${seed}`);
});
