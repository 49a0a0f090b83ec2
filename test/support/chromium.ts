import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import chromium from '@sparticuz/chromium';
import { type Browser, type BrowserContext, type Page, chromium as playwright } from 'playwright-core';

/** A page of a real Chromium that is to talk to one origin. */
export interface TestPage {
  readonly page: Page;
  /** What the page did that it must not: asked another origin, broke its content security policy, logged an error. */
  readonly faults: readonly string[];
  /** Takes a picture into `screenshots/`, which Git ignores, where DOORWARD_SCREENSHOTS=1 asks for pictures. */
  screenshot(name: string): Promise<void>;
  close(): Promise<void>;
}

const root = join(import.meta.dirname, '..', '..');
const screenshotFolder = join(root, 'screenshots');
const unpackedFolder = join(root, 'node_modules', '.cache', 'doorward-chromium');

/**
 * Starts the Chromium from the package registry. Whoever starts it closes it. It has the one font of its package, which
 * is the same everywhere, or those of the machine, which may have more scripts; and it finds no other machine, unless all.
 */
export async function startChromium({
  fonts = 'package',
  hosts = 'this one',
}: {
  fonts?: 'package' | 'machine';
  hosts?: 'this one' | 'all';
} = {}): Promise<{
  /** `locale`: the language of the browser. `alsoAllowed`: other origins that pages may talk to. */
  open(origin: string, options?: { locale?: string; alsoAllowed?: readonly string[] }): Promise<TestPage>;
  screenshot(page: Page, name: string): Promise<void>;
  close(): Promise<void>;
}> {
  const folder = await mkdtemp(join(tmpdir(), 'doorward-chromium-'));
  const executablePath = await unpackChromium();
  const browser: Browser = await playwright.launch({
    executablePath,
    // Runs as any user, also in a container without user namespaces and with little shared memory. The package's own
    // flags are for a cloud function; among them is one that switches web security off.
    args: [
      ...['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
      ...(hosts === 'all' ? [] : ['--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1']),
    ],
    headless: true,
    env: {
      ...process.env,
      HOME: folder,
      ...(fonts === 'package' ? { FONTCONFIG_PATH: join(unpackedFolder, 'fonts') } : {}),
    },
  });
  return {
    open: async (origin, { alsoAllowed = [], ...options } = {}) =>
      openPage(
        await browser.newContext({
          viewport: { width: 1280, height: 900 },
          reducedMotion: 'reduce',
          ...options,
        }),
        [origin, ...alsoAllowed],
      ),
    screenshot,
    async close() {
      await browser.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The package's own looks in folders of the machine alone, and without any font Chromium ends. The cache is in HOME. */
const fontsConf = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
`;

/**
 * Unpacks the browser once. The package would do it in the machine's temporary folder and take whatever lies there
 * under that name, another process's half of one included; here it gets its name when it is whole.
 */
async function unpackChromium(): Promise<string> {
  const executable = join(unpackedFolder, 'chromium');
  if (existsSync(executable)) return executable;
  await mkdir(join(unpackedFolder, '..'), { recursive: true });
  const draft = await mkdtemp(`${unpackedFolder}-`);
  const { TMPDIR } = process.env;
  process.env.TMPDIR = draft;
  try {
    await chromium.executablePath();
    await writeFile(join(draft, 'fonts', 'fonts.conf'), fontsConf);
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  }
  // Another process may have been first; its copy is as good.
  await rename(draft, unpackedFolder).catch(() => rm(draft, { recursive: true }));
  return executable;
}

async function openPage(context: BrowserContext, origins: readonly string[]): Promise<TestPage> {
  const faults: string[] = [];
  // Told, not held up: to decide on each request would take as much as the pages, and switch the browser's cache off.
  context.on('request', (request) => {
    const url = new URL(request.url());
    if (!origins.includes(url.origin) && url.protocol !== 'data:' && url.protocol !== 'blob:')
      faults.push(`request to ${url.href}`);
  });
  const page = await context.newPage();
  await page.exposeFunction('reportCspViolation', (violation: string) => {
    faults.push(`content security policy: ${violation}`);
  });
  await page.addInitScript(`document.addEventListener('securitypolicyviolation', (event) =>
    window.reportCspViolation(event.violatedDirective + ' ' + event.blockedURI))`);
  page.on('console', (message) => {
    // A refusal (4xx) is an answer that a page reckons with; Chromium calls it an error of the console.
    if (/^Failed to load resource: the server responded with a status of 4\d\d /.test(message.text())) return;
    if (message.type() === 'error') faults.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`page: ${error.message}`));
  return {
    page,
    faults,
    screenshot: (name) => screenshot(page, name),
    close: () => context.close(),
  };
}

async function screenshot(page: Page, name: string): Promise<void> {
  if (process.env.DOORWARD_SCREENSHOTS !== '1') return;
  const path = join(screenshotFolder, `${name}.png`);
  await mkdir(dirname(path), { recursive: true });
  await page.screenshot({ path });
}
