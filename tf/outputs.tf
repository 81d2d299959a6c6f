output "namespace" {
  description = "Namespace of the installation."
  value       = local.namespace
}

output "service_name" {
  description = "Name of the Service of em-metrics."
  value       = kubernetes_service_v1.em_metrics.metadata[0].name
}

output "url" {
  description = "URL of em-metrics: external if there is an ingress, otherwise inside the cluster."
  value       = local.url
}

output "port_forward" {
  description = "Command that forwards a local port to em-metrics."
  value       = "kubectl --namespace ${var.namespace} port-forward service/${var.name} 3000:${var.service_port}"
}

output "secret" {
  description = "The Secret with the credentials, and the key of the token in it."
  value       = { name = local.credentials.secret, token_key = local.credentials.token_key }
}

output "claim_name" {
  description = "Name of the PersistentVolumeClaim of the database."
  value       = local.claim_name
}

output "grafana_port_forward" {
  description = "Command that forwards a local port to Grafana. Null if the module does not create one."
  value       = var.grafana.enabled ? "kubectl --namespace ${var.namespace} port-forward service/${local.grafana_name} 3001:3000" : null
}

output "prometheus_url" {
  description = "URL of this module's Prometheus inside the cluster. Null if the module does not create one."
  value       = var.prometheus.enabled ? "http://${local.prometheus_name}.${var.namespace}.svc:${local.prometheus_port}" : null
}

output "service_monitor" {
  description = "A ServiceMonitor for the Prometheus Operator. Create it with kubernetes_manifest on a cluster with the operator's CRDs. The module does not create it, because planning it requires the CRD."
  value = {
    apiVersion = "monitoring.coreos.com/v1"
    kind       = "ServiceMonitor"
    metadata   = { name = var.name, namespace = local.namespace, labels = local.em_metrics_labels }
    spec = {
      namespaceSelector = { matchNames = [local.namespace] }
      selector          = { matchLabels = local.em_metrics_selector }
      endpoints = [merge({
        port     = "http"
        path     = "/metrics"
        interval = "15s"
        # The job name of pushed metrics, which the dashboards expect.
        relabelings = [{ action = "replace", targetLabel = "job", replacement = "em_metrics" }]
        }, var.public_metrics ? {} : {
        authorization = { type = "Bearer", credentials = { name = local.credentials.secret, key = local.credentials.token_key } }
      })]
    }
  }
}

output "prometheus_rule" {
  description = "The recording rules and alerts as a PrometheusRule for the Prometheus Operator. Create it like the ServiceMonitor."
  value = {
    apiVersion = "monitoring.coreos.com/v1"
    kind       = "PrometheusRule"
    metadata   = { name = var.name, namespace = local.namespace, labels = local.em_metrics_labels }
    spec       = { groups = flatten([for rules in values(local.prometheus_rules) : yamldecode(rules).groups]) }
  }
}
