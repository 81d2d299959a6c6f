// Tests of the pages in a real browser: they render with and without data, filters work,
// the console stays empty, no request goes to another server, no script runs, and
// axe-core finds no accessibility problem. figures.test.mjs compares the numbers.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { checkAccessibility, fits, key, open, saveScreenshot } from './browser.mjs';
import { startService } from './service.mjs';

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
        await fits(page);
        await checkAccessibility(page, `${device}, ${scheme}`);
        if (width !== 320) await saveScreenshot(page, `page-${device}-${scheme}`);
        assert.deepEqual(problems, []);
      });
    }
  }

  for (const [device, width, scheme] of [['desktop', 1280, 'light'], ['phone', 390, 'dark'], ['narrow phone', 320, 'light']]) {
    test(`shows evidence on a ${device}, ${scheme}`, async (t) => {
      const { page, problems } = await open(t, `${service.url}/dora/explain?metric=change_failure_rate&window=90d`, { width, colorScheme: scheme });
      await page.getByRole('heading', { name: /^Failed deployments/ }).waitFor();
      await fits(page);
      await checkAccessibility(page, `evidence, ${device}, ${scheme}`);
      if (width !== 320) await saveScreenshot(page, `evidence-${device}-${scheme}`);
      assert.deepEqual(problems, []);
    });
  }

  test('leads from a key to its evidence and back, and keeps what was chosen', async (t) => {
    const { page, problems } = await open(t, `${service.url}/?period=last-month&tz=Europe/Berlin&recovery_from=deployment&project_id=checkout&bands=2021`);
    const value = await key(page, 'Time to restore').locator('.value').innerText();
    await key(page, 'Time to restore').getByRole('link', { name: 'Evidence' }).click();
    assert.equal(await page.locator('.figure strong').innerText(), value);
    await page.locator('select[name=metric]').selectOption('change_lead_time');
    await page.locator('select[name=team_id]').selectOption('payments');
    await page.getByRole('button', { name: 'Apply' }).click();
    await page.getByRole('heading', { name: 'Change lead time', exact: true }).waitFor();
    await page.getByRole('link', { name: 'This quarter' }).click();
    await page.getByRole('link', { name: 'All metrics' }).click();
    await key(page, 'Time to restore').waitFor();
    assert.deepEqual(Object.fromEntries(new URL(page.url()).searchParams), {
      bands: '2021', period: 'this-quarter', project_id: 'checkout', recovery_from: 'deployment', team_id: 'payments', tz: 'Europe/Berlin',
    });
    assert.deepEqual(problems, []);
  });

  test('reads evidence page by page', async (t) => {
    const { page } = await open(t, `${service.url}/dora/explain?metric=deployment_frequency&window=90d`);
    const all = Number((await page.getByRole('heading', { name: /^Deployments/ }).innerText()).match(/\d+/)[0]);
    let rows = 0;
    for (let pages = 1; ; pages++) {
      rows += await page.locator('tbody tr').count();
      const older = page.getByRole('link', { name: 'Older deployments' });
      if (await older.count() === 0) break;
      assert.ok(pages < 20);
      await older.click();
    }
    assert.ok(all > 100);
    assert.equal(rows, all);
  });

  test('shows a month, a quarter and dates', async (t) => {
    const { page } = await open(t, `${service.url}/?team_id=web`);
    const month = await page.locator('select[name=period] option').nth(2).getAttribute('value');
    await page.getByText('Another month, quarter or dates').click();
    await page.locator('select[name=period]').selectOption(month);
    await page.getByRole('form', { name: 'Month or quarter' }).getByRole('button').click();
    await page.waitForURL((url) => url.searchParams.get('period') === month);
    await page.locator('a[rel=prev]').click();
    await page.waitForURL((url) => url.searchParams.get('period') !== month);
    await page.locator('a[rel=next]').click();
    await page.waitForURL((url) => url.searchParams.get('period') === month);
    const to = new Date().toISOString().slice(0, 10);
    const from = new Date(Date.now() - 20 * 86_400_000).toISOString().slice(0, 10);
    await page.getByText('Another month, quarter or dates').click();
    await page.locator('input[type=date][name=from]').fill(from);
    await page.locator('input[type=date][name=to]').fill(to);
    await page.getByRole('form', { name: 'Dates' }).getByRole('button').click();
    await page.waitForURL((url) => url.searchParams.get('from') === from);
    assert.deepEqual(Object.fromEntries(new URL(page.url()).searchParams), { from, team_id: 'web', to });
    assert.equal(await page.locator('input[type=date][name=to]').inputValue(), to);
    assert.equal(await page.locator('select[name=team_id]').inputValue(), 'web');
  });

  test('sorts tables by a column', async (t) => {
    const { page } = await open(t, `${service.url}/?window=365d`);
    const projects = page.getByRole('region', { name: 'Projects', exact: true });
    const names = () => projects.locator('tbody th a').allInnerTexts();
    const byDeployments = await names();
    await projects.getByRole('link', { name: 'Project', exact: true }).click();
    await page.waitForURL((url) => url.searchParams.get('sort') === 'name');
    assert.deepEqual(await names(), byDeployments.toSorted());
    assert.equal(await projects.locator('th[aria-sort=ascending]').innerText(), 'Project');
    await projects.getByRole('link', { name: 'Project', exact: true }).click();
    await page.waitForURL((url) => url.searchParams.get('sort') === '-name');
    assert.deepEqual(await names(), byDeployments.toSorted().reverse());
  });

  test('fits on a wall screen, and loads itself again', async (t) => {
    for (const [width, height, scheme] of [[1280, 720, 'dark'], [1920, 1080, 'light'], [3840, 2160, 'dark']]) {
      const { page, problems } = await open(t, `${service.url}/?kiosk&window=90d&refresh=60s`, { width, height, colorScheme: scheme });
      const [scroll, client] = await page.evaluate(() => [document.documentElement.scrollHeight, document.documentElement.clientHeight]);
      assert.ok(scroll <= client, `the view is ${scroll} pixels high on a screen of ${client}`);
      await fits(page);
      assert.equal(await page.locator('meta[http-equiv=refresh]').getAttribute('content'), '60');
      // Who asks for it can stop it with the link in the footer.
      await checkAccessibility(page, 'wall screen', { 'meta-refresh': { enabled: false } });
      if (width === 1280) await saveScreenshot(page, 'page-kiosk');
      await page.getByRole('link', { name: 'stop' }).click();
      await page.waitForURL((url) => !url.searchParams.has('refresh') && url.searchParams.has('kiosk'));
      assert.deepEqual(problems, []);
    }
  });

  test('says what is wrong with a parameter', async (t) => {
    for (const path of ['/?window=soon', '/dora/explain?metric=luck']) {
      const { page, problems } = await open(t, service.url + path, { status: 400, width: 390 });
      await page.getByRole('heading', { name: 'The request is malformed' }).waitFor();
      await fits(page);
      await checkAccessibility(page, path);
      await page.getByRole('link', { name: 'Show the metrics of the last 30 days' }).click();
      await key(page, 'Change lead time').waitFor();
      assert.deepEqual(problems.filter((line) => !line.includes('400')), []);
    }
  });

  test('shows that a table on a phone goes on', async (t) => {
    const { page } = await open(t, service.url, { width: 390 });
    const table = page.getByRole('region', { name: 'Projects', exact: true });
    const { hidden, layers } = await table.evaluate((e) => ({
      hidden: e.scrollWidth - e.clientWidth, layers: getComputedStyle(e).backgroundAttachment,
    }));
    assert.ok(hidden > 0);
    assert.match(layers, /local, local, scroll, scroll/);
  });

  test('filters by project, window and bands, with the keyboard alone', async (t) => {
    const { page, problems } = await open(t, service.url);
    const project = page.locator('select[name=project_id]');
    assert.equal(await page.getByRole('link', { name: '30 days' }).getAttribute('aria-current'), 'true');
    const all = await page.getByRole('region', { name: 'Projects', exact: true }).locator('tbody tr').count();
    assert.ok(all > 1);
    await page.keyboard.press('Tab'); // to the skip link
    await page.keyboard.press('Enter');
    while (!(await project.evaluate((select) => select === document.activeElement))) await page.keyboard.press('Tab');
    await page.keyboard.press('ArrowDown');
    const chosen = await project.inputValue();
    assert.notEqual(chosen, '');
    await page.locator('select[name=bands]').selectOption('2021');
    await page.getByRole('button', { name: 'Apply' }).focus();
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
    assert.equal(new URL(page.url()).searchParams.get('project_id'), chosen);
    assert.equal(await project.inputValue(), chosen);
    await Promise.all([page.waitForNavigation(), page.getByRole('link', { name: '365 days' }).press('Enter')]);
    assert.equal(await project.inputValue(), chosen);
    assert.equal(new URL(page.url()).searchParams.get('window'), '365d');
    const rows = page.getByRole('region', { name: 'Projects', exact: true }).locator('tbody tr');
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

test('an installation whose last event is a year old says so, and leads to it', async (t) => {
  const service = await startService();
  t.after(() => service.stop());
  const at = new Date(Date.now() - 400 * 86_400_000);
  await service.post('/deployments', { id: '1', project_id: 'shop', environment: 'production', first_commit_at: at, deploy_start_at: at });
  await service.post('/deployments/1/deployed', { deployed_at: at });
  for (const [query, width] of [['', 1280], ['?window=365d', 390], ['?kiosk', 1280], ['?period=this-month&environment=*', 1280]]) {
    const { page, problems } = await open(t, `${service.url}/${query}`, { width });
    const note = page.getByRole('note');
    assert.match(await note.innerText(), /^Nothing happened in this window\. What is recorded ends on .*check that they are still sent/);
    await fits(page);
    await checkAccessibility(page, query);
    await note.getByRole('link').click();
    await key(page, 'Deployment frequency').getByText('1 deployment on 1 day').waitFor();
    assert.deepEqual(problems, []);
  }
  const { page, problems } = await open(t, `${service.url}/dora/explain?metric=change_lead_time`);
  await page.getByText('None.').waitFor();
  await checkAccessibility(page, 'evidence without any');
  assert.deepEqual(problems, []);
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

  test('are displayed as text in evidence', async (t) => {
    for (const metric of ['change_failure_rate', 'open_incidents']) {
      const { page, problems } = await open(t, `${service.url}/dora/explain?metric=${metric}`, { width: 390 });
      for (const name of names) assert.ok(await page.getByText(name, { exact: true }).count() > 0, name);
      assert.equal(await page.evaluate(() => document.querySelectorAll('script, img, iframe, object, [onload], [onerror], [onmouseover]').length), 0);
      await fits(page);
      await checkAccessibility(page, `hostile ${metric}`);
      for (const link of await page.locator('tbody a').evaluateAll((all) => all.map((a) => a.href))) {
        assert.equal((await fetch(link)).status, 200, link);
      }
      assert.deepEqual(problems, []);
    }
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
