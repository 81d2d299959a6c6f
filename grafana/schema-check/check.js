// Checks dashboards against the types of Grafana itself, of the oldest and of
// the newest version they are for: an unknown or misspelt field, a wrong type
// or an impossible value is an error, in the dashboard, its variables,
// annotations and links, and in the options, field options and queries of every
// panel.
//
//   node check.js ../dashboards/*.json
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import Ajv from "ajv";
import { createGenerator } from "ts-json-schema-generator";

const here = path.dirname(fileURLToPath(import.meta.url));
const modules = path.join(here, "node_modules");

// The composable types of a panel import "@grafana/schema", which must be that
// of their own version.
const versions = [
  {
    name: "Grafana 10.1",
    types: path.join(modules, "grafana-schema-10/dist/esm"),
    file: (kind, schema, prefix) => `raw/composable/${kind}/${schema}/x/${prefix}${kinds[schema]}_types.gen`,
    dashboard: "raw/dashboard/x/dashboard_types.gen",
  },
  {
    name: "Grafana 13.2",
    types: path.join(modules, "@grafana/schema/dist/types"),
    file: (kind, schema) => `raw/composable/${kind}/${schema}/x/types.gen`,
    dashboard: "raw/dashboard/x/types.gen",
  },
];
const kinds = { panelcfg: "PanelCfg", dataquery: "DataQuery" };

// Type of a panel: the names of its types. hasFields: it has field options of
// its own (fieldConfig.defaults.custom).
const panels = {
  bargauge: { prefix: "BarGauge" },
  heatmap: { prefix: "Heatmap", hasFields: true },
  stat: { prefix: "Stat" },
  "state-timeline": { prefix: "StateTimeline", hasFields: true },
  table: { prefix: "Table", hasFields: "TableFieldOptions" },
  text: { prefix: "Text" },
  timeseries: { prefix: "TimeSeries", hasFields: true },
};

// typesOf is a TypeScript module that names everything to be checked. Grafana
// fills in what a panel leaves out, so nothing of its options is required.
function typesOf(version) {
  const lines = [
    `import type { Dashboard as D, RowPanel as R, Panel as P } from ${JSON.stringify(path.join(version.types, version.dashboard))};`,
    `import type * as common from "@grafana/schema";`,
    `export type Dashboard = Omit<D, "panels"> & { panels: unknown[] };`,
    `export type Row = Omit<R, "panels"> & { panels: unknown[] };`,
    `export type Panel = Omit<P, "targets" | "options"> & { targets: unknown[]; options: unknown };`,
  ];
  for (const [type, { prefix, hasFields }] of Object.entries(panels)) {
    const file = path.join(version.types, version.file(type.replace("-", ""), "panelcfg", prefix));
    lines.push(
      `import type * as ${prefix} from ${JSON.stringify(file)};`,
      `export type ${prefix}Options = Partial<${prefix}.Options>;`,
    );
    if (hasFields) {
      const from = hasFields === true ? `${prefix}.FieldConfig` : `common.${hasFields}`;
      lines.push(`export type ${prefix}Fields = Partial<${from}>;`);
    }
  }
  return lines.join("\n") + "\n";
}

function compile(version, directory) {
  const file = path.join(directory, "types.ts");
  const tsconfig = path.join(directory, "tsconfig.json");
  fs.writeFileSync(file, typesOf(version));
  fs.writeFileSync(tsconfig, JSON.stringify({
    compilerOptions: {
      target: "es2022", module: "esnext", moduleResolution: "bundler", strict: true, skipLibCheck: true, noEmit: true,
      types: [], paths: { "@grafana/schema": [path.join(version.types, "index.d.ts")] },
    },
    files: [file],
  }));
  const generator = createGenerator({ path: file, tsconfig, skipTypeCheck: true, additionalProperties: false });
  const ajv = new Ajv({ allErrors: true, strict: false });
  const validators = new Map();
  return (type, value) => {
    if (!validators.has(type)) validators.set(type, ajv.compile(generator.createSchema(type)));
    const validate = validators.get(type);
    return validate(value) ? [] : validate.errors.map(
      (e) => `${e.instancePath || "/"} ${e.message} ${JSON.stringify(e.params)}`);
  };
}

function check(dashboard, validate) {
  const errors = validate("Dashboard", dashboard);
  const walk = (panel) => {
    const where = `panel ${panel.id} (${panel.type}, ${panel.title ?? ""})`;
    const report = (part, found) => errors.push(...found.map((e) => `${where}: ${part}${e}`));
    if (panel.type === "row") {
      report("", validate("Row", panel));
      panel.panels.forEach(walk);
      return;
    }
    const known = panels[panel.type];
    if (!known) {
      errors.push(`${where}: not one of the panels that are checked: ${Object.keys(panels).join(", ")}`);
      return;
    }
    report("", validate("Panel", panel));
    report("options", validate(`${known.prefix}Options`, panel.options));
    const custom = panel.fieldConfig?.defaults?.custom ?? {};
    if (known.hasFields) report("fieldConfig.defaults.custom", validate(`${known.prefix}Fields`, custom));
    else if (Object.keys(custom).length > 0) errors.push(`${where}: a ${panel.type} has no fieldConfig.defaults.custom`);
  };
  dashboard.panels.forEach(walk);
  return errors;
}

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error("usage: node check.js DASHBOARD.json...");
  process.exit(2);
}
let failed = false;
for (const version of versions) {
  const directory = fs.mkdtempSync(path.join(here, "node_modules", ".types-"));
  try {
    const validate = compile(version, directory);
    for (const file of files) {
      const errors = check(JSON.parse(fs.readFileSync(file, "utf8")), validate);
      failed ||= errors.length > 0;
      console.log(`${path.basename(file)} for ${version.name}: ${errors.length === 0 ? "valid" : "\n  " + errors.join("\n  ")}`);
    }
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}
process.exit(failed ? 1 : 0);
