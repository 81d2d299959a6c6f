// Compares the numbers that a dashboard shows, as text, with those of GET /dora.

const seconds = { s: 1, min: 60, mins: 60, hour: 3600, hours: 3600, day: 86400, days: 86400, week: 604800, weeks: 604800 };

// The figures by the title of their panel or column.
const figures = {
  Deployments: (g) => g.deployment_frequency.deployments,
  'Deployments per day': (g) => g.deployment_frequency.per_day,
  'Per day': (g) => g.deployment_frequency.per_day,
  'Change lead time': (g) => g.change_lead_time.p50_seconds,
  'Lead time': (g) => g.change_lead_time.p50_seconds,
  'Change fail rate': failureRate,
  'Fail rate': failureRate,
  'Failed deployments': (g) => g.change_failure_rate.failed_deployments,
  'Failed deployment recovery time': (g) => g.failed_deployment_recovery_time.p50_seconds,
  Recovery: (g) => g.failed_deployment_recovery_time.p50_seconds,
  Recovered: (g) => g.failed_deployment_recovery_time.samples,
  'Deployment rework rate': (g) => g.deployment_rework_rate.ratio,
  'Rework rate': (g) => g.deployment_rework_rate.ratio,
  Rework: (g) => g.deployment_rework_rate.ratio,
  'Time to restore': (g) => g.time_to_restore.p50_seconds,
  Restore: (g) => g.time_to_restore.p50_seconds,
  'Restore p90': (g) => g.time_to_restore.p90_seconds,
  Restored: (g) => g.time_to_restore.samples,
  'Time to detect': (g) => g.time_to_detect.p50_seconds,
  Detection: (g) => g.time_to_detect.p50_seconds,
  Detected: (g) => g.time_to_detect.samples,
  Incidents: (g) => g.incidents,
  Open: (g) => g.open_incidents,
  'Open now': (g) => g.open_incidents,
  'Open incidents': (g) => g.open_incidents,
};

// failureRate is unknown where there are incidents and none is linked to a deployment.
function failureRate({ change_failure_rate: rate, incidents }) {
  return rate.failed_deployments === 0 && incidents > 0 && rate.unlinked_incidents === incidents ? null : rate.ratio;
}

// The tables with a row for each project or team.
const tables = { Projects: 'project', Teams: 'team', 'Incidents of each project': 'project' };

// compareWithAPI lists the figures that differ. It fails if there are none to compare.
export async function compareWithAPI(page, { panels, variables }, state) {
  const { window, environment, project, bands = '2023' } = variables;
  const ask = async (parameters) => {
    const answer = await fetch(`${state.service}/dora?${new URLSearchParams({ window, environment, bands, ...parameters })}`, { headers: { Authorization: `Bearer ${state.token}` } });
    if (!answer.ok) throw new Error(await answer.text());
    return (await answer.json()).groups;
  };
  const [whole] = await ask(panels.some(({ title }) => title === 'Teams' || title in tables) ? {} : { project_id: project });
  const problems = [];
  let compared = 0;
  const compare = (where, text, title, group) => {
    compared++;
    const figure = figures[title](group) ?? null;
    if (!equal(text, figure)) problems.push(`${where} shows "${text}", but /dora has ${figure}`);
  };
  for (const { title, type } of panels) {
    if (type === 'stat' && title in figures) compare(title, await statText(page, title), title, whole);
    if (!(title in tables)) continue;
    const groups = await ask({ group_by: tables[title] });
    for (const [name, cells] of await tableRows(page, title)) {
      const group = groups.find((one) => one[`${tables[title]}_id`] === name);
      for (const [column, text] of Object.entries(cells)) if (column in figures) compare(`${title}, ${column} of ${name}`, text, column, group);
    }
  }
  if (compared < 5) problems.push(`only ${compared} figures were compared`);
  return problems;
}

// equal reports whether a text shows a number, as precisely as its digits say.
function equal(text, number) {
  if (number === null) return ['–', 'No data', 'No incident linked'].includes(text);
  const match = text.match(/^(\d+(?:\.(\d+))?)\s*(\S*)$/);
  if (!match) return false;
  const [, digits, decimals = '', unit] = match;
  const factor = { '': 1, '%': 0.01, ...seconds }[unit];
  return Math.abs(Number(digits) * factor - number) <= 0.5001 * factor * 10 ** -decimals.length;
}

// statText returns the first value of a stat panel, without its name.
const statText = (page, title) => page.locator(`[data-panel="${title}"]`).first().evaluate((panel) => {
  const lines = panel.innerText.split('\n').map((line) => line.trim()).filter(Boolean).slice(1);
  const rest = lines.slice(lines.findIndex((line) => line.startsWith('last ')) + 1);
  const end = rest.findIndex((line) => line.startsWith('vs. '));
  return rest.slice(0, end < 0 ? undefined : end).join(' ');
});

// tableRows returns the cells of each row by column, by the text of the first cell.
const tableRows = (page, title) => page.locator(`[data-panel="${title}"]`).first().evaluate((panel) => {
  const texts = (row, role) => [...row.querySelectorAll(`[role="${role}"]`)].map((cell) => cell.innerText.trim());
  const columns = texts(panel, 'columnheader');
  return [...panel.querySelectorAll('[role="row"]')].map((row) => texts(row, 'gridcell')).filter((cells) => cells.length > 0)
    .map(([name, ...cells]) => [name, Object.fromEntries(cells.map((cell, i) => [columns[i + 1], cell]))]);
});
