# The credentials are in a Secret: either one created from variables, with content
# that is not stored in the state, or an existing one.

locals {
  credentials = {
    secret                     = var.existing_secret == null ? kubernetes_secret_v1.credentials[0].metadata[0].name : var.existing_secret.name
    token_key                  = var.existing_secret == null ? "token" : var.existing_secret.token_key
    grafana_admin_password_key = var.existing_secret == null ? "grafana-admin-password" : var.existing_secret.grafana_admin_password_key
  }

  # The same path as in docker-compose.yml.
  secrets_path = "/run/secrets"
  token_file   = "em_metrics_token"

  credentials_annotation = { "em-metrics/credentials-revision" = tostring(var.credentials_revision) }
}

resource "kubernetes_secret_v1" "credentials" {
  count = var.existing_secret == null ? 1 : 0

  metadata {
    name      = var.name
    namespace = local.namespace
    labels    = local.labels
  }

  data_wo = merge(
    { token = var.token },
    var.grafana.enabled ? { "grafana-admin-password" = var.grafana_admin_password } : {},
  )
  # If Grafana is enabled later, its password must be written too.
  data_wo_revision = 2 * var.credentials_revision + (var.grafana.enabled ? 1 : 0)
}
