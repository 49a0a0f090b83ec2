import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import Fastify from 'fastify';
import { createTestDoorward } from '../../src/testing/index.ts';
import { pageTests } from '../support/pages.ts';

const password = 'SecurePass123!';

async function openServer(t: { after(end: () => Promise<void>): void }, settings: object = {}) {
  const instance = await createTestDoorward(settings);
  t.after(() => instance.close());
  return instance;
}

test('every path below /account and /console is the document, each with a nonce of its own', async (t) => {
  const { request } = await openServer(t, {
    PRODUCT_NAME: "Ada & Co's",
    PRODUCT_LOGO_URL: 'https://cdn.example/l.svg',
  });
  const nonces = new Set<string>();
  for (const path of ['/account', '/account/', '/account/sessions?x=1', '/console', '/console/users/7']) {
    const { status, headers, text } = await request('GET', path);
    assert.deepEqual([status, headers['content-type']], [200, 'text/html; charset=utf-8']);
    const policy = headers['content-security-policy'] ?? '';
    const [, nonce = ''] = /style-src 'self' 'nonce-([^']+)'/.exec(policy) ?? [];
    assert.ok(nonce.length >= 22 && text.includes(`nonce="${nonce}"`));
    nonces.add(nonce);
    assert.match(policy, /^default-src 'none'; script-src 'self'; /);
    assert.match(policy, /img-src 'self' data: https:\/\/cdn\.example;/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /unsafe|\*/);
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['referrer-policy'], 'no-referrer');
    assert.equal(headers['cross-origin-opener-policy'], 'same-origin');
    assert.match(text, /<title>Ada &amp; Co's<\/title>/);
    assert.doesNotMatch(text, /<script(?![^>]*(src=|application\/json))|<style|\son\w+=| style=/);
  }
  assert.equal(nonces.size, 5);
});

test('files are kept for long and sent packed; what is no file is not found in our shape', async (t) => {
  const { request } = await openServer(t);
  const { text } = await request('GET', '/account');
  const [, file = ''] = /src="(\/account\/assets\/[\w-]+\.js)"/.exec(text) ?? [];
  for (const [accepted, encoding] of [
    ['br', 'br'],
    ['gzip', 'gzip'],
    ['identity', undefined],
  ] as const) {
    const { status, headers } = await request('GET', file, { headers: { 'accept-encoding': accepted } });
    assert.deepEqual([status, headers['content-encoding']], [200, encoding]);
    assert.match(headers['content-type'] ?? '', /javascript;/);
    assert.equal(headers['cache-control'], 'public, max-age=31536000, immutable');
    assert.equal(headers['x-content-type-options'], 'nosniff');
  }
  for (const path of [
    '/account/assets/nothing.js',
    '/account/assets/',
    '/account/assets/..%2f..%2fpackage.json',
    '/account/assets/..%2faccount.html',
  ]) {
    const answer = await request('GET', path);
    assert.deepEqual([answer.status, answer.body?.code], [404, 'not_found'], path);
  }
  const posted = await request('POST', '/account', { json: {} });
  assert.deepEqual([posted.status, posted.body.code], [405, 'method_not_allowed']);
});

test('below a path of PUBLIC_URL everything is asked for below it', async (t) => {
  const { request } = await openServer(t, { PUBLIC_URL: 'https://example.com/accounts' });
  const { text } = await request('GET', '/account');
  assert.match(text, /src="\/accounts\/account\/assets\//);
  assert.match(text, /"base":"\/accounts"/);
});

test('PAGES=off, and a host that wants none, have no pages', async (t) => {
  const off = await openServer(t, { PAGES: 'off' });
  for (const path of ['/account', '/console', '/account/login']) {
    const answer = await off.request('GET', path);
    assert.deepEqual([answer.status, answer.body.code], [404, 'not_found']);
  }
  const { doorward } = await openServer(t);
  const host = Fastify();
  t.after(() => host.close());
  host.get('/account', () => 'the page of the host');
  await host.register(doorward.plugin, { pages: false });
  assert.equal((await host.inject('/account')).payload, 'the page of the host');
});

test('in development every path below /account and /console is its document from the sources, told what the server tells', async (t) => {
  const { app } = await openServer(t, { PRODUCT_NAME: 'Ada & Co' });
  const DOORWARD_URL = await app.listen({ host: '127.0.0.1', port: 0 });
  const root = join(import.meta.dirname, '../..');
  const vite = spawn(
    process.execPath,
    // Somebody may be developing the pages beside this test.
    [join(root, 'node_modules/vite/bin/vite.js'), '--host', '127.0.0.1', '--port', '0', '--bypass-lock'],
    {
      cwd: join(root, 'console'),
      env: { ...process.env, DOORWARD_URL, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  t.after(() => vite.kill());
  let origin = '';
  for await (const printed of vite.stdout.iterator({ destroyOnReturn: false })) {
    origin = /http:\/\/127\.0\.0\.1:\d+/.exec(String(printed))?.[0] ?? '';
    if (origin !== '') break;
  }
  for (const [path, document] of [
    ['/account', 'account'],
    ['/account/login?x=1', 'account'],
    ['/console/', 'console'],
    ['/console/users/7', 'console'],
  ] as const) {
    const answer = await fetch(origin + path, { headers: { accept: 'text/html' } });
    const text = await answer.text();
    assert.equal(answer.status, 200);
    assert.ok(text.includes(`src="/src/${document}/main.tsx"`), path);
    assert.match(text, /id="doorward-config">\{.*"name":"Ada & Co".*\}<\/script>/);
  }
  assert.equal((await fetch(`${origin}/accounts`)).status, 404);
});

pageTests({
  async 'an app sends its users to the sign-in and gets them back signed in'(open) {
    // Another origin of the same site, as app.example.com and accounts.example.com are.
    const app = createServer((_request, response) => {
      response.setHeader('content-type', 'text/html').end('<title>App</title><h1>The app</h1>');
    }).listen(0, '127.0.0.1');
    await once(app, 'listening');
    const address = app.address();
    const origin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    try {
      const site = await open({ CORS_ORIGINS: origin });
      await site.signIn({ email: 'ada@example.com', password });
      const goThere = `/account/login?return_to=${encodeURIComponent(`${origin}/inbox?x=1`)}`;
      const page = await site.visit(goThere, { alsoAllowed: [origin] });
      await page.getByLabel('Email').fill('ada@example.com');
      await page.getByLabel('Password', { exact: true }).fill(password);
      await page.keyboard.press('Enter');
      await page.waitForURL(`${origin}/inbox?x=1`);
      const asked = `fetch('${site.origin}/auth/me', { credentials: 'include' }).then((answer) => answer.json())`;
      assert.equal((await page.evaluate<{ email: string }>(asked)).email, 'ada@example.com');
      // Whoever is signed in already is not asked again.
      await page.goto(site.origin + goThere);
      await page.waitForURL(`${origin}/inbox?x=1`);
    } finally {
      app.closeAllConnections();
      app.close();
    }
  },
});
