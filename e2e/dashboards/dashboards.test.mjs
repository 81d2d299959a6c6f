// Renders every dashboard over the installations that EM_METRICS_STATES names and
// checks what a user would see. EM_METRICS_SCREENSHOTS is a folder for the pictures of
// the README, EM_METRICS_RENDERINGS one for a picture of everything that is checked.
import assert from 'node:assert/strict';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import { compareWithAPI } from './figures.mjs';
import { observeCanvas, problemsOfLayout } from './layout_checks.mjs';
import { startServer } from './server.mjs';

const widths = { desktop: 1280, wide: 1600, phone: 390 };
const states = JSON.parse(await readFile(process.env.EM_METRICS_STATES, 'utf8'));
const dashboards = (await readdir(join(import.meta.dirname, '../../grafana/dashboards'))).map((file) => file.replace('.json', ''));
const { EM_METRICS_SCREENSHOTS: screenshots, EM_METRICS_RENDERINGS: renderings } = process.env;

// What may be empty although there has been a year of events: alerts are rare, the
// history of levels and open incidents starts with this Prometheus, and not every
// project has had an incident.
const mayBeEmpty = ['Pending and firing alerts', 'Levels over time', 'Open incidents over time', 'Open incidents by project over time',
  'Failed deployment recovery time', 'Time to restore'];

let browser, server;
before(async () => {
  server = await startServer(process.env.EM_METRICS_BUNDLE);
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
});
after(async () => {
  await browser?.close();
  server?.stop();
});

// render opens a dashboard and returns the page and its report.
async function render(t, state, dashboard, parameters = {}) {
  const context = await browser.newContext({ viewport: { width: widths.desktop, height: 1000 }, timezoneId: 'UTC' });
  t.after(() => context.close());
  const page = await context.newPage();
  const problems = [];
  page.on('pageerror', (error) => problems.push(`error: ${error}`));
  page.on('console', (message) => { if (message.type() === 'error') problems.push(`console: ${message.text()}`); });
  await page.addInitScript(observeCanvas);
  await page.goto(`${server.url}/?${new URLSearchParams({ prometheus: state.prometheus, dashboard, ...parameters })}`);
  await page.evaluate(() => globalThis.rendering);
  const report = await page.evaluate(() => globalThis.report);
  assert.equal(report.failed, undefined);
  return { page, report, problems };
}

// resize gives the page a width, and a height without a scroll bar.
async function resize(page, width) {
  await page.setViewportSize({ width, height: 1000 });
  await page.waitForTimeout(200);
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width, height });
  await page.waitForTimeout(300); // until the canvases are drawn
}

// problemsOfReport lists failed queries, what Grafana would ignore or warn of, and
// panels that should have data.
function problemsOfReport(report, state) {
  const problems = [];
  for (const [name, value] of Object.entries(report.variables)) if (value === '') problems.push(`variable ${name} is empty`);
  for (const { title, queries, unknown, unmatched, empty } of [...report.panels, ...report.annotations.map((a) => ({ ...a, queries: [a] }))]) {
    for (const { refId = '', error, notes = [] } of queries) {
      for (const note of [error, ...notes].filter(Boolean)) problems.push(`${title} ${refId}: ${note}`);
    }
    for (const id of unknown ?? []) problems.push(`${title}: unknown option ${id}`);
    if (state.name !== 'year') continue;
    for (const name of unmatched ?? []) problems.push(`${title}: no column ${name}`);
    if (empty && !mayBeEmpty.includes(title)) problems.push(`${title}: no data`);
  }
  return problems;
}

// select chooses what there is much to see of: a busy project, and the minutes in which
// the service itself has been scraped.
const select = (state, dashboard) => (state.name === 'year' && { project: { 'var-project': 'storefront' }, 'em-metrics': { from: 'now-5m' } }[dashboard]) || {};

for (const state of states) {
  describe(`${state.name}:`, { concurrency: 2 }, () => {
    for (const dashboard of dashboards) {
      test(dashboard, async (t) => {
        const { page, report, problems } = await render(t, state, dashboard, select(state, dashboard));
        problems.push(...problemsOfReport(report, state));
        for (const [device, width] of Object.entries(widths)) {
          if (device === 'wide' && state.name !== 'year') continue; // it differs only where there is much to show
          await resize(page, width);
          problems.push(...(await page.evaluate(problemsOfLayout, width)).map((problem) => `${device}: ${problem}`));
          if (device === 'desktop' && state.name === 'year' && dashboard !== 'em-metrics') problems.push(...await compareWithAPI(page, report, state));
          if (renderings) await keep(page, renderings, `${dashboard}-${state.name.replace(' ', '-')}-${device}`);
        }
        assert.deepEqual(problems, []);
      });
    }
  });
}

async function keep(page, folder, name, options = {}) {
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), ...options });
}

if (screenshots) {
  test('pictures for the README', async (t) => {
    const year = states.find(({ name }) => name === 'year');
    for (const [name, dashboard, theme, height] of [['dashboard-light', 'dora-overview', 'light', 1250], ['dashboard-dark', 'dora-overview', 'dark', 1250],
      ['dashboard-project', 'project', 'light', 1700], ['dashboard-incidents', 'incidents', 'light', 1400]]) {
      const { page } = await render(t, year, dashboard, { ...select(year, dashboard), theme });
      await resize(page, widths.desktop);
      await keep(page, screenshots, name, { clip: { x: 0, y: 0, width: widths.desktop, height } });
    }
  });
}
