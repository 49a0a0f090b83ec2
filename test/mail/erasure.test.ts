import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { type Journey, journey, password } from '../support/journey.ts';
import { linkIn, startSmtp } from '../support/smtp.ts';

/** What there is to recognise a person by, as it was entered. */
const person = {
  email: 'Quixana.Zyborg@bücher-welt.example',
  second: 'quixana-zweit@example.org',
  name: 'Quixana "Zy" Bórg-Wessel',
  agent: 'ZyborgBrowser/77.1 (Quixana Machine)',
  network: '198.51.100.237',
  locale: 'gsw-LI',
};

/** Every form in which that may be stored. */
function formsOf(): string[] {
  const texts = [...Object.values(person), 'quixana', 'zyborg', 'xn--bcher-welt-9db.example', 'bücher-welt'];
  const forms = texts.flatMap((text) => [text, text.toLowerCase(), text.normalize('NFKC').toLowerCase()]);
  const escaped = forms.flatMap((form) => [
    JSON.stringify(form).slice(1, -1),
    JSON.stringify(form)
      .slice(1, -1)
      .replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
    encodeURIComponent(form),
  ]);
  const encoded = forms.flatMap((form) =>
    // A text in the middle of another one: whatever stands before it, some of its characters are those of one of these.
    [0, 1, 2].map((shift) =>
      Buffer.from(`${'x'.repeat(shift)}${form}`)
        .toString('base64')
        .slice(4, -4),
    ),
  );
  return [...new Set([...forms, ...escaped, ...encoded])].filter((form) => form.length >= 6);
}

/** All that the database holds: the bytes of SQLite's files, and all rows of PostgreSQL's tables. */
async function readAll({ doorward, databaseUrl }: Journey): Promise<string> {
  const path = /^sqlite:(.+)$/.exec(databaseUrl)?.[1];
  if (path !== undefined) {
    const files = ['', '-wal', '-shm'].map((suffix) => path + suffix).filter(existsSync);
    return files.map((file) => readFileSync(file, 'latin1')).join('\n');
  }
  const { read } = doorward.kernel.db;
  const { rows } = await sql<{ name: string }>`select table_name as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE'`.execute(read);
  assert.ok(rows.length > 15);
  const texts = [];
  for (const { name } of rows)
    texts.push(JSON.stringify((await sql`select * from ${sql.table(name)}`.execute(read)).rows));
  return Buffer.from(texts.join('\n')).toString('latin1');
}

async function findTraces(instance: Journey): Promise<string[]> {
  const all = await readAll(instance);
  return formsOf().filter((form) => all.includes(Buffer.from(form).toString('latin1')));
}

for (const how of ['by the owner', 'by an administrator', 'by the clock'] as const) {
  journey(`an account that is erased ${how} leaves nothing of the person`, async (open, { t, database }) => {
    const smtp = await startSmtp(t);
    const instance = await open({
      MAIL_URL: smtp.url,
      RATE_LIMITS: 'on',
      TRUSTED_PROXIES: '127.0.0.1',
      DELETION_GRACE_DAYS: how === 'by the clock' ? 3 : 0,
    });
    const { doorward, clock } = instance;
    const admin = await instance.signIn({ email: 'admin@example.com', is_admin: true });
    for (let n = 0; n < 30; n++)
      await doorward.admin.create({ email: `other${n}@example.com`, password, name: `Other ${n}` });
    const headers = {
      'user-agent': person.agent,
      'x-forwarded-for': person.network,
      'accept-language': person.locale,
    };
    const ask = async (
      method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
      path: string,
      json?: unknown,
      { token, status = 200 }: { token?: string; status?: number } = {},
    ) => {
      const answer = await instance.request(method, `/auth${path}`, {
        headers,
        ...(json === undefined ? {} : { json }),
        ...(token === undefined ? {} : { token }),
      });
      assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
      await doorward.outbox.work();
      return answer.body;
    };
    const logIn = async (username: string, given = password, status = 200) =>
      ask('POST', '/login', { username, password: given }, { status });

    const { id } = await ask(
      'POST',
      '/signup',
      { email: person.email, password, name: person.name, locale: person.locale },
      { status: 201 },
    );
    for (let n = 0; n < 7; n++)
      await instance.request('POST', '/auth/login', {
        headers,
        json: { username: person.email, password: 'wrong' },
      });
    clock.advance(60);
    await doorward.outbox.work();
    const verification = linkIn(await smtp.waitFor()).token;
    await ask('POST', '/verify-email', { token: verification });
    let token = (await logIn(person.email)).access_token;
    await logIn(person.email);
    await ask('POST', '/forgot-password', { email: person.email }, { status: 202 });
    await ask('PATCH', '/me', { email: person.second, current_password: password }, { token });
    const change = smtp.mails.find(({ to_envelope }) => to_envelope.includes(person.second));
    assert.ok(change !== undefined);
    await ask('POST', '/change-email', { token: linkIn(change).token });
    await ask('PATCH', '/me', { name: `${person.name} II` }, { token });
    await ask('POST', '/logout', undefined, { token, status: 204 });
    token = (await logIn(person.second)).access_token;
    const adminToken = (await instance.logIn('admin@example.com')).body.access_token;
    const asAdmin = (method: 'POST' | 'PATCH' | 'DELETE', path: string, json?: unknown) =>
      instance.request(method, `/auth/users/${id}${path}`, {
        token: adminToken,
        ...(json === undefined ? {} : { json }),
      });
    assert.equal((await asAdmin('PATCH', '', { name: person.name, is_admin: true })).status, 200);
    assert.equal(
      (
        await instance.request('POST', '/auth/invitations', {
          token,
          headers,
          json: { email: 'guest@example.net', name: 'Guest' },
        })
      ).status,
      201,
    );
    await doorward.outbox.work();
    assert.equal((await asAdmin('PATCH', '', { is_admin: false })).status, 200);
    await doorward.outbox.work();
    const before = await findTraces(instance);
    for (const form of [person.second, person.agent, person.network])
      assert.ok(before.includes(form), `${form} is not there to be erased`);

    if (how === 'by an administrator') assert.equal((await asAdmin('DELETE', '')).status, 204);
    else await ask('DELETE', '/me', { current_password: password }, { token, status: 204 });
    if (how === 'by the clock') {
      clock.advance(3 * 86_400);
      await doorward.leaving.eraseDue();
    }
    await doorward.outbox.work();
    assert.equal(await doorward.accounts.find(id), undefined);
    if (database.name === 'SQLite') {
      await sleep(200);
      await doorward.kernel.db.tidy();
    }
    assert.deepEqual(await findTraces(instance), []);
    assert.deepEqual((await doorward.audit.verify()).findings, []);
    let log = '';
    for await (const part of doorward.audit.export()) log += part;
    assert.deepEqual(
      formsOf().filter((form) => log.includes(form)),
      [],
    );
    assert.ok(admin.id !== id);
  });
}
