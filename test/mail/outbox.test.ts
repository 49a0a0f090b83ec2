import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { smtpLimits } from '../../src/features/outbox/index.ts';
import { onInstances, type Scenario } from '../support/instances.ts';
import { openOutbox, type TestOutbox } from '../support/outbox.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

const quick = { ...smtpLimits, connectionMs: 150, mailMs: 400 };

/** A server, and an outbox that sends to it. */
async function openBoth(
  scenario: Scenario,
  limits = smtpLimits,
): Promise<{ smtp: TestSmtp; outbox: TestOutbox }> {
  const smtp = await startSmtp(scenario.t);
  const outbox = await openOutbox(scenario, { settings: { MAIL_URL: smtp.url }, smtpLimits: limits });
  return { smtp, outbox };
}

onInstances(
  'a mail is sent when its transaction is committed, and never when it is rolled back',
  async (scenario) => {
    const { smtp, outbox } = await openBoth(scenario);
    const { db } = outbox.kernel;
    const mail = { kind: 'account_restored', user_id: null, locale: 'en', params: {} } as const;
    const undone = db.transaction(async (tx) => {
      await outbox.enqueue(tx, { ...mail, to: 'never@example.com' });
      throw new Error('no');
    });
    await assert.rejects(undone, /no/);
    await db.transaction(async (tx) => {
      await outbox.enqueue(tx, { ...mail, to: 'Ada@Example.com' });
      await sleep(100);
      assert.equal(smtp.mails.length, 0, 'sent before it was committed');
    });
    const committed = performance.now();
    await outbox.work();
    const [received, ...others] = smtp.mails;
    assert.ok(received !== undefined && others.length === 0);
    scenario.t.diagnostic(`received ${Math.round(performance.now() - committed)} ms after the commit`);
    const [row] = await outbox.rows();
    assert.deepEqual(
      [
        received.to_envelope,
        received.from_envelope,
        received.messageId,
        received.headers.get('auto-submitted'),
      ],
      [['Ada@example.com'], 'doorward@accounts.example.com', row?.message_id, 'auto-generated'],
    );
    assert.deepEqual(
      [row?.state, row?.sent_at, row?.attempts, row?.claim, row?.last_error],
      ['sent', '2026-01-01T12:00:00.000Z', 1, null, null],
    );
  },
);

onInstances('a server that is down for a while gets each mail once', async (scenario) => {
  const { smtp, outbox } = await openBoth(scenario);
  await smtp.stop();
  for (let n = 0; n < 5; n++) await outbox.ask({ to: `user${n}@example.com` });
  await outbox.work();
  for (const row of await outbox.rows()) {
    assert.deepEqual(
      [row.state, row.attempts, row.next_attempt_at, row.last_error],
      ['queued', 1, '2026-01-01T12:00:05.000Z', 'the connection failed (ECONNREFUSED)'],
    );
  }
  await smtp.start();
  await outbox.work();
  assert.equal(smtp.mails.length, 0, 'tried again too soon');
  scenario.advance(5);
  await outbox.work();
  await outbox.work();
  const recipients = smtp.mails.map(({ to_envelope }) => String(to_envelope)).sort();
  assert.deepEqual(
    recipients,
    [0, 1, 2, 3, 4].map((n) => `user${n}@example.com`),
  );
});

onInstances('what hangs is given up, connection and all, and tried again', async (scenario) => {
  const { smtp, outbox } = await openBoth(scenario, quick);
  for (const [at, expected, error] of [
    ['greeting', quick.connectionMs, 'the connection failed (ETIMEDOUT)'],
    ['end of DATA', quick.mailMs, 'it took too long'],
  ] as const) {
    smtp.behave({ does: 'hang', at });
    await outbox.ask();
    const begun = performance.now();
    await outbox.work();
    const took = performance.now() - begun;
    assert.ok(took >= expected * 0.9 && took < expected + 1500, `${at}: ${took} ms`);
    const row = (await outbox.rows()).at(-1);
    assert.deepEqual([row?.state, row?.claim, row?.last_error], ['queued', null, error]);
    while (smtp.open > 0) await sleep(10);
  }
  smtp.behave({ does: 'accept' });
  scenario.advance(5);
  await outbox.work();
  assert.equal(smtp.mails.length, 2);
});
