# A Grafana Alloy that receives the metrics em-metrics pushes and writes them to
# Prometheus.

locals {
  alloy_name      = "${var.name}-alloy"
  alloy_otlp_port = 4318
  alloy_config    = file("${path.module}/../prometheus/config.alloy")

  alloy = {
    enabled = var.alloy.enabled
    name    = local.alloy_name
    image   = var.alloy.image
    user    = 473
    args = [
      "run",
      "--server.http.listen-addr=0.0.0.0:12345",
      "--storage.path=/var/lib/alloy/data",
      "--disable-reporting",
      "/etc/alloy/config.alloy",
    ]
    env = {
      PROMETHEUS_REMOTE_WRITE_URL = coalesce(var.alloy.remote_write_url, "${local.prometheus_url}/api/v1/write")
    }
    ports       = { http = 12345, otlp-http = local.alloy_otlp_port }
    live_path   = "/-/ready" # /-/healthy fails if a component fails, which a restart would not fix
    ready_path  = "/-/ready"
    secret_keys = {}
    data_path   = "/var/lib/alloy/data"
    storage     = var.alloy
    resources   = var.alloy.resources
    config = { "config" = { path = "/etc/alloy", config_maps = {
      (local.alloy_name) = { "config.alloy" = "config.alloy" }
    } } }
    checksum = sha256(local.alloy_config)
  }
}

resource "kubernetes_config_map_v1" "alloy" {
  count = var.alloy.enabled ? 1 : 0

  metadata {
    name      = local.alloy_name
    namespace = local.namespace
    labels    = merge(local.labels, { "app.kubernetes.io/component" = "alloy" })
  }

  data = { "config.alloy" = local.alloy_config }
}
