variable "token" {
  description = "Token that clients must send."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "grafana_admin_password" {
  description = "Password of Grafana's admin user."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "image_repository" {
  description = "Image repository of em-metrics."
  type        = string
  default     = "ghcr.io/em-metrics/em-metrics"
}

variable "image_tag" {
  description = "Version of em-metrics: a release, or the tag of your own image."
  type        = string
}

variable "wait_for_rollout" {
  description = "Whether apply waits until the pods are ready. Set to false on a cluster without nodes."
  type        = bool
  default     = true
}
