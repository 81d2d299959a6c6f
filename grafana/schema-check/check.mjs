// Checks ../dashboards/*.json: against the types of Grafana 10.1 and 13, and for
// the house rules that types cannot say.
import { readdirSync, readFileSync, writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import Ajv from "ajv";
import { createGenerator } from "ts-json-schema-generator";

const here = dirname(fileURLToPath(import.meta.url));
const folder = process.argv[2] ?? join(here, "..", "dashboards");

// Where each version keeps its types.
const versions = {
  "10.1": { package: "grafana-schema-10", index: "dist/index.d.ts", dashboard: "dist/esm/raw/dashboard/x/dashboard_types.gen.d.ts" },
  13: { package: "grafana-schema-13", index: "dist/types/index.d.ts", dashboard: "dist/types/raw/dashboard/x/types.gen.d.ts" },
};
const panels = {
  barchart: "BarChart", bargauge: "BarGauge", heatmap: "Heatmap", stat: "Stat", statetimeline: "StateTimeline",
  table: "Table", text: "Text", timeseries: "TimeSeries",
};

// Makes a validator of the dashboard and one of each type of panel.
function validator(version) {
  const modules = join(here, "node_modules");
  const root = join(modules, version.package);
  const paths = {
    "@grafana/schema": [join(root, version.index)],
    "grafana/dashboard": [join(root, version.dashboard)],
    // Since Grafana 11 the data sources keep their types elsewhere.
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
    dashboard.properties.panels = { type: "array" }; // each is checked by its own type
    const validators = { dashboard: ajv().compile(dashboard), panels: {} };
    for (const [type, schema] of Object.entries(panel.properties)) {
      validators.panels[type] = ajv().compile({ ...schema, definitions: panel.definitions });
    }
    return validators;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function explain(errors) {
  const shown = new Set();
  for (const e of errors) {
    if (e.keyword === "anyOf") continue;
    const extra = e.params.additionalProperty ?? e.params.allowedValues ?? e.params.allowedValue ?? "";
    shown.add(`${e.instancePath} ${e.message} ${extra}`.trim());
  }
  return [...shown];
}

function typeErrors(validators, dashboard) {
  const problems = [];
  if (!validators.dashboard(dashboard)) problems.push(...explain(validators.dashboard.errors));
  for (const panel of dashboard.panels) {
    const name = `panel ${panel.id} "${panel.title}" (${panel.type})`;
    const validate = validators.panels[panel.type];
    if (!validate) problems.push(`${name}: not a core panel that we use`);
    else if (!validate(panel)) problems.push(...explain(validate.errors).map((e) => `${name}: ${e}`));
  }
  return problems;
}

function houseErrors(dashboard, uids) {
  const problems = [];
  const bad = (panel, what) => problems.push(`panel ${panel.id} "${panel.title}": ${what}`);
  if (uids.has(dashboard.uid)) problems.push(`the uid ${dashboard.uid} is taken`);
  uids.add(dashboard.uid);
  if (!/^em-metrics-[a-z]+$/.test(dashboard.uid)) problems.push(`the uid ${dashboard.uid} is not of the form em-metrics-name`);
  if (!dashboard.tags.includes("em-metrics")) problems.push("the tag em-metrics is missing: the links between dashboards follow it");
  const ids = new Set();
  const taken = [];
  for (const panel of dashboard.panels) {
    if (ids.has(panel.id)) bad(panel, "its id is taken");
    ids.add(panel.id);
    const { x, y, w, h } = panel.gridPos;
    if (x < 0 || x + w > 24) bad(panel, "it is wider than the page");
    for (const other of taken) {
      const o = other.gridPos;
      if (x < o.x + o.w && o.x < x + w && y < o.y + o.h && o.y < y + h) bad(panel, `it lies over panel ${other.id}`);
    }
    taken.push(panel);
    if (panel.type === "row") continue;
    if (!panel.description || panel.description.length < 20) bad(panel, "its description says too little");
    if (!/[.]$/.test(panel.description ?? "")) bad(panel, "its description is no sentence");
    if (panel.type === "text") continue;
    const refs = panel.targets.map((t) => t.refId);
    if (new Set(refs).size !== refs.length) bad(panel, "two queries have the same refId");
    const { defaults, overrides } = panel.fieldConfig;
    if (!panel.title) bad(panel, "it has no title");
    if (!defaults.noValue) bad(panel, "it does not say what to show when there is no data");
    if (defaults.noValue === "0") bad(panel, "no data is shown as 0");
    const unit = panel.type === "heatmap" ? panel.options.yAxis.unit : defaults.unit;
    const decimals = panel.type === "heatmap" ? panel.options.yAxis.decimals : defaults.decimals;
    if (!unit) bad(panel, "it has no unit");
    if (/"suffix: /.test(JSON.stringify(panel))) bad(panel, "Grafana puts the space before a suffix itself");
    if (decimals === undefined && panel.type !== "table") bad(panel, "it does not say how many decimals");
    for (const override of overrides) {
      if (override.matcher.id === "byFrameRefID" && !refs.includes(override.matcher.options)) {
        bad(panel, `an override is for the query ${override.matcher.options}, which is not there`);
      }
    }
    for (const target of panel.targets) {
      if (/\ble\s*[=!]/.test(target.expr)) bad(panel, "an expression matches on le, which the two ways in spell differently");
    }
  }
  for (const name of JSON.stringify(dashboard).matchAll(/\$\{?([a-z]+)\b/g)) {
    const known = dashboard.templating.list.some((v) => v.name === name[1]);
    if (!known) problems.push(`the variable ${name[1]} is used and not defined`);
  }
  for (const [a, b] of dashboard.panels.flatMap((p) => (p.targets ?? []).map((t) => [t.datasource?.uid, p]))) {
    if (a !== "em-metrics-prometheus") bad(b, "its data source is another");
  }
  return problems;
}

let failed = 0;
const files = readdirSync(folder).filter((f) => f.endsWith(".json")).sort();
const dashboards = files.map((f) => [f, JSON.parse(readFileSync(join(folder, f), "utf8"))]);
const uids = new Set();
for (const [file, dashboard] of dashboards) {
  for (const problem of houseErrors(dashboard, uids)) {
    console.error(`${file}: ${problem}`);
    failed++;
  }
}
for (const [name, version] of Object.entries(versions)) {
  const validators = validator(version);
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
