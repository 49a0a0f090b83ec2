import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createMailRenderer, mailKinds, sampleMail } from '../src/mail/index.ts';
import { readSettings } from '../src/settings.ts';
import { startChromium } from './support/chromium.ts';

/** Runs in the page: whether something is wider than the screen, and how text stands out from what is behind it. */
const measure = `(() => {
  const luminance = ([red, green, blue]) => {
    const part = (value) => value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue);
  };
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = numbers(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
  };
  const texts = [...document.querySelectorAll('body *')].filter((element) =>
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ''));
  const contrasts = texts.map((element) => {
    const [one, other] = [numbers(getComputedStyle(element).color), behind(element)].map(luminance);
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  });
  return {
    width: Math.max(...[...document.querySelectorAll('*')].map((element) => element.getBoundingClientRect().right),
      document.documentElement.scrollWidth),
    background: luminance(behind(document.body)),
    contrast: Math.min(...contrasts),
    texts: texts.length,
    smallest: Math.min(...texts.map((element) => parseFloat(getComputedStyle(element).fontSize))),
  };
})()`;

interface Measures {
  width: number;
  background: number;
  contrast: number;
  texts: number;
  smallest: number;
}

describe('mails, in a real Chromium', () => {
  const settings = readSettings({
    ACCOUNT_URL: `https://${'long-'.repeat(10)}name.example.com/account`,
    PRODUCT_NAME: 'W'.repeat(60),
  });
  const renderer = createMailRenderer(settings);
  const worst = {
    device: 'W'.repeat(200),
    network: '2001:db8:1111:2222:3333:4444:5555:6666/64',
    new_email: `${'w'.repeat(64)}@${'w'.repeat(60)}.example`,
  };
  let browser: Awaited<ReturnType<typeof startChromium>>;
  before(async () => {
    browser = await startChromium();
  });
  after(() => browser?.close());

  for (const scheme of ['light', 'dark'] as const) {
    it(`fit a phone and can be read, ${scheme}, and fetch nothing`, async () => {
      const { page, faults, screenshot, close } = await browser.open('https://nowhere.invalid');
      await page.emulateMedia({ colorScheme: scheme });
      await page.setViewportSize({ width: 375, height: 667 });
      for (const kind of mailKinds) {
        const mail = sampleMail(kind, kind === 'new_device' ? 'de' : 'en', settings);
        const params = { ...mail.params };
        for (const [name, value] of Object.entries(worst)) if (name in params) params[name] = value;
        await page.setContent(renderer.render({ ...mail, params }).html);
        const measures = (await page.evaluate(measure)) as Measures;
        assert.ok(measures.width <= 375, `${kind} is ${measures.width} wide`);
        assert.ok(
          measures.texts > 4 && measures.contrast >= 4.5,
          `${kind} has a contrast of ${measures.contrast}`,
        );
        assert.ok(measures.smallest >= 13, kind);
        assert.ok(scheme === 'dark' ? measures.background < 0.05 : measures.background > 0.8, kind);
        if (kind === 'verify_email' || kind === 'new_device') await screenshot(`mail-${kind}-${scheme}`);
      }
      assert.deepEqual(faults, []);
      await close();
    });
  }

  it('are 600 wide at most on a desktop', async () => {
    const { page, close } = await browser.open('https://nowhere.invalid');
    await page.setContent(renderer.render(sampleMail('invitation', 'en', settings)).html);
    const card = await page.locator('.card').boundingBox();
    assert.equal(card?.width, 600);
    await close();
  });
});
