// Draws the contents of a panel with Grafana's components.
import React from 'react';
import * as data from '@grafana/data';
import * as ui from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { Heatmap } from './heatmap.jsx';
import { StateTimeline } from './state_timeline.jsx';

const isEmpty = (frames) => frames.every((frame) => frame.length === 0 && !frame.rows?.length);

export const drawsNothing = (panel, frames) => panel.type !== 'text' && panel.type !== 'row' && isEmpty(frames);

function NoData({ panel, theme }) {
  const style = { display: 'flex', alignItems: 'center', justifyContent: 'center', height: '100%', textAlign: 'center', color: theme.colors.text.secondary };
  return <div style={style} data-no-data>{panel.fieldConfig.defaults.noValue ?? 'No data'}</div>;
}

export function Contents(props) {
  const { panel, frames, text } = props;
  if (panel.type === 'text') return <div className="markdown-html" dangerouslySetInnerHTML={{ __html: data.renderTextPanelMarkdown(text) }} />;
  // These two show the text for missing values themselves, in the color of a value.
  if (panel.type === 'stat') return <Stat {...props} />;
  if (panel.type === 'bargauge') return <BarGauge {...props} />;
  if (isEmpty(frames)) return <NoData {...props} />;
  switch (panel.type) {
    case 'timeseries': return <TimeSeries {...props} />;
    case 'table': return <Table {...props} />;
    case 'heatmap': return <Heatmap {...props} />;
    case 'state-timeline': return <StateTimeline {...props} />;
  }
  throw new Error(`no drawing for panels of the type ${panel.type}`);
}

function displayValues({ panel, frames, theme, replaceVariables }) {
  return data.getFieldDisplayValues({
    fieldConfig: panel.fieldConfig, reduceOptions: panel.options.reduceOptions, replaceVariables, theme, data: frames, sparkline: false, timeZone: 'utc',
  });
}

function Stat(props) {
  const { panel: { options }, frames, width, height, theme } = props;
  const values = displayValues(props);
  return <ui.VizRepeater getValues={() => values} source={frames} width={width} height={height} renderCounter={0} autoGrid itemSpacing={3}
    orientation={options.orientation} getAlignmentFactors={(v) => data.getDisplayValueAlignmentFactors(v)}
    renderValue={({ value, width: w, height: h, alignmentFactors, count }) => <ui.BigValue value={value.display} count={count} width={w} height={h}
      theme={theme} colorMode={options.colorMode} graphMode={options.graphMode} justifyMode={options.justifyMode} textMode={options.textMode}
      alignmentFactors={count > 1 ? alignmentFactors : undefined} text={options.text} wideLayout={options.wideLayout ?? true} />} />;
}

function BarGauge(props) {
  const { panel: { options }, frames, width, height, theme } = props;
  const values = displayValues(props);
  return <ui.VizRepeater getValues={() => values} source={frames} width={width} height={height} renderCounter={0} autoGrid itemSpacing={8}
    minVizHeight={options.minVizHeight} minVizWidth={options.minVizWidth} orientation={options.orientation}
    getAlignmentFactors={(v) => data.getDisplayValueAlignmentFactors(v)}
    renderValue={({ value, width: w, height: h, alignmentFactors, orientation, count }) => <ui.BarGauge value={value.display} width={w} height={h}
      orientation={orientation} field={value.field} text={options.text} display={value.view?.getFieldDisplayProcessor(value.colIndex) ?? null} theme={theme}
      displayMode={options.displayMode} alignmentFactors={count > 1 ? alignmentFactors : undefined} showUnfilled={options.showUnfilled}
      valueDisplayMode={options.valueMode} itemSpacing={8} lcdCellWidth={12} />} />;
}

function timeRange({ from, to }) {
  const whole = { from: data.dateTime(from), to: data.dateTime(to) };
  return { ...whole, raw: whole };
}

function TimeSeries({ panel, frames, width, height, range }) {
  return <ui.TimeSeries frames={frames} structureRev={1} width={width} height={height} timeRange={timeRange(range)} timeZone="utc" legend={panel.options.legend} />;
}

function Table({ panel: { options }, frames, width, height, range, replaceVariables }) {
  return <TableNG data={frames[0]} width={width} height={height} structureRev={1} timeRange={timeRange(range)} initialSortBy={options.sortBy} sortBy={options.sortBy}
    cellHeight={options.cellHeight} noHeader={!options.showHeader} enableVirtualization={false} getActions={() => []} replaceVariables={replaceVariables} />;
}
