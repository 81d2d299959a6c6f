// Prints every expression in ../dashboards/*.json (panels, annotations and
// variables) as recording rules, so that promtool can parse them. Variables are
// interpolated as Grafana does it: once with All and once with two values each.
//
//   node expressions.mjs > rules.json && promtool check rules rules.json
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), "..", "dashboards");

// Grafana's built-in variables.
const builtIn = { __interval: "1h", __interval_ms: "3600000", __rate_interval: "5m", __range: "30d", __range_s: "2592000" };

// Several values become an alternation, escaped once for the regular expression and
// once for the string.
const alternation = (values) => "(" + values.map((v) => v.replace(/[.*+?^${}()|[\]\\]/g, "\\\\$&")).join("|") + ")";
const singleValues = { show: "1", window: "30d", bands: "2023", scope: "project", selection: "tz=UTC" };

function value(variable, all) {
  if (!variable.multi) return { value: singleValues[variable.name] ?? "shop", text: singleValues[variable.name] ?? "shop" };
  if (all) return { value: variable.allValue ?? alternation(["shop", "web.api"]), text: "All" };
  return { value: alternation(["shop", "web.api"]), text: "shop + web.api" };
}

function interpolate(expression, dashboard, all) {
  return expression.replace(/\$(?:\{(\w+)(?::(\w+))?\}|([a-z_]\w*))/g, (whole, braced, format, bare) => {
    const name = braced ?? bare;
    if (name in builtIn) return builtIn[name];
    const variable = dashboard.templating.list.find((v) => v.name === name);
    if (!variable) throw new Error(`${dashboard.title}: ${whole} is not a variable, in: ${expression}`);
    const selected = value(variable, all);
    return format === "text" ? selected.text : selected.value;
  });
}

// The expression in a variable's query, which may be inside query_result or
// label_values.
function variableExpression(query) {
  const text = typeof query === "string" ? query : query.query;
  const match = /^(?:query_result\((.+)\)|label_values\((.+),\s*\w+\))$/s.exec(text);
  if (!match) throw new Error(`unsupported variable query: ${text}`);
  return match[1] ?? match[2];
}

function* expressions(dashboard) {
  for (const panel of dashboard.panels) {
    for (const target of panel.targets ?? []) yield [`panel ${panel.id} query ${target.refId}`, target.expr];
  }
  for (const annotation of dashboard.annotations.list) {
    if (annotation.expr) yield [`annotation ${annotation.name}`, annotation.expr];
    if (annotation.target?.expr) yield [`annotation ${annotation.name} (target)`, annotation.target.expr];
  }
  for (const variable of dashboard.templating.list) {
    if (variable.type === "query") yield [`variable ${variable.name}`, variableExpression(variable.query)];
  }
}

const groups = [];
let number = 0; // promtool rejects duplicate rules
for (const file of readdirSync(folder).filter((f) => f.endsWith(".json")).sort()) {
  const dashboard = JSON.parse(readFileSync(join(folder, file), "utf8"));
  for (const all of [true, false]) {
    const rules = [...expressions(dashboard)].map(([where, expression]) => ({
      record: `dashboard:expression:${number++}`,
      expr: interpolate(expression, dashboard, all),
      labels: { where },
    }));
    if (rules.length === 0) throw new Error(`${file} has no expressions`);
    groups.push({ name: `${file}, ${all ? "all" : "two of each"}`, rules });
  }
}
console.log(JSON.stringify({ groups }, null, 1));
