package kubernetes

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Every check finds the problem that it is meant for: each case spoils one thing in
// valid objects.
func TestChecksFindProblems(t *testing.T) {
	dir := module(t)
	initialize(t, dir)
	all := plans(t, dir, map[string]string{"stack": cases["stack_that_is_pushed_to"], "service": cases["everything_of_the_service"]})

	other := corev1.LocalObjectReference{Name: "other"}
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
		{"can write to its root", "stack", "is writable", func(o *Objects) { container(o.StatefulSets[0]).SecurityContext.ReadOnlyRootFilesystem = nil }},
		{"pod has a token", "stack", "gets a token for the API", func(o *Objects) { pod(o.StatefulSets[0]).AutomountServiceAccountToken = nil }},
		{"account gives a token", "stack", "with a token", func(o *Objects) { o.ServiceAccounts[0].AutomountServiceAccountToken = &yes }},
		{"account is another", "stack", "there is no ServiceAccount", func(o *Objects) { pod(o.StatefulSets[0]).ServiceAccountName = "default" }},
		{"no grace", "stack", "termination grace period", func(o *Objects) { pod(o.StatefulSets[0]).TerminationGracePeriodSeconds = nil }},
		{"no probe", "stack", "a probe is missing", func(o *Objects) { container(o.StatefulSets[0]).LivenessProbe = nil }},
		{"probe at no port", "stack", "does not use a port", func(o *Objects) { container(o.StatefulSets[0]).ReadinessProbe.HTTPGet.Port = intstr.FromString("web") }},
		{"two pods", "stack", "more than one replica", func(o *Objects) { o.StatefulSets[0].Spec.Replicas = &two }},
		{"image without version", "stack", "no fixed version", func(o *Objects) { container(o.StatefulSets[0]).Image = "localhost:5000/em-metrics" }},
		{"newest image", "stack", "no fixed version", func(o *Objects) { container(o.StatefulSets[0]).Image = "em-metrics:latest" }},
		{"variable twice", "stack", "appears more than once", func(o *Objects) {
			c := container(setNamed(o, "em-metrics"))
			c.Env = append(c.Env, c.Env[0])
		}},
		{"name in capitals", "stack", "lower case", func(o *Objects) { o.ConfigMaps[0].Name = "Teams" }},
		{"label with a space", "stack", "label", func(o *Objects) { o.Services[0].Labels["team"] = "a team" }},
		{"no namespace", "stack", "no namespace", func(o *Objects) { o.Secrets[0].Namespace = "" }},
		{"another namespace", "stack", "but others are in", func(o *Objects) { o.ConfigMaps[0].Namespace = "other" }},
		{"two objects of one name", "stack", "appears more than once", func(o *Objects) { o.ConfigMaps = append(o.ConfigMaps, o.ConfigMaps[0].DeepCopy()) }},
		{"name too long for a revision", "stack", "longer than 52 characters", func(o *Objects) { o.StatefulSets[0].Name = strings.Repeat("x", 53) }},
		{"label of the pods with a space", "stack", "the pods of em-metrics: label", func(o *Objects) { setNamed(o, "em-metrics").Spec.Template.Labels["team"] = "a team" }},
		{"variable with a space", "stack", "the variable A B", func(o *Objects) { container(o.StatefulSets[0]).Env = []corev1.EnvVar{{Name: "A B"}} }},
		{"container before the other", "stack", "exactly one container", func(o *Objects) {
			pod(o.StatefulSets[0]).InitContainers = pod(o.StatefulSets[1]).Containers
		}},
		{"no container", "stack", "exactly one container", func(o *Objects) { pod(o.StatefulSets[0]).Containers = nil }},
		{"template of a claim", "stack", "volume claim templates", func(o *Objects) {
			o.StatefulSets[0].Spec.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{{}}
		}},
		{"ConfigMap too large", "stack", "exceeds the limit", func(o *Objects) { o.ConfigMaps[0].Data["large"] = strings.Repeat("x", 1<<20) }},
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
		{"Ingress without paths", "service", "has no paths", func(o *Objects) { o.Ingresses[0].Spec.Rules[0].HTTP = nil }},
		{"Ingress leads to a bucket", "service", "does not lead to a Service", func(o *Objects) { o.Ingresses[0].Spec.Rules[0].HTTP.Paths[0].Backend.Service = nil }},
		{"Ingress with a default", "service", "default backend", func(o *Objects) {
			o.Ingresses[0].Spec.DefaultBackend = &networkingv1.IngressBackend{}
		}},
		{"policy selects by an expression", "stack", "selects the pods of 0", func(o *Objects) {
			o.NetworkPolicies[0].Spec.PodSelector.MatchExpressions = []metav1.LabelSelectorRequirement{
				{Key: "app.kubernetes.io/name", Operator: metav1.LabelSelectorOpDoesNotExist},
			}
		}},
		{"policy for every port", "stack", "allows ingress on every port", func(o *Objects) { o.NetworkPolicies[0].Spec.Ingress[0].Ports = nil }},
		{"policy sends at every port", "stack", "allows egress to the pods of em-metrics-alloy on every port", func(o *Objects) {
			egress := policyNamed(o, "em-metrics").Spec.Egress
			egress[len(egress)-1].Ports = nil
		}},
		{"policy lets in at another port", "stack", "on port otlp-http, but no policy", func(o *Objects) {
			port := intstr.FromString("http")
			policyNamed(o, "em-metrics-alloy").Spec.Ingress[0].Ports[0].Port = &port
		}},
		{"policy for no port", "stack", "have no port 1", func(o *Objects) {
			port := intstr.FromInt32(1)
			o.NetworkPolicies[0].Spec.Ingress[0].Ports[0].Port = &port
		}},
		{"policies contradict", "stack", "no policy allows the ingress", func(o *Objects) {
			policyNamed(o, "em-metrics-alloy").Spec.Ingress = nil
		}},
		{"mount without volume", "stack", `no volume "data"`, func(o *Objects) {
			spec := pod(o.StatefulSets[0])
			spec.Volumes = slices.DeleteFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == "data" })
		}},
		{"volume without mount", "stack", "is not mounted", func(o *Objects) { container(o.StatefulSets[0]).VolumeMounts = nil }},
		{"mounts at one path", "stack", "two volumes", func(o *Objects) {
			mounts := container(o.StatefulSets[0]).VolumeMounts
			mounts[0].MountPath = mounts[1].MountPath
		}},
		{"claim is missing", "stack", "needs PersistentVolumeClaim", func(o *Objects) { o.Claims = nil }},
		{"key is missing", "stack", "/config.alloy, which does not exist", func(o *Objects) {
			for _, config := range o.ConfigMaps {
				delete(config.Data, "config.alloy")
			}
		}},
		{"Secret is missing", "stack", "needs Secret em-metrics/token", func(o *Objects) { o.Secrets = nil }},
		{"Secret of the environment is missing", "service", "needs Secret other", func(o *Objects) { container(o.StatefulSets[0]).EnvFrom[0].SecretRef.Name = "other" }},
		{"Secret of a variable is missing", "stack", "needs Secret other/key", func(o *Objects) {
			addVariable(o, corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: other, Key: "key"}})
		}},
		{"ConfigMap of a variable is missing", "stack", "needs ConfigMap other/key", func(o *Objects) {
			addVariable(o, corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: other, Key: "key"}})
		}},
		{"ConfigMap of the environment is missing", "stack", "needs ConfigMap other", func(o *Objects) {
			container(o.StatefulSets[0]).EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: other}}}
		}},
		{"Secret of the image is missing", "service", "needs Secret other", func(o *Objects) { pod(o.StatefulSets[0]).ImagePullSecrets[0].Name = "other" }},
		{"Secret of the Ingress is missing", "service", "needs Secret other", func(o *Objects) { o.Ingresses[0].Spec.TLS[0].SecretName = "other" }},
		{"no memory", "stack", "does not request memory", func(o *Objects) { container(o.StatefulSets[0]).Resources.Requests = nil }},
		{"more than the limit", "stack", "more memory than its limit", func(o *Objects) {
			container(o.StatefulSets[0]).Resources.Requests[corev1.ResourceMemory] = resource.MustParse("1Ti")
		}},
		{"no storage", "stack", "does not request storage", func(o *Objects) { o.Claims[0].Spec.Resources.Requests = nil }},
		{"shared volume", "stack", "not ReadWriteOnce", func(o *Objects) { o.Claims[0].Spec.AccessModes[0] = corev1.ReadWriteMany }},
	} {
		t.Run(c.name, func(t *testing.T) {
			objects, err := Render(all[c.plan])
			if err != nil {
				t.Fatal(err)
			}
			c.spoil(objects)
			problems := objects.Problems(existing...)
			if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, c.problem) }) {
				t.Errorf("the problems are %q, none contains %q", problems, c.problem)
			}
		})
	}
}

// Arguments without a field in the API are not ignored.
func TestRenderRejectsWhatItDoesNotSupport(t *testing.T) {
	dir := module(t)
	initialize(t, dir)
	for _, c := range []struct {
		name, problem string
		change        func(plan *Plan)
	}{
		{"kind", "kubernetes_job_v1 are not supported", func(p *Plan) { p.ResourceChanges[0].Type = "kubernetes_job_v1" }},
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
				t.Errorf("the error is %v, want one that contains %q", err, c.problem)
			}
		})
	}
}

// A replaced resource exists afterwards, a destroyed one does not.
func TestRenderReturnsTheObjectsAfterwards(t *testing.T) {
	const changes = `{"resource_changes": [
		{"address": "a", "mode": "managed", "type": "kubernetes_service_v1", "change": {"actions": ["delete", "create"], "after": {"metadata": [{"name": "replaced"}]}}},
		{"address": "b", "mode": "managed", "type": "kubernetes_service_v1", "change": {"actions": ["delete"], "after": null}},
		{"address": "c", "mode": "managed", "type": "kubernetes_service_v1", "change": {"actions": ["no-op"], "after": {"metadata": [{"name": "kept"}]}}}
	]}`
	plan, err := ReadPlan(strings.NewReader(changes))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := Render(plan)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, service := range objects.Services {
		names = append(names, service.Name)
	}
	if !slices.Equal(names, []string{"replaced", "kept"}) {
		t.Errorf("the Services are %q", names)
	}
}

// A ServiceMonitor that would select nothing or could not authenticate is reported.
func TestMonitorProblems(t *testing.T) {
	dir := module(t)
	initialize(t, dir)
	plan := plans(t, dir, map[string]string{"minimal": required})["minimal"]
	objects, err := Render(plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, from, to, problem string }{
		{"field that its API does not have", `"endpoints"`, `"targets"`, "is not valid"},
		{"another Service", `"matchLabels":{"app.kubernetes.io/component":"em-metrics"`, `"matchLabels":{"app.kubernetes.io/component":"grafana"`, "selects 0 Services"},
		{"another namespace", `["em-metrics"]`, `["default"]`, "selects 0 Services"},
		{"another port", `"port":"http"`, `"port":"metrics"`, `the port "metrics"`},
		{"another Secret", `"name":"em-metrics"},"type"`, `"name":"other"},"type"`, "needs Secret other/token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := json.Marshal(plan.OutputChanges["service_monitor"].After)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), c.from) {
				t.Fatalf("%s is missing in %s", c.from, text)
			}
			problems := objects.MonitorProblems(json.RawMessage(strings.ReplaceAll(string(text), c.from, c.to)))
			if len(problems) != 1 || !strings.Contains(problems[0], c.problem) {
				t.Errorf("the problems are %q, want one that contains %q", problems, c.problem)
			}
		})
	}
}

// A credential is found wherever the plan contains it.
func TestPlanRevealsSecrets(t *testing.T) {
	const secret = `pass "word" <1>`
	for _, c := range []struct {
		name   string
		after  any
		expect bool
	}{
		{"a value", map[string]any{"data": map[string]any{"token": secret}}, true},
		{"part of a value", map[string]any{"args": []any{"--token=" + secret}}, true},
		{"a name", map[string]any{"annotations": map[string]any{secret: "x"}}, true},
		{"nowhere", map[string]any{"data": map[string]any{"token": "pass"}, "replicas": 1.0, "data_wo": nil}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := json.Marshal(map[string]any{
				"resource_changes": []any{map[string]any{"address": "a_resource.of_the_plan", "change": map[string]any{"after": c.after}}},
				"output_changes":   map[string]any{"of_the_plan": map[string]any{"after": c.after}},
			})
			if err != nil {
				t.Fatal(err)
			}
			plan, err := ReadPlan(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			places := plan.Reveals(secret)
			if found := slices.Equal(places, []string{"a_resource.of_the_plan", "output.of_the_plan"}); found != c.expect || !c.expect && len(places) > 0 {
				t.Errorf("the secret is found in %q", places)
			}
		})
	}
}

// addVariable adds an environment variable to a container.
func addVariable(o *Objects, source corev1.EnvVarSource) {
	c := container(o.StatefulSets[0])
	c.Env = append(c.Env, corev1.EnvVar{Name: "A", ValueFrom: &source})
}

func policyNamed(o *Objects, name string) (found *networkingv1.NetworkPolicy) {
	for _, networkPolicy := range o.NetworkPolicies {
		if networkPolicy.Name == name {
			found = networkPolicy
		}
	}
	return found
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
