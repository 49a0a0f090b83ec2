import assert from 'node:assert/strict';
import { pageTests } from '../support/pages.ts';

const email = 'ada@example.com';
const password = 'SecurePass123!';

pageTests({
  async 'signing in by keyboard leads to where the visitor wanted to be; signing out leads back'(open) {
    const site = await open();
    await site.signIn({ email });
    const page = await site.visit('/account');
    await page.waitForURL(/\/account\/login\?return_to=%2Faccount$/);
    await page.getByLabel('Email').focus();
    await page.keyboard.press('Enter');
    assert.equal(await page.getByText('Please fill this in').count(), 2);
    await site.inspect(page, 'login-empty');

    await page.keyboard.type(email);
    await page.keyboard.press('Tab');
    await page.keyboard.type('wrong');
    await page.keyboard.press('Tab');
    const field = page.getByLabel('Password', { exact: true });
    await page
      .getByRole('button', { name: 'Show the password', pressed: false })
      .and(page.locator(':focus'))
      .waitFor();
    assert.equal(await field.getAttribute('type'), 'password');
    await page.keyboard.press('Space');
    await page.getByRole('button', { name: 'Show the password', pressed: true }).waitFor();
    assert.equal(await field.getAttribute('type'), 'text');
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('The email or the password is wrong').waitFor();
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.keyboard.press('Enter');
    await page.waitForURL(`${site.origin}/account`);
    await page.getByRole('heading', { name: 'Profile' }).waitFor();

    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  },

  async 'a page that was asked for by another site is not gone to'(open) {
    const site = await open({ CORS_ORIGINS: 'https://app.example.com' });
    await site.signIn({ email });
    for (const returnTo of ['https://evil.example', '//evil.example/x', 'javascript:alert(1)', 'http://[']) {
      const page = await site.visit(`/account/login?return_to=${encodeURIComponent(returnTo)}`);
      await page.getByLabel('Email').fill(email);
      await page.getByLabel('Password', { exact: true }).fill(password);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.waitForURL(`${site.origin}/account`);
    }
  },

  async 'what is no page says so'(open) {
    const site = await open();
    const page = await site.visit('/account/nowhere');
    await page.getByRole('heading', { name: 'There is no such page' }).waitFor();
    await site.inspect(page, 'not-found');
  },
});
