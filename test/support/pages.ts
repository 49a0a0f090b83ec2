import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { after, before, type TestContext, test } from 'node:test';
import type { Result } from 'axe-core';
import type { Page } from 'playwright-core';
import type { GivenSettings } from '../../src/settings.ts';
import { type CaughtMail, createTestDoorward, type TestDoorward } from '../../src/testing/index.ts';
import { startChromium, type TestPage } from './chromium.ts';
import { onEachDatabase } from './databases.ts';
import { SECRET_KEY } from './instances.ts';
import { startRoundRobin } from './round-robin.ts';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const patienceMs = 60_000;
/** How long what slides in or out may take to come to rest. */
const restMs = 2_000;
/** Run in the page. What turns for ever is no reason to wait. */
const rest = `Promise.all(document.getAnimations()
  .filter(({ effect }) => effect.getTiming().iterations !== Infinity)
  .map(({ finished }) => finished.catch(() => {})))`;
const widths = [375, 768, 1440];

/** A server with its pages, and people at browsers. */
export interface Site extends TestDoorward {
  readonly origin: string;
  /**
   * A browser of somebody new: no cookies, nothing stored. It ends with the test, which fails by what the pages must not do,
   * such as asking another origin, unless it is one of `alsoAllowed`.
   */
  visit(path: string, options?: { language?: string; alsoAllowed?: readonly string[] }): Promise<Page>;
  /** The newest mail to an address. Waits for it. */
  mailTo(address: string): Promise<CaughtMail & { link: string }>;
  /** Looks whether the page fits every width, takes pictures, and asks axe, in light and dark. Fails by what is found. */
  inspect(page: Page, name: string): Promise<void>;
}

type Scenarios = Record<
  string,
  (open: (settings?: GivenSettings) => Promise<Site>, t: TestContext) => Promise<void>
>;

/**
 * Tests that have one Chromium, and each a site of its own that it opens. The clock stands at the present time until a
 * test moves it. With DOORWARD_THOROUGH=1 a site is two instances that share a database of either kind.
 */
export function pageTests(scenarios: Scenarios): void {
  if (process.env.DOORWARD_THOROUGH !== '1') register(scenarios);
  else onEachDatabase(({ createReadyUrl }) => register(scenarios, createReadyUrl));
}

function register(scenarios: Scenarios, createUrl?: () => Promise<string>): void {
  let browser: Awaited<ReturnType<typeof startChromium>>;
  before(async () => {
    browser = await startChromium();
  });
  after(() => browser?.close());
  for (const [name, run] of Object.entries(scenarios)) {
    test(name, async (t) => {
      const visits: TestPage[] = [];
      await run(async (settings) => openSite(t, browser, visits, { ...settings }, await createUrl?.()), t);
      assert.deepEqual(
        visits.flatMap(({ faults }) => faults),
        [],
      );
    });
  }
}

async function openSite(
  t: TestContext,
  browser: Awaited<ReturnType<typeof startChromium>>,
  visits: TestPage[],
  settings: GivenSettings,
  sharedUrl: string | undefined,
): Promise<Site> {
  const PORT = await freePort();
  const origin = `http://127.0.0.1:${PORT}`;
  const given = {
    PORT,
    PUBLIC_URL: origin,
    ...(sharedUrl && { DATABASE_URL: sharedUrl, SECRET_KEY }),
    ...settings,
  };
  const instance = await createTestDoorward(given, { now: new Date() });
  const own: TestPage[] = [];
  // Browsers first: a connection that they opened in advance would hold the server up for a minute.
  t.after(async () => {
    await Promise.all(own.map((visit) => visit.close()));
    await stop();
    await instance.close();
  });
  const stop = await listen(instance, PORT, sharedUrl === undefined ? undefined : given);
  return {
    ...instance,
    origin,
    async visit(path, { language = 'en', alsoAllowed = [] } = {}) {
      const visit = await browser.open(origin, { locale: language, alsoAllowed });
      visits.push(visit);
      own.push(visit);
      visit.page.setDefaultTimeout(patienceMs);
      await visit.page.goto(origin + path);
      return visit.page;
    },
    async mailTo(address) {
      for (const until = Date.now() + patienceMs; ; ) {
        const mails = (await instance.mails()).filter(({ to }) => to === address);
        const mail = mails.at(-1);
        const [link] = /https?:\/\/\S+#token=[\w-]+/.exec(mail?.text ?? '') ?? [];
        if (mail !== undefined && link !== undefined) return { ...mail, link };
        if (Date.now() > until) throw new Error(`No mail with a link to ${address}`);
      }
    },
    inspect: (page, name) => inspect(browser, page, name),
  };
}

/** Serves an instance; if settings are given, in turns with another one of the same. Resolves to what ends the other. */
async function listen(
  { app, clock }: TestDoorward,
  port: number,
  ofOther: GivenSettings | undefined,
): Promise<() => Promise<void>> {
  const host = '127.0.0.1';
  const portOf = async (instance: TestDoorward['app']) =>
    Number(new URL(await instance.listen({ host, port: 0 })).port);
  if (ofOther === undefined) {
    await app.listen({ host, port });
    return async () => {};
  }
  const other = await createTestDoorward(ofOther, { now: clock.now() });
  const { advance } = clock;
  clock.advance = (seconds) => {
    advance(seconds);
    other.clock.advance(seconds);
  };
  const stop = await startRoundRobin(port, [await portOf(app), await portOf(other.app)]);
  return async () => {
    await stop();
    await other.close();
  };
}

async function inspect(
  browser: Awaited<ReturnType<typeof startChromium>>,
  page: Page,
  name: string,
): Promise<void> {
  const found: unknown[] = [];
  // Nothing is looked at while it loads.
  await page.locator('h1').first().waitFor();
  await page.locator('[role=status][aria-label]').waitFor({ state: 'detached' });
  const size = page.viewportSize();
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    // Scripts put it on, and colours fade into others from then on.
    await page.locator(`html[data-mantine-color-scheme=${colorScheme}]`).waitFor({ state: 'attached' });
    for (const width of widths) {
      await page.setViewportSize({ width, height: 900 });
      // What slides in or out comes to rest first.
      const isWider = () => page.evaluate('document.documentElement.scrollWidth > window.innerWidth');
      for (const until = Date.now() + restMs; Date.now() < until && (await isWider()); );
      if (await isWider()) found.push(`${name} is wider than ${width} px`);
      await page.evaluate(rest);
      await browser.screenshot(page, `pages/${name}-${width}-${colorScheme}`);
    }
    // Dark is the same page in other colours.
    const rules = colorScheme === 'dark' ? ['color-contrast', 'link-in-text-block'] : undefined;
    for (const { id, help, nodes } of await askAxe(page, rules))
      found.push({ name, colorScheme, id, help, nodes: nodes.map(({ html }) => html.slice(0, 200)) });
  }
  await page.emulateMedia({ colorScheme: null });
  if (size !== null) await page.setViewportSize(size);
  assert.deepEqual(found, []);
}

/** What is not accessible in the page as it is: by all of axe's rules, or by these. */
async function askAxe(page: Page, rules?: readonly string[]): Promise<Result[]> {
  // Half a megabyte of source, which stays in the page for the next time.
  if (!(await page.evaluate('window.axe'))) await page.evaluate(axeSource);
  const options = { resultTypes: ['violations'], ...(rules && { runOnly: rules }) };
  return page.evaluate(`axe.run(${JSON.stringify(options)}).then(({ violations }) => violations)`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
