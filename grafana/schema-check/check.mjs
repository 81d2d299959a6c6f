// Checks ../dashboards/*.json against the types of Grafana 10.1 and 13, and against
// project rules that types cannot express.
import { readdirSync, readFileSync, writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import Ajv from "ajv";
import { createGenerator } from "ts-json-schema-generator";

const here = dirname(fileURLToPath(import.meta.url));
const folder = process.argv[2] ?? join(here, "..", "dashboards");

// The location of the types in each version.
const versions = {
  "10.1": { package: "grafana-schema-10", index: "dist/index.d.ts", dashboard: "dist/esm/raw/dashboard/x/dashboard_types.gen.d.ts" },
  13: { package: "grafana-schema-13", index: "dist/types/index.d.ts", dashboard: "dist/types/raw/dashboard/x/types.gen.d.ts" },
};
const panels = {
  barchart: "BarChart", bargauge: "BarGauge", heatmap: "Heatmap", stat: "Stat", statetimeline: "StateTimeline",
  table: "Table", text: "Text", timeseries: "TimeSeries",
};

// Creates a validator for dashboards and one for each panel type.
function createValidators(version) {
  const modules = join(here, "node_modules");
  const root = join(modules, version.package);
  const paths = {
    "@grafana/schema": [join(root, version.index)],
    "grafana/dashboard": [join(root, version.dashboard)],
    // Since Grafana 11 the data source types are in other packages.
    "grafana/prometheus": [join(modules, "grafana-schema-10/dist/esm/raw/composable/prometheus/dataquery/x/PrometheusDataQuery_types.gen.d.ts")],
  };
  for (const [folder, name] of Object.entries(panels)) {
    paths[`grafana/panel/${folder}`] = [join(root, `dist/esm/raw/composable/${folder}/panelcfg/x/${name}PanelCfg_types.gen.d.ts`)];
  }
  const dir = mkdtempSync(join(tmpdir(), "dashboard-check-"));
  try {
    const tsconfig = join(dir, "tsconfig.json");
    writeFileSync(tsconfig, JSON.stringify({
      compilerOptions: { target: "es2022", module: "esnext", moduleResolution: "bundler", strict: true, skipLibCheck: true, noEmit: true, types: [], baseUrl: here, paths },
      files: [join(here, "dashboard.ts")],
    }));
    const generator = createGenerator({ path: join(here, "dashboard.ts"), tsconfig, skipTypeCheck: true, topRef: false, additionalProperties: false });
    const ajv = () => new Ajv({ strict: false, allErrors: true });
    const panel = generator.createSchema("Panels");
    const dashboard = generator.createSchema("Dashboard");
    dashboard.properties.panels = { type: "array" }; // each panel is checked against its own type
    const validators = { dashboard: ajv().compile(dashboard), panels: {} };
    for (const [type, schema] of Object.entries(panel.properties)) {
      validators.panels[type] = ajv().compile({ ...schema, definitions: panel.definitions });
    }
    return validators;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function errorMessages(errors) {
  const messages = new Set();
  for (const e of errors) {
    if (e.keyword === "anyOf") continue;
    const extra = e.params.additionalProperty ?? e.params.allowedValues ?? e.params.allowedValue ?? "";
    messages.add(`${e.instancePath} ${e.message} ${extra}`.trim());
  }
  return [...messages];
}

function typeErrors(validators, dashboard) {
  const problems = [];
  if (!validators.dashboard(dashboard)) problems.push(...errorMessages(validators.dashboard.errors));
  for (const panel of dashboard.panels) {
    const name = `panel ${panel.id} "${panel.title}" (${panel.type})`;
    const validate = validators.panels[panel.type];
    if (!validate) problems.push(`${name}: not one of the core panel types in use`);
    else if (!validate(panel)) problems.push(...errorMessages(validate.errors).map((e) => `${name}: ${e}`));
  }
  return problems;
}

function ruleErrors(dashboard, uids) {
  const problems = [];
  const report = (panel, problem) => problems.push(`panel ${panel.id} "${panel.title}": ${problem}`);
  if (uids.has(dashboard.uid)) problems.push(`uid ${dashboard.uid} is already in use`);
  uids.add(dashboard.uid);
  if (!/^em-metrics-[a-z]+$/.test(dashboard.uid)) problems.push(`uid ${dashboard.uid} does not have the form em-metrics-name`);
  if (!dashboard.tags.includes("em-metrics")) problems.push("missing tag em-metrics, which the links between dashboards use");
  const ids = new Set();
  const titles = new Set();
  const placed = [];
  const byEnvironment = dashboard.templating.list.some((v) => v.name === "environment");
  for (const panel of dashboard.panels) {
    if (ids.has(panel.id)) report(panel, "duplicate id");
    ids.add(panel.id);
    const { x, y, w, h } = panel.gridPos;
    if (x < 0 || x + w > 24) report(panel, "extends beyond the page");
    for (const other of placed) {
      const o = other.gridPos;
      if (x < o.x + o.w && o.x < x + w && y < o.y + o.h && o.y < y + h) report(panel, `overlaps panel ${other.id}`);
    }
    placed.push(panel);
    if (panel.type === "row") {
      if (byEnvironment && panel.repeat !== "environment") report(panel, "does not repeat by environment, so its panels mix environments");
      continue;
    }
    if (!panel.description || panel.description.length < 20) report(panel, "description is missing or too short");
    if (!/[.]$/.test(panel.description ?? "")) report(panel, "description does not end with a period");
    if (panel.type === "text") continue;
    const refs = panel.targets.map((t) => t.refId);
    if (new Set(refs).size !== refs.length) report(panel, "duplicate refId");
    const { defaults, overrides } = panel.fieldConfig;
    if (!panel.title) report(panel, "missing title");
    if (!defaults.noValue) report(panel, "missing noValue text");
    if (defaults.noValue === "0") report(panel, "noValue must not be 0");
    const unit = panel.type === "heatmap" ? panel.options.yAxis.unit : defaults.unit;
    const decimals = panel.type === "heatmap" ? panel.options.yAxis.decimals : defaults.decimals;
    if (!unit) report(panel, "missing unit");
    if (/"suffix: /.test(JSON.stringify(panel))) report(panel, "suffix has a leading space, which Grafana adds itself");
    // On an axis, fixed decimals make ticks look equal, and a percentage go up to 100%.
    const axis = panel.type === "timeseries" && defaults.custom.drawStyle !== "bars";
    if (axis && decimals !== undefined) report(panel, "has decimals, which Grafana chooses better for an axis");
    if (!axis && decimals === undefined && panel.type !== "table") report(panel, "missing decimals");
    if (titles.has(panel.title)) report(panel, "has the title of another panel");
    titles.add(panel.title);
    for (const override of overrides) {
      if (override.matcher.id === "byFrameRefID" && !refs.includes(override.matcher.options)) {
        report(panel, `override for query ${override.matcher.options}, which does not exist`);
      }
    }
    for (const target of panel.targets) {
      if (/\ble\s*[=!]/.test(target.expr)) report(panel, "expression matches on le, whose values differ between scrape and push");
    }
  }
  for (const name of JSON.stringify(dashboard).matchAll(/\$\{?([a-z]+)\b/g)) {
    const known = dashboard.templating.list.some((v) => v.name === name[1]);
    if (!known) problems.push(`variable ${name[1]} is not defined`);
  }
  for (const [uid, panel] of dashboard.panels.flatMap((p) => (p.targets ?? []).map((t) => [t.datasource?.uid, p]))) {
    if (uid !== "em-metrics-prometheus") report(panel, "wrong data source");
  }
  return problems;
}

let failed = 0;
const files = readdirSync(folder).filter((f) => f.endsWith(".json")).sort();
const dashboards = files.map((f) => [f, JSON.parse(readFileSync(join(folder, f), "utf8"))]);
const uids = new Set();
for (const [file, dashboard] of dashboards) {
  for (const problem of ruleErrors(dashboard, uids)) {
    console.error(`${file}: ${problem}`);
    failed++;
  }
}
for (const [name, version] of Object.entries(versions)) {
  const validators = createValidators(version);
  for (const [file, dashboard] of dashboards) {
    for (const problem of typeErrors(validators, dashboard)) {
      console.error(`${file}: Grafana ${name}: ${problem}`);
      failed++;
    }
  }
}
if (files.length === 0) throw new Error(`no dashboard in ${folder}`);
console.log(`${files.length} dashboards checked against Grafana ${Object.keys(versions).join(" and ")}, ${failed} problems`);
process.exit(failed ? 1 : 0);
