# em-metrics itself: one pod, one volume, one Service.

locals {
  image = var.image.digest != null ? "${var.image.repository}@${var.image.digest}" : "${var.image.repository}:${var.image.tag}"

  teams_json = jsonencode({ teams = var.teams })
  teams_path = "/etc/em-metrics"

  collector_url = var.alloy.enabled ? "http://${local.alloy_name}:${local.alloy_otlp_port}" : var.otel_collector_url

  # The Go runtime stays below 90% of the memory limit, because it does not count the
  # memory of SQLite.
  memory_units = { "" = 1, m = 0.001, k = 1e3, M = 1e6, G = 1e9, T = 1e12, Ki = pow(2, 10), Mi = pow(2, 20), Gi = pow(2, 30), Ti = pow(2, 40) }
  memory_limit = try(regex("^([0-9.]+)([A-Za-z]*)$", var.resources.limits.memory), null)
  go_memory    = local.memory_limit == null ? {} : { GOMEMLIMIT = tostring(floor(0.9 * local.memory_limit[0] * local.memory_units[local.memory_limit[1]])) }

  # Unset variables are omitted.
  environment = { for name, value in merge(local.go_memory, var.env, {
    PORT                                = tostring(local.port)
    SQLITE_DB                           = "/data/em-metrics.db"
    CONFIG                              = length(var.teams) > 0 ? "${local.teams_path}/teams.json" : null
    DEPLOYMENT_ENVIRONMENT              = var.deployment_environment
    OTEL_COLLECTOR_URL                  = local.collector_url
    EM_METRICS_TOKEN_AUTH_FILE          = "${local.secrets_path}/${local.token_file}"
    EM_METRICS_BASIC_AUTH_USERNAME      = var.username
    EM_METRICS_BASIC_AUTH_PASSWORD_FILE = var.username == null ? null : "${local.secrets_path}/${local.token_file}"
    EM_METRICS_PUBLIC_METRICS           = var.public_metrics ? "true" : null
    EM_METRICS_SERIES_HOLD              = var.series_hold
    EM_METRICS_LABEL_SET_LIMIT          = tostring(var.label_set_limit)
    EM_METRICS_DETECT_ROLLBACKS         = var.detect_rollbacks ? null : "off"
    EM_METRICS_WINDOWS                  = length(var.windows) > 0 ? join(",", var.windows) : "none"
    EM_METRICS_SHUTDOWN_TIMEOUT         = "${var.shutdown_timeout_seconds}s"
    LOG_LEVEL                           = var.log_level
    LOG_FORMAT                          = var.log_format
  }) : name => value if value != null }
}

resource "kubernetes_config_map_v1" "teams" {
  count = length(var.teams) > 0 ? 1 : 0

  metadata {
    name      = "${var.name}-teams"
    namespace = local.namespace
    labels    = local.em_metrics_labels
  }

  data = { "teams.json" = local.teams_json }
}

resource "kubernetes_service_v1" "em_metrics" {
  metadata {
    name      = var.name
    namespace = local.namespace
    labels    = local.em_metrics_labels
    annotations = merge(var.service_annotations, var.scrape_annotations ? {
      "prometheus.io/scrape" = "true"
      "prometheus.io/port"   = tostring(local.port)
      "prometheus.io/path"   = "/metrics"
    } : {})
  }

  spec {
    type     = "ClusterIP"
    selector = local.em_metrics_selector

    port {
      name        = "http"
      port        = var.service_port
      target_port = "http"
    }
  }
}

resource "kubernetes_stateful_set_v1" "em_metrics" {
  metadata {
    name      = var.name
    namespace = local.namespace
    labels    = local.em_metrics_labels
  }

  wait_for_rollout = var.wait_for_rollout

  spec {
    replicas     = var.replicas
    service_name = kubernetes_service_v1.em_metrics.metadata[0].name

    selector {
      match_labels = local.em_metrics_selector
    }

    template {
      metadata {
        labels = local.em_metrics_labels
        annotations = merge(var.pod_annotations, local.credentials_annotation, {
          "checksum/teams" = sha256(local.teams_json)
        })
      }

      spec {
        service_account_name             = kubernetes_service_account_v1.em_metrics.metadata[0].name
        automount_service_account_token  = false
        enable_service_links             = false
        termination_grace_period_seconds = var.shutdown_timeout_seconds + 5
        node_selector                    = var.node_selector
        priority_class_name              = var.priority_class_name

        security_context {
          run_as_non_root        = true
          run_as_user            = local.em_metrics_user
          run_as_group           = local.em_metrics_user
          fs_group               = local.em_metrics_user
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
          name              = "em-metrics"
          image             = local.image
          image_pull_policy = var.image.pull_policy

          port {
            name           = "http"
            container_port = local.port
          }

          dynamic "env" {
            for_each = local.environment
            content {
              name  = env.key
              value = env.value
            }
          }

          dynamic "env_from" {
            for_each = var.env_from_secrets
            content {
              secret_ref {
                name = env_from.value
              }
            }
          }

          volume_mount {
            name       = "data"
            mount_path = "/data"
          }

          volume_mount {
            name       = "credentials"
            mount_path = local.secrets_path
            read_only  = true
          }

          dynamic "volume_mount" {
            for_each = kubernetes_config_map_v1.teams
            content {
              name       = "teams"
              mount_path = local.teams_path
              read_only  = true
            }
          }

          # The database is checked before the port opens, which takes a while with many
          # millions of events.
          startup_probe {
            period_seconds    = 2
            timeout_seconds   = 5
            failure_threshold = 150

            http_get {
              path = "/health"
              port = "http"
            }
          }

          liveness_probe {
            period_seconds    = 10
            timeout_seconds   = 5
            failure_threshold = 6

            http_get {
              path = "/health"
              port = "http"
            }
          }

          # /ready attempts a write, so a full disk or a locked database removes the pod
          # from the Service without restarting it.
          readiness_probe {
            period_seconds    = 5
            timeout_seconds   = 5
            failure_threshold = 2

            http_get {
              path = "/ready"
              port = "http"
            }
          }

          resources {
            requests = var.resources.requests
            limits   = var.resources.limits
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
          name = "credentials"

          secret {
            secret_name  = local.credentials.secret
            default_mode = "0440"

            items {
              key  = local.credentials.token_key
              path = local.token_file
            }
          }
        }

        dynamic "volume" {
          for_each = kubernetes_config_map_v1.teams
          content {
            name = "teams"

            config_map {
              name = volume.value.metadata[0].name
            }
          }
        }

        volume {
          name = "data"

          persistent_volume_claim {
            claim_name = local.claim_name
          }
        }
      }
    }
  }
}

resource "kubernetes_pod_disruption_budget_v1" "em_metrics" {
  count = var.pod_disruption_budget.enabled ? 1 : 0

  metadata {
    name      = var.name
    namespace = local.namespace
    labels    = local.em_metrics_labels
  }

  spec {
    max_unavailable = var.pod_disruption_budget.max_unavailable

    selector {
      match_labels = local.em_metrics_selector
    }
  }
}
