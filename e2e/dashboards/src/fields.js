// Applies a panel's units, thresholds, mappings and overrides with Grafana's code.
import * as data from '@grafana/data';

// The options that a panel may set or override beside the standard ones.
const hideFrom = ['hideFrom'];
const graph = ['drawStyle', 'lineInterpolation', 'lineWidth', 'lineStyle', 'fillOpacity', 'fillBelowTo', 'gradientMode', 'showPoints',
  'pointSize', 'spanNulls', 'barAlignment', 'barMaxWidth', 'barWidthFactor', 'axisPlacement', 'axisLabel', 'axisWidth', 'axisCenteredZero',
  'axisColorMode', 'axisGridShow', 'axisBorderShow', 'axisSoftMin', 'axisSoftMax', 'scaleDistribution', 'stacking', 'thresholdsStyle',
  'insertNulls', 'transform', ...hideFrom];
const custom = {
  timeseries: graph,
  barchart: graph,
  heatmap: ['scaleDistribution', ...hideFrom],
  'state-timeline': ['lineWidth', 'fillOpacity', ...hideFrom],
  table: ['width', 'minWidth', 'align', 'cellOptions', 'inspect', 'filterable', 'hidden', 'footer', 'wrapText', 'wrapHeaderText'],
};
const standard = {
  unit: data.unitOverrideProcessor, min: data.numberOverrideProcessor, max: data.numberOverrideProcessor,
  decimals: data.numberOverrideProcessor, displayName: data.displayNameOverrideProcessor, noValue: data.stringOverrideProcessor,
  color: data.identityOverrideProcessor, thresholds: data.thresholdsOverrideProcessor, mappings: data.valueMappingsOverrideProcessor,
  links: data.dataLinksOverrideProcessor,
};

// registryOf returns the options of a type of panel.
function registryOf(type) {
  const registry = new data.FieldConfigOptionsRegistry();
  const register = (id, path, process, isCustom) => registry.register({ id, path, name: id, process, isCustom, shouldApply: () => true });
  for (const [name, process] of Object.entries(standard)) register(name, name, process, false);
  for (const name of custom[type] ?? []) register(`custom.${name}`, name, data.identityOverrideProcessor, true);
  return registry;
}

// unknownOptions lists the options of a panel that Grafana would ignore.
export function unknownOptions(panel) {
  const registry = registryOf(panel.type);
  const { defaults, overrides } = panel.fieldConfig;
  const ids = [
    ...Object.keys(defaults).filter((name) => name !== 'custom'),
    ...Object.keys(defaults.custom ?? {}).map((name) => `custom.${name}`),
    ...overrides.flatMap(({ properties }) => properties.map(({ id }) => id)),
  ];
  return [...new Set(ids)].filter((id) => !registry.getIfExists(id));
}

// unmatchedOverrides lists the overrides of a panel by names that no field has. The
// names of queries are left out, because a query may have no result.
export function unmatchedOverrides(panel, frames) {
  const names = frames.flatMap((frame) => frame.fields.map((field) => data.getFieldDisplayName(field, frame, frames)));
  return panel.fieldConfig.overrides
    .filter(({ matcher }) => matcher.id === 'byName' && !matcher.options.startsWith('Value #') && !names.includes(matcher.options))
    .map(({ matcher }) => matcher.options);
}

export function applyFieldConfig(panel, frames, theme, replaceVariables) {
  const applied = data.applyFieldOverrides({
    data: frames, fieldConfig: panel.fieldConfig, replaceVariables, theme, fieldConfigRegistry: registryOf(panel.type), timeZone: 'utc',
  });
  for (const frame of applied) {
    for (const field of frame.fields) {
      field.state = { ...field.state, displayName: null };
      field.state.displayName = data.getFieldDisplayName(field, frame, applied);
    }
  }
  return applied;
}

const transformers = () => Object.values(data.standardTransformers)
  .map((transformer) => ({ id: transformer.id, name: transformer.name, transformation: () => Promise.resolve(transformer), editor: () => null }));
data.standardTransformersRegistry.setInit(() => [...new Map(transformers().map((t) => [t.id, t])).values()]);

export function transform(panel, frames) {
  if (!panel.transformations?.length || frames.length === 0) return frames;
  return new Promise((resolve, reject) => {
    data.transformDataFrame(panel.transformations, frames, { interpolate: (text) => text }).subscribe({ next: resolve, error: reject });
  });
}
