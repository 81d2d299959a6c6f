// Renders one dashboard. The URL gives the address of Prometheus, the name of the
// dashboard, the theme and the selected variables. globalThis.report says what came of
// it, once the page is drawn.
import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';
import React from 'react';
import { createRoot } from 'react-dom/client';
import { createTheme, rangeUtil } from '@grafana/data';
import { applyFieldConfig, transform, unknownOptions, unmatchedOverrides } from './fields.js';
import { isPhone, place } from './layout.js';
import { Page } from './page.jsx';
import { drawsNothing } from './panels.jsx';
import { runAnnotation, runTarget } from './prometheus.js';
import { Variables } from './variables.js';

const parameters = new URLSearchParams(location.search);

async function load() {
  const dashboard = await (await fetch(`/dashboards/${parameters.get('dashboard')}.json`)).json();
  const raw = { from: parameters.get('from') ?? dashboard.time.from, to: parameters.get('to') ?? dashboard.time.to };
  const { from, to } = rangeUtil.convertRawToRange(raw, 'utc');
  const range = { from: from.valueOf(), to: to.valueOf() };
  const variables = new Variables(range);
  await variables.resolve(dashboard.templating.list, parameters);
  return { dashboard, range, variables };
}

// replacer fills the variables in titles and links.
const replacer = (variables, scoped, range) => (text, values) => {
  const context = values?.__dataContext?.value;
  const shown = (field) => field.display(field.values[context.rowIndex ?? 0]).text;
  const filled = context ? text?.replace(/\$\{__(value\.text|data\.fields\.(\w+))(:percentencode)?\}/g, (_, what, name) => {
    const field = name ? context.frame.fields.find((one) => one.state?.displayName === name) : context.field;
    return encodeURIComponent(shown(field));
  }) : text;
  return variables.fill(filled, { ...scoped, __url_time_range: `from=${range.from}&to=${range.to}` });
};

async function preparePanel({ dashboard, range, variables, theme }, placed) {
  const { panel, scoped, grid } = placed;
  const replaceVariables = replacer(variables, scoped, range);
  const prepared = { ...placed, title: replaceVariables(panel.title), text: variables.fill(panel.options?.content, scoped), frames: [], replaceVariables };
  if (!panel.targets) return prepared;
  // timeFrom is the panel's own range, such as the last year.
  const own = panel.timeFrom ? { from: range.to - rangeUtil.intervalToMs(panel.timeFrom), to: range.to } : range;
  prepared.range = own;
  const width = isPhone(innerWidth) ? innerWidth : (innerWidth * grid.w) / 24;
  const runs = await Promise.all(panel.targets.map((target) => runTarget(panel, target, variables, scoped, own, width)));
  prepared.queries = runs.map(({ report }) => report);
  prepared.failed = prepared.queries.find(({ error }) => error)?.error;
  prepared.unknown = unknownOptions(panel);
  const frames = await transform(panel, runs.flatMap((run) => run.frames));
  prepared.unmatched = panel.type === 'table' && frames.length > 0 ? unmatchedOverrides(panel, frames) : [];
  prepared.frames = panel.type === 'heatmap' ? frames : applyFieldConfig(panel, frames, theme, replaceVariables);
  return prepared;
}

async function main() {
  const theme = createTheme({ colors: { mode: parameters.get('theme') ?? 'light' } });
  const loaded = await load();
  const placed = [];
  for (const one of place(loaded.dashboard, loaded.variables)) placed.push(await preparePanel({ ...loaded, theme }, one));
  const annotations = await Promise.all(loaded.dashboard.annotations.list.filter(({ expr }) => expr)
    .map((annotation) => runAnnotation(annotation, loaded.variables, loaded.range)));
  await Promise.all([400, 500].map((weight) => document.fonts.load(`${weight} 14px Inter`)));
  createRoot(document.querySelector('main')).render(<Page {...loaded} theme={theme} placed={placed} />);
  return {
    title: loaded.dashboard.title,
    variables: Object.fromEntries(loaded.dashboard.templating.list.map(({ name }) => [name, loaded.variables.fill(`$${name}`)])),
    panels: placed.filter(({ panel }) => panel.type !== 'row').map(({ panel, title, scoped, queries = [], unknown = [], unmatched = [], frames }) => (
      { id: panel.id, type: panel.type, title, scoped, queries, unknown, unmatched, empty: drawsNothing(panel, frames) })),
    annotations,
  };
}

globalThis.rendering = main().then((report) => { globalThis.report = report; }, (error) => { globalThis.report = { failed: error.stack }; });
