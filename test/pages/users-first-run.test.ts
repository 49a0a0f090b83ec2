import assert from 'node:assert/strict';
import { admin, logInAt } from '../support/console.ts';
import { pageTests } from '../support/pages.ts';

pageTests({
  async 'a setup link makes the first administrator, who invites the second by mail'(open) {
    const site = await open();
    const token = await site.doorward.admin.setupToken();
    const page = await site.visit('/console/setup');
    await page.getByText('Open the link that the server prints').waitFor();
    await page.goto(`${site.origin}/console/setup#token=wrong`);
    await page.reload();
    await page.getByLabel('Name').fill(admin.name);
    await page.getByLabel('Email').fill(admin.email);
    await page.getByLabel('Password', { exact: true }).fill('short');
    await page.getByRole('button', { name: 'Create and sign in' }).click();
    await page.getByText('At least 8 characters', { exact: true }).waitFor();
    await page.getByLabel('Password', { exact: true }).fill(admin.password);
    await page.getByRole('button', { name: 'Create and sign in' }).click();
    await page.getByRole('alert').getByText('This setup link is wrong or has been used').waitFor();
    await site.inspect(page, 'setup');

    await page.goto(`${site.origin}/console/setup#token=${token}`);
    await page.reload();
    await page.getByLabel('Name').fill(admin.name);
    await page.getByLabel('Email').fill(admin.email);
    await page.getByLabel('Password', { exact: true }).fill(admin.password);
    await page.getByRole('button', { name: 'Create and sign in' }).click();
    await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();

    await page.getByRole('link', { name: 'Invitations' }).click();
    await page.getByRole('heading', { name: 'No open invitations' }).waitFor();
    await page.getByRole('button', { name: 'Invite' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Email').fill('no address');
    await dialog.getByRole('button', { name: 'Make invitation' }).click();
    await dialog.getByText('This is no email address').waitFor();
    await dialog.getByLabel('Email').fill('second@example.com');
    await dialog.getByLabel('Administrator').check();
    await site.inspect(page, 'invite');
    await dialog.getByRole('button', { name: 'Make invitation' }).click();
    await page.getByRole('listitem').filter({ hasText: 'second@example.com' }).waitFor();
    const first = await site.mailTo('second@example.com');
    await page.getByRole('button', { name: 'Send again to second@example.com' }).click();
    await page.getByText('The link for second@example.com is in “Mails”').last().waitFor();
    await page
      .getByText('The link for second@example.com is in “Mails”')
      .first()
      .waitFor({ state: 'hidden' });
    await site.inspect(page, 'invitations');

    const second = await site.mailTo('second@example.com');
    assert.notEqual(second.link, first.link);
    const theirs = await site.visit(second.link.slice(site.origin.length));
    await theirs.getByLabel('Name').fill('Second');
    await theirs.getByLabel('Password', { exact: true }).fill(admin.password);
    await theirs.getByRole('button', { name: 'Accept' }).click();
    await theirs.getByText('Welcome, Second!').waitFor();
    await theirs.goto(`${site.origin}/console/users`);
    await theirs.waitForURL(/\/account\/login/);
    await logInAt(theirs, { email: 'second@example.com', password: admin.password });
    await theirs.getByRole('rowheader', { name: admin.name }).waitFor();
    await theirs.getByRole('cell', { name: 'Administrator' }).first().waitFor();

    await page.reload();
    await page.getByRole('heading', { name: 'No open invitations' }).waitFor();
    await page.getByRole('button', { name: 'Invite' }).click();
    await dialog.getByLabel('Email').fill('third@example.com');
    await dialog.getByRole('button', { name: 'Make invitation' }).click();
    await page.getByRole('button', { name: 'Withdraw the invitation of third@example.com' }).click();
    await dialog.getByRole('button', { name: 'Withdraw' }).click();
    await page.getByRole('heading', { name: 'No open invitations' }).waitFor();

    await page.getByRole('link', { name: 'Users' }).click();
    await page.getByRole('button', { name: 'Create user' }).click();
    await dialog.getByLabel('Name').fill('Fourth');
    await dialog.getByLabel('Email').fill('second@example.com');
    await dialog.getByLabel('Password', { exact: true }).fill(admin.password);
    await dialog.getByRole('button', { name: 'Create user' }).click();
    await dialog.getByText('There is an account with this address already').waitFor();
    await site.inspect(page, 'create-user');
    await dialog.getByLabel('Email').fill('fourth@example.com');
    await dialog.getByRole('button', { name: 'Create user' }).click();
    await page.getByRole('heading', { name: 'Fourth', level: 1 }).waitFor();
  },
});
