# Allowed connections. For from, null allows any client and an empty list none.

locals {
  pods           = { for component, selector in local.stack_selectors : component => { namespace_labels = null, pod_labels = selector, cidr = null } }
  em_metrics_pod = { namespace_labels = null, pod_labels = local.em_metrics_selector, cidr = null }

  # The port of a Service can differ from the port of its pods, so all ports are
  # open to a next hop outside this module.
  network_policies = { for name, policy in {
    (var.name) = {
      enabled  = true
      selector = local.em_metrics_selector
      port     = "http"
      from = var.network_policy.allow_from == null ? null : concat(
        var.network_policy.allow_from, var.prometheus.enabled && !var.alloy.enabled ? [local.pods.prometheus] : [],
      )
      to = var.alloy.enabled ? [{ pod_labels = local.stack_selectors.alloy, port = "otlp-http" }] : [
        for url in var.otel_collector_url[*] : { pod_labels = null, port = null }
      ]
    }
    (local.prometheus_name) = {
      enabled  = var.prometheus.enabled
      selector = local.stack_selectors.prometheus
      port     = "http"
      from     = [local.pods.grafana, local.pods.alloy]
      to       = var.alloy.enabled ? [] : [{ pod_labels = local.em_metrics_selector, port = "http" }]
    }
    (local.alloy_name) = {
      enabled  = var.alloy.enabled
      selector = local.stack_selectors.alloy
      port     = "otlp-http"
      from     = [local.em_metrics_pod]
      to       = [var.alloy.remote_write_url == null ? { pod_labels = local.stack_selectors.prometheus, port = "http" } : { pod_labels = null, port = null }]
    }
    (local.grafana_name) = {
      enabled  = var.grafana.enabled
      selector = local.stack_selectors.grafana
      port     = "http"
      from     = var.network_policy.allow_from
      to       = [var.grafana.prometheus_url == null ? { pod_labels = local.stack_selectors.prometheus, port = "http" } : { pod_labels = null, port = null }]
    }
  } : name => policy if policy.enabled && var.network_policy.enabled }
}

resource "kubernetes_network_policy_v1" "network_policy" {
  for_each = local.network_policies

  metadata {
    name      = each.key
    namespace = local.namespace
    labels    = merge(local.labels, each.value.selector)
  }

  spec {
    policy_types = ["Ingress", "Egress"]

    pod_selector {
      match_labels = each.value.selector
    }

    dynamic "ingress" {
      for_each = [for policy in [each.value] : policy if policy.from == null ? true : length(policy.from) > 0]
      content {
        ports {
          port     = ingress.value.port
          protocol = "TCP"
        }

        dynamic "from" {
          for_each = ingress.value.from == null ? [] : ingress.value.from
          content {
            dynamic "namespace_selector" {
              for_each = from.value.namespace_labels[*]
              content {
                match_labels = namespace_selector.value
              }
            }

            dynamic "pod_selector" {
              for_each = from.value.pod_labels[*]
              content {
                match_labels = pod_selector.value
              }
            }

            dynamic "ip_block" {
              for_each = from.value.cidr[*]
              content {
                cidr = ip_block.value
              }
            }
          }
        }
      }
    }

    # DNS, if there is anything to connect to.
    dynamic "egress" {
      for_each = length(each.value.to) > 0 ? ["dns"] : []
      content {
        ports {
          port     = "53"
          protocol = "UDP"
        }

        ports {
          port     = "53"
          protocol = "TCP"
        }
      }
    }

    dynamic "egress" {
      for_each = each.value.to
      content {
        ports {
          port     = egress.value.port
          protocol = "TCP"
        }

        dynamic "to" {
          for_each = egress.value.pod_labels[*]
          content {
            pod_selector {
              match_labels = to.value
            }
          }
        }
      }
    }
  }
}
