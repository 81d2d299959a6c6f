# Deployment.

variable "name" {
  description = "Name of the installation: used for the StatefulSet, the Service and the Secret, and as a prefix for all other names."
  type        = string
  default     = "em-metrics"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$", var.name))
    error_message = "name must be a DNS label of at most 40 characters: lowercase letters, digits and hyphens, starting with a letter and not ending with a hyphen."
  }
}

variable "namespace" {
  description = "Namespace for everything that the module creates."
  type        = string
  default     = "em-metrics"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "namespace must be a DNS label of at most 63 characters: lowercase letters, digits and hyphens, not starting or ending with a hyphen."
  }
}

variable "create_namespace" {
  description = "Whether to create the namespace, with the restricted Pod Security Standard enforced. Destroying it also destroys the stored events. Set to false if it already exists."
  type        = bool
  default     = true
  nullable    = false
}

variable "labels" {
  description = "Additional labels for everything that the module creates."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([
      for key in keys(var.labels) : !contains([
        "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component",
        "app.kubernetes.io/part-of", "app.kubernetes.io/managed-by",
      ], key)
    ])
    error_message = "labels must not contain app.kubernetes.io/name, instance, component, part-of or managed-by, which the module sets and uses in selectors."
  }

  validation {
    condition     = alltrue([for value in values(var.labels) : can(regex("^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$", value))])
    error_message = "labels must have values of at most 63 letters, digits, hyphens, underscores and dots that start and end with a letter or digit."
  }
}

variable "replicas" {
  description = "1, or 0 to stop the service while its database is restored."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = contains([0, 1], var.replicas)
    error_message = "replicas must be 0 or 1: the events are in one SQLite file on a volume that only one pod mounts, and SQLite has a single writer. For more capacity, run one installation for each part of the company; Prometheus can combine them."
  }
}

variable "image" {
  description = "Image of em-metrics: a tag or a digest (sha256:…). The digest takes precedence."
  type = object({
    repository  = optional(string, "ghcr.io/em-metrics/em-metrics")
    tag         = optional(string)
    digest      = optional(string)
    pull_policy = optional(string, "IfNotPresent")
  })
  nullable = false

  validation {
    condition     = var.image.tag != null || var.image.digest != null
    error_message = "image requires a tag or a digest, so that the version is fixed."
  }

  validation {
    condition     = var.image.tag == null ? true : can(regex("^[A-Za-z0-9_][-A-Za-z0-9_.]{0,127}$", var.image.tag)) && var.image.tag != "latest"
    error_message = "image.tag must be a valid tag other than latest, because a restart must not change the version."
  }

  validation {
    condition     = var.image.digest == null ? true : can(regex("^sha256:[0-9a-f]{64}$", var.image.digest))
    error_message = "image.digest must be sha256: followed by 64 hexadecimal digits."
  }

  validation {
    condition     = contains(["Always", "IfNotPresent", "Never"], var.image.pull_policy)
    error_message = "image.pull_policy must be Always, IfNotPresent or Never."
  }
}

variable "image_pull_secrets" {
  description = "Names of the Secrets for pulling images."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "wait_for_rollout" {
  description = "Whether apply waits until the pods are ready, and fails if they do not become ready. Set to false on a cluster without nodes."
  type        = bool
  default     = true
  nullable    = false
}

# Credentials. They are written to a Secret and are not stored in the state.

variable "token" {
  description = "Token that clients must send, for example from `openssl rand -hex 32`. It is not stored in the state, so it is needed for every plan and apply, for example as TF_VAR_token."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = var.token == null ? true : can(regex("^[!-~]{16,}$", var.token))
    error_message = "token must have at least 16 characters of printable ASCII without spaces. Generate one with `openssl rand -hex 32`."
  }

  validation {
    condition     = (var.token == null) != (var.existing_secret == null)
    error_message = "Set exactly one of token and existing_secret: the service needs a credential to start."
  }
}

variable "credentials_revision" {
  description = "Increment this when the token or Grafana's password changes, because Terraform cannot detect changes to values that are not in the state. The pods restart with the new value."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.credentials_revision >= 1 && floor(var.credentials_revision) == var.credentials_revision
    error_message = "credentials_revision must be a whole number of at least 1."
  }
}

variable "existing_secret" {
  description = "An existing Secret in the same namespace with the credentials, and its keys. Replaces token and grafana_admin_password."
  type = object({
    name                       = string
    token_key                  = optional(string, "token")
    grafana_admin_password_key = optional(string, "grafana-admin-password")
  })
  default = null

  validation {
    condition     = var.existing_secret == null ? true : can(regex("^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$", var.existing_secret.name))
    error_message = "existing_secret.name must be a valid Secret name: lowercase letters, digits, hyphens and dots."
  }

  validation {
    condition = var.existing_secret == null ? true : alltrue([
      for key in [var.existing_secret.token_key, var.existing_secret.grafana_admin_password_key] : can(regex("^[-A-Za-z0-9_.]{1,253}$", key))
    ])
    error_message = "The keys of existing_secret must consist of letters, digits, hyphens, underscores and dots."
  }
}

variable "username" {
  description = "User name for opening the page in a browser; the password is the token. Null allows only the token."
  type        = string
  default     = "em-metrics"

  validation {
    condition     = var.username == null ? true : can(regex("^[^:[:cntrl:]]+$", var.username))
    error_message = "username must not be empty or contain a colon or control characters, which HTTP basic authentication does not allow."
  }
}

variable "public_metrics" {
  description = "Whether /metrics, which reveals the names of projects and teams, is readable without authentication."
  type        = bool
  default     = false
  nullable    = false
}

# The service.

variable "teams" {
  description = "Teams by name, with their projects and user names. The service restarts when they change."
  type = map(object({
    projects = optional(list(string), [])
    users    = optional(list(string), [])
  }))
  default  = {}
  nullable = false

  validation {
    condition = alltrue(flatten([
      for name, team in var.teams : [for text in concat([name], team.projects, team.users) : length(text) > 0 && length(text) <= 256]
    ]))
    error_message = "teams must have names, projects and users with 1 to 256 characters."
  }
}

variable "deployment_environment" {
  description = "Environment of requests that do not name one (DEPLOYMENT_ENVIRONMENT)."
  type        = string
  default     = "production"
  nullable    = false

  validation {
    condition     = length(var.deployment_environment) > 0 && length(var.deployment_environment) <= 256
    error_message = "deployment_environment must have 1 to 256 characters."
  }
}

variable "otel_collector_url" {
  description = "Collector to push metrics to over OTLP: http(s)://host:4318 or grpc(s)://host:4317 (OTEL_COLLECTOR_URL). If null, nothing is pushed, except to this module's Alloy."
  type        = string
  default     = null

  validation {
    condition     = var.otel_collector_url == null ? true : can(regex("^(https?|grpcs?)://[^/:@[:space:]]+(:[0-9]{1,5})?(/[^[:space:]]*)?$", var.otel_collector_url))
    error_message = "otel_collector_url must be http(s)://host:port with an optional path, or grpc(s)://host:port, without a user name or password."
  }

  validation {
    condition     = var.otel_collector_url == null || !var.alloy.enabled
    error_message = "otel_collector_url and alloy.enabled cannot be combined: the service pushes to only one collector."
  }
}

variable "series_hold" {
  description = "How long scrapers see a new series at zero, such as 150s: at least twice the scrape interval, or 0 to disable the hold (EM_METRICS_SERIES_HOLD)."
  type        = string
  default     = "150s"
  nullable    = false

  validation {
    condition     = can(regex("^(0|([0-9]+(\\.[0-9]+)?(ms|s|m|h))+)$", var.series_hold))
    error_message = "series_hold must be a duration such as 150s or 2m30s, or 0."
  }
}

variable "detect_rollbacks" {
  description = "Whether a rollback is recognized by its commit; otherwise only if the request says so (EM_METRICS_DETECT_ROLLBACKS)."
  type        = bool
  default     = true
  nullable    = false
}

variable "label_set_limit" {
  description = "Maximum number of distinct combinations of project, environment and team; events beyond it are counted together (EM_METRICS_LABEL_SET_LIMIT)."
  type        = number
  default     = 2000
  nullable    = false

  validation {
    condition     = var.label_set_limit >= 1 && floor(var.label_set_limit) == var.label_set_limit
    error_message = "label_set_limit must be a whole number of at least 1."
  }
}

variable "windows" {
  description = "Time windows of the exact dora_ gauges (EM_METRICS_WINDOWS). An empty list disables these gauges, which leaves the key figures on the dashboards empty."
  type        = list(string)
  default     = ["7d", "30d", "90d"]
  nullable    = false

  validation {
    condition     = alltrue([for window in var.windows : can(regex("^[1-9][0-9]*[hdw]$", window))])
    error_message = "windows must be durations such as 12h, 7d or 4w."
  }
}

variable "shutdown_timeout_seconds" {
  description = "Time limit for a graceful shutdown, in seconds (EM_METRICS_SHUTDOWN_TIMEOUT). The pod gets five seconds more."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.shutdown_timeout_seconds >= 1 && var.shutdown_timeout_seconds <= 600 && floor(var.shutdown_timeout_seconds) == var.shutdown_timeout_seconds
    error_message = "shutdown_timeout_seconds must be a whole number from 1 to 600."
  }
}

variable "log_level" {
  description = "Log level: debug, info, warn or error (LOG_LEVEL)."
  type        = string
  default     = "info"
  nullable    = false

  validation {
    condition     = contains(["debug", "info", "warn", "error"], var.log_level)
    error_message = "log_level must be debug, info, warn or error."
  }
}

variable "log_format" {
  description = "Log format: json or text (LOG_FORMAT)."
  type        = string
  default     = "json"
  nullable    = false

  validation {
    condition     = contains(["json", "text"], var.log_format)
    error_message = "log_format must be json or text."
  }
}

variable "env" {
  description = "Additional environment variables that are not secret, such as OTEL_METRIC_EXPORT_INTERVAL."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name, value in var.env : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name)) && value != ""])
    error_message = "env must have names of letters, digits and underscores, and non-empty values."
  }

  validation {
    condition = alltrue([
      for name in keys(var.env) : !startswith(name, "EM_METRICS_") && !contains([
        "HOST", "PORT", "SQLITE_DB", "CONFIG", "DEPLOYMENT_ENVIRONMENT", "OTEL_COLLECTOR_URL", "OTEL_EXPORTER_OTLP_HEADERS", "LOG_LEVEL", "LOG_FORMAT",
      ], name)
    ])
    error_message = "env must not contain variables that the module sets itself (EM_METRICS_…, HOST, PORT, SQLITE_DB, CONFIG, DEPLOYMENT_ENVIRONMENT, OTEL_COLLECTOR_URL, LOG_LEVEL, LOG_FORMAT), or OTEL_EXPORTER_OTLP_HEADERS, which contains a credential: use env_from_secrets for it."
  }
}

variable "env_from_secrets" {
  description = "Names of the Secrets whose keys become environment variables, for OTEL_EXPORTER_OTLP_HEADERS."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "storage" {
  description = "The volume of the database: its size, which can be increased later if the storage class allows it, and its storage class, which cannot be changed later; or an existing claim in the same namespace, which is kept when the module is destroyed."
  type = object({
    size           = optional(string, "1Gi")
    class_name     = optional(string)
    existing_claim = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^[1-9][0-9]*(Mi|Gi|Ti)$", var.storage.size))
    error_message = "storage.size must be a quantity in Mi, Gi or Ti, such as 1Gi."
  }

  validation {
    condition     = var.storage.existing_claim == null || var.storage.class_name == null
    error_message = "storage.class_name cannot be combined with storage.existing_claim, which already has a class."
  }
}

# The pod.

variable "resources" {
  description = "CPU and memory of em-metrics. It uses 24 MiB when idle and 34 MiB with a million events; the rest is for scrapes with many series."
  type = object({
    requests = optional(map(string), { cpu = "50m", memory = "64Mi" })
    limits   = optional(map(string), { memory = "256Mi" })
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for quantity in concat(values(var.resources.requests), values(var.resources.limits)) : can(regex("^[0-9]+(\\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$", quantity))
    ])
    error_message = "resources must be quantities such as 50m or 64Mi."
  }

  validation {
    condition     = can(var.resources.requests.memory)
    error_message = "resources.requests must include memory: a pod without a memory request is evicted first when a node runs out of memory."
  }
}

variable "pod_annotations" {
  description = "Additional annotations for the em-metrics pod."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "node_selector" {
  description = "Labels of the nodes on which the pods may run."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "tolerations" {
  description = "Node taints that the pods tolerate."
  type = list(object({
    key                = optional(string)
    operator           = optional(string, "Equal")
    value              = optional(string)
    effect             = optional(string)
    toleration_seconds = optional(number)
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for toleration in var.tolerations : contains(["Equal", "Exists"], toleration.operator)])
    error_message = "tolerations must have the operator Equal or Exists."
  }

  validation {
    condition = alltrue([
      for toleration in var.tolerations : toleration.effect == null ? true : contains(["NoSchedule", "PreferNoSchedule", "NoExecute"], toleration.effect)
    ])
    error_message = "tolerations must have the effect NoSchedule, PreferNoSchedule or NoExecute, or omit it to match all effects."
  }
}

variable "topology_spread_constraints" {
  description = "How the pods of this installation are spread across a topology, such as topology.kubernetes.io/zone."
  type = list(object({
    topology_key       = string
    max_skew           = optional(number, 1)
    when_unsatisfiable = optional(string, "ScheduleAnyway")
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for constraint in var.topology_spread_constraints : contains(["DoNotSchedule", "ScheduleAnyway"], constraint.when_unsatisfiable)])
    error_message = "topology_spread_constraints must have a when_unsatisfiable of DoNotSchedule or ScheduleAnyway."
  }

  validation {
    condition     = alltrue([for constraint in var.topology_spread_constraints : constraint.max_skew >= 1])
    error_message = "topology_spread_constraints must have a max_skew of at least 1."
  }
}

variable "priority_class_name" {
  description = "Priority class of the pods. Null uses the cluster's default."
  type        = string
  default     = null
}

variable "pod_disruption_budget" {
  description = "How many pods a node drain may evict: with 1, drains proceed while CI retries its calls; with 0, a drain waits for manual intervention."
  type = object({
    enabled         = optional(bool, true)
    max_unavailable = optional(number, 1)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains([0, 1], var.pod_disruption_budget.max_unavailable)
    error_message = "pod_disruption_budget.max_unavailable must be 0 or 1: there is one pod."
  }
}

# Access.

variable "service_port" {
  description = "Port of the Service."
  type        = number
  default     = 3000
  nullable    = false

  validation {
    condition     = var.service_port >= 1 && var.service_port <= 65535 && floor(var.service_port) == var.service_port
    error_message = "service_port must be a whole number from 1 to 65535."
  }
}

variable "service_annotations" {
  description = "Additional annotations for the Service."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "ingress" {
  description = "Ingress for access from outside the cluster. Null disables it. Without tls_secret_name, set allow_http = true if TLS is terminated in front of the ingress."
  type = object({
    host            = string
    class_name      = optional(string)
    annotations     = optional(map(string), {})
    tls_secret_name = optional(string)
    allow_http      = optional(bool, false)
  })
  default = null

  validation {
    condition     = var.ingress == null ? true : can(regex("^([a-z0-9]([-a-z0-9]*[a-z0-9])?\\.)+[a-z0-9]([-a-z0-9]*[a-z0-9])?$", var.ingress.host))
    error_message = "ingress.host must be a host name such as em-metrics.example.com."
  }

  validation {
    condition     = var.ingress == null ? true : var.ingress.tls_secret_name != null || var.ingress.allow_http
    error_message = "ingress requires tls_secret_name, because the token would otherwise be sent in clear text. Set allow_http = true if TLS is terminated in front of the ingress."
  }
}

variable "network_policy" {
  description = "Who can connect to em-metrics and Grafana: any client (both require authentication), or with allow_from only these peers. Prometheus and Alloy accept only the pods of this installation. Egress is limited to DNS and the next hop."
  type = object({
    enabled = optional(bool, true)
    allow_from = optional(list(object({
      namespace_labels = optional(map(string))
      pod_labels       = optional(map(string))
      cidr             = optional(string)
    })))
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for peer in coalesce(var.network_policy.allow_from, []) : peer.cidr == null ? peer.namespace_labels != null || peer.pod_labels != null : can(cidrhost(peer.cidr, 0)) && peer.namespace_labels == null && peer.pod_labels == null
    ])
    error_message = "Each peer in network_policy.allow_from must have namespace_labels, pod_labels or both, or only a cidr such as 10.0.0.0/8."
  }
}

variable "scrape_annotations" {
  description = "Whether to annotate the Service for a Prometheus that discovers targets by prometheus.io/scrape. With the Prometheus Operator, use the output service_monitor instead."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.scrape_annotations || var.public_metrics
    error_message = "scrape_annotations requires public_metrics = true, because a Prometheus that uses them sends no credential. Alternatively, use the output service_monitor or a scrape configuration with the token."
  }
}

# The optional monitoring stack, for a cluster that has none.

variable "prometheus" {
  description = "A Prometheus with the em-metrics recording rules and alerts."
  type = object({
    enabled            = optional(bool, false)
    image              = optional(string, "docker.io/prom/prometheus:v3.16.0")
    retention          = optional(string, "400d")
    storage_size       = optional(string, "10Gi")
    storage_class_name = optional(string)
    resources = optional(object({
      requests = optional(map(string), { cpu = "100m", memory = "512Mi" })
      limits   = optional(map(string), { memory = "2Gi" })
    }), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^[1-9][0-9]*[dwy]$", var.prometheus.retention))
    error_message = "prometheus.retention must be a duration such as 400d. The dashboards compare 90 days with the previous 90."
  }

  validation {
    condition     = can(regex("^[1-9][0-9]*(Mi|Gi|Ti)$", var.prometheus.storage_size))
    error_message = "prometheus.storage_size must be a quantity in Mi, Gi or Ti, such as 10Gi."
  }

  validation {
    condition     = can(regex("(:[A-Za-z0-9_][-A-Za-z0-9_.]*|@sha256:[0-9a-f]{64})$", var.prometheus.image)) && !endswith(var.prometheus.image, ":latest")
    error_message = "prometheus.image must have a tag other than latest, or a digest."
  }
}

variable "alloy" {
  description = "A Grafana Alloy that em-metrics pushes to instead of being scraped, and that writes to this module's Prometheus or to remote_write_url."
  type = object({
    enabled            = optional(bool, false)
    image              = optional(string, "docker.io/grafana/alloy:v1.18.1")
    remote_write_url   = optional(string)
    storage_size       = optional(string, "1Gi")
    storage_class_name = optional(string)
    resources = optional(object({
      requests = optional(map(string), { cpu = "50m", memory = "128Mi" })
      limits   = optional(map(string), { memory = "512Mi" })
    }), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = !var.alloy.enabled || var.alloy.remote_write_url != null || var.prometheus.enabled
    error_message = "alloy requires a destination: set prometheus.enabled or alloy.remote_write_url."
  }

  validation {
    condition     = var.alloy.remote_write_url == null ? true : can(regex("^https?://[^/:@[:space:]]+(:[0-9]{1,5})?(/[^[:space:]]*)?$", var.alloy.remote_write_url))
    error_message = "alloy.remote_write_url must be http(s)://host:port/path, without a user name or password."
  }

  validation {
    condition     = can(regex("^[1-9][0-9]*(Mi|Gi|Ti)$", var.alloy.storage_size))
    error_message = "alloy.storage_size must be a quantity in Mi, Gi or Ti, such as 1Gi."
  }

  validation {
    condition     = can(regex("(:[A-Za-z0-9_][-A-Za-z0-9_.]*|@sha256:[0-9a-f]{64})$", var.alloy.image)) && !endswith(var.alloy.image, ":latest")
    error_message = "alloy.image must have a tag other than latest, or a digest."
  }
}

variable "grafana" {
  description = "A Grafana with the em-metrics dashboards that queries this module's Prometheus or prometheus_url. Its ingress has the same settings as the ingress of em-metrics."
  type = object({
    enabled            = optional(bool, false)
    image              = optional(string, "docker.io/grafana/grafana:13.2.3")
    prometheus_url     = optional(string)
    storage_size       = optional(string, "1Gi")
    storage_class_name = optional(string)
    ingress = optional(object({
      host            = string
      class_name      = optional(string)
      annotations     = optional(map(string), {})
      tls_secret_name = optional(string)
      allow_http      = optional(bool, false)
    }))
    resources = optional(object({
      requests = optional(map(string), { cpu = "50m", memory = "256Mi" })
      limits   = optional(map(string), { memory = "1Gi" })
    }), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = !var.grafana.enabled || var.grafana.prometheus_url != null || var.prometheus.enabled
    error_message = "grafana requires a data source: set prometheus.enabled or grafana.prometheus_url."
  }

  validation {
    condition     = var.grafana.prometheus_url == null ? true : can(regex("^https?://[^/:@[:space:]]+(:[0-9]{1,5})?(/[^[:space:]]*)?$", var.grafana.prometheus_url))
    error_message = "grafana.prometheus_url must be http(s)://host:port with an optional path, without a user name or password."
  }

  validation {
    condition     = can(regex("^[1-9][0-9]*(Mi|Gi|Ti)$", var.grafana.storage_size))
    error_message = "grafana.storage_size must be a quantity in Mi, Gi or Ti, such as 1Gi."
  }

  validation {
    condition     = can(regex("(:[A-Za-z0-9_][-A-Za-z0-9_.]*|@sha256:[0-9a-f]{64})$", var.grafana.image)) && !endswith(var.grafana.image, ":latest")
    error_message = "grafana.image must have a tag other than latest, or a digest."
  }

  validation {
    condition     = var.grafana.ingress == null ? true : var.grafana.enabled && can(regex("^([a-z0-9]([-a-z0-9]*[a-z0-9])?\\.)+[a-z0-9]([-a-z0-9]*[a-z0-9])?$", var.grafana.ingress.host))
    error_message = "grafana.ingress requires grafana.enabled and a host name such as grafana.example.com."
  }

  validation {
    condition     = var.grafana.ingress == null ? true : var.grafana.ingress.tls_secret_name != null || var.grafana.ingress.allow_http
    error_message = "grafana.ingress requires tls_secret_name, because passwords would otherwise be sent in clear text. Set allow_http = true if TLS is terminated in front of the ingress."
  }
}

variable "grafana_admin_password" {
  description = "Password of Grafana's admin user, used on its first start. Like the token, it is not stored in the state."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = var.grafana_admin_password == null ? true : can(regex("^[!-~]{12,}$", var.grafana_admin_password))
    error_message = "grafana_admin_password must have at least 12 characters of printable ASCII without spaces."
  }

  validation {
    condition     = (var.grafana_admin_password != null) == (var.grafana.enabled && var.existing_secret == null)
    error_message = "grafana_admin_password must be set if grafana.enabled is true and existing_secret is null, and only then."
  }
}

variable "dashboards" {
  description = "ConfigMaps with the dashboards, and the labels and annotations by which the sidecar of an existing Grafana finds them."
  type = object({
    enabled     = optional(bool, false)
    labels      = optional(map(string), { grafana_dashboard = "1" })
    annotations = optional(map(string), {})
  })
  default  = {}
  nullable = false
}
