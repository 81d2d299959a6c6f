# Invalid values of each variable. There is a case for every validation block:
# without the block, the value is accepted and the run fails.

mock_provider "kubernetes" {}

variables {
  image = { tag = "1.0.0" }
  token = "a-token-for-the-tests"
}

run "name_is_not_a_dns_label" {
  command = plan
  variables {
    name = "Em_Metrics"
  }
  expect_failures = [var.name]
}

run "name_is_too_long" {
  command = plan
  variables {
    name = "a2345678901234567890123456789012345678901"
  }
  expect_failures = [var.name]
}

run "namespace_is_not_a_dns_label" {
  command = plan
  variables {
    namespace = "em.metrics"
  }
  expect_failures = [var.namespace]
}

run "labels_override_a_selector" {
  command = plan
  variables {
    labels = { "app.kubernetes.io/instance" = "other" }
  }
  expect_failures = [var.labels]
}

run "labels_have_a_value_with_spaces" {
  command = plan
  variables {
    labels = { team = "platform team" }
  }
  expect_failures = [var.labels]
}

run "two_replicas" {
  command = plan
  variables {
    replicas = 2
  }
  expect_failures = [var.replicas]
}

run "half_a_replica" {
  command = plan
  variables {
    replicas = 0.5
  }
  expect_failures = [var.replicas]
}

run "image_without_tag_and_digest" {
  command = plan
  variables {
    image = {}
  }
  expect_failures = [var.image]
}

run "image_latest" {
  command = plan
  variables {
    image = { tag = "latest" }
  }
  expect_failures = [var.image]
}

run "image_tag_with_a_slash" {
  command = plan
  variables {
    image = { tag = "feature/x" }
  }
  expect_failures = [var.image]
}

run "image_digest_is_short" {
  command = plan
  variables {
    image = { digest = "sha256:abc" }
  }
  expect_failures = [var.image]
}

run "image_pull_policy_is_unknown" {
  command = plan
  variables {
    image = { tag = "1.0.0", pull_policy = "Sometimes" }
  }
  expect_failures = [var.image]
}

run "token_is_short" {
  command = plan
  variables {
    token = "secret"
  }
  expect_failures = [var.token]
}

run "token_has_a_newline" {
  command = plan
  variables {
    token = "a-token-for-the-tests\n"
  }
  expect_failures = [var.token]
}

run "no_credential" {
  command = plan
  variables {
    token = null
  }
  expect_failures = [var.token]
}

run "token_and_existing_secret" {
  command = plan
  variables {
    existing_secret = { name = "credentials" }
  }
  expect_failures = [var.token]
}

run "credentials_revision_is_zero" {
  command = plan
  variables {
    credentials_revision = 0
  }
  expect_failures = [var.credentials_revision]
}

run "existing_secret_has_no_name" {
  command = plan
  variables {
    token           = null
    existing_secret = { name = "" }
  }
  expect_failures = [var.existing_secret]
}

run "existing_secret_key_with_a_slash" {
  command = plan
  variables {
    token           = null
    existing_secret = { name = "credentials", token_key = "em/token" }
  }
  expect_failures = [var.existing_secret]
}

run "username_with_a_colon" {
  command = plan
  variables {
    username = "em:metrics"
  }
  expect_failures = [var.username]
}

run "team_with_an_empty_project" {
  command = plan
  variables {
    teams = { backend = { projects = [""] } }
  }
  expect_failures = [var.teams]
}

run "deployment_environment_is_empty" {
  command = plan
  variables {
    deployment_environment = ""
  }
  expect_failures = [var.deployment_environment]
}

run "otel_collector_url_without_scheme" {
  command = plan
  variables {
    otel_collector_url = "collector:4318"
  }
  expect_failures = [var.otel_collector_url]
}

run "otel_collector_url_with_a_password" {
  command = plan
  variables {
    otel_collector_url = "https://user:password@collector:4318"
  }
  expect_failures = [var.otel_collector_url]
}

run "two_collectors" {
  command = plan
  variables {
    otel_collector_url = "http://collector:4318"
    alloy              = { enabled = true, remote_write_url = "http://prometheus:9090/api/v1/write" }
  }
  expect_failures = [var.otel_collector_url]
}

run "series_hold_without_unit" {
  command = plan
  variables {
    series_hold = "150"
  }
  expect_failures = [var.series_hold]
}

run "production_environments_in_one_text" {
  command = plan
  variables {
    production_environments = ["production,prod-eu"]
  }
  expect_failures = [var.production_environments]
}

run "production_environment_is_empty" {
  command = plan
  variables {
    production_environments = [""]
  }
  expect_failures = [var.production_environments]
}

run "label_set_limit_is_zero" {
  command = plan
  variables {
    label_set_limit = 0
  }
  expect_failures = [var.label_set_limit]
}

run "window_in_months" {
  command = plan
  variables {
    windows = ["7d", "1m"]
  }
  expect_failures = [var.windows]
}

run "shutdown_timeout_is_zero" {
  command = plan
  variables {
    shutdown_timeout_seconds = 0
  }
  expect_failures = [var.shutdown_timeout_seconds]
}

run "log_level_is_unknown" {
  command = plan
  variables {
    log_level = "verbose"
  }
  expect_failures = [var.log_level]
}

run "log_format_is_unknown" {
  command = plan
  variables {
    log_format = "xml"
  }
  expect_failures = [var.log_format]
}

run "env_name_with_a_hyphen" {
  command = plan
  variables {
    env = { "OTEL-X" = "1" }
  }
  expect_failures = [var.env]
}

run "env_has_a_credential" {
  command = plan
  variables {
    env = { EM_METRICS_TOKEN_AUTH = "a-token-for-the-tests" }
  }
  expect_failures = [var.env]
}

run "env_sets_a_managed_variable" {
  command = plan
  variables {
    env = { SQLITE_DB = "/tmp/em-metrics.db" }
  }
  expect_failures = [var.env]
}

run "storage_size_without_unit" {
  command = plan
  variables {
    storage = { size = "5" }
  }
  expect_failures = [var.storage]
}

run "existing_claim_with_a_class" {
  command = plan
  variables {
    storage = { existing_claim = "events", class_name = "fast" }
  }
  expect_failures = [var.storage]
}

run "resources_are_not_quantities" {
  command = plan
  variables {
    resources = { requests = { cpu = "half", memory = "64Mi" } }
  }
  expect_failures = [var.resources]
}

run "resources_without_memory" {
  command = plan
  variables {
    resources = { requests = { cpu = "50m" } }
  }
  expect_failures = [var.resources]
}

run "toleration_with_an_unknown_operator" {
  command = plan
  variables {
    tolerations = [{ key = "dedicated", operator = "In" }]
  }
  expect_failures = [var.tolerations]
}

run "toleration_with_an_unknown_effect" {
  command = plan
  variables {
    tolerations = [{ key = "dedicated", operator = "Exists", effect = "NoRun" }]
  }
  expect_failures = [var.tolerations]
}

run "topology_with_an_unknown_when_unsatisfiable" {
  command = plan
  variables {
    topology_spread_constraints = [{ topology_key = "zone", when_unsatisfiable = "Wait" }]
  }
  expect_failures = [var.topology_spread_constraints]
}

run "topology_with_zero_skew" {
  command = plan
  variables {
    topology_spread_constraints = [{ topology_key = "zone", max_skew = 0 }]
  }
  expect_failures = [var.topology_spread_constraints]
}

run "two_pods_may_be_evicted" {
  command = plan
  variables {
    pod_disruption_budget = { max_unavailable = 2 }
  }
  expect_failures = [var.pod_disruption_budget]
}

run "service_port_is_too_high" {
  command = plan
  variables {
    service_port = 70000
  }
  expect_failures = [var.service_port]
}

run "ingress_with_a_url" {
  command = plan
  variables {
    ingress = { host = "https://em-metrics.example.com", tls_secret_name = "tls" }
  }
  expect_failures = [var.ingress]
}

run "ingress_without_tls" {
  command = plan
  variables {
    ingress = { host = "em-metrics.example.com" }
  }
  expect_failures = [var.ingress]
}

run "network_policy_with_an_empty_peer" {
  command = plan
  variables {
    network_policy = { allow_from = [{}] }
  }
  expect_failures = [var.network_policy]
}

run "network_policy_with_an_invalid_cidr" {
  command = plan
  variables {
    network_policy = { allow_from = [{ cidr = "10.0.0.300/8" }] }
  }
  expect_failures = [var.network_policy]
}

run "network_policy_with_pods_and_cidr" {
  command = plan
  variables {
    network_policy = { allow_from = [{ cidr = "10.0.0.0/8", pod_labels = { app = "ci" } }] }
  }
  expect_failures = [var.network_policy]
}

run "scrape_annotations_without_public_metrics" {
  command = plan
  variables {
    scrape_annotations = true
  }
  expect_failures = [var.scrape_annotations]
}

run "prometheus_retention_without_unit" {
  command = plan
  variables {
    prometheus = { enabled = true, retention = "400" }
  }
  expect_failures = [var.prometheus]
}

run "prometheus_storage_size_is_zero" {
  command = plan
  variables {
    prometheus = { enabled = true, storage_size = "0Gi" }
  }
  expect_failures = [var.prometheus]
}

run "prometheus_image_latest" {
  command = plan
  variables {
    prometheus = { enabled = true, image = "docker.io/prom/prometheus:latest" }
  }
  expect_failures = [var.prometheus]
}

run "alloy_without_a_destination" {
  command = plan
  variables {
    alloy = { enabled = true }
  }
  expect_failures = [var.alloy]
}

run "alloy_remote_write_url_is_not_a_url" {
  command = plan
  variables {
    alloy = { enabled = true, remote_write_url = "prometheus:9090" }
  }
  expect_failures = [var.alloy]
}

run "alloy_storage_size_is_negative" {
  command = plan
  variables {
    alloy = { storage_size = "-1Gi" }
  }
  expect_failures = [var.alloy]
}

run "alloy_image_without_tag" {
  command = plan
  variables {
    alloy = { image = "docker.io/grafana/alloy" }
  }
  expect_failures = [var.alloy]
}

run "grafana_without_a_data_source" {
  command = plan
  variables {
    grafana                = { enabled = true }
    grafana_admin_password = "a-password-for-the-tests"
  }
  expect_failures = [var.grafana]
}

run "grafana_prometheus_url_is_not_a_url" {
  command = plan
  variables {
    grafana                = { enabled = true, prometheus_url = "prometheus" }
    grafana_admin_password = "a-password-for-the-tests"
  }
  expect_failures = [var.grafana]
}

run "grafana_storage_size_in_words" {
  command = plan
  variables {
    grafana = { storage_size = "one" }
  }
  expect_failures = [var.grafana]
}

run "grafana_image_without_tag" {
  command = plan
  variables {
    grafana = { image = "localhost:5000/grafana" }
  }
  expect_failures = [var.grafana]
}

run "grafana_ingress_without_grafana" {
  command = plan
  variables {
    grafana = { ingress = { host = "grafana.example.com", tls_secret_name = "tls" } }
  }
  expect_failures = [var.grafana]
}

run "grafana_ingress_without_tls" {
  command = plan
  variables {
    prometheus             = { enabled = true }
    grafana                = { enabled = true, ingress = { host = "grafana.example.com" } }
    grafana_admin_password = "a-password-for-the-tests"
  }
  expect_failures = [var.grafana]
}

run "grafana_admin_password_is_short" {
  command = plan
  variables {
    prometheus             = { enabled = true }
    grafana                = { enabled = true }
    grafana_admin_password = "admin"
  }
  expect_failures = [var.grafana_admin_password]
}

run "grafana_without_a_password" {
  command = plan
  variables {
    prometheus = { enabled = true }
    grafana    = { enabled = true }
  }
  expect_failures = [var.grafana_admin_password]
}

run "password_without_grafana" {
  command = plan
  variables {
    grafana_admin_password = "a-password-for-the-tests"
  }
  expect_failures = [var.grafana_admin_password]
}
