import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { pageTests, type Site } from '../support/pages.ts';
import { startSmtp } from '../support/smtp.ts';

const email = 'ada@example.com';
const password = 'SecurePass123!';
const markup = '<img src=x onerror=alert(1)> "Ada" & co';

async function logIn(site: Site, path: string, word = password): Promise<Page> {
  const page = await site.visit(`/account/login?return_to=${encodeURIComponent(path)}`);
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(word);
  await page.keyboard.press('Enter');
  await page.waitForURL(site.origin + path);
  return page;
}

pageTests({
  async 'on a narrow screen the menu keeps the keyboard and the view until it is left'(open) {
    const site = await open();
    await site.signIn({ email });
    const page = await logIn(site, '/account');
    await page.setViewportSize({ width: 360, height: 400 });
    const burger = page.getByRole('button', { name: 'Menu' });
    const menu = page.getByRole('dialog', { name: 'Menu' });
    await burger.and(page.locator('[aria-expanded=false]')).press('Enter');
    await menu.waitFor();
    const focused = page.locator(':focus');
    for (let tabs = 0; tabs < 12; tabs += 1) {
      await page.keyboard.press('Tab');
      assert.equal(await menu.locator(focused).count(), 1);
    }
    await page.mouse.move(340, 200);
    await page.mouse.wheel(0, 300);
    await page.evaluate('new Promise(requestAnimationFrame)');
    assert.equal(await page.evaluate('scrollY'), 0);
    await page.keyboard.press('Escape');
    await menu.waitFor({ state: 'detached' });
    await burger.and(focused).and(page.locator('[aria-expanded=false]')).waitFor();

    for (const [name, path] of [
      ['Password', '/account/password'],
      ['Password', '/account/password'],
      ['Profile', '/account/'],
    ] as const) {
      await burger.click();
      await menu.getByRole('link', { name }).click();
      await page.waitForURL(site.origin + path);
      await menu.waitFor({ state: 'detached' });
    }
    await burger.click();
    await menu.waitFor();
    await page.setViewportSize({ width: 1280, height: 400 });
    await menu.waitFor({ state: 'detached' });
    await page.getByRole('link', { name: 'Sessions' }).click();
    await page.getByRole('heading', { name: 'Sessions', level: 1 }).waitFor();
  },

  async 'a profile is changed, in another language, and a name that is markup stays text'(open) {
    const site = await open();
    await site.signIn({ email });
    const page = await logIn(site, '/account');
    await site.inspect(page, 'profile');
    await page.getByLabel('Name').fill('');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Please fill this in').waitFor();
    await page.getByLabel('Name').fill(markup);
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('status').getByText('Saved').waitFor();
    await page.getByLabel('Language').selectOption('de');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('heading', { name: 'Profil', exact: true }).waitFor();
    assert.equal(await page.getByLabel('Name').inputValue(), markup);
    assert.equal(await page.locator('img').count(), 0);
    await site.inspect(page, 'profile-de');
    const user = await site.doorward.accounts.findByEmail(email);
    assert.deepEqual([user?.name, user?.locale], [markup, 'de']);
  },

  async 'another email waits until it is confirmed, and can be taken back; later it takes the password'(
    open,
    t,
  ) {
    const smtp = await startSmtp(t);
    const site = await open({ MAIL_URL: smtp.url });
    await site.signIn({ email });
    const page = await logIn(site, '/account');
    const change = async (to: string) => {
      await page.getByLabel('Email').fill(to);
      await page.getByRole('button', { name: 'Save' }).click();
    };
    await change('new@example.com');
    await page.getByText('Waiting for new@example.com').waitFor();
    await site.inspect(page, 'profile-pending');
    await page.getByRole('button', { name: 'Keep the present address' }).click();
    await page.getByText('Waiting for new@example.com').waitFor({ state: 'detached' });
    assert.equal((await site.doorward.accounts.findByEmail(email))?.pending_email, null);

    site.clock.advance(14 * 60);
    await page.reload();
    site.clock.advance(2 * 60);
    await change('other@example.com');
    await page.getByRole('alert').getByText('please enter your current password').waitFor();
    await page.getByLabel('Current password').fill(password);
    await page.keyboard.press('Enter');
    await page.getByText('Waiting for other@example.com').waitFor();
  },

  async 'a new password ends the other sessions; those see it by themselves'(open) {
    const site = await open();
    await site.signIn({ email });
    const other = await logIn(site, '/account/activity');
    const page = await logIn(site, '/account/password');
    await site.inspect(page, 'password');
    const fill = async (current: string, next: string) => {
      await page.getByLabel('Current password').fill(current);
      await page.getByLabel('New password').fill(next);
      await page.getByRole('button', { name: 'Change the password' }).click();
    };
    await fill(password, 'alllowercase1!');
    await page.getByText('Add a capital letter').waitFor();
    await fill('wrong', 'Another-Pass-9!');
    await page.getByRole('alert').getByText('The current password is wrong').waitFor();
    await fill(password, 'Another-Pass-9!');
    await page.getByRole('status').getByText('Your password is changed').waitFor();
    await other.waitForURL(/\/account\/login\?return_to=%2Faccount%2Factivity$/);
    await logIn(site, '/account', 'Another-Pass-9!');
  },

  async 'sessions are listed and ended one by one, and all others at once; activity tells of it'(open) {
    const site = await open();
    await site.signIn({ email });
    const others = [await logIn(site, '/account'), await logIn(site, '/account')];
    const userAgent = '<b>Browser</b><img src=x onerror=alert(1)>';
    await site.doorward.sessions.logIn({
      username: email,
      password,
      client: { network: '192.0.2.1', userAgent },
    });
    const page = await logIn(site, '/account/sessions');
    await page.getByText('This device').waitFor();
    await page.getByText('Unknown device').waitFor();
    assert.equal(await page.locator('main img, main b').count(), 0);
    await site.inspect(page, 'sessions');
    const ends = page.getByRole('button', { name: 'End the session on Chrome' });
    const before = await ends.count();
    await ends.first().click();
    await assertCount(() => ends.count(), before - 1);
    await page.getByRole('button', { name: 'End all others' }).click();
    await assertCount(() => ends.count(), 0);
    for (const other of others) await other.waitForURL(/\/account\/login/);

    await page.getByRole('link', { name: 'Activity' }).click();
    await page.getByText('Session ended').first().waitFor();
    await site.inspect(page, 'activity');
    await page.getByRole('link', { name: 'Sessions' }).click();
    await page.getByRole('button', { name: 'Sign out of this session' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  },

  async 'a person takes their data along and closes the account'(open) {
    const site = await open();
    await site.signIn({ email });
    const page = await logIn(site, '/account/data');
    await site.inspect(page, 'data');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download' }).click(),
    ]);
    const held = JSON.parse(await readFile(await download.path(), 'utf8'));
    assert.ok(JSON.stringify(held).includes(email));

    await page.getByRole('button', { name: 'Close the account…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Close the account' });
    await dialog.getByLabel('Current password').fill('wrong');
    await page.keyboard.press('Enter');
    await dialog.getByText('The current password is wrong').waitFor();
    await site.inspect(page, 'close-account');
    await dialog.getByLabel('Current password').fill(password);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    assert.equal(await site.doorward.accounts.findByEmail(email), undefined);
  },

  async 'two tabs that refresh at the same time both stay signed in'(open) {
    const site = await open();
    await site.signIn({ email });
    const page = await logIn(site, '/account');
    const second = await page.context().newPage();
    await second.goto(`${site.origin}/account/sessions`);
    await second.getByText('This device').waitFor();
    for (let round = 0; round < 3; round++) {
      site.clock.advance(16 * 60);
      await Promise.all([page.reload(), second.reload()]);
      await page.getByRole('heading', { name: 'Profile' }).waitFor();
      await second.getByText('This device').waitFor();
    }
    const sessions = await site.doorward.sessions.list(
      (await site.doorward.accounts.findByEmail(email))?.id ?? 0,
      undefined,
    );
    // The one of `signIn`, and the one of the browser.
    assert.equal(sessions.length, 2);
  },
});

async function assertCount(count: () => Promise<number>, expected: number): Promise<void> {
  for (const until = Date.now() + 10_000; (await count()) !== expected; ) {
    if (Date.now() > until) assert.equal(await count(), expected);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
