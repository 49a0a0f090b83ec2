/**
 * Writes a picture of every mail, light and dark, on a desktop and on a phone, into a folder:
 * `node scripts/mail-screenshots.ts FOLDER [LANGUAGE…]`. Settings come from the environment; the languages are all
 * unless some are named. The machine's fonts are used, so Japanese takes one that has it.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createMailRenderer, mailKinds, sampleMail } from '../src/mail/index.ts';
import { readSettings, settingNames } from '../src/settings.ts';
import { startChromium } from '../test/support/chromium.ts';

const [folder, ...languages] = process.argv.slice(2);
if (folder === undefined) throw new Error('node scripts/mail-screenshots.ts FOLDER [LANGUAGE…]');
await mkdir(folder, { recursive: true });

const settings = readSettings(Object.fromEntries(settingNames.map((name) => [name, process.env[name]])));
const renderer = createMailRenderer(settings);
const screens = { desktop: { width: 1024, height: 640 }, phone: { width: 375, height: 640 } };
const schemes = ['light', 'dark'] as const;

const browser = await startChromium({
  fonts: existsSync('/etc/fonts/fonts.conf') ? 'machine' : 'package',
  // The logo may be anywhere.
  hosts: 'all',
});
try {
  const { page } = await browser.open(settings.PRODUCT_LOGO_URL ?? settings.PUBLIC_URL);
  for (const language of languages.length > 0 ? languages : renderer.locales) {
    for (const kind of mailKinds) {
      await page.setContent(renderer.render(sampleMail(kind, language, settings)).html);
      for (const colorScheme of schemes) {
        await page.emulateMedia({ colorScheme });
        for (const [screen, size] of Object.entries(screens)) {
          await page.setViewportSize(size);
          const path = join(folder, `${kind}.${language}.${screen}.${colorScheme}.png`);
          await page.screenshot({ path, fullPage: true });
        }
      }
    }
  }
} finally {
  await browser.close();
}
