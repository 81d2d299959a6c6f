// The type of our dashboards: a strict combination of Grafana's own types.
// Grafana's panel type leaves the options open; here every panel type has its own
// options, so that misspelt ones are found.
import type * as dashboard from "grafana/dashboard";
import type * as barchart from "grafana/panel/barchart";
import type * as bargauge from "grafana/panel/bargauge";
import type * as heatmap from "grafana/panel/heatmap";
import type * as stat from "grafana/panel/stat";
import type * as statetimeline from "grafana/panel/statetimeline";
import type * as table from "grafana/panel/table";
import type * as text from "grafana/panel/text";
import type * as timeseries from "grafana/panel/timeseries";
import type { PrometheusDataQuery } from "grafana/prometheus";

// All options are optional, because Grafana has defaults for them.
type Deep<T> = T extends (infer E)[] ? Deep<E>[] : T extends object ? { [K in keyof T]?: Deep<T[K]> } : T;

interface PrometheusTarget extends Omit<PrometheusDataQuery, "datasource" | "hide" | "key" | "queryType"> {
  datasource: DataSource;
  interval?: string;
}

interface DataSource {
  type: "prometheus";
  uid: "em-metrics-prometheus";
}

interface Common extends Omit<dashboard.Panel, "type" | "options" | "fieldConfig" | "targets" | "datasource" | "transformations" | "transparent" | "description" | "gridPos" | "id" | "title" | "links"> {
  id: number;
  title: string;
  description: string;
  gridPos: dashboard.GridPos;
  transparent?: boolean;
  links?: { title: string; url: string; targetBlank: boolean }[];
  transformations?: dashboard.DataTransformerConfig[];
}

interface Data<Type, Options, Custom> extends Common {
  type: Type;
  datasource: DataSource;
  targets: PrometheusTarget[];
  options: Deep<Options>;
  fieldConfig: {
    defaults: Omit<dashboard.FieldConfig, "custom"> & { custom?: Deep<Custom> };
    overrides: { matcher: dashboard.MatcherConfig; properties: { id: string; value?: unknown }[] }[];
  };
}

interface NoCustom {}

interface TextPanel extends Common {
  type: "text";
  options: Deep<text.Options>;
}

// Keyed by panel type, as check.mjs expects.
export interface Panels {
  barchart: Data<"barchart", barchart.Options, barchart.FieldConfig>;
  bargauge: Data<"bargauge", bargauge.Options, NoCustom>;
  heatmap: Data<"heatmap", heatmap.Options, heatmap.FieldConfig>;
  row: Omit<dashboard.RowPanel, "panels"> & { panels: never[] };
  stat: Data<"stat", stat.Options, NoCustom>;
  "state-timeline": Data<"state-timeline", statetimeline.Options, statetimeline.FieldConfig>;
  table: Data<"table", table.Options, TableCustom>;
  text: TextPanel;
  timeseries: Data<"timeseries", timeseries.Options, timeseries.FieldConfig>;
}

// Options for table columns.
interface TableCustom {
  align: string;
  cellOptions: { type: string; mode?: string };
  inspect: boolean;
  filterable: boolean;
  width: number;
}

interface PrometheusAnnotation {
  name: string;
  datasource: DataSource;
  enable: boolean;
  hide: boolean;
  iconColor: string;
  filter?: dashboard.AnnotationPanelFilter;
  // Grafana 10 reads these two; later versions read target.
  expr: string;
  step: string;
  titleFormat: string;
  textFormat: string;
  tagKeys: string;
  useValueForTime: boolean;
  target: { refId: string; expr: string; interval: string; range: boolean; instant: boolean };
}

interface BuiltInAnnotation {
  builtIn: 1;
  datasource: { type: "grafana"; uid: "-- Grafana --" };
  enable: boolean;
  hide: boolean;
  iconColor: string;
  name: string;
  type: string;
}

interface Variable extends Omit<dashboard.VariableModel, "id" | "datasource" | "query"> {
  datasource?: DataSource;
  query: string | { query: string; refId: string };
  definition?: string;
}

export interface Dashboard
  extends Omit<dashboard.Dashboard, "panels" | "refresh" | "annotations" | "templating" | "id" | "style" | "revision" | "uid" | "title" | "description" | "schemaVersion" | "timepicker" | "snapshot" | "gnetId" | "links"> {
  uid: string;
  title: string;
  description: string;
  schemaVersion: 38 | 39 | 40 | 41;
  liveNow?: boolean;
  links: Deep<dashboard.DashboardLink>[];
  timepicker: Record<string, never>;
  refresh: string;
  panels: { type: keyof Panels }[];
  annotations: { list: (BuiltInAnnotation | PrometheusAnnotation)[] };
  templating: { list: Variable[] };
}
