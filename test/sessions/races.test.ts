import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { onEachDatabase, type TestDatabase } from '../support/databases.ts';
import { Machine, type Race } from '../support/race-machine.ts';
import { RaceNetwork, RaceServer } from '../support/race-network.ts';
import { Choices, RaceTime } from '../support/race-time.ts';
import { Witness } from '../support/race-witness.ts';

/** In all; a quarter of them with each database and number of instances. */
const refreshes = Number(process.env.DOORWARD_REFRESHES ?? 800);
const seed = Number(process.env.DOORWARD_SEED ?? Math.floor(Math.random() * 2 ** 31));
const REFRESH_GRACE_SECONDS = 10;
const machineCount = 32;
const kills = 2;
/** Each takes some hundreds of refreshes to come about. */
const leastReplays = refreshes > 4_000 ? 3 : 1;
/** After a replay every tab has asked for something again, and learned that the session is over. */
const noticeMs = 10 * 60_000;

onEachDatabase((database) => {
  for (const instances of [1, 2]) {
    test(`tabs that share a store stay signed in, and replays are caught, on ${instances} of an instance`, (t) =>
      race(t, database, instances));
  }
});

async function race(t: TestContext, database: TestDatabase, instances: number): Promise<void> {
  const began = performance.now();
  const choices = new Choices(seed + instances);
  const time = new RaceTime();
  const witness = new Witness(REFRESH_GRACE_SECONDS);
  const settings = {
    DATABASE_URL: await database.createReadyUrl(),
    SECRET_KEY: 'races-3f9c1b7e5a2d4860-not-a-sample-value',
    REFRESH_GRACE_SECONDS,
    ACCESS_TOKEN_EXPIRE_MINUTES: 1,
    SESSION_EXPIRE_DAYS: 3650,
    KEY_ROTATION_DAYS: 0,
    LOG_LEVEL: 'silent',
    ARGON2_MEMORY_KIB: 7168,
    ARGON2_PASSES: 5,
    ARGON2_LANES: 1,
  } as const;
  const servers = Array.from({ length: instances }, () => new RaceServer(settings));
  t.after(() => Promise.all(servers.map((server) => server.kill())));
  await Promise.all(servers.map((server) => server.start(time.now)));

  const network = new RaceNetwork(servers, time, witness);
  const state: Race = { time, network, witness, instances, faults: true };
  const machines = Array.from(
    { length: machineCount },
    (_, index) => new Machine(state, `machine-${index}`, choices.fork()),
  );
  const signUps = machines.map(({ email }) =>
    network.deliver(0, '/auth/signup', jsonPost({ email, password: 'SecurePass123!', name: 'Test User' })),
  );
  for (const { status } of await Promise.all(signUps)) assert.equal(status, 201);
  for (const machine of machines) machine.begin().then(() => machine.live());

  // A third of the people have somebody who keeps their old tokens.
  const attacks = { begun: 0, caught: 0 };
  for (const victim of machines.filter((_, index) => index % 3 === 0)) {
    attackAgainAndAgain(state, victim, choices.fork(), attacks);
  }

  const target = Math.ceil(refreshes / 4);
  let killed = 0;
  await time.run(
    () => (witness.refreshes >= target && attacks.caught >= leastReplays) || witness.violations.length > 0,
    () => {
      if (killed === kills || witness.refreshes < (target * (killed + 1)) / (kills + 1)) return;
      const server = servers[killed++ % instances];
      // While requests of this moment are under way.
      setTimeout(() => server && time.during(server.kill()), choices.between(0, 5));
      time.in(choices.between(1_000, 60_000), () => server && time.during(server.start(time.now)));
    },
  );

  // Whoever was not attacked is signed in, once the faults are over.
  state.faults = false;
  let isSettled = false;
  for (const machine of machines) machine.leaveAlone();
  time.in(noticeMs, async () => {
    const living = machines.filter(({ sid }) => sid !== '' && !witness.isAttacked(sid));
    const checks = living.map(({ name, tabs }) =>
      tabs[0]?.client.refresh().catch((error) => witness.violations.push(`${name} at the end: ${error}`)),
    );
    await Promise.all(checks);
    isSettled = true;
  });
  // Something happens at each moment, so that time passes.
  const pass = () => time.in(1000, pass);
  pass();
  if (witness.violations.length === 0)
    await time.run(
      () => isSettled,
      () => {},
    );

  t.diagnostic(
    `seed ${seed}: ${witness.refreshes} refreshes, ${witness.rotations} rotations, ${killed} kills, ` +
      `${attacks.caught} of ${attacks.begun} replays caught, ${((performance.now() - began) / 1000).toFixed(0)} s`,
  );
  const replay = `DOORWARD_SEED=${seed} DOORWARD_REFRESHES=${refreshes} repeats it`;
  assert.deepEqual(witness.violations, [], replay);
  assert.equal(attacks.caught, attacks.begun, replay);
}

function jsonPost(body: object): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

/** Shows a spent token now and then; then the session is over everywhere, each tab says so once, and life begins anew. */
async function attackAgainAndAgain(
  race: Race,
  victim: Machine,
  choices: Choices,
  attacks: { begun: number; caught: number },
): Promise<void> {
  const { time, network, witness, instances } = race;
  /** The server may be away for a moment. */
  const ask = async (path: string, init: RequestInit): Promise<number> => {
    for (;;) {
      const server = Math.floor(choices.between(0, instances));
      const status = await network.deliver(server, path, init).then(
        (response) => response.status,
        () => 503,
      );
      if (status < 500) return status;
      await time.sleep(1000);
    }
  };
  for (;;) {
    await time.sleep(choices.between(60, 600) * 1000);
    const { sid } = victim;
    const spent = witness.spentToken(time.now, sid, (count) => Math.floor(choices.between(0, count)));
    if (!race.faults) return;
    if (spent === undefined || victim.isLeftAlone) continue;
    victim.leaveAlone();
    victim.isAttacked = true;
    witness.attack(sid);
    attacks.begun++;
    const outcomes = [
      await ask('/auth/refresh', jsonPost({ refresh_token: spent.refreshToken })),
      await ask('/auth/refresh', jsonPost({ refresh_token: spent.newest.refreshToken })),
      await ask('/auth/me', { headers: { authorization: `Bearer ${spent.newest.accessToken}` } }),
    ];
    if (outcomes.every((status) => status === 401)) attacks.caught++;
    else witness.violations.push(`a replay was answered ${outcomes}`);
    await time.sleep(noticeMs);
    for (const tab of victim.tabs) {
      if (tab.signedOut !== 1)
        witness.violations.push(`a tab of ${victim.name} was told ${tab.signedOut} times`);
    }
    await victim.begin();
  }
}
