# Prometheus, Alloy and Grafana, each disabled and enabled, with the configuration
# files of docker-compose.yml.

mock_provider "kubernetes" {}

variables {
  image = { tag = "1.0.0" }
  token = "a-token-for-the-tests"
}

run "prometheus" {
  command = plan

  variables {
    name         = "dora"
    service_port = 8080
    prometheus   = { enabled = true }
  }

  assert {
    condition = (
      keys(kubernetes_stateful_set_v1.stack) == ["prometheus"] && keys(kubernetes_service_v1.stack) == ["prometheus"] &&
      keys(kubernetes_persistent_volume_claim_v1.data) == ["em-metrics", "prometheus"]
    )
    error_message = "The stack is not exactly Prometheus."
  }

  assert {
    condition = (
      kubernetes_config_map_v1.prometheus["dora-prometheus"].data["prometheus.yml"] ==
      replace(file("../prometheus/prometheus.yml"), "em-metrics:3000", "dora:8080")
    )
    error_message = "Prometheus does not scrape this Service with the repository's configuration."
  }

  assert {
    condition     = yamldecode(kubernetes_config_map_v1.prometheus["dora-prometheus"].data["prometheus.yml"]).scrape_configs[0].static_configs[0].targets == ["dora:8080"]
    error_message = "Prometheus scrapes the wrong address."
  }

  assert {
    condition     = kubernetes_config_map_v1.prometheus["dora-prometheus-rules"].data == tomap({ for file in fileset("../prometheus/rules", "*.yml") : file => file("../prometheus/rules/${file}") })
    error_message = "The rules are not those of the repository."
  }

  assert {
    condition     = length(kubernetes_config_map_v1.prometheus["dora-prometheus-rules"].data) >= 5
    error_message = "Rule files are missing."
  }

  assert {
    condition = contains([
      for volume in kubernetes_stateful_set_v1.stack["prometheus"].spec[0].template[0].spec[0].volume : "${volume.secret[0].items[0].key}:${volume.secret[0].items[0].path}" if length(volume.secret) > 0
    ], "token:em_metrics_token")
    error_message = "Prometheus has no token to scrape with."
  }

  assert {
    condition = (
      keys(kubernetes_network_policy_v1.network_policy) == ["dora", "dora-prometheus"] &&
      kubernetes_network_policy_v1.network_policy["dora-prometheus"].spec[0].egress[1].to[0].pod_selector[0].match_labels["app.kubernetes.io/component"] == "em-metrics"
    )
    error_message = "Prometheus cannot reach em-metrics."
  }

  assert {
    condition     = output.prometheus_url == "http://dora-prometheus.em-metrics.svc:9090"
    error_message = "The output has the wrong URL."
  }
}

run "prometheus_among_the_allowed_peers" {
  command = plan

  variables {
    prometheus     = { enabled = true }
    network_policy = { allow_from = [] }
  }

  assert {
    condition     = kubernetes_network_policy_v1.network_policy["em-metrics"].spec[0].ingress[0].from[0].pod_selector[0].match_labels["app.kubernetes.io/component"] == "prometheus"
    error_message = "Prometheus is not allowed to connect."
  }
}

run "alloy" {
  command = plan

  variables {
    prometheus     = { enabled = true }
    alloy          = { enabled = true }
    network_policy = { allow_from = [] }
  }

  assert {
    condition     = keys(kubernetes_stateful_set_v1.stack) == ["alloy", "prometheus"]
    error_message = "The stack is not exactly Prometheus and Alloy."
  }

  assert {
    condition     = contains([for env in kubernetes_stateful_set_v1.em_metrics.spec[0].template[0].spec[0].container[0].env : "${env.name}=${env.value}"], "OTEL_COLLECTOR_URL=http://em-metrics-alloy:4318")
    error_message = "em-metrics does not push to Alloy."
  }

  assert {
    condition     = contains([for port in kubernetes_service_v1.stack["alloy"].spec[0].port : port.port], 4318)
    error_message = "Alloy does not listen on the port that em-metrics pushes to."
  }

  assert {
    condition     = contains([for env in kubernetes_stateful_set_v1.stack["alloy"].spec[0].template[0].spec[0].container[0].env : "${env.name}=${env.value}"], "PROMETHEUS_REMOTE_WRITE_URL=http://em-metrics-prometheus:9090/api/v1/write")
    error_message = "Alloy does not write to Prometheus."
  }

  assert {
    condition     = kubernetes_config_map_v1.alloy[0].data["config.alloy"] == file("../prometheus/config.alloy")
    error_message = "The configuration of Alloy is not that of the repository."
  }

  assert {
    condition     = kubernetes_config_map_v1.prometheus["em-metrics-prometheus"].data["prometheus.yml"] == file("../prometheus/prometheus-otlp.yml")
    error_message = "em-metrics is both pushed and scraped."
  }

  assert {
    condition = (
      length(kubernetes_network_policy_v1.network_policy["em-metrics"].spec[0].ingress) == 0 &&
      kubernetes_network_policy_v1.network_policy["em-metrics"].spec[0].egress[1].to[0].pod_selector[0].match_labels["app.kubernetes.io/component"] == "alloy" &&
      kubernetes_network_policy_v1.network_policy["em-metrics-alloy"].spec[0].ingress[0].from[0].pod_selector[0].match_labels["app.kubernetes.io/component"] == "em-metrics"
    )
    error_message = "The NetworkPolicy blocks the push to Alloy, or allows more than the push."
  }
}

run "alloy_to_an_external_prometheus" {
  command = plan

  variables {
    alloy = { enabled = true, remote_write_url = "https://prometheus.example.com/api/v1/write" }
  }

  assert {
    condition     = keys(kubernetes_stateful_set_v1.stack) == ["alloy"]
    error_message = "The stack is not exactly Alloy."
  }

  assert {
    condition     = contains([for env in kubernetes_stateful_set_v1.stack["alloy"].spec[0].template[0].spec[0].container[0].env : "${env.name}=${env.value}"], "PROMETHEUS_REMOTE_WRITE_URL=https://prometheus.example.com/api/v1/write")
    error_message = "Alloy writes to the wrong URL."
  }

  assert {
    condition     = length(kubernetes_network_policy_v1.network_policy["em-metrics-alloy"].spec[0].egress[1].to) == 0
    error_message = "The NetworkPolicy blocks Alloy's remote write."
  }
}

run "grafana" {
  command = plan

  variables {
    prometheus             = { enabled = true }
    grafana_admin_password = "a-password-for-the-tests"
    grafana = {
      enabled = true
      ingress = { host = "grafana.example.com", tls_secret_name = "grafana-tls" }
    }
  }

  assert {
    condition     = keys(kubernetes_stateful_set_v1.stack) == ["grafana", "prometheus"]
    error_message = "The stack is not exactly Prometheus and Grafana."
  }

  assert {
    condition     = { for name, dashboard in kubernetes_config_map_v1.dashboard : name => dashboard.data[name] } == { for file in fileset("../grafana/dashboards", "*.json") : file => replace(file("../grafana/dashboards/${file}"), "http://localhost:3000", output.url) }
    error_message = "The dashboards are not those of the repository, with links to em-metrics."
  }

  assert {
    condition     = length(kubernetes_config_map_v1.dashboard) >= 4
    error_message = "Dashboards are missing."
  }

  assert {
    condition     = yamldecode(kubernetes_config_map_v1.grafana[0].data["prometheus.yml"]).datasources[0].url == "http://em-metrics-prometheus:9090"
    error_message = "Grafana queries the wrong Prometheus."
  }

  assert {
    condition     = kubernetes_ingress_v1.ingress["em-metrics-grafana"].spec[0].rule[0].http[0].path[0].backend[0].service[0].name == kubernetes_service_v1.stack["grafana"].metadata[0].name
    error_message = "The ingress does not route to Grafana."
  }

  assert {
    condition     = kubernetes_secret_v1.credentials[0].data_wo_revision == 3
    error_message = "The password is not written to a Secret that already exists."
  }

  assert {
    condition = contains([
      for volume in kubernetes_stateful_set_v1.stack["grafana"].spec[0].template[0].spec[0].volume : "${volume.secret[0].items[0].key}:${volume.secret[0].items[0].path}" if length(volume.secret) > 0
    ], "grafana-admin-password:grafana_admin_password")
    error_message = "Grafana does not get its password, or also gets the token."
  }
}

run "grafana_with_an_existing_secret_and_an_external_prometheus" {
  command = plan

  variables {
    token           = null
    existing_secret = { name = "credentials", grafana_admin_password_key = "admin" }
    grafana         = { enabled = true, prometheus_url = "https://prometheus.example.com" }
  }

  assert {
    condition     = keys(kubernetes_stateful_set_v1.stack) == ["grafana"] && length(kubernetes_secret_v1.credentials) == 0
    error_message = "The stack is not exactly Grafana."
  }

  assert {
    condition     = yamldecode(kubernetes_config_map_v1.grafana[0].data["prometheus.yml"]).datasources[0].url == "https://prometheus.example.com"
    error_message = "Grafana queries the wrong Prometheus."
  }

  assert {
    condition     = output.grafana_port_forward == "kubectl --namespace em-metrics port-forward service/em-metrics-grafana 3001:3000"
    error_message = "The output does not forward a port to Grafana."
  }
}

run "dashboards_for_an_existing_grafana" {
  command = plan

  variables {
    dashboards = { enabled = true, labels = { grafana_dashboard = "1" }, annotations = { grafana_folder = "DORA" } }
  }

  assert {
    condition = length(kubernetes_config_map_v1.dashboard) >= 4 && alltrue([
      for dashboard in values(kubernetes_config_map_v1.dashboard) : dashboard.metadata[0].labels["grafana_dashboard"] == "1" && dashboard.metadata[0].annotations["grafana_folder"] == "DORA"
    ])
    error_message = "The sidecar does not find the dashboards."
  }

  assert {
    condition     = length(kubernetes_stateful_set_v1.stack) == 0
    error_message = "A Grafana was created."
  }
}

run "rules_for_an_existing_prometheus" {
  command = plan

  assert {
    condition     = length(output.prometheus_rule.spec.groups) >= 5 && tomap(output.service_monitor.spec.selector.matchLabels) == kubernetes_service_v1.em_metrics.spec[0].selector
    error_message = "The objects for the Prometheus Operator are incomplete."
  }
}
