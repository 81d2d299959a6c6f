output "url" {
  description = "URL of em-metrics."
  value       = module.em_metrics.url
}

output "grafana_port_forward" {
  description = "Command that forwards a local port to Grafana."
  value       = module.em_metrics.grafana_port_forward
}
