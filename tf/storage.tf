# The volumes: of the database, and of the rest of the stack. They are claims of
# their own and not templates of the StatefulSets, so that a larger size in a
# variable makes the volume grow.

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

  # Many classes make the volume when the first pod wants it.
  wait_until_bound = false

  spec {
    access_modes       = ["ReadWriteOnce"]
    storage_class_name = each.value.class_name

    resources {
      requests = { storage = each.value.size }
    }
  }

  lifecycle {
    # A claim cannot change its class: it would be destroyed with what it holds.
    ignore_changes = [spec[0].storage_class_name]
  }
}
