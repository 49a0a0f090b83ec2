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
    const begun = performance.now();
    await outbox.ask();
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

onInstances(
  'what is refused for now is tried again after 5 s, then twice as long, up to an hour, for 48 hours',
  async (scenario) => {
    const { smtp, outbox } = await openBoth(scenario);
    smtp.behave({
      does: 'refuse',
      at: 'RCPT TO',
      code: 450,
      text: '4.2.1 mailbox of ada@example.com is busy',
    });
    await outbox.ask();
    const waits: number[] = [];
    for (;;) {
      await outbox.work();
      const [row] = await outbox.rows();
      if (row?.state !== 'queued') break;
      assert.equal(row.last_error, 'the server refused the recipient (450 4.2.1)');
      assert.equal(row.attempts, waits.length + 1);
      const seconds = (Date.parse(row.next_attempt_at) - outbox.kernel.clock.now().getTime()) / 1000;
      scenario.advance(seconds - 1);
      await outbox.work();
      assert.equal((await outbox.rows())[0]?.attempts, row.attempts, 'tried too soon');
      scenario.advance(1);
      waits.push(seconds);
    }
    assert.deepEqual(waits.slice(0, 12), [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]);
    assert.ok(waits.slice(10).every((seconds) => seconds === 3600));
    const total = waits.reduce((sum, seconds) => sum + seconds, 0);
    assert.ok(total >= 48 * 3600 && total < 49 * 3600, `given up after ${total / 3600} h`);
    const [dead] = await outbox.rows();
    assert.deepEqual(
      [dead?.state, dead?.last_error],
      ['dead', 'expired; the server refused the recipient (450 4.2.1)'],
    );
    assert.equal(smtp.mails.length, 0);

    smtp.behave({ does: 'accept' });
    const resent = await outbox.resend(dead?.id ?? 0);
    assert.deepEqual([resent.state, resent.attempts, resent.last_error], ['queued', 0, null]);
    assert.notEqual(resent.message_id, dead?.message_id);
    await outbox.work();
    assert.equal(smtp.mails[0]?.messageId, resent.message_id);
    assert.equal((await outbox.rows())[0]?.state, 'sent');
  },
);

onInstances(
  'a recipient and a message that are refused for good are dead letters, everything else is tried again',
  async (scenario) => {
    const { smtp, outbox } = await openBoth(scenario);
    const cases = [
      ['RCPT TO', 550, 'dead', 'the server refused the recipient (550)'],
      ['RCPT TO', 450, 'queued', 'the server refused the recipient (450)'],
      ['RCPT TO', 530, 'queued', 'the server refused the recipient (530)'],
      ['DATA', 554, 'dead', 'the server refused the message (554)'],
      ['DATA', 451, 'queued', 'the server refused the message (451)'],
      ['MAIL FROM', 550, 'queued', 'the server refused the sender (550)'],
    ] as const;
    for (const [at, code, state, error] of cases) {
      smtp.behave({ does: 'refuse', at, code });
      await outbox.ask();
      await outbox.work();
      const row = (await outbox.rows()).at(-1);
      assert.deepEqual([row?.state, row?.last_error, row?.attempts], [state, error, 1], `${at} ${code}`);
    }
    assert.equal(smtp.mails.length, 0);
    // Nothing that servers say is kept or logged: it holds addresses.
    const kept = JSON.stringify([outbox.logged, (await outbox.rows()).map(({ last_error }) => last_error)]);
    assert.doesNotMatch(kept, /secret\.example|ada@/);
    smtp.behave({ does: 'accept' });
    scenario.advance(5);
    await outbox.work();
    assert.equal(smtp.mails.length, cases.filter(([, , state]) => state === 'queued').length);
  },
);

onInstances('two instances that send at once send each of fifty mails once', async (scenario) => {
  const { smtp, outbox } = await openBoth(scenario);
  const other = await openOutbox(scenario, { settings: { MAIL_URL: smtp.url } });
  smtp.behave({ does: 'accept', afterMs: 5 });
  const recipients = Array.from({ length: 50 }, (_, n) => `user${n}@example.com`);
  for (const to of recipients)
    await outbox.ask({ to, kind: to.endsWith('0@example.com') ? 'reset_password' : 'account_restored' });
  await Promise.all([outbox.work(), other.work(), outbox.work(), other.work()]);
  assert.deepEqual(smtp.mails.map(({ to_envelope }) => String(to_envelope)).sort(), recipients.sort());
  assert.equal(new Set(smtp.mails.map(({ messageId }) => messageId)).size, 50);
  assert.ok((await outbox.rows()).every(({ state, attempts }) => state === 'sent' && attempts === 1));
  const mine = outbox.logged.filter((entry) => entry.includes('mail sent')).length;
  scenario.t.diagnostic(`one instance sent ${mine}, the other ${50 - mine}`);
});

onInstances(
  'what a dead process had claimed is another one’s after two minutes, and what it says then is not heard',
  async (scenario) => {
    const { smtp, outbox } = await openBoth(scenario);
    const other = await openOutbox(scenario, { settings: { MAIL_URL: smtp.url } });
    smtp.behave({ does: 'accept', afterMs: 4000 });
    await outbox.ask();
    const late = outbox.work();
    while (smtp.arrived === 0) await sleep(5);
    scenario.advance(119);
    await other.work();
    assert.equal((await outbox.rows())[0]?.attempts, 1);
    scenario.advance(1);
    smtp.behave({ does: 'refuse', at: 'RCPT TO', code: 450 });
    await other.work();
    const [retried] = await outbox.rows();
    assert.deepEqual([retried?.state, retried?.attempts], ['queued', 2]);
    await late;
    assert.deepEqual((await outbox.rows())[0], retried);
  },
);

onInstances(
  'a connection that breaks is the one way to two copies of a mail, with one Message-ID',
  async (scenario) => {
    const { smtp, outbox } = await openBoth(scenario);
    for (const [at, copies] of [
      ['end of DATA', 1],
      ['after 250', 1],
      ['before 250', 2],
    ] as const) {
      const to = `${at.replaceAll(' ', '-')}@example.com`.toLowerCase();
      smtp.behave({ does: 'drop', at });
      await outbox.ask({ to });
      await outbox.work();
      smtp.behave({ does: 'accept' });
      scenario.advance(5);
      await outbox.work();
      const received = smtp.mails.filter(({ to_envelope }) => to_envelope.includes(to));
      assert.equal(received.length, copies, at);
      assert.equal(new Set(received.map(({ messageId }) => messageId)).size, 1, at);
      assert.equal((await outbox.rows()).at(-1)?.state, 'sent', at);
    }
  },
);

onInstances('what cannot be written or prepared holds up no other mail', async (scenario) => {
  const { smtp, outbox } = await openBoth(scenario);
  // A time that is none, and a kind that nobody prepares any more.
  await outbox.ask({ kind: 'deletion_scheduled', params: { delete_after: 'never' } });
  let isBroken = true;
  outbox.onPrepare('email_login', async (_tx, mail) => {
    if (isBroken) throw new Error('broken');
    if (mail.to.startsWith('nobody')) return undefined;
    const secret = { link: 'https://accounts.example.com/account/login/email#token=x', code: null };
    return { ...mail, to: 'Known@example.com', secret, expires_at: '2026-01-01T12:15:00.000Z' };
  });
  await outbox.ask({ kind: 'email_login', to: 'known@example.com' });
  await outbox.ask({ kind: 'email_login', to: 'nobody@example.com' });
  await outbox.ask({ kind: 'account_restored' });
  await outbox.work();
  assert.equal(smtp.mails.length, 1);
  const states = async () => (await outbox.rows()).map(({ state, attempts }) => [state, attempts]);
  assert.deepEqual(await states(), [
    ['queued', 1],
    ['asked', 1],
    ['asked', 1],
    ['sent', 1],
  ]);
  isBroken = false;
  await outbox.work();
  assert.equal(smtp.mails.length, 1, 'prepared too soon');
  scenario.advance(5);
  await outbox.work();
  // What there is nothing to send for leaves nothing behind.
  assert.deepEqual(await states(), [
    ['queued', 2],
    ['sent', 1],
    ['sent', 1],
  ]);
  assert.deepEqual(smtp.mails[1]?.to_envelope, ['Known@example.com']);
});

onInstances('a mail whose link has expired is not sent any more', async (scenario) => {
  const { smtp, outbox } = await openBoth(scenario);
  await smtp.stop();
  await outbox.ask({ kind: 'reset_password' });
  await outbox.work();
  await smtp.start();
  scenario.advance(30 * 60);
  await outbox.work();
  const [row] = await outbox.rows();
  assert.deepEqual(
    [row?.state, row?.secret, row?.last_error],
    ['dead', null, 'expired; the connection failed (ECONNREFUSED)'],
  );
  await outbox.resend(row?.id ?? 0);
  await outbox.work();
  assert.equal((await outbox.rows())[0]?.state, 'sent');
  assert.equal(smtp.mails.length, 1);
});

onInstances('it ends when the mail under way is sent, and begins no other', async (scenario) => {
  const { smtp, outbox } = await openBoth(scenario);
  smtp.behave({ does: 'accept', afterMs: 300 });
  for (let n = 0; n < 10; n++) await outbox.ask({ to: `user${n}@example.com` });
  const working = outbox.work();
  while ((await outbox.rows()).every(({ claim }) => claim === null)) await sleep(5);
  await outbox.stop();
  await working;
  const sent = (await outbox.rows()).filter(({ state }) => state === 'sent');
  assert.ok(sent.length >= 1 && sent.length <= 4, `${sent.length} were sent`);
  assert.equal(smtp.mails.length, sent.length);
  assert.ok((await outbox.rows()).every(({ claim }) => claim === null));
  await outbox.work();
  assert.equal(smtp.mails.length, sent.length);
  while (smtp.open > 0) await sleep(10);
});

onInstances('old mails go, and those of whoever is erased', async (scenario) => {
  const { smtp, outbox } = await openBoth(scenario);
  const { instance, kernel } = outbox;
  const user = await instance.signIn({ email: 'erased@example.com' });
  await kernel.db.transaction((tx) => tx.deleteFrom('outbox').execute());
  await outbox.ask({ user_id: user.id, to: 'an.earlier.address@example.com' });
  await outbox.ask({ to: 'ERASED@example.com', kind: 'already_registered' });
  await outbox.ask({ to: 'other@example.com' });
  await outbox.work();
  await instance.doorward.admin.delete(user.id, 0);
  await outbox.ask({ to: 'erased@example.com', kind: 'account_deleted', params: { by_administrator: true } });
  const left = async () => (await outbox.rows()).map(({ to_address }) => to_address);
  assert.ok(!(await left()).includes('an.earlier.address@example.com'));
  await outbox.work();
  assert.ok(smtp.mails.some(({ to_envelope }) => to_envelope.includes('erased@example.com')));
  assert.deepEqual(await left(), ['other@example.com'], 'what says goodbye is not kept');

  scenario.advance(30 * 86_400 - 1);
  await outbox.deleteOld();
  assert.equal((await left()).length, 1);
  scenario.advance(2);
  await outbox.deleteOld();
  assert.deepEqual(await left(), []);
});

onInstances(
  'a mail that is still tried does not go, however short the outbox remembers',
  async (scenario) => {
    const smtp = await startSmtp(scenario.t);
    const settings = { MAIL_URL: smtp.url, OUTBOX_RETENTION_DAYS: 1 };
    const outbox = await openOutbox(scenario, { settings });
    smtp.behave({ does: 'refuse', at: 'MAIL FROM', code: 451 });
    await outbox.ask({ to: 'late@example.com' });
    await outbox.work();
    scenario.advance(40 * 3600);
    await outbox.deleteOld();
    assert.equal((await outbox.rows()).length, 1);
    smtp.behave({ does: 'accept' });
    await outbox.work();
    assert.equal(smtp.mails.length, 1, outbox.logged.join());
    await outbox.deleteOld();
    assert.deepEqual(await outbox.rows(), [], 'sent, and asked for long ago');
  },
);
