package kubernetes

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// selectors select the pods of exactly one StatefulSet.
func (o *Objects) selectors() (problems []string) {
	one := func(object string, labels map[string]string) {
		if sets := o.selected(labels); len(sets) != 1 || len(labels) == 0 {
			problems = append(problems, fmt.Sprintf("%s selects the pods of %d StatefulSets", object, len(sets)))
		}
	}
	services := map[string]bool{}
	for _, service := range o.Services {
		services[service.Name] = true
		one("Service "+service.Name, service.Spec.Selector)
	}
	for _, set := range o.StatefulSets {
		one("StatefulSet "+set.Name, matchLabels(set.Spec.Selector))
		if !contains(set.Spec.Template.Labels, matchLabels(set.Spec.Selector)) {
			problems = append(problems, fmt.Sprintf("StatefulSet %s does not select its own pods", set.Name))
		}
		if !services[set.Spec.ServiceName] {
			problems = append(problems, fmt.Sprintf("StatefulSet %s: there is no Service %q", set.Name, set.Spec.ServiceName))
		}
	}
	for _, budget := range o.PodDisruptionBudgets {
		one("PodDisruptionBudget "+budget.Name, matchLabels(budget.Spec.Selector))
	}
	for _, networkPolicy := range o.NetworkPolicies {
		one("NetworkPolicy "+networkPolicy.Name, networkPolicy.Spec.PodSelector.MatchLabels)
	}
	return problems
}

func matchLabels(selector *metav1.LabelSelector) map[string]string {
	if selector == nil {
		return nil
	}
	return selector.MatchLabels
}

// ports that something names are there.
func (o *Objects) ports() (problems []string) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	for _, service := range o.Services {
		for _, set := range o.selected(service.Spec.Selector) {
			for _, port := range service.Spec.Ports {
				if !listens(set, port.TargetPort) {
					problem("Service %s: the pods of %s have no port %s", service.Name, set.Name, port.TargetPort.String())
				}
			}
		}
	}
	for _, set := range o.StatefulSets {
		for name, probe := range map[string]*corev1.Probe{
			"startup": container(set).StartupProbe, "liveness": container(set).LivenessProbe, "readiness": container(set).ReadinessProbe,
		} {
			if probe != nil && (probe.HTTPGet == nil || !listens(set, probe.HTTPGet.Port)) {
				problem("StatefulSet %s: the %s probe asks at no port of it", set.Name, name)
			}
		}
	}
	return append(append(problems, o.ingressPorts()...), o.policyPorts()...)
}

func (o *Objects) ingressPorts() (problems []string) {
	ports := map[string]bool{}
	for _, service := range o.Services {
		for _, port := range service.Spec.Ports {
			ports[service.Name+" "+port.Name] = true
		}
	}
	for _, ingress := range o.Ingresses {
		for _, rule := range ingress.Spec.Rules {
			for _, path := range rule.HTTP.Paths {
				if service := path.Backend.Service; !ports[service.Name+" "+service.Port.Name] {
					problems = append(problems, fmt.Sprintf("Ingress %s: there is no port %q of a Service %q", ingress.Name, service.Port.Name, service.Name))
				}
			}
		}
	}
	return problems
}

// policyPorts checks that the ports of NetworkPolicies are ports of the pods that
// are reached, and that whoever may send to a pod of ours is let in there.
func (o *Objects) policyPorts() (problems []string) {
	for _, from := range o.NetworkPolicies {
		for _, rule := range from.Spec.Ingress {
			for _, set := range o.selected(from.Spec.PodSelector.MatchLabels) {
				problems = append(problems, missingPorts(from, rule.Ports, set)...)
			}
		}
		for _, rule := range from.Spec.Egress {
			for _, to := range rule.To {
				for _, set := range o.selected(matchLabels(to.PodSelector)) {
					problems = append(problems, missingPorts(from, rule.Ports, set)...)
					if !o.letsIn(set, from.Spec.PodSelector.MatchLabels) {
						problems = append(problems, fmt.Sprintf("NetworkPolicy %s sends to the pods of %s, which do not let it in", from.Name, set.Name))
					}
				}
			}
		}
	}
	return problems
}

func missingPorts(networkPolicy *networkingv1.NetworkPolicy, ports []networkingv1.NetworkPolicyPort, set *appsv1.StatefulSet) (problems []string) {
	for _, port := range ports {
		if port.Port != nil && !listens(set, *port.Port) {
			problems = append(problems, fmt.Sprintf("NetworkPolicy %s: the pods of %s have no port %s", networkPolicy.Name, set.Name, port.Port.String()))
		}
	}
	return problems
}

// letsIn says whether a policy of the pods of a StatefulSet allows pods with the
// labels.
func (o *Objects) letsIn(set *appsv1.StatefulSet, labels map[string]string) bool {
	for _, networkPolicy := range o.NetworkPolicies {
		if !contains(set.Spec.Template.Labels, networkPolicy.Spec.PodSelector.MatchLabels) {
			continue
		}
		for _, rule := range networkPolicy.Spec.Ingress {
			if len(rule.From) == 0 {
				return true
			}
			for _, peer := range rule.From {
				if peer.PodSelector != nil && peer.NamespaceSelector == nil && contains(labels, peer.PodSelector.MatchLabels) {
					return true
				}
			}
		}
	}
	return false
}

func listens(set *appsv1.StatefulSet, port intstr.IntOrString) bool {
	for _, declared := range container(set).Ports {
		if declared.Name == port.String() || port.Type == intstr.Int && declared.ContainerPort == port.IntVal {
			return true
		}
	}
	return false
}
