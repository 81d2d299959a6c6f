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

// Problems describes everything that is wrong with the objects. external lists the
// objects that exist already, such as "Secret registry".
func (o *Objects) Problems(external ...string) []string {
	if problems := o.checkSupported(); len(problems) > 0 {
		return problems
	}
	return slices.Concat(
		o.checkPodSecurity(), o.checkPods(), o.checkNames(), o.checkNamespaces(), o.checkSelectors(), o.checkServiceAccounts(),
		o.checkVolumes(external), o.checkReferences(external), o.checkPorts(), o.checkQuantities(),
	)
}

// checkPodSecurity evaluates the restricted Pod Security Standard with the code of
// the API server.
func (o *Objects) checkPodSecurity() (problems []string) {
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

// checkPods checks what the module promises beyond that standard.
func (o *Objects) checkPods() (problems []string) {
	for _, set := range o.StatefulSets {
		problem := func(text string) { problems = append(problems, fmt.Sprintf("StatefulSet %s: %s", set.Name, text)) }
		spec := pod(set)
		c := container(set)
		if security := c.SecurityContext; security == nil || security.ReadOnlyRootFilesystem == nil || !*security.ReadOnlyRootFilesystem {
			problem("its root file system is writable")
		}
		if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
			problem("its pod gets a token for the API")
		}
		if spec.TerminationGracePeriodSeconds == nil {
			problem("it does not set a termination grace period")
		}
		if c.StartupProbe == nil || c.LivenessProbe == nil || c.ReadinessProbe == nil {
			problem("a probe is missing")
		}
		if set.Spec.Replicas == nil || *set.Spec.Replicas > 1 {
			problem("it has more than one replica, which would share a volume")
		}
		if !regexp.MustCompile(`(:[\w][-.\w]*|@sha256:[0-9a-f]{64})$`).MatchString(c.Image) || strings.HasSuffix(c.Image, ":latest") {
			problem("its image " + c.Image + " has no fixed version")
		}
		seen := map[string]bool{}
		for _, variable := range c.Env {
			if seen[variable.Name] {
				problem("the variable " + variable.Name + " appears more than once")
			}
			seen[variable.Name] = true
			for _, text := range validation.IsEnvVarName(variable.Name) {
				problem("the variable " + variable.Name + ": " + text)
			}
		}
	}
	return problems
}

// checkNames checks that the API accepts all names, labels and annotations.
func (o *Objects) checkNames() (problems []string) {
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
		// The name of a revision, which ends with a hash, becomes a label of the pods.
		if longest := validation.LabelValueMaxLength - len("-0123456789"); len(set.Name) > longest {
			problems = append(problems, fmt.Sprintf("StatefulSet %s: its name is longer than %d characters", set.Name, longest))
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
			problems = append(problems, fmt.Sprintf("ConfigMap %s: its size of %d bytes exceeds the limit", config.Name, size))
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

// checkServiceAccounts checks that every pod has a service account of the plan,
// which must not provide a token.
func (o *Objects) checkServiceAccounts() (problems []string) {
	known := map[string]bool{}
	for _, account := range o.ServiceAccounts {
		known[account.Name] = true
		if account.AutomountServiceAccountToken == nil || *account.AutomountServiceAccountToken {
			problems = append(problems, "ServiceAccount "+account.Name+": it provides its pods with a token for the API")
		}
	}
	for _, set := range o.StatefulSets {
		if name := pod(set).ServiceAccountName; !known[name] {
			problems = append(problems, fmt.Sprintf("StatefulSet %s: there is no ServiceAccount %q", set.Name, name))
		}
	}
	return problems
}

// checkQuantities checks requests, limits and storage. The decoder has rejected
// malformed quantities.
func (o *Objects) checkQuantities() (problems []string) {
	for _, set := range o.StatefulSets {
		resources := container(set).Resources
		if resources.Requests.Memory().IsZero() {
			problems = append(problems, "StatefulSet "+set.Name+": it does not request memory")
		}
		for name, limit := range resources.Limits {
			if request, ok := resources.Requests[name]; ok && request.Cmp(limit) > 0 {
				problems = append(problems, fmt.Sprintf("StatefulSet %s: it requests more %s than its limit", set.Name, name))
			}
		}
	}
	for _, claim := range o.Claims {
		if claim.Spec.Resources.Requests.Storage().Sign() <= 0 {
			problems = append(problems, "PersistentVolumeClaim "+claim.Name+": it does not request storage")
		}
		if !slices.Equal(claim.Spec.AccessModes, []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}) {
			problems = append(problems, "PersistentVolumeClaim "+claim.Name+": it is not ReadWriteOnce")
		}
	}
	return problems
}
