package kubernetes

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// Problems are what is wrong with the objects, in words; external are objects that
// exist already, such as "Secret registry".
func (o *Objects) Problems(external ...string) []string {
	return slices.Concat(
		o.podSecurity(), o.pods(), o.names(), o.selectors(), o.serviceAccounts(),
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
		if len(spec.Containers) != 1 {
			problem("it has not one container")
			continue
		}
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
		}
	}
	return problems
}

// names and labels are such as the API takes.
func (o *Objects) names() (problems []string) {
	objects := o.All()
	for object, meta := range objects {
		problem := func(text string) { problems = append(problems, object+": "+text) }
		for _, text := range validation.IsDNS1123Subdomain(meta.Name) {
			problem(text)
		}
		for key, value := range meta.Labels {
			for _, text := range slices.Concat(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)) {
				problem("label " + key + ": " + text)
			}
		}
		for key := range meta.Annotations {
			for _, text := range validation.IsQualifiedName(strings.ToLower(key)) {
				problem("annotation " + key + ": " + text)
			}
		}
		if !strings.HasPrefix(object, "Namespace ") && meta.Namespace == "" {
			problem("it has no namespace")
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

// selected are the StatefulSets whose pods have the labels.
func (o *Objects) selected(labels map[string]string) (sets []*appsv1.StatefulSet) {
	for _, set := range o.StatefulSets {
		if contains(set.Spec.Template.Labels, labels) {
			sets = append(sets, set)
		}
	}
	return sets
}

func contains(labels, wanted map[string]string) bool {
	for key, value := range wanted {
		if labels[key] != value {
			return false
		}
	}
	return true
}
