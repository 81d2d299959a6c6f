# A Grafana with the em-metrics dashboards, and the dashboards for an existing
# Grafana.

locals {
  grafana_name       = "${var.name}-grafana"
  grafana_files      = "${path.module}/../grafana"
  grafana_dashboards = fileset("${local.grafana_files}/dashboards", "*.json")
  grafana_provisioning = {
    "prometheus.yml" = replace(
      file("${local.grafana_files}/provisioning/datasources/prometheus.yml"),
      "http://prometheus:9090", coalesce(var.grafana.prometheus_url, local.prometheus_url),
    )
    "em-metrics.yml" = file("${local.grafana_files}/provisioning/dashboards/em-metrics.yml")
    "alerts.yml"     = file("${local.grafana_files}/provisioning/alerting/em-metrics.yml")
  }

  # One ConfigMap per dashboard, because a ConfigMap is limited to 1 MiB.
  dashboard_config_maps = { for file in local.grafana_dashboards : file => "${var.name}-dashboard-${trimsuffix(file, ".json")}" }

  grafana = {
    enabled = var.grafana.enabled
    name    = local.grafana_name
    image   = var.grafana.image
    user    = 472
    args    = []
    env = merge(var.grafana.ingress == null ? {} : { GF_SERVER_ROOT_URL = "https://${var.grafana.ingress.host}/" }, {
      GF_SECURITY_ADMIN_PASSWORD__FILE          = "${local.secrets_path}/grafana_admin_password"
      GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH = "/etc/grafana/dashboards/dora-overview.json"
      GF_LOG_MODE                               = "console"
      GF_ANALYTICS_REPORTING_ENABLED            = "false"
      GF_ANALYTICS_CHECK_FOR_UPDATES            = "false"
      GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES     = "false"
      GF_NEWS_NEWS_FEED_ENABLED                 = "false"
      GF_PLUGINS_PREINSTALL_DISABLED            = "true"
    })
    ports       = { http = 3000 }
    live_path   = "/api/health"
    ready_path  = "/api/health"
    secret_keys = { (local.credentials.grafana_admin_password_key) = "grafana_admin_password" }
    data_path   = "/var/lib/grafana"
    storage     = var.grafana
    resources   = var.grafana.resources
    config = {
      "provisioning" = { path = "/etc/grafana/provisioning", config_maps = {
        (local.grafana_name) = { "prometheus.yml" = "datasources/prometheus.yml", "em-metrics.yml" = "dashboards/em-metrics.yml", "alerts.yml" = "alerting/em-metrics.yml" }
      } }
      "dashboards" = { path = "/etc/grafana/dashboards", config_maps = {
        for file, name in local.dashboard_config_maps : name => { (file) = file }
      } }
    }
    # Grafana reloads dashboards while it runs, and reads the rest only on start.
    checksum = sha256(jsonencode(local.grafana_provisioning))
  }
}

resource "kubernetes_config_map_v1" "grafana" {
  count = var.grafana.enabled ? 1 : 0

  metadata {
    name      = local.grafana_name
    namespace = local.namespace
    labels    = merge(local.labels, { "app.kubernetes.io/component" = "grafana" })
  }

  data = local.grafana_provisioning
}

resource "kubernetes_config_map_v1" "dashboard" {
  for_each = var.grafana.enabled || var.dashboards.enabled ? local.dashboard_config_maps : {}

  metadata {
    name        = each.value
    namespace   = local.namespace
    labels      = merge(local.labels, { "app.kubernetes.io/component" = "grafana" }, var.dashboards.enabled ? var.dashboards.labels : {})
    annotations = var.dashboards.enabled ? var.dashboards.annotations : {}
  }

  # Links to the events behind a figure lead to em-metrics.
  data = { (each.key) = replace(file("${local.grafana_files}/dashboards/${each.key}"), "http://localhost:3000", local.url) }
}
