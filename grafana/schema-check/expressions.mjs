// Prints every expression of ../dashboards/*.json, of panels, annotations and
// variables, as recording rules, for promtool to parse. Variables are filled in
// as Grafana does: once with everything chosen, once with two of each.
//
//   node expressions.mjs > rules.json && promtool check rules rules.json
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), "..", "dashboards");

// What Grafana itself fills in.
const builtIn = { __interval: "1h", __interval_ms: "3600000", __rate_interval: "5m", __range: "30d", __range_s: "2592000" };

// A choice of several is an alternation, with what is special in a regular
// expression escaped, and again for the string.
const several = (values) => "(" + values.map((v) => v.replace(/[.*+?^${}()|[\]\\]/g, "\\\\$&")).join("|") + ")";
const named = { environment: "production", window: "30d", bands: "2023", scope: "project" };

function value(variable, everything) {
  if (!variable.multi) return { value: named[variable.name] ?? "shop", text: named[variable.name] ?? "shop" };
  if (everything) return { value: variable.allValue ?? several(["shop", "web.api"]), text: "All" };
  return { value: several(["shop", "web.api"]), text: "shop + web.api" };
}

function fill(expression, dashboard, everything) {
  return expression.replace(/\$(?:\{(\w+)(?::(\w+))?\}|(\w+))/g, (whole, braced, format, bare) => {
    const name = braced ?? bare;
    if (name in builtIn) return builtIn[name];
    const variable = dashboard.templating.list.find((v) => v.name === name);
    if (!variable) throw new Error(`${dashboard.title}: ${whole} is not a variable: ${expression}`);
    const chosen = value(variable, everything);
    return format === "text" ? chosen.text : chosen.value;
  });
}

// What a variable asks for: an expression, or the values of a label of one.
function ofVariable(query) {
  const text = typeof query === "string" ? query : query.query;
  const match = /^(?:query_result\((.+)\)|label_values\((.+),\s*\w+\))$/s.exec(text);
  if (!match) throw new Error(`not a query of a variable that is known: ${text}`);
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
    if (variable.type === "query") yield [`variable ${variable.name}`, ofVariable(variable.query)];
  }
}

const groups = [];
let number = 0; // promtool wants no two rules alike
for (const file of readdirSync(folder).filter((f) => f.endsWith(".json")).sort()) {
  const dashboard = JSON.parse(readFileSync(join(folder, file), "utf8"));
  for (const everything of [true, false]) {
    const rules = [...expressions(dashboard)].map(([where, expression]) => ({
      record: `dashboard:expression:${number++}`,
      expr: fill(expression, dashboard, everything),
      labels: { where },
    }));
    if (rules.length === 0) throw new Error(`${file} has no expression`);
    groups.push({ name: `${file}, ${everything ? "all" : "two of each"}`, rules });
  }
}
console.log(JSON.stringify({ groups }, null, 1));
