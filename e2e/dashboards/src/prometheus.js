// Sends queries to Prometheus as Grafana's data source does and turns the answers into
// data frames.
import { dateTime, rangeUtil } from '@grafana/data';

const server = new URLSearchParams(location.search).get('prometheus');
const scrapeInterval = 15_000; // timeInterval of the data source

async function request(path, parameters) {
  const answer = await (await fetch(`${server}/api/v1/${path}`, { method: 'POST', body: new URLSearchParams(parameters) })).json();
  if (answer.status !== 'success') throw new Error(`${answer.error} in ${parameters.query ?? path}`);
  return answer;
}

const notes = ({ warnings = [], infos = [] }) => [...warnings, ...infos];

export async function instantQuery(query, range) {
  const answer = await request('query', { query, time: Math.floor(range.to / 1000) });
  return { result: answer.data.result, notes: notes(answer) };
}

async function rangeQuery(query, range, step) {
  const seconds = step / 1000;
  const align = (time) => Math.floor(time / step) * seconds;
  const answer = await request('query_range', { query, start: align(range.from), end: align(range.to), step: seconds });
  return { result: answer.data.result, notes: notes(answer) };
}

// labelValues answers label_values(SELECTOR, LABEL).
export async function labelValues(query, range) {
  const [, selector, label] = query.match(/^label_values\((.*),\s*(\w+)\)$/s);
  const answer = await request('series', { 'match[]': selector, start: range.from / 1000, end: range.to / 1000 });
  return [...new Set(answer.data.map((series) => series[label]).filter(Boolean))].sort();
}

// duration writes milliseconds as Prometheus reads them.
function duration(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  for (const [unit, size] of [['d', 86400], ['h', 3600], ['m', 60]]) if (seconds % size === 0) return seconds / size + unit;
  return `${seconds}s`;
}

// stepOf returns the interval of a range query in milliseconds.
function stepOf(panel, target, range, width) {
  const points = panel.maxDataPoints ?? Math.max(100, Math.floor(width));
  const whole = { from: dateTime(range.from), to: dateTime(range.to), raw: { from: '', to: '' } };
  const atLeast = target.interval || panel.interval || `${scrapeInterval}ms`;
  const safe = Math.ceil((range.to - range.from) / 11_000 / 1000) * 1000; // Prometheus returns at most 11,000 points
  return Math.max(rangeUtil.calculateInterval(whole, points, atLeast).intervalMs, rangeUtil.intervalToMs(atLeast), safe);
}

// runTarget runs a query of a panel. It returns its frames and what to report of it.
export async function runTarget(panel, target, variables, scoped, range, width) {
  const step = stepOf(panel, target, range, width);
  const builtin = {
    ...scoped,
    __interval: duration(step),
    __rate_interval: duration(Math.max(step + scrapeInterval, 4 * scrapeInterval)),
    __range: duration(Math.round((range.to - range.from) / 1000) * 1000),
  };
  const query = variables.fill(target.expr, builtin);
  const legend = variables.fill(target.legendFormat, builtin);
  const report = { refId: target.refId, query };
  try {
    if (/\$\{?[a-z_]/.test(query)) throw new Error(`unknown variable in ${query}`);
    const { result, notes } = target.instant ? await instantQuery(query, range) : await rangeQuery(query, range, step);
    return { frames: toFrames(panel, { ...target, legendFormat: legend }, result, range, step), report: { ...report, notes, series: result.length } };
  } catch (error) {
    return { frames: [], report: { ...report, error: error.message } };
  }
}

function toFrames(panel, target, result, range, step) {
  switch (target.format) {
    case 'table': return tableFrames(panel, target, result);
    case 'heatmap': return [{ refId: target.refId, step, rows: result.toSorted((a, b) => bound(a) - bound(b)), fields: [], length: 0 }];
  }
  return result.map((series) => seriesFrame(target, series, range, step));
}

const bound = ({ metric }) => Number(metric.le.replace('+Inf', 'Infinity'));

function tableFrames(panel, target, result) {
  if (result.length === 0) return [];
  const labels = [...new Set(result.flatMap(({ metric }) => Object.keys(metric)))].sort();
  const field = (name, type, values) => ({ name, type, config: {}, values });
  return [{
    refId: target.refId,
    length: result.length,
    fields: [
      field('Time', 'time', result.map(({ value }) => value[0] * 1000)),
      ...labels.map((label) => field(label, 'string', result.map(({ metric }) => metric[label] ?? ''))),
      field(panel.targets.length === 1 ? 'Value' : `Value #${target.refId}`, 'number', result.map(({ value }) => Number(value[1]))),
    ],
  }];
}

function seriesFrame(target, { metric, value, values = [value] }, range, step) {
  const name = target.legendFormat?.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => metric[label] ?? '');
  let times = values.map(([seconds]) => seconds * 1000);
  let numbers = values.map(([, text]) => Number(text));
  if (!target.instant) {
    const known = new Map(times.map((time, i) => [time, numbers[i]]));
    times = [];
    for (let time = Math.floor(range.from / step) * step; time <= range.to; time += step) times.push(time);
    numbers = times.map((time) => known.get(time) ?? null);
  }
  return {
    refId: target.refId,
    name,
    length: times.length,
    fields: [
      { name: 'Time', type: 'time', config: { interval: step }, values: times },
      { name: 'Value', type: 'number', labels: metric, config: { displayNameFromDS: name }, values: numbers },
    ],
  };
}

// runAnnotation evaluates the query of an annotation.
export async function runAnnotation(annotation, variables, range) {
  const step = Math.max(60_000, Math.ceil((range.to - range.from) / 60_000_000) * 60_000);
  const query = variables.fill(annotation.expr, { __rate_interval: duration(step + scrapeInterval) });
  const report = { title: `annotation ${annotation.name}`, query, optional: true };
  try {
    const { result, notes } = await rangeQuery(query, range, step);
    return { ...report, notes, series: result.length };
  } catch (error) {
    return { ...report, error: error.message };
  }
}
