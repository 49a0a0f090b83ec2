import assert from 'node:assert/strict';
import type { NewMail } from '../../src/features/outbox/index.ts';
import { assertFailure, type Journey, journey } from '../support/journey.ts';
import { checkEveryAnswer } from '../support/openapi-conformance.ts';
import { startSmtp } from '../support/smtp.ts';

checkEveryAnswer();

/** Asks for mails, each in a transaction of its own, on an outbox that holds nothing else. */
async function ask({ doorward }: Journey, ...mails: Partial<NewMail>[]): Promise<void> {
  const { kernel, outbox } = doorward;
  await kernel.db.transaction((tx) => tx.deleteFrom('outbox').execute());
  for (const mail of mails) {
    await kernel.db.transaction((tx) =>
      outbox.enqueue(tx, {
        kind: 'account_restored',
        to: 'ada@example.com',
        user_id: null,
        locale: 'en',
        params: {},
        ...mail,
      }),
    );
  }
}

journey('the outbox is for administrators', async (open) => {
  const test = await open();
  const user = await test.signIn();
  for (const [method, path] of [
    ['GET', '/auth/outbox'],
    ['GET', '/auth/outbox/1'],
    ['GET', '/auth/outbox/1/html'],
    ['POST', '/auth/outbox/1/resend'],
  ] as const) {
    assertFailure(await test.request(method, path), 401, 'Not authenticated', 'not_authenticated');
    const { access_token: token } = user;
    assertFailure(
      await test.request(method, path, { token }),
      403,
      'Admin privileges required',
      'admin_required',
    );
  }
});

journey('mails are listed, the newest first, by state, kind, user and address', async (open) => {
  const test = await open();
  const { access_token: token, id } = await test.signIn({ is_admin: true });
  await ask(
    test,
    { to: 'Jürgen@Bücher.example' },
    { kind: 'already_registered' },
    { user_id: id },
    { locale: 'de', kind: 'account_attacked', params: { time: '2026-01-01T12:00:00.000Z' } },
    {},
  );
  const list = async (search: string) => {
    const answer = await test.request('GET', `/auth/outbox${search}`, { token });
    assert.equal(answer.status, 200, answer.text);
    return answer;
  };
  const all = (await list('')).body as { id: number; kind: string; to: string }[];
  const ids = all.map((mail) => mail.id);
  assert.deepEqual(
    ids,
    [...ids].sort((one, other) => other - one),
  );
  assert.equal(all.length, 5);
  const found = async (search: string) =>
    ((await list(search)).body as { id: number }[]).map((mail) => ids.indexOf(mail.id));
  assert.deepEqual(await found('?kind=already_registered'), [3]);
  assert.deepEqual(await found(`?user_id=${id}`), [2]);
  assert.deepEqual(await found('?state=queued'), [0, 1, 2, 3, 4]);
  assert.deepEqual(await found('?state=dead'), []);
  assert.deepEqual(await found(`?to=${encodeURIComponent('jÜRGEN@xn--bcher-kva.example')}`), [4]);
  assert.deepEqual(await found('?to=ADA%40example.com&kind=account_restored'), [0, 2]);

  const first = await list('?limit=2&to=ada%40example.com');
  const next = /<([^>]+)>; rel="next"/.exec(first.headers.link ?? '')?.[1] ?? '';
  const second = await test.request('GET', next, { token });
  const pages = [...first.body, ...second.body].map((mail: { id: number }) => ids.indexOf(mail.id));
  assert.deepEqual(pages, [0, 1, 2, 3]);
  assert.equal(second.headers.link, undefined);

  for (const search of ['?cursor=x', '?cursor=0', '?limit=0', '?state=lost', '?kind=spam', '?to=ada'])
    assert.equal((await test.request('GET', `/auth/outbox${search}`, { token })).status, 422, search);

  const read = await test.request('GET', `/auth/outbox/${ids[1]}`, { token });
  assert.equal(read.body.locale, 'de');
  assert.match(read.body.html, /^<!doctype html>\n<html lang="/);
  assert.ok(read.body.text.includes(read.body.subject));
  for (const unknown of ['999', '99999999999999999999', '999/html'])
    assertFailure(
      await test.request('GET', `/auth/outbox/${unknown}`, { token }),
      404,
      'Mail not found',
      'mail_not_found',
    );
});

journey('a mail is a page of its own that runs nothing, and says what the mail says', async (open) => {
  const logo = 'https://cdn.example.com/logo.png';
  const test = await open({ PRODUCT_LOGO_URL: logo });
  // What would be prepared meanwhile is an invitation that there is not, and goes.
  await test.doorward.outbox.stop();
  const { access_token: token } = await test.signIn({ is_admin: true });
  await ask(test, { kind: 'invitation', params: { inviter: '<script>alert(1)</script>' } });
  const [{ id }] = (await test.request('GET', '/auth/outbox', { token })).body;
  const shown = await test.request('GET', `/auth/outbox/${id}/html`, { token });
  assert.equal(shown.status, 200);
  assert.equal(shown.headers['content-type'], 'text/html; charset=utf-8');
  assert.equal(shown.headers['cache-control'], 'no-store');
  assert.equal(
    shown.headers['content-security-policy'],
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data: https://cdn.example.com; form-action 'none'; base-uri 'none'; frame-ancestors 'self'",
  );
  assert.equal(shown.text, (await test.request('GET', `/auth/outbox/${id}`, { token })).body.html);
  assert.ok(!shown.text.includes('<script'));
});

journey('a dead letter is seen with its reason and sent again', async (open, { t }) => {
  const smtp = await startSmtp(t);
  const test = await open({ MAIL_URL: smtp.url });
  const { access_token: token, id } = await test.signIn({ is_admin: true });
  const { outbox, audit } = test.doorward;
  await outbox.work();
  smtp.behave({ does: 'refuse', at: 'RCPT TO', code: 550 });
  await ask(test, { to: 'gone@example.com' });
  await outbox.work();
  const [dead] = (await test.request('GET', '/auth/outbox?state=dead', { token })).body;
  assert.deepEqual(
    [dead.to, dead.last_error, dead.next_attempt_at, dead.sent_at],
    ['gone@example.com', 'the server refused the recipient (550)', null, null],
  );
  smtp.behave({ does: 'accept' });
  const path = `/auth/outbox/${dead.id}/resend`;
  const resent = await test.request('POST', path, { token });
  assert.deepEqual([resent.status, resent.body.state, resent.body.attempts], [202, 'queued', 0]);
  await outbox.work();
  assert.equal((await smtp.waitFor('gone@example.com')).messageId, resent.body.message_id);
  const { body } = await test.request('GET', `/auth/outbox/${dead.id}`, { token });
  assert.deepEqual([body.state, body.attempts, body.last_error], ['sent', 1, null]);
  const { events } = await audit.list({ kind: 'mail.resent', limit: 10 });
  assert.deepEqual(
    events.map(({ actor, user_id, detail }) => ({ actor, user_id, detail })),
    [{ actor: id, user_id: null, detail: { mail: dead.id, kind: 'account_restored' } }],
  );
  assertFailure(
    await test.request('POST', '/auth/outbox/999/resend', { token }),
    404,
    'Mail not found',
    'mail_not_found',
  );
  // A mail that was sent can be sent again, as another one.
  const again = await test.request('POST', path, { token });
  await outbox.work();
  assert.equal((await smtp.waitFor('gone@example.com', 2)).messageId, again.body.message_id);
  assert.notEqual(again.body.message_id, resent.body.message_id);
});

journey('no request waits for the mail server', async (open, { t }) => {
  const smtp = await startSmtp(t);
  smtp.behave({ does: 'hang', at: 'greeting' });
  const test = await open({ MAIL_URL: smtp.url });
  const { access_token: token } = await test.signIn({ is_admin: true });
  await ask(test, ...Array.from({ length: 8 }, (_, n) => ({ to: `user${n}@example.com` })));
  while (smtp.connections < 4) await new Promise((resolve) => setTimeout(resolve, 5));
  const { body: mails } = await test.request('GET', '/auth/outbox', { token });
  let slowest = 0;
  for (const mail of mails) {
    const begun = performance.now();
    const answer = await test.request('POST', `/auth/outbox/${mail.id}/resend`, { token });
    slowest = Math.max(slowest, performance.now() - begun);
    assert.equal(answer.status, 202);
  }
  const begun = performance.now();
  await test.signUp('new@example.com');
  t.diagnostic(
    `slowest resend ${Math.round(slowest)} ms, sign-up ${Math.round(performance.now() - begun)} ms`,
  );
  assert.ok(slowest < 2000 && performance.now() - begun < 2000);
  // So that the end need not wait for the greeting.
  await smtp.stop();
});
