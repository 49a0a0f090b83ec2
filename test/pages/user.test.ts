import assert from 'node:assert/strict';
import { admin, logInAt, visitAsAdmin } from '../support/console.ts';
import { pageTests } from '../support/pages.ts';

const markup = '<img src=x onerror=alert(1)>';

pageTests({
  async 'somebody who is signed in is changed, suspended, let in again and deleted'(open) {
    const site = await open();
    const ada = await site.signIn({ email: 'ada@example.com', name: markup });
    const theirs = await site.visit('/account/login');
    await logInAt(theirs, ada);
    await theirs.getByRole('heading', { name: 'Profile' }).waitFor();

    const page = await visitAsAdmin(site, `/console/users/${ada.id}`);
    await page.getByRole('heading', { name: markup, level: 1 }).waitFor();
    await page.getByLabel('Name').fill('Ada <i>Lovelace</i>');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('heading', { name: 'Ada <i>Lovelace</i>', level: 1 }).waitFor();
    await page.getByRole('button', { name: 'Make reset link' }).click();
    await page.getByText('The link for ada@example.com is in “Mails”.').waitFor();
    await page.getByRole('button', { name: 'Unlock' }).click();
    await page.getByText('Failed sign-ins are forgotten.').waitFor();
    await page.getByText('Saved', { exact: true }).waitFor({ state: 'hidden' });
    await site.inspect(page, 'user-profile');
    await page.setViewportSize({ width: 320, height: 700 });
    const tops = `[...document.querySelectorAll('[role=tab]')].map((tab) => tab.getBoundingClientRect().top)`;
    assert.equal(new Set(await page.evaluate<number[]>(tops)).size, 1, 'the tabs stand in one line');
    await page.setViewportSize({ width: 1280, height: 900 });

    await page.getByRole('tab', { name: 'Sessions' }).click();
    assert.match(page.url(), /\?tab=sessions$/);
    await page.getByRole('listitem').filter({ hasText: 'Chrome' }).waitFor();
    await site.inspect(page, 'user-sessions');
    const ends = page.getByRole('button', { name: 'End the session on' });
    assert.equal(await ends.count(), 2);
    await ends.last().click();
    await ends.nth(1).waitFor({ state: 'detached' });

    await page.getByRole('tab', { name: 'Profile' }).click();
    await page.getByRole('button', { name: 'Suspend' }).click();
    await page.getByRole('dialog').getByText('they cannot sign in until').waitFor();
    await site.inspect(page, 'user-suspend');
    await page.getByRole('dialog').getByRole('button', { name: 'Suspend' }).click();
    await page.getByText('Suspended', { exact: true }).waitFor();
    await theirs.waitForURL(/\/account\/login/);
    await logInAt(theirs, ada);
    await theirs.getByRole('alert').getByText('This account is suspended').waitFor();

    await page.getByRole('button', { name: 'Reactivate' }).click();
    await page.getByText('Active', { exact: true }).waitFor();
    await logInAt(theirs, ada);
    await theirs.getByRole('heading', { name: 'Profile' }).waitFor();

    await page.getByRole('tab', { name: 'Activity' }).click();
    await page.getByRole('rowheader', { name: 'Account suspended' }).waitFor();
    await page
      .getByRole('row', { name: 'Account suspended' })
      .getByRole('link', { name: admin.name })
      .waitFor();
    await site.inspect(page, 'user-activity');
    await page.getByRole('tab', { name: 'Mails' }).click();
    await page.getByRole('rowheader', { name: 'Reset the password' }).waitFor();
    await site.inspect(page, 'user-mails');

    await page.getByRole('tab', { name: 'Profile' }).click();
    await page.getByRole('button', { name: 'Delete' }).click();
    const dialog = page.getByRole('dialog');
    await site.inspect(page, 'user-delete');
    await dialog.getByLabel('To confirm, type').fill('ada@example.com');
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await page.waitForURL(`${site.origin}/console/users`);
    await page.getByRole('rowheader', { name: admin.name }).waitFor();
    assert.equal(await page.getByRole('rowheader', { name: 'Ada' }).count(), 0);
    await page.goto(`${site.origin}/console/users/${ada.id}`);
    await page.getByRole('heading', { name: 'There is no such user' }).waitFor();
  },

  async 'what the rules forbid is explained before it is tried'(open) {
    const site = await open();
    const page = await visitAsAdmin(site, '/console/users');
    await page.getByRole('link', { name: admin.name }).click();
    await page.getByText('You cannot suspend yourself').waitFor();
    await page.getByText('You cannot delete yourself here').waitFor();
    await page.getByText('At least one active administrator must remain').waitFor();
    for (const name of ['Suspend', 'Delete'])
      assert.equal(await page.getByRole('button', { name }).isDisabled(), true);
    assert.equal(await page.getByLabel('Administrator').isDisabled(), true);
    await site.inspect(page, 'user-self');
  },
});
