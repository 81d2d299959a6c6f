// Opens pages in a real browser and checks what every page must and must not do.
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { chromium } from 'playwright-core';

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const screenshots = process.env.EM_METRICS_SCREENSHOTS;

let browser;
before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'],
  });
});
after(() => browser?.close());

// open opens a page. Everything that the page must not do is added to problems, such
// as loading anything beside itself.
export async function open(t, url, { width = 1280, height = 900, status = 200, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  const problems = [];
  page.on('console', (message) => problems.push(`console ${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => problems.push(`error: ${error}`));
  page.on('dialog', async (dialog) => { problems.push(`dialog: ${dialog.message()}`); await dialog.dismiss(); });
  page.on('request', (request) => {
    const target = new URL(request.url());
    if (target.protocol !== 'data:' && target.origin !== new URL(url).origin) problems.push(`request to ${request.url()}`);
    if (target.protocol !== 'data:' && request.resourceType() !== 'document') problems.push(`loaded ${request.url()}`);
  });
  const response = await page.goto(url, { waitUntil: 'load' });
  assert.equal(response.status(), status);
  return { page, problems };
}

// checkAccessibility fails if axe-core finds a violation of its rules, some of which may be
// disabled.
export async function checkAccessibility(page, name, rules = {}) {
  // The content security policy forbids scripts, so the debugger injects axe-core.
  await page.evaluate(await readFile(axe, 'utf8'));
  const { violations } = await page.evaluate((rules) => globalThis.axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'], rules,
  }), rules);
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target).join(' ')}`), [], name);
}

// saveScreenshot saves a picture of the page for the README, if asked for.
export async function saveScreenshot(page, name) {
  if (!screenshots) return;
  await mkdir(screenshots, { recursive: true });
  await page.screenshot({ path: join(screenshots, `${name}.png`) });
}

// key returns the card of a key figure.
export const key = (page, title) => page.locator('article', { has: page.getByRole('heading', { name: title, exact: true }) });

// fits fails if a page is wider than its window.
export async function fits(page) {
  const { scroll, client } = await page.evaluate(() => ({
    scroll: document.documentElement.scrollWidth, client: document.documentElement.clientWidth,
  }));
  assert.ok(scroll <= client, `the page is ${scroll} pixels wide in a window of ${client}`);
}
