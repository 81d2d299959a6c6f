package kubernetes

import (
	"fmt"
)

// unchecked is what the objects may have and the other checks would pass over.
// Nothing else is looked at while there is any.
func (o *Objects) unchecked() (problems []string) {
	for _, set := range o.StatefulSets {
		problem := func(text string) { problems = append(problems, fmt.Sprintf("StatefulSet %s: %s", set.Name, text)) }
		if spec := pod(set); len(spec.Containers) != 1 || len(spec.InitContainers) > 0 || len(spec.EphemeralContainers) > 0 {
			problem("it has not one container, and more are not checked yet")
		}
		if len(set.Spec.VolumeClaimTemplates) > 0 {
			problem("it has templates of claims, which are not checked yet")
		}
	}
	for _, ingress := range o.Ingresses {
		problem := func(text string) { problems = append(problems, fmt.Sprintf("Ingress %s: %s", ingress.Name, text)) }
		if ingress.Spec.DefaultBackend != nil {
			problem("it has a default backend, which is not checked yet")
		}
		for _, rule := range ingress.Spec.Rules {
			if rule.HTTP == nil {
				problem("the rule for " + rule.Host + " has no paths")
				continue
			}
			for _, path := range rule.HTTP.Paths {
				if path.Backend.Service == nil {
					problem("the path " + path.Path + " leads to no Service")
				}
			}
		}
	}
	return problems
}

// places of the objects: each has a name of its own, and all are in one namespace,
// so that the other checks need to look at names alone.
func (o *Objects) places() (problems []string) {
	seen := map[string]bool{}
	namespace := ""
	for _, object := range o.list() {
		name, own := title(object), object.GetNamespace()
		if seen[name] {
			problems = append(problems, name+": it is there twice")
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
			problems = append(problems, fmt.Sprintf("%s: it is in the namespace %s, others are in %s", name, own, namespace))
		}
	}
	return problems
}
