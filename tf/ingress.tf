# Ingresses for em-metrics and Grafana.

locals {
  ingresses = { for service, ingress in {
    (var.name)           = { ingress = var.ingress, port = "http", labels = local.em_metrics_labels }
    (local.grafana_name) = { ingress = var.grafana.ingress, port = "http", labels = merge(local.labels, { "app.kubernetes.io/component" = "grafana" }) }
  } : service => ingress if ingress.ingress != null }
}

resource "kubernetes_ingress_v1" "ingress" {
  for_each = local.ingresses

  metadata {
    name        = each.key
    namespace   = local.namespace
    labels      = each.value.labels
    annotations = each.value.ingress.annotations
  }

  spec {
    ingress_class_name = each.value.ingress.class_name

    rule {
      host = each.value.ingress.host

      http {
        path {
          path      = "/"
          path_type = "Prefix"

          backend {
            service {
              name = each.key

              port {
                name = each.value.port
              }
            }
          }
        }
      }
    }

    dynamic "tls" {
      for_each = each.value.ingress.tls_secret_name[*]
      content {
        hosts       = [each.value.ingress.host]
        secret_name = tls.value
      }
    }
  }
}
