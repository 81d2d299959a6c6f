package kubernetes

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Every check finds what it is there for: each case breaks one thing of objects
// that are in order.
func TestChecksFindWhatIsWrong(t *testing.T) {
	dir := module(t)
	initialise(t, dir)
	all := plans(t, dir, map[string]string{"stack": cases["stack_that_is_pushed_to"], "service": cases["everything_of_the_service"]})

	yes, no, root, two := true, false, int64(0), int32(2)
	for _, c := range []struct {
		name, plan, problem string
		spoil               func(o *Objects)
	}{
		{"may be root", "stack", "runAsNonRoot", func(o *Objects) {
			pod(o.StatefulSets[0]).SecurityContext.RunAsNonRoot = nil
			container(o.StatefulSets[0]).SecurityContext.RunAsNonRoot = &no
		}},
		{"is root", "stack", "runAsUser=0", func(o *Objects) { pod(o.StatefulSets[1]).SecurityContext.RunAsUser = &root }},
		{"may gain privileges", "stack", "allowPrivilegeEscalation", func(o *Objects) { container(o.StatefulSets[2]).SecurityContext.AllowPrivilegeEscalation = &yes }},
		{"keeps capabilities", "stack", "unrestricted capabilities", func(o *Objects) { container(o.StatefulSets[3]).SecurityContext.Capabilities = nil }},
		{"has no seccomp profile", "stack", "seccompProfile", func(o *Objects) { pod(o.StatefulSets[0]).SecurityContext.SeccompProfile = nil }},
		{"mounts a path of the node", "stack", "hostPath", func(o *Objects) {
			pod(o.StatefulSets[0]).Volumes[0].VolumeSource = corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}
		}},
		{"is in the network of the node", "stack", "hostNetwork", func(o *Objects) { pod(o.StatefulSets[0]).HostNetwork = true }},
		{"namespace lets anything in", "stack", "does not enforce", func(o *Objects) { o.Namespaces[0].Labels = nil }},
		{"can write to its root", "stack", "can be written to", func(o *Objects) { container(o.StatefulSets[0]).SecurityContext.ReadOnlyRootFilesystem = nil }},
		{"pod has a token", "stack", "it has a token for the API", func(o *Objects) { pod(o.StatefulSets[0]).AutomountServiceAccountToken = nil }},
		{"account gives a token", "stack", "it gives a token", func(o *Objects) { o.ServiceAccounts[0].AutomountServiceAccountToken = &yes }},
		{"account is another", "stack", "there is no ServiceAccount", func(o *Objects) { pod(o.StatefulSets[0]).ServiceAccountName = "default" }},
		{"no grace", "stack", "no termination grace", func(o *Objects) { pod(o.StatefulSets[0]).TerminationGracePeriodSeconds = nil }},
		{"no probe", "stack", "a probe is missing", func(o *Objects) { container(o.StatefulSets[0]).LivenessProbe = nil }},
		{"probe at no port", "stack", "asks at no port", func(o *Objects) { container(o.StatefulSets[0]).ReadinessProbe.HTTPGet.Port = intstr.FromString("web") }},
		{"two pods", "stack", "more than one pod", func(o *Objects) { o.StatefulSets[0].Spec.Replicas = &two }},
		{"image without version", "stack", "no fixed version", func(o *Objects) { container(o.StatefulSets[0]).Image = "localhost:5000/em-metrics" }},
		{"newest image", "stack", "no fixed version", func(o *Objects) { container(o.StatefulSets[0]).Image = "em-metrics:latest" }},
		{"variable twice", "stack", "is there twice", func(o *Objects) {
			c := container(setNamed(o, "em-metrics"))
			c.Env = append(c.Env, c.Env[0])
		}},
		{"name in capitals", "stack", "lower case", func(o *Objects) { o.ConfigMaps[0].Name = "Teams" }},
		{"label with a space", "stack", "label", func(o *Objects) { o.Services[0].Labels["team"] = "a team" }},
		{"no namespace", "stack", "no namespace", func(o *Objects) { o.Secrets[0].Namespace = "" }},
		{"ConfigMap too large", "stack", "more than a ConfigMap takes", func(o *Objects) { o.ConfigMaps[0].Data["large"] = strings.Repeat("x", 1<<20) }},
		{"Service selects nothing", "stack", "Service em-metrics selects the pods of 0", func(o *Objects) { serviceNamed(o, "em-metrics").Spec.Selector["a"] = "b" }},
		{"Service selects all", "stack", "Service em-metrics selects the pods of 4", func(o *Objects) {
			delete(serviceNamed(o, "em-metrics").Spec.Selector, "app.kubernetes.io/component")
		}},
		{"budget selects nothing", "stack", "PodDisruptionBudget em-metrics selects the pods of 0", func(o *Objects) { o.PodDisruptionBudgets[0].Spec.Selector.MatchLabels["a"] = "b" }},
		{"policy selects all", "stack", "selects the pods of 4", func(o *Objects) {
			delete(o.NetworkPolicies[0].Spec.PodSelector.MatchLabels, "app.kubernetes.io/component")
		}},
		{"StatefulSet selects others", "stack", "does not select its own", func(o *Objects) { o.StatefulSets[0].Spec.Selector.MatchLabels["a"] = "b" }},
		{"no such Service", "stack", `no Service "other"`, func(o *Objects) { o.StatefulSets[0].Spec.ServiceName = "other" }},
		{"Service leads to no port", "stack", "have no port web", func(o *Objects) { serviceNamed(o, "em-metrics").Spec.Ports[0].TargetPort = intstr.FromString("web") }},
		{"Ingress leads nowhere", "service", "no port", func(o *Objects) { o.Ingresses[0].Spec.Rules[0].HTTP.Paths[0].Backend.Service.Port.Name = "https" }},
		{"policy for no port", "stack", "have no port 1", func(o *Objects) {
			port := intstr.FromInt32(1)
			o.NetworkPolicies[0].Spec.Ingress[0].Ports[0].Port = &port
		}},
		{"policies contradict", "stack", "do not let it in", func(o *Objects) {
			for _, networkPolicy := range o.NetworkPolicies {
				if networkPolicy.Name == "em-metrics-alloy" {
					networkPolicy.Spec.Ingress = nil
				}
			}
		}},
		{"mount without volume", "stack", `no volume "data"`, func(o *Objects) {
			spec := pod(o.StatefulSets[0])
			spec.Volumes = slices.DeleteFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == "data" })
		}},
		{"volume without mount", "stack", "is mounted nowhere", func(o *Objects) { container(o.StatefulSets[0]).VolumeMounts = nil }},
		{"mounts at one path", "stack", "two volumes", func(o *Objects) {
			mounts := container(o.StatefulSets[0]).VolumeMounts
			mounts[0].MountPath = mounts[1].MountPath
		}},
		{"claim is missing", "stack", "wants PersistentVolumeClaim", func(o *Objects) { o.Claims = nil }},
		{"key is missing", "stack", "/config.alloy, which is not there", func(o *Objects) {
			for _, config := range o.ConfigMaps {
				delete(config.Data, "config.alloy")
			}
		}},
		{"Secret is missing", "stack", "wants Secret em-metrics/token", func(o *Objects) { o.Secrets = nil }},
		{"Secret of the environment is missing", "service", "wants Secret other", func(o *Objects) { container(o.StatefulSets[0]).EnvFrom[0].SecretRef.Name = "other" }},
		{"Secret of the image is missing", "service", "wants Secret other", func(o *Objects) { pod(o.StatefulSets[0]).ImagePullSecrets[0].Name = "other" }},
		{"Secret of the Ingress is missing", "service", "wants Secret other", func(o *Objects) { o.Ingresses[0].Spec.TLS[0].SecretName = "other" }},
		{"no memory", "stack", "asks for no memory", func(o *Objects) { container(o.StatefulSets[0]).Resources.Requests = nil }},
		{"more than the limit", "stack", "more memory than its limit", func(o *Objects) {
			container(o.StatefulSets[0]).Resources.Requests[corev1.ResourceMemory] = resource.MustParse("1Ti")
		}},
		{"no storage", "stack", "asks for no storage", func(o *Objects) { o.Claims[0].Spec.Resources.Requests = nil }},
		{"shared volume", "stack", "not ReadWriteOnce", func(o *Objects) { o.Claims[0].Spec.AccessModes[0] = corev1.ReadWriteMany }},
	} {
		t.Run(c.name, func(t *testing.T) {
			objects, err := Render(all[c.plan])
			if err != nil {
				t.Fatal(err)
			}
			c.spoil(objects)
			problems := objects.Problems(exist...)
			if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, c.problem) }) {
				t.Errorf("the problems are %q, and none says %q", problems, c.problem)
			}
		})
	}
}

// What has no place in an object of the API is not passed over.
func TestRenderRefusesWhatItDoesNotKnow(t *testing.T) {
	dir := module(t)
	initialise(t, dir)
	for _, c := range []struct {
		name, problem string
		change        func(plan *Plan)
	}{
		{"kind", "kubernetes_job_v1 are not checked yet", func(p *Plan) { p.ResourceChanges[0].Type = "kubernetes_job_v1" }},
		{"argument", "no such field", func(p *Plan) { p.ResourceChanges[0].Change.After["colour"] = "blue" }},
		{"two blocks for one", "2 blocks", func(p *Plan) {
			p.ResourceChanges[0].Change.After["metadata"] = []any{map[string]any{}, map[string]any{}}
		}},
		{"quantity", "quantities must match", func(p *Plan) {
			for _, change := range p.ResourceChanges {
				if change.Type == "kubernetes_persistent_volume_claim_v1" {
					spec := change.Change.After["spec"].([]any)[0].(map[string]any)
					spec["resources"].([]any)[0].(map[string]any)["requests"] = map[string]any{"storage": "much"}
				}
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan := plans(t, dir, map[string]string{"minimal": required})["minimal"]
			c.change(&plan)
			if _, err := Render(plan); err == nil || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("the error is %v, and does not say %q", err, c.problem)
			}
		})
	}
}

func setNamed(o *Objects, name string) (found *appsv1.StatefulSet) {
	for _, set := range o.StatefulSets {
		if set.Name == name {
			found = set
		}
	}
	return found
}

func serviceNamed(o *Objects, name string) (found *corev1.Service) {
	for _, service := range o.Services {
		if service.Name == name {
			found = service
		}
	}
	return found
}
