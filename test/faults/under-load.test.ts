import { test } from 'node:test';
import { onEachDatabase } from '../support/databases.ts';
import { faults, NotPermittedError } from '../support/fault-kinds.ts';
import { startLoad } from '../support/fault-load.ts';
import { seed } from '../support/fault-random.ts';

onEachDatabase(({ name: database, createUrl }) => {
  test('what happens to a server under load passes: nothing acknowledged is lost, nobody is let in', async (t) => {
    const load = await startLoad(t, await createUrl(), `load${database}`, { writers: 3, pauseMs: 5 });
    for (const [name, fault] of Object.entries(faults[database])) {
      await t.test(name, async (t) => {
        try {
          const recoveredMs = await load.suffer(fault);
          t.diagnostic(`recovered in ${Math.round(recoveredMs)} ms`);
        } catch (error) {
          if (error instanceof NotPermittedError) return t.diagnostic('this machine does not allow it');
          const log = load.server.output.stdout.slice(-1500);
          throw new Error(`DOORWARD_SEED=${seed}\n${log}`, { cause: error });
        }
      });
    }
    const { acknowledged, unanswered, appliedUnanswered } = load.writers.tally;
    t.diagnostic(
      `DOORWARD_SEED=${seed}: ${acknowledged} acknowledged, ${unanswered} without an answer, of which ` +
        `${appliedUnanswered} were made; ${load.writers.intruder.attempts} times an intruder was refused`,
    );
    await load.end();
  });
});
