import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Fault, faults, restarts } from './support/fault-kinds.ts';
import {
  countOpenFiles,
  type Load,
  NotPermittedError,
  residentMib,
  startLoad,
} from './support/fault-load.ts';
import { createRandom, seed } from './support/fault-random.ts';
import { startPostgres } from './support/postgres.ts';

/** `npm run soak` takes ten minutes. */
const seconds = Number(process.env.DOORWARD_SOAK_SECONDS ?? 30);
/** So that the short one leaves the cores to the other tests. */
const pace = seconds > 60 ? { writers: 4, pauseMs: 20 } : { writers: 2, pauseMs: 80 };
const mostMib = 400;

describe(`${seconds} s of mixed load with faults`, { concurrency: true }, () => {
  test('on SQLite', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'doorward-soak-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    await soak(t, `sqlite:${join(folder, 'doorward.db')}`, { ...faults.SQLite, ...restarts });
  });

  test('on PostgreSQL', async (t) => {
    const postgres = await startPostgres();
    t.after(() => postgres.stop());
    const databaseEnds: Fault = async () => {
      await postgres.kill();
      await sleep(500);
      await postgres.restart();
    };
    await soak(t, await postgres.createDatabase(), {
      ...faults.PostgreSQL,
      ...restarts,
      'the database server ends and starts again': databaseEnds,
    });
  });
});

/** What a fault did, over all times that it happened. */
interface Record {
  times: number;
  longestRecoveryMs: number;
  isPermitted: boolean;
}

/** Lets each fault happen once, in an order that the seed decides, then any again until the time is over, and reports. */
async function soak(t: TestContext, databaseUrl: string, kinds: Readonly<{ [name: string]: Fault }>) {
  const name = `soak${t.name.replace('on ', '')}`;
  const random = createRandom(name);
  const load = await startLoad(t, databaseUrl, name, pace);
  const records = new Map<string, Record>();
  const memory = { first: residentMib(load.server.pid), most: 0 };
  const until = performance.now() + seconds * 1000;
  let left = Object.keys(kinds);
  let isBroken = false;
  const isDone = () => records.size === Object.keys(kinds).length && performance.now() >= until;
  while (!isBroken && !isDone()) {
    const [kind = ''] = left.splice(random.below(left.length), 1);
    const record = records.get(kind) ?? { times: 0, longestRecoveryMs: 0, isPermitted: true };
    records.set(kind, record);
    record.times++;
    await t.test(kind, async () => {
      try {
        const recoveredMs = await load.suffer(kinds[kind] ?? assert.fail());
        record.longestRecoveryMs = Math.max(record.longestRecoveryMs, recoveredMs);
      } catch (error) {
        record.isPermitted = !(error instanceof NotPermittedError);
        if (!record.isPermitted) return;
        isBroken = true;
        const log = load.server.output.stdout.slice(-2000);
        throw new Error(`DOORWARD_SEED=${seed}\n${log}`, { cause: error });
      }
    });
    memory.most = Math.max(memory.most, residentMib(load.server.pid));
    // Each comes as often as the others.
    if (left.length === 0) left = Object.keys(kinds).filter((each) => records.get(each)?.isPermitted);
  }
  if (isBroken) return;
  assert.ok(memory.most < mostMib, `${memory.most} MiB`);
  report(t, load, records, memory);
  await load.end();
}

function report(
  t: TestContext,
  { writers, server }: Load,
  records: ReadonlyMap<string, Record>,
  memory: { first: number; most: number },
): void {
  const { acknowledged, unanswered, appliedUnanswered } = writers.tally;
  t.diagnostic(`DOORWARD_SEED=${seed}`);
  t.diagnostic(`${acknowledged} writes acknowledged, every one of them found again`);
  t.diagnostic(`${unanswered} without an answer, of which ${appliedUnanswered} were made, whole`);
  t.diagnostic(`${writers.intruder.attempts} times an intruder tried, in vain`);
  t.diagnostic(
    `${memory.first} MiB at first, ${memory.most} at most, ${residentMib(server.pid)} at the end; ` +
      `${countOpenFiles(server.pid)} open files at the end`,
  );
  for (const [kind, { times, longestRecoveryMs, isPermitted }] of records) {
    const what = `writes went on after ${Math.round(longestRecoveryMs)} ms at most`;
    t.diagnostic(`${times} × ${kind}; ${isPermitted ? what : 'this machine does not allow it'}`);
  }
}
