variable "token" {
  description = "Token with which clients send and read."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "grafana_admin_password" {
  description = "Password of Grafana's user admin."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "image_repository" {
  description = "Where the image of em-metrics is."
  type        = string
  default     = "ghcr.io/em-metrics/em-metrics"
}

variable "image_tag" {
  description = "Version of em-metrics."
  type        = string
  default     = "1.0.0"
}

variable "wait_for_rollout" {
  description = "Whether apply waits until the pods are ready. False on a cluster without nodes."
  type        = bool
  default     = true
}
