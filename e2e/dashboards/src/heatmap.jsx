// Draws a heatmap. Grafana's own panel is not in its npm packages.
import React from 'react';
import { dateTimeFormat, formattedValueToString, getValueFormat } from '@grafana/data';

const margin = { left: 70, right: 8, top: 8, bottom: 24 };

export function Heatmap({ panel, frames: [{ rows, step }], width, height, range, theme }) {
  const inner = { width: width - margin.left - margin.right, height: height - margin.top - margin.bottom };
  const x = (time) => margin.left + ((time - range.from) / (range.to - range.from)) * inner.width;
  const row = inner.height / rows.length;
  const y = (i) => margin.top + inner.height - i * row;
  const cells = cellsOf(rows, panel.options.filterValues.le);
  const most = Math.max(...cells.map(({ count }) => count));
  const label = (bound) => formattedValueToString(getValueFormat(panel.options.yAxis.unit)(Number(bound), panel.options.yAxis.decimals));
  const every = Math.ceil(14 / row); // labels that would overlap are omitted
  return <svg width={width} height={height} style={{ fontSize: 12, fill: theme.colors.text.primary }}>
    {cells.map(({ i, time, count }) => <rect key={`${i} ${time}`} x={x(time * 1000 - step)} width={Math.max(1, x(step) - x(0) - 1)} y={y(i + 1)}
      height={Math.max(1, row - 1)} fill={theme.visualization.getColorByName('blue')} opacity={0.3 + 0.7 * Math.sqrt(count / most)} />)}
    {rows.map(({ metric: { le } }, i) => i % every === 0 && <text key={le} x={margin.left - 6} y={y(i + 1)} textAnchor="end" dominantBaseline="middle">
      {le === '+Inf' ? '∞' : label(le)}</text>)}
    {[0, 0.25, 0.5, 0.75, 1].map((part) => <text key={part} x={margin.left + part * inner.width} y={height - 6} textAnchor={part === 1 ? 'end' : part ? 'middle' : 'start'}>
      {dateTimeFormat(range.from + part * (range.to - range.from), { format: 'MM/DD', timeZone: 'utc' })}</text>)}
  </svg>;
}

// cellsOf returns how many values each bucket has at each time: the counts of the
// buckets include those of all smaller ones.
function cellsOf(rows, atLeast) {
  return rows.flatMap(({ values }, i) => {
    const below = new Map(i > 0 ? rows[i - 1].values : []);
    return values.map(([time, total]) => ({ i, time, count: total - (below.get(time) ?? 0) })).filter(({ count }) => count > atLeast);
  });
}
