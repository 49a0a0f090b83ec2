/**
 * A process of its own with an outbox, to be killed. `ask N` asks for N mails in one transaction and is dead as soon as it is
 * committed; `send` sends what there is until it is killed. MINUTES_LATER sets its clock forward, settings come from the environment.
 */
import { createDoorward } from '../../src/index.ts';
import { type GivenSettings, settingNames } from '../../src/settings.ts';

const [what, count] = process.argv.slice(2);
const laterMs = Number(process.env.MINUTES_LATER ?? 0) * 60_000;
const given: GivenSettings = Object.fromEntries(settingNames.map((name) => [name, process.env[name]]));
const doorward = await createDoorward(given, { clock: { now: () => new Date(Date.now() + laterMs) } });
const { outbox, kernel } = doorward;

if (what === 'ask') {
  await kernel.db.transaction(async (tx) => {
    for (let n = 0; n < Number(count); n++) {
      const to = `user${n}@example.com`;
      await outbox.enqueue(tx, { kind: 'account_restored', to, user_id: null, locale: 'en', params: {} });
    }
  });
  process.kill(process.pid, 'SIGKILL');
}
// Its timers do not keep it alive.
setInterval(() => {}, 1000);
