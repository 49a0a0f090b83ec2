import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { pageTests, type Site } from '../support/pages.ts';
import { codeIn, linkIn, startSmtp } from '../support/smtp.ts';

const email = 'ada@example.com';
const password = 'SecurePass123!';
const newPassword = 'Another-Pass-9!';
const markup = '<img src=x onerror=alert(1)> "Ada" & co';

const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();
const seeTitle = (page: Page, name: string) => page.getByRole('heading', { level: 1, name }).waitFor();
const seeAlert = (page: Page, text: string) => page.getByRole('alert').getByText(text).waitFor();

async function fill(page: Page, fields: Record<string, string>): Promise<void> {
  for (const [label, value] of Object.entries(fields))
    await page.getByLabel(label, { exact: true }).fill(value);
}

async function logIn(site: Site, page: Page, given: { email?: string; password?: string } = {}) {
  await page.goto(`${site.origin}/account/login`);
  await fill(page, { Email: given.email ?? email, Password: given.password ?? password });
  await press(page, 'Sign in');
  await page.waitForURL(`${site.origin}/account`);
}

/** Opens the link of a mail in another tab of the same browser, or in this page. */
async function follow(page: Page, link: string, { inNewTab = true } = {}): Promise<Page> {
  const tab = inNewTab ? await page.context().newPage() : page;
  // Where only the fragment is another, the page loads itself anew.
  const loaded = tab.waitForEvent('load');
  await tab.goto(link);
  await loaded;
  await tab.waitForURL((url) => url.hash === '');
  if (inNewTab)
    assert.ok(!(await tab.content()).includes(link.split('=')[1] ?? link), 'the token is shown nowhere');
  return tab;
}

pageTests({
  async 'a sign-up is verified by the link, in the same browser, and goes where it was to go'(open) {
    const site = await open();
    const page = await site.visit('/account/login?return_to=%2Faccount%2Fsessions');
    await page.getByRole('link', { name: 'Sign up' }).click();
    await seeTitle(page, 'Sign up');
    await press(page, 'Make an account');
    await page.getByText('Please fill this in').nth(2).waitFor();
    await site.inspect(page, 'sign-up');
    await fill(page, { Name: markup, Email: email, Password: 'alllowercase1!' });
    await press(page, 'Make an account');
    await page.getByText('Add a capital letter').waitFor();
    await fill(page, { Password: password });
    await page.keyboard.press('Enter');
    await page.getByText(`Ask an administrator for the code for ${email}`).waitFor();
    assert.equal(await page.locator(':focus').innerText(), 'Confirm your email');
    await site.inspect(page, 'sign-up-sent');

    const { link } = await site.mailTo(email);
    const tab = await follow(page, link);
    await site.inspect(tab, 'verify-email');
    // Scanners run scripts: looking at the page, twice and in another language, has confirmed nothing.
    const made = await site.doorward.accounts.findByEmail(email);
    assert.deepEqual([made?.email_verified, made?.locale], [false, 'en']);
    await tab.getByLabel('Language').selectOption('de');
    await seeTitle(tab, 'E-Mail bestätigen');
    await tab.getByLabel('Sprache').selectOption('en');
    await seeTitle(tab, 'Confirm your email');
    await press(tab, 'Confirm');
    await seeTitle(tab, 'Your email is confirmed');
    await site.inspect(tab, 'verify-email-done');
    assert.equal((await site.doorward.accounts.findByEmail(email))?.email_verified, true);
    await tab.getByRole('link', { name: 'Sign in' }).click();
    await fill(tab, { Email: email, Password: password });
    await press(tab, 'Sign in');
    await tab.waitForURL(`${site.origin}/account/sessions`);
    await tab.getByText('This device').waitFor();

    // The link is used up.
    const again = await follow(page, link);
    await press(again, 'Confirm');
    await seeAlert(again, 'This link has been used');
  },

  async 'a sign-up is verified by the code, and by no link of another browser; the mail is sent again'(open) {
    const site = await open({ HIDE_REGISTERED_EMAILS: 'on', REQUIRE_VERIFIED_EMAIL: 'on' });
    const page = await site.visit('/account/sign-up');
    await fill(page, { Name: 'Ada', Email: email, Password: password });
    await press(page, 'Make an account');
    await page.getByText(`Ask an administrator for the code for ${email}`).waitFor();
    const first = await site.mailTo(email);
    await press(page, 'Make a new one');
    await page.getByRole('status').getByText('administrators have a new code').waitFor();
    const { link, code } = await site.mailTo(email);
    assert.notEqual(link, first.link);

    const elsewhere = await site.visit(new URL(link).pathname + new URL(link).hash);
    await press(elsewhere, 'Confirm');
    await seeAlert(elsewhere, 'Open this link in the browser in which you asked for it');
    assert.equal(await elsewhere.locator(':focus').getAttribute('autocomplete'), 'email');
    await site.inspect(elsewhere, 'verify-email-another-browser');
    await fill(elsewhere, { Email: email, 'Code of the mail': '000 000' });
    await press(elsewhere, 'Confirm');
    await seeAlert(elsewhere, 'This code is wrong or has expired');

    await press(page, 'Confirm');
    await page.getByText('Please fill this in').waitFor();
    await fill(page, { 'Code of the mail': `${code?.slice(0, 3)} ${code?.slice(3)}` });
    await press(page, 'Confirm');
    await seeTitle(page, 'Your email is confirmed');
    await logIn(site, page);

    // An address that has an account is answered in the same way.
    const other = await site.visit('/account/sign-up');
    await fill(other, { Name: 'Eve', Email: email, Password: newPassword });
    await press(other, 'Make an account');
    await other.getByText(`Ask an administrator for the code for ${email}`).waitFor();
  },

  async 'where mails are sent the pages tell of them, and name no administrator'(open, t) {
    const smtp = await startSmtp(t);
    const site = await open({ MAIL_URL: smtp.url });
    const page = await site.visit('/account/sign-up');
    await fill(page, { Name: 'Ada', Email: email, Password: password });
    await press(page, 'Make an account');
    await page.getByText(`We have sent a mail to ${email}`).waitFor();
    await page.getByText('Look into the spam folder').waitFor();
    await press(page, 'Send it again');
    await page.getByRole('status').getByText('a new mail is on its way').waitFor();
    await fill(page, { 'Code of the mail': codeIn(await smtp.waitFor(email, 2)) });
    await press(page, 'Confirm');
    await seeTitle(page, 'Your email is confirmed');
    await page.goto(`${site.origin}/account/forgot-password`);
    await fill(page, { Email: email });
    await press(page, 'Send me a mail');
    await page.getByText('a mail is on its way').waitFor();
    assert.equal(await page.getByText('administrator').count(), 0);
  },

  async 'whoever has to confirm the address first does that at the sign-in, and is signed in'(open) {
    const site = await open({ REQUIRE_VERIFIED_EMAIL: 'on' });
    const signUp = { email, password, name: 'Ada' };
    await site.request('POST', '/auth/signup', { json: signUp });
    const page = await site.visit('/account/login?return_to=%2Faccount%2Fpassword');
    await fill(page, { Email: email, Password: password });
    await press(page, 'Sign in');
    await page.getByText(`Ask an administrator for the code for ${email}`).waitFor();
    const { code } = await site.mailTo(email);
    await fill(page, { 'Code of the mail': code ?? '' });
    await press(page, 'Confirm');
    await page.waitForURL(`${site.origin}/account/password`);
  },

  async 'whoever is signed in verifies as well, and so does whose session is over by then'(open) {
    const site = await open();
    for (const isOver of [false, true]) {
      const address = `${isOver ? 'over' : 'in'}@example.com`;
      const page = await site.visit('/account/sign-up');
      await fill(page, { Name: 'Ada', Email: address, Password: password });
      await press(page, 'Make an account');
      await page.getByText(`Ask an administrator for the code for ${address}`).waitFor();
      const { link } = await site.mailTo(address);
      await logIn(site, page, { email: address });
      const tab = await follow(page, link);
      if (isOver) {
        const { id } = (await site.doorward.accounts.findByEmail(address)) ?? { id: 0 };
        await site.doorward.sessions.end(id, 'revoked_by_admin');
      }
      await press(tab, 'Confirm');
      await seeTitle(tab, 'Your email is confirmed');
      await tab.getByRole('link', { name: isOver ? 'Sign in' : 'Go on' }).waitFor();
    }
  },

  async 'who is signed in as somebody else is told so, and verifies after the sign-out'(open) {
    const site = await open();
    const page = await site.visit('/account/sign-up');
    await fill(page, { Name: 'Ada', Email: email, Password: password });
    await press(page, 'Make an account');
    await page.getByText(`Ask an administrator for the code for ${email}`).waitFor();
    const { link } = await site.mailTo(email);
    const other = { email: 'other@example.com', password, name: 'Other' };
    await site.doorward.admin.create(other);
    await logIn(site, page, other);

    const tab = await follow(page, link);
    await tab.getByText(`You are signed in as ${other.email}`).waitFor();
    await site.inspect(tab, 'verify-email-signed-in');
    await press(tab, 'Confirm');
    await seeAlert(tab, 'This link has been used, has expired');
    await press(tab, 'Sign out');
    await tab.getByText('You are signed in as').waitFor({ state: 'detached' });
    const again = await follow(page, link);
    await press(again, 'Confirm');
    await seeTitle(again, 'Your email is confirmed');
  },

  async 'a closed registration says so'(open) {
    for (const [REGISTRATION, text] of [
      ['closed', 'Nobody can sign up here at the moment'],
      ['invite', 'Here you need an invitation'],
    ] as const) {
      const site = await open({ REGISTRATION });
      const page = await site.visit('/account/sign-up');
      await page.getByText(text).waitFor();
      await site.inspect(page, `sign-up-${REGISTRATION}`);
      await page.getByRole('link', { name: 'Sign in' }).click();
      await seeTitle(page, 'Sign in');
      assert.equal(await page.getByRole('link', { name: 'Sign up' }).count(), 0);
    }
  },

  async 'a forgotten password is reset by the code, and by the link, which works once'(open) {
    const site = await open();
    await site.signIn({ email });
    const page = await site.visit('/account/login');
    await page.getByRole('link', { name: 'Forgot your password?' }).click();
    await site.inspect(page, 'forgot-password');
    await fill(page, { Email: 'nobody@example.com' });
    await press(page, 'Make a code');
    await page.getByText('If there is an account with nobody@example.com').waitFor();

    await page.goto(`${site.origin}/account/forgot-password`);
    await fill(page, { Email: email });
    await press(page, 'Make a code');
    await page.getByText(`If there is an account with ${email}`).waitFor();
    await site.inspect(page, 'forgot-password-sent');
    const { code } = await site.mailTo(email);
    await fill(page, { 'Code of the mail': code ?? '', 'New password': newPassword });
    await press(page, 'Set the password');
    await seeTitle(page, 'Your password is changed');
    await logIn(site, page, { password: newPassword });

    await page.goto(`${site.origin}/account/forgot-password`);
    await fill(page, { Email: email });
    await press(page, 'Make a code');
    await page.getByText(`If there is an account with ${email}`).waitFor();
    const { link } = await site.mailTo(email);
    const tab = await follow(page, link);
    await site.inspect(tab, 'reset-password');
    // What the policy refuses uses nothing up, and neither does a reload.
    await fill(tab, { 'New password': 'P@ssw0rd' });
    await press(tab, 'Set the password');
    await tab.getByText('Too many people use this password').waitFor();
    await tab.reload();
    await fill(tab, { 'New password': password });
    await press(tab, 'Set the password');
    await seeTitle(tab, 'Your password is changed');
    // The session of this browser has ended with the others.
    await tab.getByRole('link', { name: 'Sign in' }).waitFor();
    await logIn(site, tab);

    const replayed = await follow(page, link);
    await fill(replayed, { 'New password': newPassword });
    await press(replayed, 'Set the password');
    await seeAlert(replayed, 'This link has been used');
    await site.inspect(replayed, 'reset-password-refused');
  },

  async 'a change of the address is confirmed, signed in or not, and undone'(open, t) {
    const smtp = await startSmtp(t);
    const site = await open({ MAIL_URL: smtp.url });
    const { access_token: token } = await site.signIn({ email });
    const ask = async (to: string) =>
      assert.equal((await site.request('PATCH', '/auth/me', { token, json: { email: to } })).status, 200);
    await ask('new@example.com');
    const page = await site.visit('/account/change-email');
    await page.getByText('Sign in to enter the code of the mail').waitFor();
    await site.inspect(page, 'change-email-signed-out');
    await follow(page, linkIn(await smtp.waitFor('new@example.com')).link, { inNewTab: false });
    await site.inspect(page, 'change-email');
    await press(page, 'Confirm the change');
    await seeTitle(page, 'Your email is changed');
    await page.getByText('Your account now has the address new@example.com').waitFor();

    // Another by the code, which takes a session.
    await ask('newer@example.com');
    await page.goto(`${site.origin}/account/change-email`);
    await page.getByRole('link', { name: 'Sign in' }).click();
    await fill(page, { Email: 'new@example.com', Password: password });
    await press(page, 'Sign in');
    await page.waitForURL(`${site.origin}/account/change-email`);
    const code = codeIn(await smtp.waitFor('newer@example.com'));
    await fill(page, { 'Code of the mail': code });
    await site.inspect(page, 'change-email-code');
    await press(page, 'Confirm the change');
    await seeTitle(page, 'Your email is changed');

    const undo = await follow(page, linkIn(await smtp.waitFor(email, 2)).link);
    await site.inspect(undo, 'undo-email-change');
    await press(undo, 'Undo the change');
    await seeTitle(undo, 'The change is undone');
    await undo.getByText(`Your account has the address ${email}`).waitFor();
    await undo.getByRole('link', { name: 'Sign in' }).waitFor();
    await site.inspect(undo, 'undo-email-change-done');
    assert.equal((await site.doorward.accounts.findByEmail(email))?.email, email);
    await undo.getByRole('link', { name: 'Set a new password' }).click();
    await seeTitle(undo, 'Forgot your password?');
  },

  async 'an invitation is accepted, once, and a name that is markup stays text'(open) {
    const site = await open({ REGISTRATION: 'invite' });
    const { access_token: token } = await site.signIn({ email: 'root@example.com', is_admin: true });
    const invited = await site.request('POST', '/auth/invitations', { token, json: { email } });
    assert.equal(invited.status, 201);
    const page = await site.visit('/account/invitation');
    await page.getByText('Open the link in the mail that invited you').waitFor();
    const { link } = await site.mailTo(email);
    await follow(page, link, { inNewTab: false });
    await page.getByLabel('Email').waitFor();
    assert.equal(await page.getByLabel('Email').inputValue(), email);
    await site.inspect(page, 'invitation');
    await fill(page, { Password: password });
    await press(page, 'Accept');
    // The invitation names nobody.
    await page.getByText('Please fill this in').waitFor();
    await fill(page, { Name: markup });
    await press(page, 'Accept');
    await page.getByText(`Welcome, ${markup}! Sign in with ${email}.`).waitFor();
    assert.equal(await page.locator('img').count(), 0);
    await site.inspect(page, 'invitation-done');
    await follow(page, link, { inNewTab: false });
    await seeAlert(page, 'This link has been used');
    await site.inspect(page, 'invitation-refused');
    await logIn(site, page);

    const other = { email: 'grace@example.com', name: 'Grace Hopper' };
    await site.request('POST', '/auth/invitations', { token, json: other });
    const late = await site.visit(new URL((await site.mailTo(other.email)).link).pathname);
    await follow(late, (await site.mailTo(other.email)).link, { inNewTab: false });
    await late.getByLabel('Name').waitFor();
    assert.equal(await late.getByLabel('Name').inputValue(), other.name);
    // Withdrawn while it is being accepted.
    const [open_] = (await site.request('GET', '/auth/invitations', { token })).body;
    await site.request('DELETE', `/auth/invitations/${open_.id}`, { token });
    await fill(late, { Password: password });
    await press(late, 'Accept');
    await seeAlert(late, 'This link has been used');
  },

  async 'people sign in by a mail: by its link, by its code elsewhere, and not after it has expired'(open) {
    const site = await open({ EMAIL_LOGIN: 'on' });
    await site.signIn({ email });
    const ask = async (page: Page) => {
      await fill(page, { Email: email });
      await press(page, 'Make a code');
      await page.getByText(`If there is an account with ${email}`).waitFor();
    };
    const page = await site.visit('/account/login?return_to=%2Faccount%2Fsessions');
    await site.inspect(page, 'login-with-mail');
    await page.getByRole('link', { name: 'Sign in by mail' }).click();
    await seeTitle(page, 'Sign in by mail');
    await site.inspect(page, 'login-by-mail');
    await ask(page);
    await site.inspect(page, 'login-by-mail-sent');
    const tab = await follow(page, (await site.mailTo(email)).link);
    await site.inspect(tab, 'login-by-mail-link');
    await press(tab, 'Sign in');
    await tab.waitForURL(`${site.origin}/account/sessions`);
    await tab.getByText('This device').waitFor();

    const other = await site.visit('/account/login/email');
    await ask(other);
    const { code } = await site.mailTo(email);
    await fill(other, { 'Code of the mail': code ?? '' });
    await press(other, 'Sign in');
    await other.waitForURL(`${site.origin}/account`);
    await press(other, 'Sign out');
    await seeTitle(other, 'Sign in');

    await other.goto(`${site.origin}/account/login/email`);
    await ask(other);
    const late = await site.mailTo(email);
    site.clock.advance(86_400);
    await follow(other, late.link, { inNewTab: false });
    await press(other, 'Sign in');
    await seeAlert(other, 'has expired');

    const off = await open();
    const there = await off.visit('/account/login/email');
    await there.getByText('Nobody can sign in by mail here').waitFor();
  },
});
