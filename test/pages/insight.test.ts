import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import type { NewMail } from '../../src/features/outbox/index.ts';
import { pageTests, type Site } from '../support/pages.ts';
import { startSmtp } from '../support/smtp.ts';

const email = 'ada@example.com';
const password = 'SecurePass123!';
const markup = '<img src=x onerror=alert(1)>';

/** An administrator at a page of the console. */
async function open(site: Site, path: string): Promise<Page> {
  await site.signIn({ email, name: 'Ada Lovelace', is_admin: true });
  const page = await site.visit(`/account/login?return_to=${encodeURIComponent(path)}`);
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.keyboard.press('Enter');
  await page.waitForURL(site.origin + path);
  return page;
}

async function write({ doorward: { kernel, outbox } }: Site, mail: Partial<NewMail>): Promise<void> {
  await kernel.db.transaction((tx) =>
    outbox.enqueue(tx, {
      kind: 'account_restored',
      to: 'bob@example.com',
      user_id: null,
      locale: 'en',
      params: {},
      ...mail,
    }),
  );
}

/** Where a colour, such as `rgb(250, 82, 82)`, stands on the wheel of colours, in degrees. */
function hueOf(color: string): number {
  const [red = 0, green = 0, blue = 0] = (color.match(/\d+/g) ?? []).map(Number);
  return (Math.atan2(Math.sqrt(3) * (green - blue), 2 * red - green - blue) * 180) / Math.PI;
}

/** What happened on the days before today. */
async function rememberDays({ doorward: { kernel }, clock }: Site, count: number): Promise<void> {
  const days = Array.from({ length: count }, (_, n) => ({
    day: new Date(clock.now().getTime() - (n + 1) * 86_400_000).toISOString().slice(0, 10),
    sign_ups: (n * 5) % 7,
    logins: 40 + ((n * 11) % 23),
    failed_logins: 5 + ((n * 7) % 11),
    throttled: n % 9 === 0 ? 8 : 1,
    active_users: 20 + ((n * 3) % 13),
  }));
  await kernel.db.transaction((tx) => tx.insertInto('daily_counts').values(days).execute());
}

pageTests({
  async 'the overview shows what goes on, as charts and as a table, for as long as one asks'(start) {
    const site = await start();
    await rememberDays(site, 29);
    const page = await open(site, '/console');
    await page
      .getByRole('img', { name: /^Sign-ins\. / })
      .locator('svg')
      .first()
      .waitFor();
    await page.getByText('Answered just now').waitFor();
    const colors = await page.evaluate<string[]>(
      `[...document.querySelectorAll('[aria-label^="Sign-ins. "] .recharts-line-curve')].map((line) => getComputedStyle(line).stroke)`,
    );
    assert.equal(colors.length, 3);
    const hues = colors.map(hueOf).sort((one, other) => one - other);
    const gaps = hues.map((hue, index) => (hues[index + 1] ?? (hues[0] ?? 0) + 360) - hue);
    assert.ok(Math.min(...gaps) > 60, `${colors.join(' and ')} can be told apart`);
    await site.inspect(page, 'dashboard');
    await page.getByText('7 days').click();
    await page.getByRole('switch', { name: 'As a table' }).press('Space');
    await page.waitForURL(/\?days=7&table=true$/);
    const table = page.getByRole('table').first();
    await table.getByRole('row').nth(7).waitFor();
    assert.equal(await table.getByRole('row').count(), 8);
    const today = await table.getByRole('row').nth(1).getByRole('cell').allTextContents();
    assert.deepEqual(today, ['2', '0', '0', '1', '0']);
    await site.inspect(page, 'dashboard-table');
    await page.getByRole('link', { name: 'Given up' }).click();
    await page.waitForURL(/\/console\/outbox\?state=dead$/);
    await page.getByText('No mails match').waitFor();
    await site.inspect(page, 'outbox-none');
  },

  async 'an event is found by a link, looked into and exported, and the log is verified'(start) {
    const site = await start();
    const page = await open(site, '/console/audit');
    await page.getByRole('button', { name: 'Signed in' }).first().waitFor();
    for (let n = 0; n < 60; n++)
      await site.request('POST', '/auth/login', { form: { username: email, password: 'x' } });
    await page.getByLabel('Result').selectOption('failure');
    await page.getByLabel('Event').selectOption('login.failed');
    await page.waitForURL(/\?result=failure&kind=login\.failed$/);
    const events = page.getByRole('button', { name: 'Sign-in failed' });
    await page.getByRole('button', { name: 'Show more' }).click();
    await events.nth(59).waitFor();
    assert.equal(await events.count(), 60);
    await site.inspect(page, 'audit');
    await events.first().click();
    const dialog = page.getByRole('dialog', { name: 'Sign-in failed' });
    await dialog.getByRole('link', { name: 'Ada Lovelace' }).waitFor();
    await site.inspect(page, 'audit-event');
    await page.keyboard.press('Escape');

    await page.getByRole('combobox', { name: 'Whom it concerns' }).fill('love');
    await page.getByRole('option', { name: 'Ada Lovelace' }).click();
    await page.waitForURL(/user_id=\d+/);
    await page.getByLabel('From', { exact: true }).fill('2999-01-01T00:00');
    await page.getByText('No events match').waitFor();
    await page.getByRole('button', { name: 'Show all' }).click();
    await page.waitForURL(`${site.origin}/console/audit`);

    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Export' }).click(),
    ]);
    assert.match(await readFile(await download.path(), 'utf8'), /"kind":"login\.failed"/);
    await page.getByRole('button', { name: 'Verify' }).click();
    await page.getByRole('status').getByText('The log is as it was written').waitFor();

    const { db } = site.doorward.kernel;
    await db.transaction((tx) =>
      tx
        .updateTable('audit_events')
        .set({ kind: 'login.succeeded' })
        .where('kind', '=', 'login.failed')
        .execute(),
    );
    await page.getByRole('button', { name: 'Verify' }).click();
    await page.getByRole('alert').getByText('The log is not as it was written').waitFor();
    await page.getByText('An event was changed').first().waitFor();
    await site.inspect(page, 'audit-broken');
  },

  async 'a mail is found, looked at without that anything in it runs, and sent again'(start, t) {
    const smtp = await startSmtp(t);
    const site = await start({ MAIL_URL: smtp.url });
    const page = await open(site, '/console/outbox');
    smtp.behave({ does: 'refuse', at: 'RCPT TO', code: 550 });
    await write(site, {
      kind: 'new_device',
      params: { device: markup, network: '192.0.2.1', time: site.clock.now().toISOString() },
    });
    await site.doorward.outbox.work();
    await page.getByLabel('To').fill('bob');
    await page.keyboard.press('Enter');
    await page.getByText('This is no email address').waitFor();
    await page.getByLabel('To').fill('bob@example.com');
    await page.keyboard.press('Enter');
    await page.getByLabel('State').selectOption('dead');
    await page.waitForURL(/\?to=bob%40example\.com&state=dead$/);
    await page
      .getByRole('row', { name: 'bob@example.com' })
      .getByText('the server refused the recipient (550)')
      .waitFor();
    await site.inspect(page, 'outbox');

    await page.getByRole('link', { name: 'New device' }).click();
    const frame = page.frameLocator('iframe');
    await frame.getByText(markup).waitFor();
    assert.equal(await frame.locator('img').count(), 0);
    await site.inspect(page, 'mail');
    await page.getByRole('tab', { name: 'As text' }).click();
    await page.getByRole('tabpanel').getByText(markup).waitFor();
    smtp.behave({ does: 'accept' });
    await page.getByRole('button', { name: 'Send again' }).click();
    const dialog = page.getByRole('dialog', { name: 'Send this mail again?' });
    await site.inspect(page, 'mail-resend');
    await dialog.getByRole('button', { name: 'Send again' }).click();
    await page.getByRole('status').getByText('It is on its way').waitFor();
    await site.doorward.outbox.work();
    await smtp.waitFor('bob@example.com');
    await page.getByRole('table').getByText('Sent', { exact: true }).first().waitFor();
  },

  async 'keys are seen and a new one is made; settings are found, secrets masked'(start) {
    const site = await start({ SECRET_KEY: 'b7Kq2mZ9xW4vT6yR1nP8sD3fG5hJ0aLc' });
    const page = await open(site, '/console/keys');
    await page.getByText('Signs now').waitFor();
    await page.getByRole('button', { name: 'New key' }).click();
    const dialog = page.getByRole('dialog', { name: 'Make a new signing key?' });
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await dialog.waitFor({ state: 'detached' });
    const keys = page.getByRole('main').getByRole('listitem');
    assert.equal(await keys.count(), 1);
    await page.getByRole('button', { name: 'New key' }).click();
    await dialog.getByRole('button', { name: 'New key' }).click();
    await page.getByText('Signs soon').waitFor();
    await site.inspect(page, 'keys');
    assert.equal(await keys.count(), 2);
    await page.setViewportSize({ width: 360, height: 900 });
    for (const time of await page.getByRole('main').locator('time').all()) {
      const box = await time.boundingBox();
      assert.ok(box !== null && box.x + box.width <= 360, `${await time.innerText()} is within the screen`);
    }
    await page.setViewportSize({ width: 1280, height: 900 });

    await page.getByRole('link', { name: 'Settings' }).click();
    await page.getByText('ARGON2_PASSES').waitFor();
    await site.inspect(page, 'settings');
    await page.getByLabel('Search').fill('secret_key');
    await page.waitForURL(/\?q=secret_key$/);
    await page.getByText('Set, not shown').waitFor();
    assert.ok(!(await page.content()).includes('b7Kq2mZ9'));
    await page.getByLabel('Search').fill('nothing at all');
    await page.getByRole('button', { name: 'Show all' }).click();
    await page.getByLabel('Which').selectOption('set');
    await page.getByText('RATE_LIMITS').waitFor();
    assert.equal(await page.getByText('REGISTRATION', { exact: true }).count(), 0);
  },

  async 'by keyboard alone one goes to any page and any user, and back to the account'(start) {
    const site = await start();
    const user = await site.signIn({ name: markup, email: 'grace@example.com' });
    const page = await open(site, '/console');
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    await page.keyboard.press('Control+k');
    await page.getByPlaceholder('Pages, users, actions').waitFor();
    await site.inspect(page, 'palette');
    await page.keyboard.type('sett');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Settings' }).waitFor();
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByPlaceholder('Pages, users, actions').fill('grace@');
    await page.getByText(markup).waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL(`${site.origin}/console/users/${user.id}`);
    await page.getByRole('heading', { name: markup }).waitFor();
    await page.keyboard.press('Control+k');
    await page.getByPlaceholder('Pages, users, actions').fill('create');
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Create user' });
    await dialog.getByLabel('Name').fill('Mary');
    await dialog.getByLabel('Email').fill('mary@example.com');
    await dialog.getByLabel('Password', { exact: true }).fill(password);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Mary' }).waitFor();
    await dialog.waitFor({ state: 'detached' });
    await page.getByRole('link', { name: 'Your account' }).click();
    await page.getByRole('heading', { name: 'Profile' }).waitFor();
    await page.getByRole('link', { name: 'Console' }).click();
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    await page.getByLabel('Language').selectOption('de');
    await page.getByRole('heading', { name: 'Überblick' }).waitFor();
    await page
      .getByRole('img', { name: /^Anmeldungen/ })
      .locator('svg')
      .first()
      .waitFor();
    await site.inspect(page, 'dashboard-de');
  },
});
