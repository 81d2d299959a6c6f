// Compares every number that a browser shows with /dora: keys with their details, levels,
// trends and what they were before, all tables, their CSV, evidence and badges.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { key, open } from './browser.mjs';
import { startService } from './service.mjs';

const keys = (bands) => ({
  'Deployment frequency': 'deployment_frequency', 'Change lead time': 'change_lead_time', 'Change failure rate': 'change_failure_rate',
  ...(bands === '2021' ? { 'Time to restore': 'time_to_restore' } : { 'Failed deployment recovery time': 'failed_deployment_recovery_time' }),
  'Deployment rework rate': 'deployment_rework_rate',
});
const day = 86_400;
const seconds = { s: 1, min: 60, h: 3600, days: day };

// near fails unless a number that is written with three digits is the exact one, rounded.
function near(written, exact, about) {
  const places = exact < 10 ? 2 : exact < 100 ? 1 : 0;
  assert.ok(Math.abs(Number(written) - exact) <= 0.5 * 10 ** -places + 1e-9, `${about}: ${written} is written for ${exact}`);
}

// checkValue compares a written value with a figure of /dora. Length is that of the window
// in seconds.
function checkValue(written, figure, length, about) {
  if ('per_day' in figure) {
    if (figure.deployments === 0) return assert.equal(written, 'none', about);
    const [, n, unit] = written.match(/^([\d.]+) (a day|a week|in .*)$/) ?? assert.fail(`${about}: ${written}`);
    if (unit === 'a day') return near(n, figure.per_day, about);
    if (unit === 'a week') return near(n, figure.per_day * 7, about);
    assert.equal(Number(n), figure.deployments, about);
    return near(unit.match(/in ([\d.]+) days/)[1], length / day, about);
  }
  if ('ratio' in figure) {
    if (figure.ratio === null) return assert.match(written, /^(no data|–)$/, about);
    return assert.ok(Math.abs(parseFloat(written) - figure.ratio * 100) <= 0.05 + 1e-9 && written.endsWith('%'), `${about}: ${written} for ${figure.ratio}`);
  }
  if (figure.p50_seconds === null) return assert.match(written, /^(no data|–)$/, about);
  return checkDuration(written, figure.p50_seconds, about);
}

function checkDuration(written, exact, about) {
  const [, n, unit] = written.match(/^([\d.]+) (s|min|h|days)$/) ?? assert.fail(`${about}: ${written}`);
  near(n, exact / seconds[unit], about);
}

// checkDetail compares the counts behind a value with a figure of /dora.
function checkDetail(written, figure, about) {
  const numbers = (written.match(/\d[\d.]*/g) ?? []).map(Number);
  if ('per_day' in figure) return assert.deepEqual(numbers, [figure.deployments, figure.days_with_deployment], about);
  if ('ratio' in figure) return assert.deepEqual(numbers.slice(0, 2), [figure.failed_deployments ?? figure.rework_deployments, figure.deployments], about);
  if (figure.samples === 0) return assert.deepEqual(numbers, [0], about);
  assert.equal(numbers[0], figure.samples, about);
  return checkDuration(written.match(/90% within ([\d.]+ \w+)/)[1], figure.p90_seconds, about);
}

// ranks returns what is shown for a rating.
const ranks = ({ level, levels }) => (level ? [level] : Object.entries(levels ?? {}).filter(([, n]) => n > 0)
  .map(([name, n]) => (name === 'none' ? `${n} without a level` : `${n} ${name}`)));

const text = async (locator) => (await locator.innerText()).trim();

// tableOf returns what a table shows: for each row its cells, header first, with the text,
// the first part of it, the levels and the links.
const tableOf = (page, name) => page.getByRole('region', { name, exact: true }).locator('tbody tr').evaluateAll((rows) => rows.map(
  (row) => [...row.cells].map((cell) => ({
    text: cell.innerText.trim(), first: (cell.querySelector('span') ?? cell).innerText.trim(),
    levels: [...cell.querySelectorAll('.level')].map((level) => level.innerText), links: [...cell.querySelectorAll('a')].map((a) => a.innerText),
  })),
));

describe('every number on the page', () => {
  let service;
  before(async () => { service = await startService(); await service.replay(); });
  after(() => service.stop());

  // api asks /dora for the very figures of a page, with more parameters.
  async function api(page, more = {}) {
    const url = new URL(await page.getByRole('link', { name: 'JSON', exact: true }).getAttribute('href'), page.url());
    for (const [name, value] of Object.entries(more)) url.searchParams.set(name, value);
    const answer = await (await fetch(url)).json();
    assert.ok(answer.groups, JSON.stringify(answer));
    return answer;
  }
  const lengthOf = ({ from, to }) => (new Date(to) - new Date(from)) / 1000;

  async function checkKeys(page, bands) {
    const answer = await api(page);
    for (const [title, name] of Object.entries(keys(bands))) {
      const figure = answer.groups[0][name];
      const card = key(page, title);
      checkValue(await text(card.locator('.value')), figure, lengthOf(answer), title);
      checkDetail(await text(card.locator('p.quiet')), figure, title);
      assert.deepEqual(await card.locator('.level').allInnerTexts(), ranks(figure), title);
    }
  }

  // checkChange compares what the keys were before with the window that is compared with.
  async function checkChange(page, before, bands) {
    const answer = await api(page, before);
    for (const [title, name] of Object.entries(keys(bands))) {
      const written = await text(key(page, title).locator('footer span'));
      const was = written.match(/(?:was|Was|Previously:) ([^:(]*?)(?: \(.*\))?(?::.*)?$/)?.[1];
      if (was === undefined) assert.equal(written, 'Unchanged', title);
      else checkValue(was, answer.groups[0][name], lengthOf(answer), `${title} before`);
    }
  }

  async function checkTrend(page, interval, bands) {
    const answer = await api(page, { interval });
    const { series } = answer.groups[0];
    await page.getByText('Trend as a table').click();
    const rows = await tableOf(page, 'Trend as a table');
    assert.equal(rows.length, series.length);
    for (const [i, [, ...cells]] of rows.entries()) {
      for (const [j, name] of Object.values(keys(bands)).entries()) {
        if (j === 0) assert.equal(Number(cells[j].text), series[i][name].deployments);
        else checkValue(cells[j].text.replace(/ \(.*\)$/, ''), series[i][name], 0, `${name} from ${series[i].from}`);
      }
    }
  }

  async function checkTable(page, title, group, bands) {
    const answer = await api(page, { group_by: group });
    const rows = await tableOf(page, title);
    assert.equal(rows.length, answer.groups.length, title);
    for (const [header, deployments, ...cells] of rows) {
      const [name, environment] = header.text.split('\n');
      const label = group.split(',')[0];
      const found = answer.groups.find((g) => (g[label === 'environment' ? label : `${label}_id`] ?? 'no team') === name
        && (!group.includes(',') || g.environment === environment));
      assert.ok(found, `${title}: ${name}`);
      assert.equal(Number(deployments.text), found.deployment_frequency.deployments, name);
      for (const [i, figure] of Object.values(keys(bands)).entries()) {
        checkValue(cells[i].first, found[figure], lengthOf(answer), `${figure} of ${name}`);
        assert.deepEqual(cells[i].levels, ranks(found[figure]), `${figure} of ${name}`);
      }
      assert.equal(Number(cells.at(-1).text), found.open_incidents, name);
    }
  }

  for (const [query, interval, before] of [
    ['window=90d', 'week', (from, length) => ({ from: new Date(from - length), to: from })],
    ['window=7d&project_id=storefront', 'day', (from, length) => ({ from: new Date(from - length), to: from })],
    ['window=365d&team_id=payments&bands=2021', 'week', (from, length) => ({ from: new Date(from - length), to: from })],
    ['period=last-month&environment=staging&recovery_from=deployment', 'week', (from) => ({ from: new Date(Date.UTC(from.getUTCFullYear(), from.getUTCMonth() - 1)), to: from })],
  ]) {
    test(`is that of the API: ${query}`, async (t) => {
      const { page } = await open(t, `${service.url}/?${query}`);
      const bands = new URL(page.url()).searchParams.get('bands');
      await checkKeys(page, bands);
      const { from, to } = await api(page);
      const was = before(new Date(from), new Date(to) - new Date(from));
      await checkChange(page, { from: was.from.toISOString(), to: was.to.toISOString() }, bands);
      await checkTrend(page, interval, bands);
      await checkTable(page, 'Projects', 'project', bands);
      await checkTable(page, 'Teams', 'team', bands);
    });
  }

  test('is that of the API in the tables of several environments', async (t) => {
    const { page } = await open(t, `${service.url}/?window=365d&environment=*`);
    await checkTable(page, 'Environments', 'environment');
    await checkTable(page, 'Projects', 'project,environment');
    await checkTable(page, 'Teams', 'team,environment');
  });

  test('is that of the API on a wall screen', async (t) => {
    const { page } = await open(t, `${service.url}/?kiosk&window=90d`);
    const link = await page.getByRole('link', { name: 'Full page' }).getAttribute('href');
    const wall = await Promise.all(Object.keys(keys()).map((title) => text(key(page, title).locator('.value'))));
    const { page: full } = await open(t, new URL(link, page.url()).href);
    await checkKeys(full);
    assert.deepEqual(wall, await Promise.all(Object.keys(keys()).map((title) => text(key(full, title).locator('.value')))));
    assert.match(await text(page.locator('main > p.quiet')), new RegExp(` ${(await api(full)).groups[0].open_incidents} open incident`));
  });

  test('of evidence is that of the API, and the rows are those that count', async (t) => {
    for (const [title, name] of Object.entries({ ...keys(), 'Time to detect': 'time_to_detect', Incidents: 'incidents', 'Open incidents': 'open_incidents' })) {
      const { page } = await open(t, `${service.url}/dora/explain?metric=${name}&window=30d`);
      const href = await page.getByRole('link', { name: 'JSON', exact: true }).getAttribute('href');
      const answer = await (await fetch(new URL(href, page.url()))).json();
      const value = await text(page.locator('.figure strong'));
      if (typeof answer.figure === 'number') assert.equal(Number(value), answer.figure, title);
      else {
        checkValue(value, answer.figure, lengthOf(answer), title);
        checkDetail(await text(page.locator('.figure + p')), answer.figure, title);
      }
      const parts = answer.figure.ratio === undefined ? [true] : [true, false];
      const headings = await page.getByRole('heading', { name: /\(\d+\)$/ }).allInnerTexts();
      assert.equal(headings.length, parts.length, title);
      for (const [i, counted] of parts.entries()) {
        const evidence = answer.evidence.filter((e) => e.counted === counted);
        assert.match(headings[i], new RegExp(`\\(${evidence.length}\\)$`), title);
        const rows = evidence.length ? await tableOf(page, headings[i]) : [];
        assert.equal(rows.length, Math.min(evidence.length, 50), title);
        for (const [j, cells] of rows.entries()) {
          const { deployment, incident, value_seconds: value, incident_ids: incidents } = evidence[j];
          assert.equal(cells[0].text.replace(' rework', ''), (deployment ?? incident).id, title);
          if (value !== null) checkDuration(cells[1].text, value, title);
          assert.deepEqual(cells.at(-1).links, incidents ?? [incident?.deployment_id].filter(Boolean), title);
        }
      }
    }
  });

  test('in the CSV of a table is that of the API', async (t) => {
    const { page } = await open(t, `${service.url}/?window=90d`);
    const { groups } = await api(page, { group_by: 'project' });
    const csv = await (await fetch(new URL(await page.getByRole('link', { name: 'Projects as CSV' }).getAttribute('href'), page.url()))).text();
    const [header, ...rows] = csv.trim().split('\n').map((line) => line.replace(/"[^"]*"/g, (cell) => cell.slice(1, -1).replace(',', ';')).split(','));
    assert.equal(rows.length, groups.length);
    for (const row of rows) {
      const cell = (title) => row[header.indexOf(title)];
      const group = groups.find((g) => g.project_id === row[0]);
      assert.equal(Number(cell('Deployments')), group.deployment_frequency.deployments);
      assert.ok(Math.abs(cell('Change lead time; median (hours)') - group.change_lead_time.p50_seconds / 3600) < 1e-9, row);
      assert.ok(Math.abs(cell('Change failure rate (%)') - group.change_failure_rate.ratio * 100) < 1e-9, row);
      assert.equal(cell('Change lead time; level'), group.change_lead_time.level ?? '');
    }
  });

  test('in a badge is that of the API', async (t) => {
    const { page } = await open(t, `${service.url}/?window=90d`);
    const { groups: [figures] } = await api(page);
    for (const [title, name] of Object.entries(keys())) {
      const svg = await (await fetch(`${service.url}/badge/${name}.svg?window=90d`)).text();
      const [label, value] = [...svg.matchAll(/<text [^>]*>([^<]*)</g)].map(([, content]) => content);
      assert.equal(label, title.toLowerCase());
      checkValue(value.split(' · ')[0], figures[name], 90 * day, title);
    }
  });
});
