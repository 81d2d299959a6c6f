# The volumes of the database and the rest of the stack. They are separate claims
# rather than volume claim templates of the StatefulSets, so that increasing the
# size in a variable expands the volume.

locals {
  claims = merge(
    var.storage.existing_claim != null ? {} : {
      em-metrics = { name = "${var.name}-data", size = var.storage.size, class_name = var.storage.class_name, labels = local.em_metrics_labels }
    },
    { for component, description in local.stack : component => {
      name       = "${description.name}-data"
      size       = description.storage.storage_size
      class_name = description.storage.storage_class_name
      labels     = merge(local.labels, local.stack_selectors[component])
    } },
  )

  claim_name = var.storage.existing_claim != null ? var.storage.existing_claim : kubernetes_persistent_volume_claim_v1.data["em-metrics"].metadata[0].name
}

resource "kubernetes_persistent_volume_claim_v1" "data" {
  for_each = local.claims

  metadata {
    name      = each.value.name
    namespace = local.namespace
    labels    = each.value.labels
  }

  # Many storage classes create the volume only when the first pod needs it.
  wait_until_bound = false

  spec {
    access_modes       = ["ReadWriteOnce"]
    storage_class_name = each.value.class_name

    resources {
      requests = { storage = each.value.size }
    }
  }

  lifecycle {
    # The class of a claim cannot change: Terraform would destroy the claim and its
    # data.
    ignore_changes = [spec[0].storage_class_name]
  }
}
