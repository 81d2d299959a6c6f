# Resources and values shared by the whole module. em_metrics.tf has the service.
# stack.tf creates the optional Prometheus, Alloy and Grafana as described in
# prometheus.tf, alloy.tf and grafana.tf, with the same configuration files as
# docker-compose.yml.

locals {
  namespace = var.create_namespace ? kubernetes_namespace_v1.em_metrics[0].metadata[0].name : var.namespace

  # Used in selectors, so it must never change during the life of an installation.
  selector = {
    "app.kubernetes.io/name"     = "em-metrics"
    "app.kubernetes.io/instance" = var.name
  }
  em_metrics_selector = merge(local.selector, { "app.kubernetes.io/component" = "em-metrics" })

  labels = merge(var.labels, local.selector, {
    "app.kubernetes.io/part-of"    = "em-metrics"
    "app.kubernetes.io/managed-by" = "terraform"
  })
  em_metrics_labels = merge(local.labels, local.em_metrics_selector)

  # The user ID in the image.
  em_metrics_user = 65532

  port = 3000
}

resource "kubernetes_namespace_v1" "em_metrics" {
  count = var.create_namespace ? 1 : 0

  metadata {
    name = var.namespace
    labels = merge(local.labels, {
      "pod-security.kubernetes.io/enforce" = "restricted"
      "pod-security.kubernetes.io/warn"    = "restricted"
    })
  }
}

# No pod gets an API token, because none of them uses the API server.
resource "kubernetes_service_account_v1" "em_metrics" {
  metadata {
    name      = var.name
    namespace = local.namespace
    labels    = local.labels
  }

  automount_service_account_token = false
}
