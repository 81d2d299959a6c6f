package kubernetes

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// checkPolicyPorts checks that the ports in NetworkPolicies exist on the pods, and
// that traffic which one policy lets out is let in by the policy of its target.
func (o *Objects) checkPolicyPorts() (problems []string) {
	for _, from := range o.NetworkPolicies {
		for _, rule := range from.Spec.Ingress {
			if len(rule.Ports) == 0 {
				problems = append(problems, fmt.Sprintf("NetworkPolicy %s allows ingress on every port", from.Name))
			}
			for _, set := range o.selected(selector(&from.Spec.PodSelector)) {
				problems = append(problems, missingPorts(from, rule.Ports, set)...)
			}
		}
		for _, rule := range from.Spec.Egress {
			for _, to := range rule.To {
				for _, set := range o.selected(selector(to.PodSelector)) {
					problems = append(problems, missingPorts(from, rule.Ports, set)...)
					problems = append(problems, o.blockedPorts(from, rule.Ports, set)...)
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

// blockedPorts checks a policy that allows egress to the pods of a StatefulSet: a
// policy of these pods must allow ingress on the same ports.
func (o *Objects) blockedPorts(from *networkingv1.NetworkPolicy, ports []networkingv1.NetworkPolicyPort, to *appsv1.StatefulSet) (problems []string) {
	if len(ports) == 0 {
		problems = append(problems, fmt.Sprintf("NetworkPolicy %s allows egress to the pods of %s on every port", from.Name, to.Name))
	}
	for _, sender := range o.selected(selector(&from.Spec.PodSelector)) {
		for _, port := range ports {
			if port.Port != nil && !o.allowsIngress(to, labels.Set(sender.Spec.Template.Labels), *port.Port) {
				problems = append(problems, fmt.Sprintf("NetworkPolicy %s allows egress to the pods of %s on port %s, but no policy allows the ingress", from.Name, to.Name, port.Port.String()))
			}
		}
	}
	return problems
}

// allowsIngress reports whether a policy of the pods of a StatefulSet allows pods
// with the given labels to connect to a port.
func (o *Objects) allowsIngress(set *appsv1.StatefulSet, sender labels.Set, port intstr.IntOrString) bool {
	for _, networkPolicy := range o.NetworkPolicies {
		if !selector(&networkPolicy.Spec.PodSelector).Matches(labels.Set(set.Spec.Template.Labels)) {
			continue
		}
		for _, rule := range networkPolicy.Spec.Ingress {
			open := slices.ContainsFunc(rule.Ports, func(p networkingv1.NetworkPolicyPort) bool {
				return p.Port == nil || portNumber(set, *p.Port) == portNumber(set, port)
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

// listens reports whether a pod declares a port.
func listens(set *appsv1.StatefulSet, port intstr.IntOrString) bool {
	return portNumber(set, port) != 0
}

// portNumber returns the number of a port that a pod declares, given its name or
// number, or 0.
func portNumber(set *appsv1.StatefulSet, port intstr.IntOrString) int32 {
	for _, declared := range container(set).Ports {
		if port.Type == intstr.String && declared.Name == port.StrVal || port.Type == intstr.Int && declared.ContainerPort == port.IntVal {
			return declared.ContainerPort
		}
	}
	return 0
}
