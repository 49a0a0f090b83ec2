import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { admin, importUsers, visitAsAdmin } from '../support/console.ts';
import { pageTests } from '../support/pages.ts';

const markup = '<img src=x onerror=alert(1)><b>Bob</b>';

const names = (page: Page) => page.getByRole('rowheader').allTextContents();

pageTests({
  async 'users are searched, filtered, sorted and paged, and the link has the view'(open) {
    const site = await open();
    await importUsers(site, 120);
    await site.doorward.admin.create({ email: 'bob@example.com', password: admin.password, name: markup });
    const page = await visitAsAdmin(site, '/console/users');
    await page.getByRole('rowheader', { name: 'User 000' }).waitFor();
    assert.equal((await names(page)).length, 50);

    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByRole('rowheader', { name: 'User 050' }).waitFor();
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByRole('rowheader', { name: 'User 100' }).waitFor();
    await page.getByRole('button', { name: 'Previous' }).click();
    await page.getByRole('rowheader', { name: 'User 050' }).waitFor();
    await page.getByRole('button', { name: 'Count all' }).click();
    await page.getByText('122 users').waitFor();

    await page.getByRole('button', { name: 'Name' }).click();
    await page
      .getByRole('columnheader', { name: 'Name' })
      .and(page.locator('[aria-sort=ascending]'))
      .waitFor();
    await page.getByRole('rowheader', { name: markup }).waitFor();
    assert.equal((await names(page))[0], markup);
    await page.getByLabel('Access').selectOption('Cannot sign in');
    await page.getByRole('rowheader', { name: 'User 119' }).waitFor();
    assert.equal((await names(page)).length, 12);
    await page.locator('body').press('/');
    // The answer to this one is never waited for.
    await page.route(/q=nev/, () => {});
    const asked = page.waitForRequest(/q=nev/);
    await page.keyboard.type('nev');
    const aborted = page.waitForEvent('requestfailed', (request) => request.url().includes('q=nev'));
    await asked;
    assert.equal((await names(page)).length, 12);
    await page.keyboard.press('Control+A');
    await page.keyboard.type('user11');
    await aborted;
    await page.getByText('1 user', { exact: true }).waitFor();
    assert.deepEqual(await names(page), ['User 119']);
    assert.match(page.url(), /\?is_active=false&sort=name&q=user11$|q=user11/);
    await page.getByRole('button', { name: 'View' }).click();
    await page.getByLabel('Number').check();
    await page.getByLabel('Role').last().uncheck();
    await page.keyboard.press('Escape');
    await page.getByRole('columnheader', { name: 'Number' }).waitFor();

    const other = await site.visit('/account');
    await other.context().addCookies(await page.context().cookies());
    await other.goto(page.url());
    await other.getByRole('columnheader', { name: 'Number' }).waitFor();
    assert.deepEqual(await names(other), ['User 119']);
    await other.getByLabel('Search').fill('nobody at all');
    await other.getByRole('heading', { name: 'Nobody matches' }).waitFor();
    await site.inspect(other, 'users-none');
    await other.getByRole('button', { name: 'Show all users' }).click();
    await other.getByRole('rowheader', { name: 'User 000' }).waitFor();
    await site.inspect(other, 'users');
  },

  async 'who has not confirmed the address, and who is being deleted, is found'(open) {
    const site = await open();
    await importUsers(site, 12);
    await site.doorward.kernel.db.transaction(async (tx) => {
      const users = tx.updateTable('users');
      await users.set({ email_verified: false }).where('id', 'in', [2, 3]).execute();
      await users.set({ delete_after: '2999-01-01T00:00:00.000Z' }).where('id', 'in', [3, 4]).execute();
    });
    const page = await visitAsAdmin(site, '/console/users?is_active=true');
    await page.getByText('12 users').waitFor();
    await page.getByLabel('Access').selectOption('Email not confirmed');
    await page.getByText('1 user', { exact: true }).waitFor();
    assert.deepEqual(await names(page), ['User 001']);
    await page.getByLabel('Access').selectOption('Being deleted');
    await page.waitForURL(/\?state=deletion_scheduled$/);
    await page.getByText('2 users', { exact: true }).waitFor();
    assert.deepEqual(await names(page), ['User 002', 'User 003']);
    await page.reload();
    await page.getByText('2 users', { exact: true }).waitFor();
    await page.getByLabel('Search').fill('nobody at all');
    await page.getByRole('button', { name: 'Show all users' }).click();
    await page.getByText('13 users').waitFor();
  },

  async 'many users are changed at once, with a result for each; a view is saved as a file'(open) {
    const site = await open();
    await importUsers(site, 12);
    await site.doorward.admin.create({
      email: '=1+1@example.com',
      password: admin.password,
      // Half of Europe's spreadsheets begin a cell at the semicolon.
      name: '=SUM(A1);=1+1; =2',
    });
    const page = await visitAsAdmin(site, '/console/users');
    await page.getByLabel('Select all on this page').check();
    await page.getByText('14 selected').waitFor();
    await site.inspect(page, 'users-selected');
    await page.getByRole('button', { name: 'Suspend' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('12 users will be suspended').waitFor();
    await dialog.getByText('Root: You cannot suspend yourself').waitFor();
    await dialog.getByText('User 009: Does not apply in this state').waitFor();
    await site.inspect(page, 'users-bulk');
    await dialog.getByRole('button', { name: 'Suspend' }).click();
    await dialog.getByText('12 of 14 done').waitFor();
    await site.inspect(page, 'users-bulk-results');
    await dialog.getByRole('button', { name: 'Close' }).last().click();
    assert.equal(await page.getByRole('cell', { name: 'Suspended' }).count(), 13);

    for (const name of ['User 001', 'User 002']) await page.getByLabel(`Select ${name}`).check();
    await page.getByRole('button', { name: 'Delete' }).click();
    const button = dialog.getByRole('button', { name: 'Delete' });
    await dialog.getByLabel('To confirm, type 2').fill('3');
    assert.equal(await button.isDisabled(), true);
    await dialog.getByLabel('To confirm, type 2').fill('2');
    await button.click();
    await dialog.getByText('2 of 2 done').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('rowheader', { name: 'User 001' }).waitFor({ state: 'detached' });

    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Export CSV' }).click(),
    ]);
    await page.getByText('12 users saved').waitFor();
    const lines = (await readFile(await download.path(), 'utf8')).split('\r\n');
    assert.equal(lines[0], '\uFEFFname,email,state,role,created_at');
    assert.equal(lines.length, 14);
    assert.ok(lines.some((line) => line.startsWith(`"'=SUM(A1);'=1+1;' =2","'=1+1@example.com",suspended`)));
  },
});
