import type { Page } from 'playwright-core';
import type { Site } from './pages.ts';

/** Whoever looks at the console in a test. */
export const admin = {
  email: 'root@example.com',
  password: 'SecurePass123!',
  name: 'Root',
  is_admin: true,
} as const;

/** An administrator who signs in and is at a page of the console. */
export async function visitAsAdmin(site: Site, path: string, options?: { language?: string }): Promise<Page> {
  await site.doorward.admin.create(admin);
  const page = await site.visit('/account/login', options);
  await logInAt(page, admin);
  await page.waitForURL(`${site.origin}/account`);
  await page.goto(site.origin + path);
  return page;
}

/** Fills in the page for signing in, in English or whatever language. */
export async function logInAt(
  page: Page,
  { email, password }: { email: string; password: string },
): Promise<void> {
  await page.locator('[name=username], [autocomplete=username]').first().fill(email);
  await page.locator('[autocomplete=current-password]').fill(password);
  await page.locator('[type=submit]').click();
}

/** Users without further ado: every tenth is suspended. */
export async function importUsers(site: Site, count: number): Promise<void> {
  const hashed_password =
    '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$9YdQyV3c4Wq1J0k8oUu4m0mJ5y4m0l8m8f9mZ8m7n4k';
  await site.doorward.accounts.import(
    Array.from({ length: count }, (_, index) => ({
      email: `user${index}@example.org`,
      name: `User ${String(index).padStart(3, '0')}`,
      hashed_password,
      is_active: index % 10 !== 9,
      is_admin: false,
      created_at: undefined,
    })),
  );
}
