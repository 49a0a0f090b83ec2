import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { smtpLimits } from '../../src/features/outbox/index.ts';
import { dump } from '../support/fault-inspect.ts';
import { onInstances } from '../support/instances.ts';
import { openOutbox, secretOf } from '../support/outbox.ts';
import { codeIn, linkIn, startSmtp } from '../support/smtp.ts';
import { certificate } from '../support/smtp-certificate.ts';

/** All that lies on the disk, or in the tables. */
async function everythingStored(databaseUrl: string): Promise<string> {
  const rows = await dump(databaseUrl);
  if (!databaseUrl.startsWith('sqlite:')) return rows;
  const file = databaseUrl.slice('sqlite:'.length);
  const files = [file, `${file}-wal`, `${file}-shm`].filter((path) => existsSync(path));
  return [rows, ...files.map((path) => readFileSync(path, 'latin1'))].join('\n');
}

onInstances(
  'a link is stored nowhere as it is, and gone once the mail is sent; nor is it logged',
  async (scenario) => {
    const smtp = await startSmtp(scenario.t);
    const outbox = await openOutbox(scenario, { settings: { MAIL_URL: smtp.url } });
    const assertNowhere = async (when: string) => {
      const stored = await everythingStored(scenario.databaseUrl);
      const told = `${stored}\n${outbox.logged.join('\n')}`;
      assert.ok(stored.includes('reset_password'));
      for (let id = 1; id <= 3; id++) {
        assert.ok(!told.includes(secretOf(id).token), when);
        assert.ok(!told.includes(secretOf(id).code), when);
      }
    };
    for (let n = 0; n < 3; n++) await outbox.ask({ kind: 'reset_password' });
    smtp.behave({ does: 'refuse', at: 'DATA', code: 451 });
    await outbox.work();
    await assertNowhere('while they wait');
    assert.ok((await outbox.rows()).every(({ secret }) => secret !== null));
    const shown = await outbox.read(1);
    assert.ok(!`${shown.text}${shown.html}`.includes(secretOf(1).token), 'shown to an administrator');
    assert.ok(shown.text.includes('…'));

    smtp.behave({ does: 'accept' });
    scenario.advance(5);
    await outbox.work();
    assert.equal(smtp.mails.length, 3);
    for (const mail of smtp.mails) {
      const { token } = linkIn(mail);
      const { code } = secretOf(Number(token.slice(-3)));
      assert.equal(codeIn(mail), code);
    }
    assert.ok((await outbox.rows()).every(({ secret, state }) => secret === null && state === 'sent'));
    await assertNowhere('once they are sent');
    assert.doesNotMatch(outbox.logged.join('\n'), /ada@example/);
  },
);

onInstances(
  'without a server mails stay, and are read with their links; once there is one, without',
  async (scenario) => {
    const stopped = await openOutbox(scenario);
    await stopped.stop();
    await stopped.ask({ kind: 'reset_password' });
    await stopped.ask({ kind: 'account_restored' });
    assert.ok((await stopped.read(1)).text.includes('…'), 'not prepared yet');
    const outbox = await openOutbox(scenario);
    await outbox.work();
    assert.deepEqual(
      (await outbox.rows()).map(({ state, attempts }) => [state, attempts]),
      [
        ['queued', 0],
        ['queued', 0],
      ],
    );
    const read = await outbox.read(1);
    assert.equal(linkIn(read).token, secretOf(1).token);
    assert.equal(codeIn(read), secretOf(1).code);
    const { text } = await outbox.read(2);
    assert.doesNotMatch(text, /#token|…/);

    const smtp = await startSmtp(scenario.t);
    const other = await openOutbox(scenario, { settings: { MAIL_URL: smtp.url } });
    assert.ok(!(await other.read(1)).text.includes(secretOf(1).token));
    await other.work();
    const links = smtp.mails.filter(({ text }) => text?.includes('#token='));
    assert.deepEqual([smtp.mails.length, links.length], [2, 1]);
    assert.ok(!(await outbox.read(1)).text.includes(secretOf(1).token), 'sent');
  },
);

onInstances('a seal that a new SECRET_KEY does not open is replaced by a new link', async (scenario) => {
  const smtp = await startSmtp(scenario.t);
  const before = await openOutbox(scenario);
  await before.ask({ kind: 'reset_password' });
  await before.work();
  const after = await openOutbox(scenario, {
    settings: { MAIL_URL: smtp.url },
    secretKey: 'another-9e2b7c41d80f5a63-not-a-sample',
  });
  await after.work();
  const [row] = await after.rows();
  assert.deepEqual([row?.state, row?.secret, smtp.mails.length], ['asked', null, 0]);
  scenario.advance(5);
  await after.work();
  assert.equal(linkIn(await smtp.waitFor()).token, secretOf(1).token);
  assert.equal((await after.rows())[0]?.state, 'sent');
});

onInstances('nothing that people choose becomes a header, a recipient or another mail', async (scenario) => {
  const smtp = await startSmtp(scenario.t);
  const outbox = await openOutbox(scenario, { settings: { MAIL_URL: smtp.url } });
  const evil = 'x\r\nBcc: victim@evil.example\r\n\r\n.\r\nMAIL FROM:<victim@evil.example>\r\n';
  for (const to of [
    'ada@example.com\r\nBcc: victim@evil.example',
    'ada@example.com, victim@evil.example',
    'ada@example.com> SIZE=1\r\nRCPT TO:<victim@evil.example',
    '"ada, victim@evil.example"@example.com',
    'Ada <ada@example.com>',
  ])
    await assert.rejects(outbox.ask({ to }), /no address/, to);
  const params = {
    device: evil,
    network: evil,
    inviter: evil,
    new_email: evil,
    email: evil,
    time: '2026-01-01T12:00:00.000Z',
  };
  const kinds = ['new_device', 'session_reused', 'email_restored'] as const;
  for (const kind of kinds) await outbox.ask({ kind, params });
  await outbox.ask({ to: "o'hara+a=b{c}@example.com" });
  await outbox.ask({ to: 'jürgen@bücher.example' });
  await outbox.work();
  assert.equal(smtp.mails.length, kinds.length + 2, JSON.stringify(await outbox.rows()));
  for (const mail of smtp.mails) {
    assert.equal(mail.to_envelope.length, 1);
    assert.equal(mail.from_envelope, 'doorward@accounts.example.com');
    const names = mail.headerLines.map(({ key }) => key).sort();
    assert.deepEqual(names, [
      'auto-submitted',
      'content-type',
      'date',
      'from',
      'message-id',
      'mime-version',
      'subject',
      'to',
    ]);
    const [head = ''] = mail.raw.split('\r\n\r\n');
    assert.doesNotMatch(head, /evil/);
    assert.ok(mail.raw.split(/\r\n/).every((line) => line.length <= 998));
  }
  const recipients = smtp.mails.map(({ to_envelope }) => to_envelope[0]);
  assert.ok(recipients.includes("o'hara+a=b{c}@example.com"));
  assert.ok(
    recipients.includes('jürgen@xn--bcher-kva.example') || recipients.includes('jürgen@bücher.example'),
    String(recipients),
  );
});

onInstances('a server is logged in to, over TLS whose certificate is checked', async (scenario) => {
  const auth = { user: 'doorward', pass: 'p@ss:w/rd%' };
  const trusting = { ...smtpLimits, ca: certificate };
  for (const tls of ['starttls', 'tls'] as const) {
    const smtp = await startSmtp(scenario.t, { tls, auth });
    const trusted = await openOutbox(scenario, { settings: { MAIL_URL: smtp.url }, smtpLimits: trusting });
    await trusted.ask({ to: `${tls}@example.com` });
    await trusted.work();
    assert.deepEqual((await smtp.waitFor(`${tls}@example.com`)).isTls, true);
    await trusted.stop();

    const wrong = new URL(smtp.url);
    wrong.password = 'wrong';
    const refused = await openOutbox(scenario, { settings: { MAIL_URL: wrong.href }, smtpLimits: trusting });
    await refused.ask({ to: 'login@example.com' });
    await refused.work();
    const row = (await refused.rows()).at(-1);
    assert.deepEqual([row?.state, row?.last_error], ['queued', 'the server refused the login (535)']);
    await refused.kernel.db.transaction((tx) => tx.deleteFrom('outbox').execute());
    await refused.stop();

    const untrusting = await openOutbox(scenario, { settings: { MAIL_URL: smtp.url } });
    await untrusting.ask({ to: 'tls@example.com' });
    await untrusting.work();
    const unsent = (await untrusting.rows()).at(-1);
    assert.equal(unsent?.state, 'queued');
    assert.match(unsent?.last_error ?? '', /^the connection failed \([A-Z_]+\)$/);
    assert.equal(smtp.mails.length, 1);
    assert.doesNotMatch([...refused.logged, ...untrusting.logged].join(), /p@ss|p%40ss|wrong"/);
    await untrusting.kernel.db.transaction((tx) => tx.deleteFrom('outbox').execute());
    await untrusting.stop();
  }
});

onInstances('a password is not sent without TLS to another machine', async (scenario) => {
  const smtp = await startSmtp(scenario.t, { auth: { user: 'doorward', pass: 'not-for-everybody' } });
  // Another machine, as far as anybody can tell, and in truth this one.
  const settings = { MAIL_URL: smtp.url.replace('127.0.0.1', '0.0.0.0') };
  const outbox = await openOutbox(scenario, { settings });
  await outbox.ask();
  await outbox.work();
  const [row] = await outbox.rows();
  assert.deepEqual([row?.state, row?.last_error], ['queued', 'the server refused TLS (500)']);
  assert.deepEqual([smtp.connections, smtp.logins], [1, 0]);
});
