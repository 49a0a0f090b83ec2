import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { visitAsAdmin } from '../support/console.ts';
import { pageTests } from '../support/pages.ts';

/** Several of the parts that the page sends; ten thousand with DOORWARD_THOROUGH=1. */
const count = process.env.DOORWARD_THOROUGH === '1' ? 10_000 : 2_500;
const imported = (count - 2).toLocaleString('en');

pageTests({
  async 'thousands of rows are tried, imported and reported, whatever their columns are called'(open) {
    const site = await open();
    const page = await visitAsAdmin(site, '/console/import');
    await page.getByRole('heading', { name: 'Import', level: 1 }).waitFor();
    const file = page.locator('input[type=file]');
    await file.setInputFiles({ name: 'x.csv', mimeType: 'text/csv', buffer: Buffer.from('') });
    await page.getByRole('alert').getByText('neither CSV nor JSON').waitFor();
    await site.inspect(page, 'import-unreadable');

    const lines = Array.from(
      { length: count },
      (_, index) => `p${index}@example.org;"Person ""${index}""";yes`,
    );
    lines[3] = 'no address;Nobody;yes';
    lines[4] = 'root@example.com;<b>Root</b>;yes';
    const text = ['E-Mail;Full name;Enabled', ...lines].join('\r\n');
    await file.setInputFiles({ name: 'people.csv', mimeType: 'text/csv', buffer: Buffer.from(text) });
    await page.getByRole('heading', { name: `${count} rows: which column is what?` }).waitFor();
    assert.equal(await page.getByLabel('Email', { exact: true }).inputValue(), 'E-Mail');
    await page.getByLabel('Name').selectOption('–');
    assert.equal(await page.getByRole('button', { name: 'Dry run' }).isDisabled(), true);
    await page.getByLabel('Name').selectOption('Full name');
    await site.inspect(page, 'import-mapping');

    await page.getByRole('button', { name: 'Dry run' }).click();
    await page.getByText(`Can be imported: ${imported}`).waitFor({ timeout: 120_000 });
    await page
      .getByRole('row')
      .filter({ hasText: 'root@example.com' })
      .getByText('Address has an account')
      .waitFor();
    await page.getByRole('row').filter({ hasText: 'no address' }).getByText('Invalid').waitFor();
    await site.inspect(page, 'import-dry-run');
    await page.getByRole('button', { name: `Import ${count - 2} users` }).click();
    await page.getByText(`Imported: ${imported}`).waitFor({ timeout: 120_000 });

    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download the report' }).click(),
    ]);
    const report = (await readFile(await download.path(), 'utf8')).trim().split('\r\n');
    assert.equal(report.length, count + 1);
    assert.match(report[1] ?? '', /^1,p0@example\.org,created,\d+,/);
    assert.match(report[4] ?? '', /^4,no address,invalid,,email: /);
    await page.getByRole('link', { name: 'Users' }).click();
    await page.getByLabel('Search').fill(`p${count - 1}@`);
    await page.getByRole('rowheader', { name: `Person "${count - 1}"` }).waitFor();
  },

  async 'a file in another encoding than UTF-8 is refused, not imported with holes in its names'(open) {
    const site = await open();
    const page = await visitAsAdmin(site, '/console/import');
    const file = page.locator('input[type=file]');
    const text = 'email;name\r\njose@example.org;José Núñez\r\n';
    for (const buffer of [Buffer.from(text, 'latin1'), Buffer.from(`\uFEFF${text}`, 'utf16le')]) {
      await file.setInputFiles({ name: 'people.csv', mimeType: 'text/csv', buffer });
      await page.getByRole('alert').getByText('in UTF-8').waitFor();
      await file.setInputFiles({
        name: 'people.csv',
        mimeType: 'text/csv',
        buffer: Buffer.from(`\uFEFF${text}`),
      });
      await page.getByRole('cell', { name: 'José Núñez' }).waitFor();
    }
  },
});
