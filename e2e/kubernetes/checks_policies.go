package kubernetes

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// policyPorts checks that the ports of NetworkPolicies are ports of the pods that
// are reached, and that whoever may send to a pod of ours is let in there.
func (o *Objects) policyPorts() (problems []string) {
	for _, from := range o.NetworkPolicies {
		for _, rule := range from.Spec.Ingress {
			if len(rule.Ports) == 0 {
				problems = append(problems, fmt.Sprintf("NetworkPolicy %s lets in at every port", from.Name))
			}
			for _, set := range o.selected(selector(&from.Spec.PodSelector)) {
				problems = append(problems, missingPorts(from, rule.Ports, set)...)
			}
		}
		for _, rule := range from.Spec.Egress {
			for _, to := range rule.To {
				for _, set := range o.selected(selector(to.PodSelector)) {
					problems = append(problems, missingPorts(from, rule.Ports, set)...)
					problems = append(problems, o.refused(from, rule.Ports, set)...)
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

// refused are the ports at which a policy sends to the pods of a StatefulSet and
// no policy of theirs lets its pods in.
func (o *Objects) refused(from *networkingv1.NetworkPolicy, ports []networkingv1.NetworkPolicyPort, to *appsv1.StatefulSet) (problems []string) {
	if len(ports) == 0 {
		problems = append(problems, fmt.Sprintf("NetworkPolicy %s sends to the pods of %s at every port", from.Name, to.Name))
	}
	for _, sender := range o.selected(selector(&from.Spec.PodSelector)) {
		for _, port := range ports {
			if port.Port != nil && !o.letsIn(to, labels.Set(sender.Spec.Template.Labels), *port.Port) {
				problems = append(problems, fmt.Sprintf("NetworkPolicy %s sends to the pods of %s at %s, which do not let it in", from.Name, to.Name, port.Port.String()))
			}
		}
	}
	return problems
}

// letsIn says whether a policy of the pods of a StatefulSet allows pods with the
// labels at a port of it.
func (o *Objects) letsIn(set *appsv1.StatefulSet, sender labels.Set, port intstr.IntOrString) bool {
	for _, networkPolicy := range o.NetworkPolicies {
		if !selector(&networkPolicy.Spec.PodSelector).Matches(labels.Set(set.Spec.Template.Labels)) {
			continue
		}
		for _, rule := range networkPolicy.Spec.Ingress {
			open := slices.ContainsFunc(rule.Ports, func(p networkingv1.NetworkPolicyPort) bool {
				return p.Port == nil || number(set, *p.Port) == number(set, port)
			})
			known := slices.ContainsFunc(rule.From, func(peer networkingv1.NetworkPolicyPeer) bool {
				return peer.NamespaceSelector == nil && selector(peer.PodSelector).Matches(sender)
			})
			if open && (known || len(rule.From) == 0) {
				return true
			}
		}
	}
	return false
}

func listens(set *appsv1.StatefulSet, port intstr.IntOrString) bool { return number(set, port) != 0 }

// number is that of a port that a pod declares, by its name or number, or 0.
func number(set *appsv1.StatefulSet, port intstr.IntOrString) int32 {
	for _, declared := range container(set).Ports {
		if port.Type == intstr.String && declared.Name == port.StrVal || port.Type == intstr.Int && declared.ContainerPort == port.IntVal {
			return declared.ContainerPort
		}
	}
	return 0
}
