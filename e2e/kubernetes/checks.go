package kubernetes

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// Problems are what is wrong with the objects, in words; external are objects that
// exist already, such as "Secret registry".
func (o *Objects) Problems(external ...string) []string {
	if problems := o.unchecked(); len(problems) > 0 {
		return problems
	}
	return slices.Concat(
		o.podSecurity(), o.pods(), o.names(), o.places(), o.selectors(), o.serviceAccounts(),
		o.volumes(external), o.references(external), o.ports(), o.quantities(),
	)
}

// podSecurity evaluates the restricted Pod Security Standard, with the code that
// the API server does it with.
func (o *Objects) podSecurity() (problems []string) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return []string{err.Error()}
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, set := range o.StatefulSets {
		result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &set.Spec.Template.ObjectMeta, pod(set)))
		if !result.Allowed {
			problems = append(problems, fmt.Sprintf("StatefulSet %s: %s", set.Name, result.ForbiddenDetail()))
		}
	}
	for _, namespace := range o.Namespaces {
		if namespace.Labels[api.EnforceLevelLabel] != string(api.LevelRestricted) {
			problems = append(problems, fmt.Sprintf("Namespace %s does not enforce the restricted standard", namespace.Name))
		}
	}
	return problems
}

// pods are checked for what the module promises beyond the standard.
func (o *Objects) pods() (problems []string) {
	for _, set := range o.StatefulSets {
		problem := func(text string) { problems = append(problems, fmt.Sprintf("StatefulSet %s: %s", set.Name, text)) }
		spec := pod(set)
		c := container(set)
		if security := c.SecurityContext; security == nil || security.ReadOnlyRootFilesystem == nil || !*security.ReadOnlyRootFilesystem {
			problem("its root file system can be written to")
		}
		if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
			problem("it has a token for the API")
		}
		if spec.TerminationGracePeriodSeconds == nil {
			problem("it has no termination grace of its own")
		}
		if c.StartupProbe == nil || c.LivenessProbe == nil || c.ReadinessProbe == nil {
			problem("a probe is missing")
		}
		if set.Spec.Replicas == nil || *set.Spec.Replicas > 1 {
			problem("more than one pod would share its volume")
		}
		if !regexp.MustCompile(`(:[\w][-.\w]*|@sha256:[0-9a-f]{64})$`).MatchString(c.Image) || strings.HasSuffix(c.Image, ":latest") {
			problem("its image " + c.Image + " has no fixed version")
		}
		seen := map[string]bool{}
		for _, variable := range c.Env {
			if seen[variable.Name] {
				problem("the variable " + variable.Name + " is there twice")
			}
			seen[variable.Name] = true
			for _, text := range validation.IsEnvVarName(variable.Name) {
				problem("the variable " + variable.Name + ": " + text)
			}
		}
	}
	return problems
}

// names and labels are such as the API takes.
func (o *Objects) names() (problems []string) {
	for _, object := range o.list() {
		problem := func(text string) { problems = append(problems, title(object)+": "+text) }
		for _, text := range validation.IsDNS1123Subdomain(object.GetName()) {
			problem(text)
		}
		for _, text := range slices.Concat(labelProblems(object.GetLabels()), annotationProblems(object.GetAnnotations())) {
			problem(text)
		}
	}
	for _, set := range o.StatefulSets {
		meta := set.Spec.Template.ObjectMeta
		for _, text := range slices.Concat(labelProblems(meta.Labels), annotationProblems(meta.Annotations)) {
			problems = append(problems, "the pods of "+set.Name+": "+text)
		}
		// The name of a revision, which ends in a hash, is a label of the pods.
		if longest := validation.LabelValueMaxLength - len("-0123456789"); len(set.Name) > longest {
			problems = append(problems, fmt.Sprintf("StatefulSet %s: its name has more than %d characters", set.Name, longest))
		}
	}
	for _, service := range o.Services {
		for _, text := range validation.IsDNS1035Label(service.Name) {
			problems = append(problems, "Service "+service.Name+": "+text)
		}
	}
	for _, config := range o.ConfigMaps {
		size := 0
		for _, text := range config.Data {
			size += len(text)
		}
		if size > corev1.MaxSecretSize {
			problems = append(problems, fmt.Sprintf("ConfigMap %s: %d bytes are more than a ConfigMap takes", config.Name, size))
		}
	}
	return problems
}

func labelProblems(labels map[string]string) (problems []string) {
	for key, value := range labels {
		for _, text := range slices.Concat(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)) {
			problems = append(problems, "label "+key+": "+text)
		}
	}
	return problems
}

func annotationProblems(annotations map[string]string) (problems []string) {
	for key := range annotations {
		for _, text := range validation.IsQualifiedName(strings.ToLower(key)) {
			problems = append(problems, "annotation "+key+": "+text)
		}
	}
	return problems
}

func (o *Objects) serviceAccounts() (problems []string) {
	known := map[string]bool{}
	for _, account := range o.ServiceAccounts {
		known[account.Name] = true
		if account.AutomountServiceAccountToken == nil || *account.AutomountServiceAccountToken {
			problems = append(problems, "ServiceAccount "+account.Name+": it gives a token for the API to its pods")
		}
	}
	for _, set := range o.StatefulSets {
		if name := pod(set).ServiceAccountName; !known[name] {
			problems = append(problems, fmt.Sprintf("StatefulSet %s: there is no ServiceAccount %q", set.Name, name))
		}
	}
	return problems
}

// quantities are in order: the decoder has refused those that are none.
func (o *Objects) quantities() (problems []string) {
	for _, set := range o.StatefulSets {
		resources := container(set).Resources
		if resources.Requests.Memory().IsZero() {
			problems = append(problems, "StatefulSet "+set.Name+": it asks for no memory")
		}
		for name, limit := range resources.Limits {
			if request, ok := resources.Requests[name]; ok && request.Cmp(limit) > 0 {
				problems = append(problems, fmt.Sprintf("StatefulSet %s: it asks for more %s than its limit", set.Name, name))
			}
		}
	}
	for _, claim := range o.Claims {
		if claim.Spec.Resources.Requests.Storage().Sign() <= 0 {
			problems = append(problems, "PersistentVolumeClaim "+claim.Name+": it asks for no storage")
		}
		if !slices.Equal(claim.Spec.AccessModes, []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}) {
			problems = append(problems, "PersistentVolumeClaim "+claim.Name+": it is not ReadWriteOnce")
		}
	}
	return problems
}
