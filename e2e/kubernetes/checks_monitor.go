package kubernetes

import (
	"fmt"
	"slices"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// MonitorProblems describes everything that is wrong with the manifest of a
// ServiceMonitor. The API of the Prometheus Operator must accept it, and it must
// select exactly one Service and scrape a port of it with a token that exists.
func (o *Objects) MonitorProblems(manifest any, external ...string) (problems []string) {
	problem := func(format string, args ...any) {
		problems = append(problems, "the ServiceMonitor "+fmt.Sprintf(format, args...))
	}
	var monitor monitoringv1.ServiceMonitor
	if err := decodeStrictly(manifest, &monitor); err != nil {
		problem("is not valid: %v", err)
		return problems
	}
	services := o.monitored(monitor)
	if len(services) != 1 {
		problem("selects %d Services", len(services))
		return problems
	}
	if len(monitor.Spec.Endpoints) == 0 {
		problem("scrapes nothing")
	}
	for _, endpoint := range monitor.Spec.Endpoints {
		if !slices.ContainsFunc(services[0].Spec.Ports, func(port corev1.ServicePort) bool { return port.Name == endpoint.Port }) {
			problem("scrapes the port %q, which the Service %s does not have", endpoint.Port, services[0].Name)
		}
		if authorization := endpoint.Authorization; authorization != nil && authorization.Credentials != nil {
			source := "Secret " + authorization.Credentials.Name + "/" + authorization.Credentials.Key
			if !o.has(source, external) {
				problem("needs %s, which does not exist", source)
			}
		}
	}
	return problems
}

// monitored returns the Services that a ServiceMonitor selects.
func (o *Objects) monitored(monitor monitoringv1.ServiceMonitor) (services []*corev1.Service) {
	for _, service := range o.Services {
		if selector(&monitor.Spec.Selector).Matches(labels.Set(service.Labels)) && slices.Contains(monitor.Spec.NamespaceSelector.MatchNames, service.Namespace) {
			services = append(services, service)
		}
	}
	return services
}
