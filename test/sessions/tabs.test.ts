import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Page } from 'playwright-core';
import { createDoorward } from '../../src/index.ts';
import { startChromium } from '../support/chromium.ts';

const clientFolder = join(import.meta.dirname, '..', '..', 'src', 'client');
const account = { email: 'ada@example.com', password: 'SecurePass123!', name: 'Ada' };

/** A server whose pages run the client library as it is in the source, its types taken off. */
async function serve(t: TestContext) {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let now = Date.UTC(2026, 0, 1, 12);
  const doorward = await createDoorward(
    {
      DATABASE_URL: 'sqlite::memory:',
      PUBLIC_URL: origin,
      LOG_LEVEL: 'silent',
      ARGON2_MEMORY_KIB: 7168,
      ARGON2_PASSES: 5,
      ARGON2_LANES: 1,
    },
    { clock: { now: () => new Date(now) } },
  );
  /** Paths of requests, as the browser sent them. */
  const asked: string[] = [];
  server.on('request', (request, response) => {
    const path = request.url ?? '';
    asked.push(`${request.method} ${path}`);
    const module = /^\/client\/(\w+)\.ts$/.exec(path)?.[1];
    if (path === '/')
      response.setHeader('content-type', 'text/html').end('<!doctype html><link rel=icon href=data:>');
    else if (module !== undefined) {
      const source = readFileSync(join(clientFolder, `${module}.ts`), 'utf8');
      response.setHeader('content-type', 'text/javascript').end(stripTypeScriptTypes(source));
    } else doorward.handler(request, response);
  });
  t.after(async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    await doorward.close();
  });
  return {
    origin,
    doorward,
    asked,
    advance: (seconds: number) => {
      now += seconds * 1000;
    },
  };
}

type TestWindow = typeof globalThis & {
  client: import('../../src/client/index.ts').Client;
  signedOut: number;
};

async function openTab(page: Page, origin: string, transport: 'body' | 'cookie'): Promise<void> {
  await page.goto(origin);
  await page.evaluate(
    async ([url, transport]) => {
      const path = '/client/index.ts';
      const { createClient } = await import(path);
      const tab = globalThis as TestWindow;
      tab.signedOut = 0;
      const onSignedOut = () => {
        tab.signedOut++;
      };
      tab.client = createClient({ url, transport, onSignedOut });
    },
    [origin, transport] as const,
  );
}

const signedOutCount = (page: Page) => page.evaluate(() => (globalThis as TestWindow).signedOut);
const untilSignedOut = (page: Page) => page.waitForFunction(() => (globalThis as TestWindow).signedOut > 0);
const statusOf = (page: Page, path: string) =>
  page.evaluate(async (path) => (await (globalThis as TestWindow).client.fetch(path)).status, path);

for (const transport of ['body', 'cookie'] as const) {
  test(`two tabs race with tokens in the ${transport}`, async (t) => {
    const { origin, doorward, asked, advance } = await serve(t);
    const chromium = await startChromium();
    t.after(() => chromium.close());
    const { page: one, faults, close } = await chromium.open(origin);
    t.after(close);
    const two = await one.context().newPage();
    for (const page of [one, two]) await openTab(page, origin, transport);

    const { id: userId } = await one.evaluate(
      (account) => (globalThis as TestWindow).client.signup(account),
      account,
    );
    const logIn = (page: Page) =>
      page.evaluate(
        ({ email, password }) => (globalThis as TestWindow).client.login(email, password),
        account,
      );
    await logIn(one);
    assert.equal(await statusOf(two, '/auth/me'), 200, 'what one tab logs in is there in the other');

    // Without Web Locks only the server's rule keeps the session alive.
    for (const locks of ['with locks', 'without']) {
      if (locks === 'without') {
        for (const page of [one, two]) {
          await page.addInitScript(() => Object.defineProperty(navigator, 'locks', { value: undefined }));
          await openTab(page, origin, transport);
        }
      }
      for (let round = 0; round < 20; round++) {
        advance(round % 3 === 0 ? 11 : 901);
        const race = (page: Page) =>
          page.evaluate(async () => {
            const { client } = globalThis as TestWindow;
            const answers = await Promise.all([
              client.refresh().then(() => 200),
              ...['/auth/me', '/auth/me', '/auth/me/sessions'].map(
                async (path) => (await client.fetch(path)).status,
              ),
            ]);
            return answers;
          });
        const statuses = (await Promise.all([race(one), race(two)])).flat();
        assert.deepEqual([...new Set(statuses)], [200], `${locks}, round ${round}`);
      }
    }
    assert.equal((await doorward.sessions.list(userId)).length, 1);
    for (const page of [one, two]) assert.equal(await signedOutCount(page), 0);

    const readable = await one.evaluate(() => JSON.stringify(localStorage) + document.cookie);
    assert.equal(/eyJ/.test(readable), transport === 'body', 'scripts see tokens only where they keep them');
    assert.ok(
      asked.every((request) => !request.includes('eyJ')),
      'no token in a URL',
    );

    await one.evaluate(() => (globalThis as TestWindow).client.logout());
    await untilSignedOut(two);
    assert.deepEqual(
      await Promise.all([one, two].map(signedOutCount)),
      [1, 1],
      'logged out in both, said once',
    );
    assert.equal(await statusOf(two, '/auth/me'), 401);

    await logIn(two);
    await doorward.sessions.end(userId, 'revoked_by_admin');
    assert.deepEqual(await Promise.all([statusOf(one, '/auth/me'), statusOf(two, '/auth/me')]), [401, 401]);
    for (const page of [one, two]) await untilSignedOut(page);
    assert.deepEqual(await Promise.all([one, two].map(signedOutCount)), [2, 2], 'revoked: said once more');
    // The browser logs every 401 that a page sees.
    assert.deepEqual(
      faults.filter((fault) => !fault.includes('401')),
      [],
    );
  });
}
