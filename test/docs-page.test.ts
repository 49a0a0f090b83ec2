import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { createTestDoorward, type TestDoorward } from '../src/testing/index.ts';
import { startChromium } from './support/chromium.ts';

const account = { email: 'ada@example.com', password: 'SecurePass123!', name: 'Ada Lovelace' };

/** A proxy that has below `path` what the server at `upstream` has at its root, and nothing else. */
async function startProxy(path: string, upstream: string) {
  const server = createServer((incoming, outgoing) => {
    const { url = '', method, headers } = incoming;
    if (!url.startsWith(`${path}/`)) return void outgoing.writeHead(404).end();
    const passed = request(upstream + url.slice(path.length), { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(outgoing);
    });
    incoming.pipe(passed);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, stop: () => server.close().closeAllConnections() };
}

describe('the page at /docs, in a real Chromium', () => {
  let test: TestDoorward;
  let origin: string;
  let browser: Awaited<ReturnType<typeof startChromium>>;

  before(async () => {
    test = await createTestDoorward();
    origin = await test.app.listen({ host: '127.0.0.1', port: 0 });
    await test.signIn(account);
    browser = await startChromium();
  });
  after(async () => {
    await browser?.close();
    await test?.close();
  });

  /** At `url`, which is of this origin. */
  async function logInAndTry(url: string, origin: string) {
    const { page, faults, screenshot, close } = await browser.open(origin);
    page.setDefaultTimeout(15_000);
    await page.goto(url);
    assert.equal(await page.title(), 'Doorward');
    await page.getByRole('button', { name: 'Authorize' }).first().click();

    const dialog = page.locator('.modal-ux');
    const form = dialog.locator('.auth-container', { hasText: 'OAuth2PasswordBearer' });
    await form.getByLabel('username:').fill(account.email);
    await form.getByLabel('password:').fill(account.password);
    await form.locator('button.authorize').click();
    await form.getByText('Logout', { exact: true }).waitFor();
    await screenshot('docs-authorized');
    await form.locator('.btn-done').click();

    const operation = page.locator('.opblock', { has: page.locator('[data-path="/auth/me"]') }).filter({
      hasText: 'Read the own profile',
    });
    await operation.locator('.opblock-summary-control').first().click();
    await operation.getByRole('button', { name: 'Execute' }).click();
    const answer = operation.locator('.live-responses-table .response');
    await answer.waitFor();
    assert.equal(
      await answer
        .locator('.response-col_status')
        .innerText()
        .then((text) => text.trim()),
      '200',
    );
    assert.match(await answer.locator('.response-col_description').innerText(), /ada@example\.com/);
    await answer.scrollIntoViewIfNeeded();
    await screenshot('docs-tried-out');
    assert.deepEqual(faults, []);
    await close();
  }

  it('logs in with the password form and tries GET /auth/me, asking no other origin', () =>
    logInAndTry(`${origin}/docs`, origin));

  it('does so also behind a proxy that takes the path of PUBLIC_URL away', async () => {
    const below = await createTestDoorward({ PUBLIC_URL: 'https://example.com/accounts' });
    await below.signIn(account);
    const proxy = await startProxy('/accounts', await below.app.listen({ host: '127.0.0.1', port: 0 }));
    await logInAndTry(`${proxy.origin}/accounts/docs`, proxy.origin);
    proxy.stop();
    await below.close();
  });

  it('shows a refused log-in instead of hiding it', async () => {
    const { page, faults, close } = await browser.open(origin);
    page.setDefaultTimeout(15_000);
    await page.goto(`${origin}/docs`);
    await page.getByRole('button', { name: 'Authorize' }).first().click();
    const dialog = page.locator('.modal-ux');
    const form = dialog.locator('.auth-container', { hasText: 'OAuth2PasswordBearer' });
    await form.getByLabel('username:').fill(account.email);
    await form.getByLabel('password:').fill('wrong');
    await form.locator('button.authorize').click();
    await dialog.locator('.errors').first().waitFor();
    // The browser itself logs the 401 as an error of the console; nothing else may be there.
    assert.deepEqual(
      faults.filter((fault) => !fault.includes('401')),
      [],
    );
    await close();
  });
});
