# A Prometheus with the em-metrics rules. It scrapes em-metrics unless em-metrics
# pushes to Alloy: with both, every bucket would be stored twice.

locals {
  prometheus_name = "${var.name}-prometheus"
  prometheus_port = 9090
  prometheus_url  = "http://${local.prometheus_name}:${local.prometheus_port}"

  prometheus_files = "${path.module}/../prometheus"
  prometheus_rules = { for file in fileset("${local.prometheus_files}/rules", "*.yml") : file => file("${local.prometheus_files}/rules/${file}") }
  prometheus_config = replace(
    file("${local.prometheus_files}/${var.alloy.enabled ? "prometheus-otlp.yml" : "prometheus.yml"}"),
    "em-metrics:3000", "${var.name}:${var.service_port}",
  )

  prometheus = {
    enabled = var.prometheus.enabled
    name    = local.prometheus_name
    image   = var.prometheus.image
    user    = 65534
    args = [
      "--config.file=/etc/prometheus/prometheus.yml",
      "--storage.tsdb.path=/prometheus",
      "--storage.tsdb.retention.time=${var.prometheus.retention}",
      "--web.enable-remote-write-receiver",
    ]
    env         = {}
    ports       = { http = local.prometheus_port }
    live_path   = "/-/healthy"
    ready_path  = "/-/ready"
    secret_keys = var.alloy.enabled ? {} : { (local.credentials.token_key) = local.token_file }
    data_path   = "/prometheus"
    storage     = var.prometheus
    resources   = var.prometheus.resources
    config = { "config" = { path = "/etc/prometheus", config_maps = {
      (local.prometheus_name)          = { "prometheus.yml" = "prometheus.yml" }
      "${local.prometheus_name}-rules" = { for file in keys(local.prometheus_rules) : file => "rules/${file}" }
    } } }
    checksum = sha256(jsonencode([local.prometheus_config, local.prometheus_rules]))
  }
}

resource "kubernetes_config_map_v1" "prometheus" {
  for_each = var.prometheus.enabled ? {
    (local.prometheus_name)          = { "prometheus.yml" = local.prometheus_config }
    "${local.prometheus_name}-rules" = local.prometheus_rules
  } : {}

  metadata {
    name      = each.key
    namespace = local.namespace
    labels    = merge(local.labels, { "app.kubernetes.io/component" = "prometheus" })
  }

  data = each.value
}
