// Tests of the page at / in a real browser: it renders with and without data, its
// filters work, the console stays empty, no request goes to another server, no
// script runs, and axe-core finds no accessibility problem.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import { startService } from './service.mjs';

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
async function open(t, url, { width = 1280, height = 900, ...options } = {}) {
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
  assert.equal(response.status(), 200);
  return { page, problems };
}

// checkAccessibility fails if axe-core finds a violation.
async function checkAccessibility(page, name) {
  // The content security policy forbids scripts, so the debugger injects axe-core.
  await page.evaluate(await (await import('node:fs/promises')).readFile(axe, 'utf8'));
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  }));
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target).join(' ')}`), [], name);
}

// saveScreenshot saves a picture of the page for the README, if asked for.
async function saveScreenshot(page, name) {
  if (!screenshots) return;
  await mkdir(screenshots, { recursive: true });
  await page.screenshot({ path: join(screenshots, `${name}.png`) });
}

// key returns the card of a key figure.
const key = (page, title) => page.locator('article', { has: page.getByRole('heading', { name: title, exact: true }) });

describe('an empty installation', () => {
  let service;
  before(async () => { service = await startService(); });
  after(() => service.stop());

  test('shows requests that work when pasted into a shell', async (t) => {
    const { page, problems } = await open(t, service.url);
    await page.getByRole('heading', { name: 'No data yet' }).waitFor();
    await checkAccessibility(page, 'empty');
    await saveScreenshot(page, 'page-empty');
    const { execFileSync } = await import('node:child_process');
    for (const block of await page.locator('pre').allTextContents()) {
      const shell = `curl() { command curl --silent --fail-with-body --write-out ' %{http_code}\\n' "$@" || echo failed; }\n${block}`;
      const out = execFileSync('bash', ['-c', shell], { encoding: 'utf8' });
      assert.match(out, /^(.* 20[01]\n)+$/s, `${block}\n${out}`);
      assert.doesNotMatch(out, /failed/, `${block}\n${out}`);
    }
    await page.getByRole('link', { name: 'reload this page' }).click();
    await key(page, 'Deployment frequency').getByText('1 deployment on 1 day').waitFor();
    await key(page, 'Change failure rate').getByText('1 of 1 deployment').waitFor();
    assert.deepEqual(problems, []);
  });
});

describe('a year of deployments', () => {
  let service;
  before(async () => { service = await startService(); await service.replay(); });
  after(() => service.stop());

  for (const scheme of ['light', 'dark']) {
    for (const [device, width] of [['desktop', 1280], ['phone', 390], ['narrow phone', 320]]) {
      test(`renders on a ${device}, ${scheme}`, async (t) => {
        const { page, problems } = await open(t, `${service.url}/?window=90d`, { width, colorScheme: scheme });
        for (const title of ['Deployment frequency', 'Change lead time', 'Change failure rate',
          'Failed deployment recovery time', 'Deployment rework rate']) {
          assert.notEqual(await key(page, title).locator('.value').textContent(), '', title);
          await key(page, title).getByRole('img').waitFor();
        }
        const { scroll, client } = await page.evaluate(() => ({
          scroll: document.documentElement.scrollWidth, client: document.documentElement.clientWidth,
        }));
        assert.ok(scroll <= client, `the page is ${scroll} pixels wide in a window of ${client}`);
        await checkAccessibility(page, `${device}, ${scheme}`);
        if (width !== 320) await saveScreenshot(page, `page-${device}-${scheme}`);
        assert.deepEqual(problems, []);
      });
    }
  }

  test('shows the figures of the API', async (t) => {
    const { page } = await open(t, `${service.url}/?window=90d`);
    const href = await page.getByRole('link', { name: 'JSON' }).getAttribute('href');
    const answer = await (await fetch(new URL(href, page.url()))).json();
    const figures = answer.groups[0];
    const failures = figures.change_failure_rate;
    assert.ok(failures.failed_deployments > 0);
    await key(page, 'Change failure rate').getByText(`${failures.failed_deployments} of ${failures.deployments} deployments`).waitFor();
    assert.equal(await key(page, 'Change failure rate').locator('.value').textContent(), `${(failures.ratio * 100).toFixed(1)}%`);
    // Over several projects there is no level, but the number of projects at each.
    assert.equal(failures.level, null);
    const counts = Object.entries(failures.levels).filter(([, count]) => count > 0).map(([level, count]) => `${count} ${level}`);
    assert.ok(counts.length > 1);
    assert.deepEqual((await key(page, 'Change failure rate').locator('.level').allTextContents()).sort(), counts.sort());
  });

  test('filters by project, window and bands, with the keyboard alone', async (t) => {
    const { page, problems } = await open(t, service.url);
    const project = page.locator('select[name=project_id]');
    const all = await page.getByRole('region', { name: 'Projects' }).locator('tbody tr').count();
    assert.ok(all > 1);
    await page.keyboard.press('Tab'); // to the skip link
    await page.keyboard.press('Enter');
    while (!(await project.evaluate((select) => select === document.activeElement))) await page.keyboard.press('Tab');
    await page.keyboard.press('ArrowDown');
    const chosen = await project.inputValue();
    assert.notEqual(chosen, '');
    await page.locator('select[name=window]').selectOption('365d');
    await page.locator('select[name=bands]').selectOption('2021');
    await page.getByRole('button', { name: 'Apply' }).focus();
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
    assert.equal(new URL(page.url()).searchParams.get('project_id'), chosen);
    assert.equal(await project.inputValue(), chosen);
    assert.equal(await page.locator('select[name=window]').inputValue(), '365d');
    const rows = page.getByRole('region', { name: 'Projects' }).locator('tbody tr');
    assert.equal(await rows.count(), 1);
    assert.match(await rows.first().textContent(), new RegExp(chosen));
    await page.getByText('Accelerate State of DevOps 2021').waitFor();
    await key(page, 'Time to restore').waitFor();
    assert.deepEqual(problems, []);
  });

  test('every link of the page works', async (t) => {
    const { page } = await open(t, service.url);
    const links = await page.locator('a[href]').evaluateAll((all) => [...new Set(all.map((a) => a.href))]);
    const ours = links.filter((link) => link.startsWith(service.url) && !link.includes('#'));
    assert.ok(ours.length > 8, `${ours.length} links`);
    for (const link of ours) assert.equal((await fetch(link)).status, 200, link);
  });

  test('a badge is a picture', async (t) => {
    const { page } = await open(t, `${service.url}/badge/change_lead_time.svg`);
    const { width, height } = await page.evaluate(() => document.documentElement.getBoundingClientRect());
    assert.ok(width > 80 && height === 20, `${width} by ${height}`);
    const inside = await page.evaluate(() => [...document.querySelectorAll('text')].every((text) => {
      const box = text.getBBox();
      return box.x >= 0 && box.x + box.width <= document.documentElement.width.baseVal.value;
    }));
    assert.ok(inside, 'some text exceeds the badge');
  });
});

describe('hostile names', () => {
  const names = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "' onmouseover='alert(1)", '</style><script>alert(1)</script>',
    '</title><script>alert(1)</script>', '<svg onload=alert(1)>', 'javascript:alert(1)', '&lt;script&gt;alert(1)&lt;/script&gt;',
    'shop\u202Epohs', 'a-name-of-two-hundred-and-fifty-six-bytes-'.padEnd(256, 'x')];
  let service;
  before(async () => {
    service = await startService({ EM_METRICS_NO_AUTH: '1', EM_METRICS_PRODUCTION_ENVIRONMENTS: '*' });
    for (const name of names) {
      const now = new Date().toISOString();
      await service.post('/deployments', { id: name, project_id: name, environment: name, first_commit_at: now, deploy_start_at: now });
      await service.post(`/deployments/${encodeURIComponent(name)}/deployed`, {});
      await service.post('/incidents', { id: name, project_id: name, environment: name, deployment_id: name });
    }
  });
  after(() => service.stop());

  test('are displayed as text', async (t) => {
    for (const query of ['', ...names.map((name) => `?project_id=${encodeURIComponent(name)}&environment=${encodeURIComponent(name)}`)]) {
      const { page, problems } = await open(t, `${service.url}/${query}`);
      for (const name of query ? [] : names) {
        assert.equal(await page.getByRole('link', { name, exact: true }).count(), 1, `no link for ${name}`);
      }
      const added = await page.evaluate(() => document.querySelectorAll('script, img, iframe, object, [onload], [onerror], [onmouseover]').length);
      assert.equal(added, 0);
      assert.deepEqual(problems, [], query);
    }
  });

  test('do not reorder the text around them', async (t) => {
    const { page } = await open(t, `${service.url}/?project_id=${encodeURIComponent('shop\u202Epohs')}&environment=production`);
    const letters = await page.getByText('Delivery metrics for').evaluate((scope) => {
      const from = scope.textContent.lastIndexOf('production');
      return [...'production'].map((_, i) => {
        const range = document.createRange();
        range.setStart(scope.firstChild, from + i);
        range.setEnd(scope.firstChild, from + i + 1);
        return range.getBoundingClientRect().left;
      });
    });
    assert.deepEqual(letters, letters.toSorted((a, b) => a - b), 'the environment is reversed');
  });

  test('fit on a phone and are accessible', async (t) => {
    const { page } = await open(t, service.url, { width: 390 });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth));
    await checkAccessibility(page, 'hostile');
  });

  test('are harmless in badges', async (t) => {
    for (const name of names) {
      const { page, problems } = await open(t, `${service.url}/badge/incidents.svg?project_id=${encodeURIComponent(name)}`);
      assert.equal(await page.evaluate(() => document.querySelectorAll('script, img, svg svg').length), 0);
      assert.match(await page.evaluate(() => document.querySelector('title').textContent), /^Incidents for /);
      assert.deepEqual(problems, [], name);
    }
  });
});

test('a browser signs in with basic authentication', async (t) => {
  const service = await startService({ EM_METRICS_BASIC_AUTH_USERNAME: 'ada', EM_METRICS_BASIC_AUTH_PASSWORD: 'a secret' });
  t.after(() => service.stop());
  const { page, problems } = await open(t, service.url, { httpCredentials: { username: 'ada', password: 'a secret' } });
  await page.getByRole('heading', { name: 'No data yet' }).waitFor();
  assert.ok(!(await page.content()).includes('a secret'));
  // The console reports the challenge in the response to the first request.
  assert.deepEqual(problems.filter((line) => !line.includes('401')), []);
});
