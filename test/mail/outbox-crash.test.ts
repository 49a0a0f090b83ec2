import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { onEachDatabase } from '../support/databases.ts';
import { query } from '../support/fault-inspect.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

const program = join(import.meta.dirname, '../support/mail-process.ts');

/** Starts a process with an outbox that does not outlive the test. */
function start(t: TestContext, args: string[], env: Record<string, string>) {
  const child = spawn(process.execPath, [program, ...args], {
    env: {
      PATH: process.env.PATH,
      SECRET_KEY: 'mail-process-5b8e0d17c3fa9264-not-a-sample',
      LOG_LEVEL: 'silent',
      ...env,
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const ended = once(child, 'exit').then(([, signal]) => signal as string | null);
  t.after(() => child.kill('SIGKILL'));
  return { kill: () => child.kill('SIGKILL'), ended };
}

const copies = ({ mails }: TestSmtp) => {
  const counts = new Map<string, Set<string | undefined>[]>();
  for (const { to_envelope, messageId } of mails) {
    const to = String(to_envelope);
    counts.set(to, [...(counts.get(to) ?? []), new Set([messageId])]);
  }
  return counts;
};

async function untilSent(databaseUrl: string, count: number): Promise<void> {
  for (;;) {
    const [row] = await query(databaseUrl, "select count(*) as sent from outbox where state = 'sent'");
    if (Number(row?.sent) === count) return;
    await sleep(50);
  }
}

onEachDatabase(({ createReadyUrl }) => {
  test('kill -9 between the commit and the mail: the next start sends it, once', async (t) => {
    const smtp = await startSmtp(t);
    const env = { DATABASE_URL: await createReadyUrl(), MAIL_URL: smtp.url };
    const asking = start(t, ['ask', '3'], env);
    assert.equal(await asking.ended, 'SIGKILL');
    assert.equal(smtp.connections, 0);
    const sending = start(t, ['send'], env);
    await untilSent(env.DATABASE_URL, 3);
    sending.kill();
    await sending.ended;
    assert.deepEqual(
      [...copies(smtp).values()].map((sets) => sets.length),
      [1, 1, 1],
    );
  });

  test('kill -9 during sending: every mail comes, and no more than four of them twice', async (t) => {
    const smtp = await startSmtp(t);
    smtp.behave({ does: 'accept', afterMs: 40 });
    const env = { DATABASE_URL: await createReadyUrl(), MAIL_URL: smtp.url };
    await start(t, ['ask', '40'], env).ended;
    const killed = start(t, ['send'], env);
    while (smtp.mails.length < 12) await sleep(1);
    killed.kill();
    await killed.ended;
    smtp.behave({ does: 'accept' });
    const next = start(t, ['send'], { ...env, MINUTES_LATER: '3' });
    await untilSent(env.DATABASE_URL, 40);
    next.kill();
    await next.ended;
    const all = copies(smtp);
    assert.equal(all.size, 40);
    const twice = [...all.values()].filter((sets) => sets.length > 1);
    for (const sets of twice) {
      assert.equal(sets.length, 2);
      assert.equal(new Set(sets.flatMap((ids) => [...ids])).size, 1, 'the copies have one Message-ID');
    }
    assert.ok(twice.length <= 4, `${twice.length} came twice`);
    t.diagnostic(`${twice.length} of 40 came twice`);
  });
});
