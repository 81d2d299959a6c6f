output "url" {
  description = "Where CI and people reach em-metrics."
  value       = module.em_metrics.url
}

output "grafana_port_forward" {
  description = "A command that brings Grafana to this machine."
  value       = module.em_metrics.grafana_port_forward
}
