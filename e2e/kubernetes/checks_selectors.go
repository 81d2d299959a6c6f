package kubernetes

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// checkSelectors checks that each selector selects the pods of exactly one
// StatefulSet.
func (o *Objects) checkSelectors() (problems []string) {
	checkOne := func(object string, selector labels.Selector) {
		if sets := o.selected(selector); len(sets) != 1 || selector.Empty() {
			problems = append(problems, fmt.Sprintf("%s selects the pods of %d StatefulSets", object, len(sets)))
		}
	}
	services := map[string]bool{}
	for _, service := range o.Services {
		services[service.Name] = true
		checkOne("Service "+service.Name, labels.SelectorFromSet(service.Spec.Selector))
	}
	for _, set := range o.StatefulSets {
		checkOne("StatefulSet "+set.Name, selector(set.Spec.Selector))
		if !selector(set.Spec.Selector).Matches(labels.Set(set.Spec.Template.Labels)) {
			problems = append(problems, fmt.Sprintf("StatefulSet %s does not select its own pods", set.Name))
		}
		if !services[set.Spec.ServiceName] {
			problems = append(problems, fmt.Sprintf("StatefulSet %s: there is no Service %q", set.Name, set.Spec.ServiceName))
		}
	}
	for _, budget := range o.PodDisruptionBudgets {
		checkOne("PodDisruptionBudget "+budget.Name, selector(budget.Spec.Selector))
	}
	for _, networkPolicy := range o.NetworkPolicies {
		checkOne("NetworkPolicy "+networkPolicy.Name, selector(&networkPolicy.Spec.PodSelector))
	}
	return problems
}

// selector interprets a selector as the API server does. A missing or invalid one
// selects nothing.
func selector(s *metav1.LabelSelector) labels.Selector {
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return labels.Nothing()
	}
	return selector
}

// selected returns the StatefulSets whose pods a selector selects.
func (o *Objects) selected(selector labels.Selector) (sets []*appsv1.StatefulSet) {
	for _, set := range o.StatefulSets {
		if selector.Matches(labels.Set(set.Spec.Template.Labels)) {
			sets = append(sets, set)
		}
	}
	return sets
}

// checkPorts checks that every port that an object refers to exists.
func (o *Objects) checkPorts() (problems []string) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	for _, service := range o.Services {
		for _, set := range o.selected(labels.SelectorFromSet(service.Spec.Selector)) {
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
				problem("StatefulSet %s: the %s probe does not use a port of its container", set.Name, name)
			}
		}
	}
	return append(append(problems, o.checkIngressPorts()...), o.checkPolicyPorts()...)
}

func (o *Objects) checkIngressPorts() (problems []string) {
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
					problems = append(problems, fmt.Sprintf("Ingress %s: there is no port %q on a Service %q", ingress.Name, service.Port.Name, service.Name))
				}
			}
		}
	}
	return problems
}
