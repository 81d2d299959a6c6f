# The optional Prometheus, Alloy and Grafana, each with one pod, a volume and a
# Service. prometheus.tf, alloy.tf and grafana.tf define the differences.

locals {
  stack = { for component, description in {
    prometheus = local.prometheus
    alloy      = local.alloy
    grafana    = local.grafana
  } : component => description if description.enabled }

  stack_selectors = { for component in ["prometheus", "alloy", "grafana"] : component => merge(local.selector, { "app.kubernetes.io/component" = component }) }
}

resource "kubernetes_service_v1" "stack" {
  for_each = local.stack

  metadata {
    name      = each.value.name
    namespace = local.namespace
    labels    = merge(local.labels, local.stack_selectors[each.key])
  }

  spec {
    type     = "ClusterIP"
    selector = local.stack_selectors[each.key]

    dynamic "port" {
      for_each = each.value.ports
      content {
        name        = port.key
        port        = port.value
        target_port = port.key
      }
    }
  }
}

resource "kubernetes_stateful_set_v1" "stack" {
  for_each = local.stack

  metadata {
    name      = each.value.name
    namespace = local.namespace
    labels    = merge(local.labels, local.stack_selectors[each.key])
  }

  wait_for_rollout = var.wait_for_rollout

  # A pod cannot start before its ConfigMaps exist.
  depends_on = [
    kubernetes_config_map_v1.prometheus,
    kubernetes_config_map_v1.alloy,
    kubernetes_config_map_v1.grafana,
    kubernetes_config_map_v1.dashboard,
  ]

  spec {
    replicas     = 1
    service_name = kubernetes_service_v1.stack[each.key].metadata[0].name

    selector {
      match_labels = local.stack_selectors[each.key]
    }

    template {
      metadata {
        labels = merge(local.labels, local.stack_selectors[each.key])
        annotations = merge(
          { "checksum/config" = each.value.checksum },
          length(each.value.secret_keys) > 0 ? local.credentials_annotation : {},
        )
      }

      spec {
        service_account_name             = kubernetes_service_account_v1.em_metrics.metadata[0].name
        automount_service_account_token  = false
        enable_service_links             = false
        termination_grace_period_seconds = 60
        node_selector                    = var.node_selector
        priority_class_name              = var.priority_class_name

        security_context {
          run_as_non_root        = true
          run_as_user            = each.value.user
          run_as_group           = each.value.user
          fs_group               = each.value.user
          fs_group_change_policy = "OnRootMismatch"

          seccomp_profile {
            type = "RuntimeDefault"
          }
        }

        dynamic "image_pull_secrets" {
          for_each = var.image_pull_secrets
          content {
            name = image_pull_secrets.value
          }
        }

        dynamic "toleration" {
          for_each = var.tolerations
          content {
            key                = toleration.value.key
            operator           = toleration.value.operator
            value              = toleration.value.value
            effect             = toleration.value.effect
            toleration_seconds = toleration.value.toleration_seconds
          }
        }

        dynamic "topology_spread_constraint" {
          for_each = var.topology_spread_constraints
          content {
            topology_key       = topology_spread_constraint.value.topology_key
            max_skew           = topology_spread_constraint.value.max_skew
            when_unsatisfiable = topology_spread_constraint.value.when_unsatisfiable

            label_selector {
              match_labels = local.selector
            }
          }
        }

        container {
          name  = each.key
          image = each.value.image
          args  = each.value.args

          dynamic "port" {
            for_each = each.value.ports
            content {
              name           = port.key
              container_port = port.value
            }
          }

          dynamic "env" {
            for_each = each.value.env
            content {
              name  = env.key
              value = env.value
            }
          }

          volume_mount {
            name       = "data"
            mount_path = each.value.data_path
          }

          volume_mount {
            name       = "tmp"
            mount_path = "/tmp"
          }

          dynamic "volume_mount" {
            for_each = each.value.config
            content {
              name       = volume_mount.key
              mount_path = volume_mount.value.path
              read_only  = true
            }
          }

          dynamic "volume_mount" {
            for_each = length(each.value.secret_keys) > 0 ? ["credentials"] : []
            content {
              name       = volume_mount.value
              mount_path = local.secrets_path
              read_only  = true
            }
          }

          # Prometheus replays its write-ahead log first, which can take minutes.
          startup_probe {
            period_seconds    = 5
            timeout_seconds   = 5
            failure_threshold = 120

            http_get {
              path = each.value.ready_path
              port = "http"
            }
          }

          liveness_probe {
            period_seconds    = 10
            timeout_seconds   = 5
            failure_threshold = 6

            http_get {
              path = each.value.live_path
              port = "http"
            }
          }

          readiness_probe {
            period_seconds    = 5
            timeout_seconds   = 5
            failure_threshold = 3

            http_get {
              path = each.value.ready_path
              port = "http"
            }
          }

          resources {
            requests = each.value.resources.requests
            limits   = each.value.resources.limits
          }

          security_context {
            allow_privilege_escalation = false
            read_only_root_filesystem  = true
            run_as_non_root            = true

            capabilities {
              drop = ["ALL"]
            }
          }
        }

        volume {
          name = "data"

          persistent_volume_claim {
            claim_name = kubernetes_persistent_volume_claim_v1.data[each.key].metadata[0].name
          }
        }

        volume {
          name = "tmp"

          empty_dir {
            size_limit = "256Mi"
          }
        }

        dynamic "volume" {
          for_each = each.value.config
          content {
            name = volume.key

            projected {
              dynamic "sources" {
                for_each = volume.value.config_maps
                content {
                  config_map {
                    name = sources.key

                    dynamic "items" {
                      for_each = sources.value
                      content {
                        key  = items.key
                        path = items.value
                      }
                    }
                  }
                }
              }
            }
          }
        }

        dynamic "volume" {
          for_each = length(each.value.secret_keys) > 0 ? ["credentials"] : []
          content {
            name = volume.value

            secret {
              secret_name  = local.credentials.secret
              default_mode = "0440"

              dynamic "items" {
                for_each = each.value.secret_keys
                content {
                  key  = items.key
                  path = items.value
                }
              }
            }
          }
        }
      }
    }
  }
}
