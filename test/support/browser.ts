import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
/** Whether there is a browser. Suites that need one are skipped where there is none, and say so. */
export const HAS_BROWSER = existsSync(CHROMIUM);
/** For the names of suites. */
export const NEEDS_BROWSER = 'in a browser: where CHROMIUM, or /usr/bin/chromium, is there';
/** With ANNALS_SCREENSHOTS, the name of a folder, pictures are taken. */
const PICTURES = process.env['ANNALS_SCREENSHOTS'];

/** Chromium without a window; each context is a browser of its own, with cookies of its own. */
export class RealBrowser {
  private constructor(private readonly browser: Browser) {}

  static async start(): Promise<RealBrowser> {
    return new RealBrowser(await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] }));
  }

  /** Somebody else's browser. */
  newPerson(options: BrowserContextOptions = {}): Promise<BrowserContext> {
    return this.browser.newContext({ viewport: { width: 480, height: 720 }, ...options });
  }

  close(): Promise<void> {
    return this.browser.close();
  }
}

/** A picture for the documentation, where they are asked for. */
export async function picture(page: Page, name: string): Promise<void> {
  if (PICTURES !== undefined) await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
}
