package kubernetes

import "fmt"

// checkSupported finds what the other checks do not support. They do not run while
// there is any.
func (o *Objects) checkSupported() (problems []string) {
	for _, set := range o.StatefulSets {
		problem := func(text string) { problems = append(problems, fmt.Sprintf("StatefulSet %s: %s", set.Name, text)) }
		if spec := pod(set); len(spec.Containers) != 1 || len(spec.InitContainers) > 0 || len(spec.EphemeralContainers) > 0 {
			problem("it must have exactly one container; the checks support no others")
		}
		if len(set.Spec.VolumeClaimTemplates) > 0 {
			problem("it has volume claim templates, which the checks do not support")
		}
	}
	for _, ingress := range o.Ingresses {
		problem := func(text string) { problems = append(problems, fmt.Sprintf("Ingress %s: %s", ingress.Name, text)) }
		if ingress.Spec.DefaultBackend != nil {
			problem("it has a default backend, which the checks do not support")
		}
		for _, rule := range ingress.Spec.Rules {
			if rule.HTTP == nil {
				problem("the rule for " + rule.Host + " has no paths")
				continue
			}
			for _, path := range rule.HTTP.Paths {
				if path.Backend.Service == nil {
					problem("the path " + path.Path + " does not lead to a Service")
				}
			}
		}
	}
	return problems
}

// checkNamespaces checks that names are unique and all objects are in one
// namespace, so that the other checks can compare names alone.
func (o *Objects) checkNamespaces() (problems []string) {
	seen := map[string]bool{}
	namespace := ""
	for _, object := range o.list() {
		name, own := title(object), object.GetNamespace()
		if seen[name] {
			problems = append(problems, name+": it appears more than once")
		}
		seen[name] = true
		if object.GetObjectKind().GroupVersionKind().Kind == "Namespace" {
			own = object.GetName()
		}
		switch {
		case own == "":
			problems = append(problems, name+": it has no namespace")
		case namespace == "":
			namespace = own
		case own != namespace:
			problems = append(problems, fmt.Sprintf("%s: it is in the namespace %s, but others are in %s", name, own, namespace))
		}
	}
	return problems
}
