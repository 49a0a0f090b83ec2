import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { settingNames } from '../src/settings.ts';
import { createTestDoorward } from '../src/testing/index.ts';
import { startServe } from './support/command.ts';

interface Setting {
  name: string;
  default: string | null;
  value: string | null;
  source: string;
  is_secret: boolean;
  is_set: boolean;
}

const password = 'SecurePass123!';
const byName = (settings: Setting[]) =>
  Object.fromEntries(settings.map((setting) => [setting.name, setting]));

test('each setting says what it is and where it comes from; secrets are not shown', async (t) => {
  const instance = await createTestDoorward({
    SECRET_KEY: 'settings-3f9c1b7e5a2d4860-not-shown',
    MAIL_URL: 'smtp://ann:s3cret-of-mail@mail.example:587',
    PRODUCT_LOGO_URL: 'https://ann:s3cret-of-logo@logo.example/x.png',
    SESSION_EXPIRE_DAYS: 1.5,
  });
  t.after(() => instance.close());
  const { access_token: token } = await instance.signIn({ is_admin: true });
  const answer = await instance.request('GET', '/auth/settings', { token });
  assert.equal(answer.status, 200);
  assert.doesNotMatch(answer.text, /not-shown|s3cret/);
  assert.deepEqual(
    answer.body.map(({ name }: Setting) => name),
    settingNames,
  );
  const {
    SECRET_KEY,
    MAIL_URL,
    MAIL_TEMPLATES,
    PRODUCT_LOGO_URL,
    SESSION_EXPIRE_DAYS,
    ISSUER,
    HASH_CONCURRENCY,
  } = byName(answer.body);
  const told = (setting?: Setting) =>
    setting && [setting.default, setting.value, setting.source, setting.is_secret, setting.is_set];
  assert.deepEqual(told(SECRET_KEY), [null, null, 'option', true, true]);
  assert.deepEqual(told(MAIL_URL), [null, null, 'option', true, true]);
  assert.deepEqual(told(MAIL_TEMPLATES), [null, null, 'default', false, false]);
  const masked = 'https://ann:********@logo.example/x.png';
  assert.deepEqual(told(PRODUCT_LOGO_URL), [null, masked, 'option', false, true]);
  assert.deepEqual(told(SESSION_EXPIRE_DAYS), ['30', '1.5', 'option', false, true]);
  assert.deepEqual(told(ISSUER), [null, 'http://127.0.0.1:8000', 'default', false, true]);
  assert.equal(HASH_CONCURRENCY?.default, null);
});

test('the server knows what came from the environment, from .env and from its own file', async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'doorward-settings-'));
  t.after(() => rm(cwd, { recursive: true, force: true }));
  await writeFile(join(cwd, '.env'), 'PRODUCT_NAME=From the file\nLOG_LEVEL=debug\n');
  const server = await startServe({ cwd, env: { LOG_LEVEL: 'warn', PORT: '0' } });
  const post = (path: string, body: object) =>
    fetch(`${server.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', connection: 'close' },
      body: JSON.stringify(body),
    });
  try {
    let setup: string | undefined;
    for (; setup === undefined; await sleep(20))
      [, setup] = /setup token: (\S+)\n/.exec(server.output.stdout) ?? [];
    const email = 'ann@example.com';
    assert.equal((await post('/auth/setup', { token: setup, email, password, name: 'Ann' })).status, 201);
    const { access_token } = await (await post('/auth/login', { username: email, password })).json();
    const answer = await fetch(`${server.url}/auth/settings`, {
      headers: { authorization: `Bearer ${access_token}`, connection: 'close' },
    });
    const settings = byName(await answer.json());
    const told = (name: string) => [settings[name]?.value, settings[name]?.source];
    assert.deepEqual(told('LOG_LEVEL'), ['warn', 'environment']);
    assert.deepEqual(told('PRODUCT_NAME'), ['From the file', 'file']);
    assert.deepEqual(told('SECRET_KEY'), [null, 'file']);
    assert.deepEqual(told('DATABASE_URL'), ['sqlite:./data/doorward.db', 'default']);
  } finally {
    server.signal('SIGTERM');
    await server.ended;
  }
});
