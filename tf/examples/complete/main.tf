# Everything that the module can create, for a cluster with neither Prometheus nor
# Grafana. The version and the credentials come from the environment:
#
#   export TF_VAR_token=$(openssl rand -hex 32) TF_VAR_grafana_admin_password=$(openssl rand -hex 16)
#   export TF_VAR_image_tag=… KUBE_CONFIG_PATH=~/.kube/config
#   terraform init
#   terraform apply

terraform {
  required_version = ">= 1.11"

  required_providers {
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = ">= 3.0, < 4.0"
    }
  }
}

# Reads KUBE_CONFIG_PATH and KUBE_CTX.
provider "kubernetes" {}

module "em_metrics" {
  source = "../.."

  image              = { repository = var.image_repository, tag = var.image_tag }
  image_pull_secrets = ["registry"]

  token                  = var.token
  grafana_admin_password = var.grafana_admin_password

  teams = {
    backend-team  = { projects = ["backend-1", "shop"], users = ["bob", "ann"] }
    frontend-team = { projects = ["web"], users = ["eve"] }
  }

  storage = { size = "5Gi" }

  ingress = {
    host            = "em-metrics.example.com"
    class_name      = "nginx"
    tls_secret_name = "em-metrics-tls"
    annotations     = { "cert-manager.io/cluster-issuer" = "letsencrypt" }
  }

  network_policy = {
    allow_from = [
      { namespace_labels = { "kubernetes.io/metadata.name" = "ingress-nginx" } },
      { namespace_labels = { "kubernetes.io/metadata.name" = "ci" }, pod_labels = { role = "runner" } },
      { cidr = "10.20.0.0/16" },
    ]
  }

  tolerations                 = [{ key = "dedicated", value = "platform", effect = "NoSchedule" }]
  topology_spread_constraints = [{ topology_key = "topology.kubernetes.io/zone" }]

  prometheus = { enabled = true, storage_size = "20Gi" }
  alloy      = { enabled = true }
  grafana = {
    enabled = true
    ingress = {
      host            = "grafana.example.com"
      class_name      = "nginx"
      tls_secret_name = "grafana-tls"
      annotations     = { "cert-manager.io/cluster-issuer" = "letsencrypt" }
    }
  }

  wait_for_rollout = var.wait_for_rollout
}
