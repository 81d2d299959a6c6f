// Draws a state timeline. Grafana's own panel is not in its npm packages.
import React from 'react';
import { getFieldDisplayName } from '@grafana/data';

const margin = { left: 170, right: 8, bottom: 8 };

export function StateTimeline({ frames, width, height, range, theme }) {
  const x = (time) => margin.left + ((time - range.from) / (range.to - range.from)) * (width - margin.left - margin.right);
  const row = (height - margin.bottom) / frames.length;
  return <svg width={width} height={height} style={{ fontSize: 12 }}>
    {frames.map((frame, i) => <g key={frame.name}>
      <text x={margin.left - 8} y={(i + 0.5) * row} textAnchor="end" dominantBaseline="middle" fill={theme.colors.text.primary}>
        {getFieldDisplayName(frame.fields[1], frame, frames)}</text>
      {segments(frame).map(({ from, to, text, color }) => <g key={from}>
        <rect x={x(from)} width={Math.max(1, x(to) - x(from))} y={(i + 0.1) * row} height={row * 0.8} fill={color} />
        {x(to) - x(from) > text.length * 7 + 8 && <text x={x(from) + 4} y={(i + 0.5) * row} dominantBaseline="middle" fill="#fff">{text}</text>}
      </g>)}
    </g>)}
  </svg>;
}

// segments joins the neighboring points of the same state.
function segments({ fields: [times, states] }) {
  const found = [];
  let last = null;
  times.values.forEach((time, i) => {
    const state = states.values[i];
    const { text, color } = state === null ? {} : states.display(state);
    if (last) last.to = time;
    if (text === last?.text) return;
    last = text === undefined ? null : { from: time, to: time, text, color };
    if (last) found.push(last);
  });
  return found;
}
