import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { admin, importUsers, logInAt, visitAsAdmin } from '../support/console.ts';
import { pageTests, type Site } from '../support/pages.ts';

/** Turns what follows it, in a line, into the other direction. */
const turner = '\u202E';
const widest = 'W'.repeat(100);
const longAddress = `${'a'.repeat(64)}@${'b'.repeat(60)}.${'c'.repeat(60)}.example.com`;

async function make(site: Site, name: string, email = 'eve@example.com') {
  return site.doorward.admin.create({ email, password: admin.password, name });
}

/** Another tab of the same person, whose browser may report failures: that is what they are about. */
async function openTab(site: Site, page: Page, path: string): Promise<Page> {
  const tab = await page.context().newPage();
  await tab.goto(site.origin + path);
  return tab;
}

pageTests({
  async 'a name of one long word, and a long product name, leave every page as wide as the screen'(open) {
    const site = await open({ PRODUCT_NAME: 'Accounts of a product with a really long name' });
    const { id } = await make(site, widest, longAddress);
    const page = await visitAsAdmin(site, `/console/users/${id}`);
    await page.getByRole('heading', { name: widest }).waitFor();
    await site.inspect(page, 'user-long-name');
    await page.setViewportSize({ width: 375, height: 900 });
    // What stands at the end of the head is not covered.
    await page.getByRole('button', { name: 'Sign out' }).click({ trial: true });
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('dialog').getByText(longAddress).waitFor();
    await site.inspect(page, 'user-long-name-delete');
    const box = await page.getByRole('dialog').getByText(longAddress).boundingBox();
    assert.ok(box !== null && box.x + box.width <= 375, 'the address is within the screen');

    await page.goto(`${site.origin}/console/users`);
    await page.getByRole('link', { name: widest }).waitFor();
    for (const width of [800, 1024, 1280]) {
      await page.setViewportSize({ width, height: 900 });
      for (const text of ['Active', 'Administrator']) {
        const badge = page.getByRole('cell', { name: text }).locator('span').first();
        const isWhole = await badge.evaluate((label) => label.scrollWidth <= label.clientWidth);
        const end = await badge.boundingBox();
        assert.ok(isWhole && end !== null && end.x + end.width <= width, `${text} is whole at ${width} px`);
      }
    }

    await site.doorward.invitations.create({ email: 'bob@example.com', name: widest });
    await page.goto(`${site.origin}/console/invitations`);
    const card = page.getByRole('listitem').filter({ hasText: widest });
    for (const width of [1280, 360]) {
      await page.setViewportSize({ width, height: 900 });
      const isWhole = await card.evaluate((item) => item.scrollWidth <= item.clientWidth);
      assert.ok(isWhole, `the name is within its card at ${width} px`);
    }
  },

  async 'a name turns nothing that stands beside it'(open) {
    const site = await open();
    const { id } = await make(site, `Bob ${turner}gnp.exe (nimda) {{count}} $t(failures.network)`);
    const page = await visitAsAdmin(site, `/console/users/${id}`);
    const shown = 'Bob gnp.exe (nimda) {{count}} $t(failures.network)';
    await page.getByRole('heading', { name: shown, exact: true }).waitFor();
    await page.getByRole('button', { name: 'Suspend' }).click();
    assert.equal(await page.getByRole('dialog').locator('h2').innerText(), `Suspend ${shown}?`);
    await page.getByRole('button', { name: 'Cancel' }).click();
    // The form has it as it is.
    assert.match(await page.getByLabel('Name').inputValue(), new RegExp(turner));

    const other = await make(site, 'محمد', 'other@example.com');
    await page.goto(`${site.origin}/console/users/${other.id}`);
    await page.getByRole('button', { name: 'Suspend' }).click();
    assert.equal(await page.getByRole('dialog').locator('h2').innerText(), 'Suspend \u2068محمد\u2069?');
  },

  async 'whatever values a file has, its page says of each row what is wrong'(open) {
    const site = await open();
    const page = await visitAsAdmin(site, '/console/import');
    const nothing = { toString: 1 };
    const rows = [
      { email: nothing, name: nothing, is_admin: nothing },
      { email: ['a@example.org'], name: 5 },
      { email: 'ok@example.org', name: '__proto__' },
    ];
    const buffer = Buffer.from(JSON.stringify(rows));
    await page
      .locator('input[type=file]')
      .setInputFiles({ name: 'x.json', mimeType: 'application/json', buffer });
    await page.getByRole('button', { name: 'Dry run' }).click();
    await page.getByText('Invalid: 2').waitFor();
    await page.getByText('Can be imported: 1').waitFor();
    await page.getByRole('row').filter({ hasText: '{"toString":1}' }).last().waitFor();
  },

  async 'a page whose files are gone says so, and is there once it is loaded anew'(open) {
    const site = await open();
    const page = await visitAsAdmin(site, '/console/users');
    const tab = await openTab(site, page, '/console/users');
    await tab.getByRole('heading', { name: 'Users' }).waitFor();
    // The server is away: to load the document anew would leave the app.
    await tab.route('**', (route) => route.abort());
    await tab.getByRole('link', { name: 'Signing keys' }).click();
    await tab.getByRole('alert').getByText('The server cannot be reached').waitFor();
    await tab.getByRole('button', { name: 'Try again' }).click();
    await tab.getByRole('button', { name: 'Try again', disabled: false }).click({ trial: true });
    await tab.unroute('**');
    await tab.getByRole('button', { name: 'Try again' }).click();
    await tab.getByRole('heading', { name: 'Signing keys' }).waitFor();

    await tab.route(/assets\/page-[\w-]{8}\.js/, (route) => route.fulfill({ status: 404, body: '{}' }));
    await tab.getByRole('link', { name: 'Settings' }).click();
    await tab.getByRole('heading', { name: 'This did not work' }).waitFor();
    await site.inspect(tab, 'page-failure');
    await tab.unroute(/assets\/page-[\w-]{8}\.js/);
    await tab.getByRole('button', { name: 'Try again' }).click();
    await tab.getByRole('heading', { name: 'Settings' }).waitFor();
  },

  async 'while the server is away a page says so without turning to and fro, and goes on when it is back'(
    open,
  ) {
    const site = await open();
    const page = await visitAsAdmin(site, '/console/users');
    const tab = await openTab(site, page, '/account');
    await tab.getByRole('heading', { name: 'Profile' }).waitFor();
    await tab.route('**/auth/**', (route) => route.abort());
    await tab.reload();
    const alert = tab.getByRole('alert').getByText('The server cannot be reached');
    await alert.waitFor();
    // Longer than until it would look again.
    await tab.waitForTimeout(6_000);
    assert.equal(await alert.isVisible(), true);
    await tab.unroute('**/auth/**');
    await tab.getByRole('button', { name: 'Try again' }).click();
    await tab.getByRole('heading', { name: 'Profile' }).waitFor();
  },

  async 'what is typed stays when another administrator changes the user, and undoes none of that'(open) {
    const site = await open();
    await importUsers(site, 1);
    const page = await visitAsAdmin(site, '/console/users/1');
    await page.getByLabel('Email').fill('typed@example.com');
    await site.doorward.admin.change(1, { name: 'By another', is_admin: true });
    await page.getByRole('heading', { name: 'By another' }).waitFor();
    assert.equal(await page.getByLabel('Name').inputValue(), 'By another');
    assert.equal(await page.getByLabel('Email').inputValue(), 'typed@example.com');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('typed@example.com').first().waitFor();
    const { name, email, is_admin } = await site.doorward.admin.find(1);
    assert.deepEqual([name, email, is_admin], ['By another', 'typed@example.com', true]);
    await page.getByLabel('Email').fill('again@example.com');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('again@example.com').first().waitFor();
  },

  async 'a verification whose instance is gone does not run for ever'(open) {
    const site = await open();
    const page = await visitAsAdmin(site, '/console/audit');
    const running = {
      ...{ instance_id: 'gone', state: 'running', started_at: new Date(), finished_at: null },
      ...{ events_checked: 1, events_total: 2, result: null },
    };
    await page.route('**/audit-events/verify', (route) => route.fulfill({ status: 202, json: running }));
    await page.getByRole('button', { name: 'Verify' }).click();
    await page.getByRole('alert').getByText('could not be finished').waitFor();
    await page.unroute('**/audit-events/verify');
    await page.getByRole('button', { name: 'Verify' }).click();
    await page.getByText('The log is as it was written').waitFor();
  },

  async 'leaving while users are imported asks first; what was imported stays'(open) {
    const site = await open();
    const page = await visitAsAdmin(site, '/console/import');
    const lines = Array.from({ length: 900 }, (_, index) => `p${index}@example.org,Person`);
    const buffer = Buffer.from(['email,name', ...lines].join('\n'));
    await page.locator('input[type=file]').setInputFiles({ name: 'x.csv', mimeType: 'text/csv', buffer });
    await page.getByRole('button', { name: 'Dry run' }).click();
    await page.getByRole('link', { name: 'Keys' }).click();
    await page.getByRole('heading', { name: 'Signing keys' }).waitFor();

    await page.goBack();
    await page.locator('input[type=file]').setInputFiles({ name: 'x.csv', mimeType: 'text/csv', buffer });
    await page.getByRole('button', { name: 'Dry run' }).click();
    let go = () => {};
    const held = new Promise<void>((resolve) => {
      go = resolve;
    });
    const start = page.getByRole('button', { name: 'Import 900 users' });
    await start.waitFor();
    await page.route('**/users/import', async (route) => {
      await held;
      await route.continue();
    });
    await start.click();
    await page.getByRole('link', { name: 'Keys' }).click();
    const dialog = page.getByRole('dialog', { name: 'Leave before it is done?' });
    await dialog.waitFor();
    await site.inspect(page, 'import-leave');
    await dialog.getByRole('button', { name: 'Stay' }).click();
    go();
    await page.getByText('Imported: 900').waitFor({ timeout: 60_000 });
    await page.getByRole('link', { name: 'Keys' }).click();
    await page.getByRole('heading', { name: 'Signing keys' }).waitFor();
  },

  async 'every page has a name of its own, a list keeps what it has, and a wrong link says so'(open) {
    const site = await open();
    await importUsers(site, 60);
    const page = await visitAsAdmin(site, '/console/audit');
    await page.getByRole('button', { name: 'Account imported' }).nth(40).waitFor();
    assert.equal(await page.title(), 'Audit log – Doorward');
    await page.getByRole('link', { name: 'Signing keys' }).click();
    await page.getByRole('status').getByText('Signing keys').waitFor({ state: 'attached' });
    assert.equal(await page.title(), 'Signing keys – Doorward');

    const tab = await openTab(site, page, '/console/audit');
    await tab.getByRole('button', { name: 'Show more' }).waitFor();
    await tab.route(/audit-events\?.*cursor=/, (route) => route.abort());
    await tab.getByRole('button', { name: 'Show more' }).click();
    await tab.getByRole('alert').getByText('The server cannot be reached').waitFor();
    assert.equal(await tab.getByRole('button', { name: 'Account imported' }).nth(40).isVisible(), true);
    await tab.unroute(/audit-events\?.*cursor=/);
    await tab.getByRole('button', { name: 'Try again' }).click();
    await tab.getByRole('button', { name: 'Account imported' }).nth(59).waitFor();
    for (const id of ['999', 'abc']) {
      await tab.goto(`${site.origin}/console/outbox/${id}`);
      await tab.getByRole('heading', { name: 'There is no such mail' }).waitFor();
    }
  },

  async 'a way back leads to pages only'(open) {
    const site = await open();
    await make(site, 'Eve');
    for (const way of [
      'blob:ORIGIN/x',
      '//example.org',
      '/\\example.org',
      'javascript:alert(1)',
      'data:,x',
    ]) {
      const return_to = way.replace('ORIGIN', site.origin);
      const page = await site.visit(`/account/login?${new URLSearchParams({ return_to })}`);
      await logInAt(page, { email: 'eve@example.com', password: admin.password });
      await page.waitForURL(`${site.origin}/account`);
    }
  },

  async 'where the browser may keep nothing, the page says what it needs'(open) {
    const site = await open();
    const page = await site.visit('/account/login');
    await page.addInitScript(`for (const name of ['localStorage', 'sessionStorage'])
      Object.defineProperty(window, name, { get() { throw new DOMException('denied', 'SecurityError'); } })`);
    await page.goto(`${site.origin}/account/login`);
    await page.getByRole('heading', { name: 'These pages need cookies' }).waitFor();
    await page.goto(`${site.origin}/console`);
    await page.getByRole('heading', { name: 'These pages need cookies' }).waitFor();
  },
});
