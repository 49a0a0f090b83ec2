import assert from 'node:assert/strict';
import { pageTests } from '../support/pages.ts';

const email = 'ada@example.com';
const password = 'SecurePass123!';

/** Run in the page: the contrast of each input's border, once its colour rests, with what is within. */
const borderContrasts = `(async () => {
  const luminance = (color) => {
    const [red, green, blue] = color.match(/\\d+/g).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
  };
  await Promise.all(document.getAnimations().map(({ finished }) => finished.catch(() => {})));
  return [...document.querySelectorAll('input, select')].map((input) => {
    // The frame of a password has the input within.
    const { borderColor, backgroundColor } = getComputedStyle(input.closest('.mantine-Input-input'));
    const [border, ground] = [luminance(borderColor), luminance(backgroundColor)];
    return Math.max(border, ground) / Math.min(border, ground);
  });
})()`;

pageTests({
  async 'the border of an input, focused or not, is told from its ground, in light and dark'(open) {
    const site = await open();
    const page = await site.visit('/account/login');
    await page.getByLabel('Email').focus();
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.locator(`html[data-mantine-color-scheme=${colorScheme}]`).waitFor({ state: 'attached' });
      // WCAG 2.2, 1.4.11.
      const contrasts = await page.evaluate<number[]>(borderContrasts);
      assert.ok(contrasts.length === 3 && contrasts.every((contrast) => contrast >= 3), `${contrasts}`);
    }
  },

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
