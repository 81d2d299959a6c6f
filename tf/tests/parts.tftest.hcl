# Every optional part disabled, as by default, and enabled.

mock_provider "kubernetes" {}

variables {
  image = { tag = "1.0.0" }
  token = "a-token-for-the-tests"
}

run "defaults" {
  command = plan

  assert {
    condition     = kubernetes_namespace_v1.em_metrics[0].metadata[0].labels["pod-security.kubernetes.io/enforce"] == "restricted"
    error_message = "The namespace does not enforce the restricted standard."
  }

  assert {
    condition     = kubernetes_stateful_set_v1.em_metrics.spec[0].replicas == "1" && kubernetes_stateful_set_v1.em_metrics.wait_for_rollout
    error_message = "There is not exactly one replica that apply waits for."
  }

  assert {
    condition     = kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].container[0].image == "ghcr.io/em-metrics/em-metrics:1.0.0"
    error_message = "The image is wrong."
  }

  assert {
    condition     = kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].termination_grace_period_seconds == 15
    error_message = "The grace period is not five seconds longer than the shutdown timeout."
  }

  assert {
    condition = (
      kubernetes_persistent_volume_claim_v1.data["em-metrics"].spec[0].access_modes == toset(["ReadWriteOnce"]) &&
      kubernetes_persistent_volume_claim_v1.data["em-metrics"].spec[0].resources[0].requests.storage == "1Gi" &&
      keys(kubernetes_persistent_volume_claim_v1.data) == ["em-metrics"] && output.claim_name == "em-metrics-data"
    )
    error_message = "The claim is not 1Gi, ReadWriteOnce."
  }

  assert {
    condition     = length(kubernetes_secret_v1.credentials) == 1 && length(kubernetes_pod_disruption_budget_v1.em_metrics) == 1
    error_message = "The Secret or the PodDisruptionBudget is missing."
  }

  assert {
    condition     = keys(kubernetes_network_policy_v1.network_policy) == ["em-metrics"]
    error_message = "There is not exactly one NetworkPolicy, that of em-metrics."
  }

  assert {
    condition = (
      length(kubernetes_network_policy_v1.network_policy["em-metrics"].spec[0].ingress[0].from) == 0 &&
      length(kubernetes_network_policy_v1.network_policy["em-metrics"].spec[0].egress) == 0 &&
      kubernetes_network_policy_v1.network_policy["em-metrics"].spec[0].policy_types == tolist(["Ingress", "Egress"])
    )
    error_message = "The NetworkPolicy does not allow all ingress and no egress."
  }

  assert {
    condition = alltrue([
      length(kubernetes_config_map_v1.teams) == 0,
      length(kubernetes_ingress_v1.ingress) == 0,
      length(kubernetes_stateful_set_v1.stack) == 0,
      length(kubernetes_service_v1.stack) == 0,
      length(kubernetes_config_map_v1.prometheus) == 0,
      length(kubernetes_config_map_v1.alloy) == 0,
      length(kubernetes_config_map_v1.grafana) == 0,
      length(kubernetes_config_map_v1.dashboard) == 0,
    ])
    error_message = "A part that is disabled by default was created."
  }

  assert {
    condition = { for env in kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].container[0].env : env.name => env.value } == {
      GOMEMLIMIT                          = "241591910"
      PORT                                = "3000"
      SQLITE_DB                           = "/data/em-metrics.db"
      DEPLOYMENT_ENVIRONMENT              = "production"
      EM_METRICS_TOKEN_AUTH_FILE          = "/run/secrets/em_metrics_token"
      EM_METRICS_BASIC_AUTH_USERNAME      = "em-metrics"
      EM_METRICS_BASIC_AUTH_PASSWORD_FILE = "/run/secrets/em_metrics_token"
      EM_METRICS_SERIES_HOLD              = "150s"
      EM_METRICS_LABEL_SET_LIMIT          = "2000"
      EM_METRICS_WINDOWS                  = "7d,30d,90d"
      EM_METRICS_SHUTDOWN_TIMEOUT         = "10s"
      LOG_LEVEL                           = "info"
      LOG_FORMAT                          = "json"
    }
    error_message = "The environment variables of the service are wrong."
  }

  assert {
    condition     = output.url == "http://em-metrics.em-metrics.svc:3000" && output.grafana_port_forward == null && output.prometheus_url == null
    error_message = "The outputs are wrong."
  }
}

run "existing_namespace" {
  command = plan

  variables {
    create_namespace = false
    namespace        = "delivery"
  }

  assert {
    condition     = length(kubernetes_namespace_v1.em_metrics) == 0
    error_message = "A namespace was created."
  }

  assert {
    condition     = kubernetes_stateful_set_v1.em_metrics.metadata[0].namespace == "delivery" && output.url == "http://em-metrics.delivery.svc:3000"
    error_message = "The namespace is wrong."
  }
}

run "stopped" {
  command = plan

  variables {
    replicas = 0
  }

  assert {
    condition     = kubernetes_stateful_set_v1.em_metrics.spec[0].replicas == "0"
    error_message = "The service is not stopped."
  }
}

run "digest" {
  command = plan

  variables {
    image = {
      repository  = "registry.example.com/em-metrics"
      tag         = "1.0.0"
      digest      = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
      pull_policy = "Always"
    }
    image_pull_secrets = ["registry"]
  }

  assert {
    condition     = kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].container[0].image == "registry.example.com/em-metrics@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    error_message = "The image is not referenced by its digest."
  }

  assert {
    condition = (
      kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].image_pull_secrets[0].name == "registry" &&
      kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].container[0].image_pull_policy == "Always"
    )
    error_message = "The pull policy or the pull secrets are wrong."
  }
}

run "existing_secret" {
  command = plan

  variables {
    token           = null
    existing_secret = { name = "credentials", token_key = "em-metrics.token" }
  }

  assert {
    condition     = length(kubernetes_secret_v1.credentials) == 0
    error_message = "A Secret was created."
  }

  assert {
    condition = one([
      for volume in kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].volume :
      "${volume.secret[0].secret_name}/${volume.secret[0].items[0].key}:${volume.secret[0].items[0].path}" if volume.name == "credentials"
    ]) == "credentials/em-metrics.token:em_metrics_token"
    error_message = "The token does not come from the existing Secret."
  }

  assert {
    condition     = output.service_monitor.spec.endpoints[0].authorization.credentials == { name = "credentials", key = "em-metrics.token" }
    error_message = "The ServiceMonitor uses the wrong token."
  }
}

run "new_token" {
  command = plan

  variables {
    credentials_revision = 2
  }

  assert {
    condition     = kubernetes_secret_v1.credentials[0].data_wo_revision == 4
    error_message = "The Secret is not rewritten."
  }

  assert {
    condition     = kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].metadata[0].annotations["em-metrics/credentials-revision"] == "2"
    error_message = "The pod does not restart."
  }
}

run "token_alone" {
  command = plan

  variables {
    username = null
  }

  assert {
    condition = length([
      for env in kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].container[0].env : env if startswith(env.name, "EM_METRICS_BASIC_AUTH_")
    ]) == 0
    error_message = "A user name is still accepted."
  }
}

run "public_metrics_with_scrape_annotations" {
  command = plan

  variables {
    public_metrics      = true
    scrape_annotations  = true
    service_annotations = { owner = "platform" }
  }

  assert {
    condition = kubernetes_service_v1.em_metrics.metadata[0].annotations == tomap({
      owner                  = "platform"
      "prometheus.io/scrape" = "true"
      "prometheus.io/port"   = "3000"
      "prometheus.io/path"   = "/metrics"
    })
    error_message = "The Service is not annotated."
  }

  assert {
    condition     = contains([for env in kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].container[0].env : "${env.name}=${env.value}"], "EM_METRICS_PUBLIC_METRICS=true")
    error_message = "/metrics is not public."
  }

  assert {
    condition     = !can(output.service_monitor.spec.endpoints[0].authorization)
    error_message = "The ServiceMonitor sends a token that is not needed."
  }
}

run "teams" {
  command = plan

  variables {
    teams = { backend = { projects = ["shop"], users = ["bob"] } }
  }

  assert {
    condition     = kubernetes_config_map_v1.teams[0].data["teams.json"] == "{\"teams\":{\"backend\":{\"projects\":[\"shop\"],\"users\":[\"bob\"]}}}"
    error_message = "The teams file is wrong."
  }

  assert {
    condition     = contains([for env in kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].container[0].env : "${env.name}=${env.value}"], "CONFIG=/etc/em-metrics/teams.json")
    error_message = "The service does not read the teams file."
  }

  assert {
    condition     = contains([for mount in kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].container[0].volume_mount : mount.mount_path], "/etc/em-metrics")
    error_message = "The teams file is not mounted."
  }
}

run "other_teams" {
  command = plan

  variables {
    teams = { backend = { projects = ["shop", "web"], users = ["bob"] } }
  }

  assert {
    condition = (
      kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].metadata[0].annotations["checksum/teams"] ==
      sha256(kubernetes_config_map_v1.teams[0].data["teams.json"])
    )
    error_message = "A change to the teams does not restart the pod."
  }
}

run "settings" {
  command = plan

  variables {
    labels                   = { cost-center = "42" }
    pod_annotations          = { note = "x" }
    deployment_environment   = "live"
    production_environments  = ["live", "prod-*"]
    series_hold              = "0"
    label_set_limit          = 50
    windows                  = []
    shutdown_timeout_seconds = 20
    log_level                = "debug"
    log_format               = "text"
    env                      = { OTEL_METRIC_EXPORT_INTERVAL = "15000" }
    env_from_secrets         = ["otlp-headers"]
    resources                = { requests = { cpu = "1", memory = "1Gi" }, limits = {} }
    wait_for_rollout         = false
    service_port             = 80
    priority_class_name      = "high"
    node_selector            = { pool = "small" }
    tolerations              = [{ key = "dedicated", operator = "Exists" }]
    topology_spread_constraints = [
      { topology_key = "topology.kubernetes.io/zone", when_unsatisfiable = "DoNotSchedule" }
    ]
  }

  assert {
    condition = length(setsubtract([
      "DEPLOYMENT_ENVIRONMENT=live", "EM_METRICS_SERIES_HOLD=0", "EM_METRICS_LABEL_SET_LIMIT=50", "EM_METRICS_WINDOWS=none",
      "EM_METRICS_SHUTDOWN_TIMEOUT=20s", "LOG_LEVEL=debug", "LOG_FORMAT=text", "OTEL_METRIC_EXPORT_INTERVAL=15000",
      "EM_METRICS_PRODUCTION_ENVIRONMENTS=live,prod-*",
    ], [for env in kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].container[0].env : "${env.name}=${env.value}"])) == 0
    error_message = "A setting does not reach the service."
  }

  assert {
    condition     = kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].container[0].env_from[0].secret_ref[0].name == "otlp-headers"
    error_message = "The Secret does not become environment variables."
  }

  assert {
    condition     = kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].termination_grace_period_seconds == 25
    error_message = "The grace period does not match the shutdown timeout."
  }

  assert {
    condition = alltrue([
      kubernetes_stateful_set_v1.em_metrics.metadata[0].labels["cost-center"] == "42",
      kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].metadata[0].annotations["note"] == "x",
      kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].container[0].resources[0].requests == tomap({ cpu = "1", memory = "1Gi" }),
      !kubernetes_stateful_set_v1.em_metrics.wait_for_rollout,
      kubernetes_service_v1.em_metrics.spec[0].port[0].port == 80,
      kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].priority_class_name == "high",
      kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].node_selector == tomap({ pool = "small" }),
      kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].toleration[0].operator == "Exists",
      kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].topology_spread_constraint[0].when_unsatisfiable == "DoNotSchedule",
    ])
    error_message = "A setting does not reach the pod."
  }
}

run "memory_limit" {
  command = plan

  variables {
    resources = { limits = { memory = "1.5Gi" } }
  }

  assert {
    condition     = contains([for env in kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].container[0].env : "${env.name}=${env.value}"], "GOMEMLIMIT=1449551462")
    error_message = "The Go runtime does not know the memory limit."
  }
}

run "memory_limit_of_go" {
  command = plan

  variables {
    resources = { limits = { memory = "128M" } }
    env       = { GOMEMLIMIT = "100MiB" }
  }

  assert {
    condition     = contains([for env in kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].container[0].env : "${env.name}=${env.value}"], "GOMEMLIMIT=100MiB")
    error_message = "GOMEMLIMIT cannot be set."
  }
}

run "no_memory_limit" {
  command = plan

  variables {
    resources = { limits = {} }
  }

  assert {
    condition     = !contains([for env in kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].container[0].env : env.name], "GOMEMLIMIT")
    error_message = "There is a memory limit for Go without one for the container."
  }
}

run "storage" {
  command = plan

  variables {
    storage = { size = "20Gi", class_name = "fast" }
  }

  assert {
    condition = (
      kubernetes_persistent_volume_claim_v1.data["em-metrics"].spec[0].resources[0].requests.storage == "20Gi" &&
      kubernetes_persistent_volume_claim_v1.data["em-metrics"].spec[0].storage_class_name == "fast"
    )
    error_message = "The claim is wrong."
  }
}

run "existing_claim" {
  command = plan

  variables {
    storage = { existing_claim = "events" }
  }

  assert {
    condition = length(kubernetes_persistent_volume_claim_v1.data) == 0 && one([
      for volume in kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].volume : volume.persistent_volume_claim[0].claim_name if volume.name == "data"
    ]) == "events"
    error_message = "The existing claim is not used."
  }

  assert {
    condition     = output.claim_name == "events"
    error_message = "The output has the wrong claim."
  }
}

run "no_disruption_budget" {
  command = plan

  variables {
    pod_disruption_budget = { enabled = false }
  }

  assert {
    condition     = length(kubernetes_pod_disruption_budget_v1.em_metrics) == 0
    error_message = "There is a PodDisruptionBudget."
  }
}

run "drains_wait" {
  command = plan

  variables {
    pod_disruption_budget = { max_unavailable = 0 }
  }

  assert {
    condition     = kubernetes_pod_disruption_budget_v1.em_metrics[0].spec[0].max_unavailable == "0"
    error_message = "Drains do not wait."
  }
}

run "ingress_with_tls" {
  command = plan

  variables {
    ingress = {
      host            = "em-metrics.example.com"
      class_name      = "nginx"
      tls_secret_name = "em-metrics-tls"
      annotations     = { "cert-manager.io/cluster-issuer" = "letsencrypt" }
    }
  }

  assert {
    condition = (
      kubernetes_ingress_v1.ingress["em-metrics"].spec[0].tls[0].secret_name == "em-metrics-tls" &&
      kubernetes_ingress_v1.ingress["em-metrics"].spec[0].tls[0].hosts == tolist(["em-metrics.example.com"]) &&
      kubernetes_ingress_v1.ingress["em-metrics"].spec[0].rule[0].host == "em-metrics.example.com" &&
      kubernetes_ingress_v1.ingress["em-metrics"].spec[0].ingress_class_name == "nginx" &&
      kubernetes_ingress_v1.ingress["em-metrics"].metadata[0].annotations["cert-manager.io/cluster-issuer"] == "letsencrypt"
    )
    error_message = "The ingress is wrong."
  }

  assert {
    condition     = output.url == "https://em-metrics.example.com"
    error_message = "The output has the wrong URL."
  }
}

run "ingress_behind_tls" {
  command = plan

  variables {
    ingress = { host = "em-metrics.example.com", allow_http = true }
  }

  assert {
    condition     = length(kubernetes_ingress_v1.ingress["em-metrics"].spec[0].tls) == 0
    error_message = "The ingress terminates TLS."
  }
}

run "no_network_policy" {
  command = plan

  variables {
    network_policy = { enabled = false }
  }

  assert {
    condition     = length(kubernetes_network_policy_v1.network_policy) == 0
    error_message = "There is a NetworkPolicy."
  }
}

run "allow_some_peers" {
  command = plan

  variables {
    network_policy = {
      allow_from = [
        { namespace_labels = { "kubernetes.io/metadata.name" = "ci" }, pod_labels = { role = "runner" } },
        { cidr = "10.0.0.0/8" },
      ]
    }
  }

  assert {
    condition = (
      kubernetes_network_policy_v1.network_policy["em-metrics"].spec[0].ingress[0].from[0].namespace_selector[0].match_labels == tomap({ "kubernetes.io/metadata.name" = "ci" }) &&
      kubernetes_network_policy_v1.network_policy["em-metrics"].spec[0].ingress[0].from[0].pod_selector[0].match_labels == tomap({ role = "runner" }) &&
      kubernetes_network_policy_v1.network_policy["em-metrics"].spec[0].ingress[0].from[1].ip_block[0].cidr == "10.0.0.0/8" &&
      length(kubernetes_network_policy_v1.network_policy["em-metrics"].spec[0].ingress[0].from) == 2
    )
    error_message = "Other peers are allowed."
  }
}

run "allow_no_peers" {
  command = plan

  variables {
    network_policy = { allow_from = [] }
  }

  assert {
    condition     = length(kubernetes_network_policy_v1.network_policy["em-metrics"].spec[0].ingress) == 0
    error_message = "A peer is allowed."
  }
}

run "push" {
  command = plan

  variables {
    otel_collector_url = "grpcs://collector.example.com:4317"
  }

  assert {
    condition     = contains([for env in kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].container[0].env : "${env.name}=${env.value}"], "OTEL_COLLECTOR_URL=grpcs://collector.example.com:4317")
    error_message = "The service does not push."
  }

  assert {
    condition     = length(kubernetes_network_policy_v1.network_policy["em-metrics"].spec[0].egress) == 2
    error_message = "The NetworkPolicy blocks the push."
  }
}
