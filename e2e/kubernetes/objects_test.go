package kubernetes

import (
	"maps"
	"slices"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
)

// Variables of the module, in HCL.
const (
	required = `
    image = { tag = "1.0.0" }
    token = "` + token + `"`
	withGrafana = required + `
    grafana_admin_password = "` + password + `"
    prometheus             = { enabled = true }`
)

// cases are sets of variables, by name.
var cases = map[string]string{
	"minimal": required,
	"everything_of_the_service": required + `
    name                        = "dora"
    labels                      = { cost-center = "42" }
    image_pull_secrets          = ["registry"]
    env                         = { OTEL_METRIC_EXPORT_INTERVAL = "15000" }
    env_from_secrets            = ["otlp-headers"]
    teams                       = { backend = { projects = ["shop"], users = ["bob"] } }
    otel_collector_url          = "https://collector.example.com:4318"
    public_metrics              = true
    scrape_annotations          = true
    service_port                = 80
    pod_annotations             = { note = "x" }
    node_selector               = { pool = "small" }
    priority_class_name         = "high"
    storage                     = { size = "5Gi", class_name = "fast" }
    tolerations                 = [{ key = "dedicated", operator = "Exists" }, { key = "spot", value = "yes", effect = "NoExecute", toleration_seconds = 60 }]
    topology_spread_constraints = [{ topology_key = "topology.kubernetes.io/zone" }]
    pod_disruption_budget       = { max_unavailable = 0 }
    ingress                     = { host = "em-metrics.example.com", class_name = "nginx", tls_secret_name = "em-metrics-tls" }
    network_policy              = { allow_from = [{ namespace_labels = { name = "ci" }, pod_labels = { role = "runner" } }, { cidr = "10.0.0.0/8" }] }`,
	"longest_name": withGrafana + `
    name    = "an-installation-with-the-longest-name-ok"
    grafana = { enabled = true }
    alloy   = { enabled = true }`,
	"nothing_optional": required + `
    create_namespace      = false
    username              = null
    replicas              = 0
    network_policy        = { enabled = false }
    pod_disruption_budget = { enabled = false }`,
	"what_exists": `
    image           = { digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
    existing_secret = { name = "credentials", token_key = "em-metrics.token", grafana_admin_password_key = "grafana" }
    storage         = { existing_claim = "events" }
    grafana         = { enabled = true, prometheus_url = "https://prometheus.example.com" }
    alloy           = { enabled = true, remote_write_url = "https://prometheus.example.com/api/v1/write" }`,
	"stack_that_scrapes": withGrafana + `
    grafana        = { enabled = true, ingress = { host = "grafana.example.com", allow_http = true } }
    network_policy = { allow_from = [] }`,
	"stack_that_is_pushed_to": withGrafana + `
    grafana    = { enabled = true }
    alloy      = { enabled = true }
    dashboards = { enabled = true, annotations = { grafana_folder = "DORA" } }`,
}

// existing lists the objects that the cases expect to exist already.
var existing = []string{
	"Secret registry", "Secret otlp-headers", "Secret em-metrics-tls", "Secret grafana-tls",
	"Secret credentials", "PersistentVolumeClaim events",
}

// In every case the objects are consistent and satisfy the restricted Pod Security
// Standard.
func TestObjectsAreConsistent(t *testing.T) {
	dir := module(t)
	initialize(t, dir)
	found := plans(t, dir, cases)
	if len(found) != len(cases) {
		t.Fatalf("only %d of %d cases have a plan", len(found), len(cases))
	}
	for name, plan := range found {
		t.Run(name, func(t *testing.T) {
			objects := checkPlan(t, plan)
			for _, problem := range objects.MonitorProblems(plan.OutputChanges["service_monitor"].After, existing...) {
				t.Error(problem)
			}
		})
	}
}

// The objects of the example are consistent too.
func TestExampleIsConsistent(t *testing.T) {
	dir := module(t) + "/examples/complete"
	initialize(t, dir)
	found := plans(t, dir, map[string]string{"example": `
    image_tag              = "1.0.0"
    token                  = "` + token + `"
    grafana_admin_password = "` + password + `"`})
	objects := checkPlan(t, found["example"])
	if len(objects.StatefulSets) != 4 || len(objects.Ingresses) != 2 {
		t.Errorf("the example creates %d StatefulSets and %d Ingresses, want 4 and 2", len(objects.StatefulSets), len(objects.Ingresses))
	}
}

func checkPlan(t *testing.T, plan Plan) *Objects {
	t.Helper()
	objects, err := Render(plan)
	if err != nil {
		t.Fatal(err)
	}
	if len(objects.StatefulSets) == 0 {
		t.Fatal("the plan has no StatefulSet")
	}
	for _, problem := range objects.Problems(existing...) {
		t.Error(problem)
	}
	for _, secret := range []string{token, password} {
		if places := plan.Reveals(secret); len(places) > 0 {
			t.Errorf("the plan contains the credential %s in %q", secret, places)
		}
	}
	return objects
}

// The API of the Prometheus Operator accepts the rules.
func TestPrometheusRule(t *testing.T) {
	dir := module(t)
	initialize(t, dir)
	plan := plans(t, dir, map[string]string{"minimal": required})["minimal"]
	var rule monitoringv1.PrometheusRule
	if err := decodeStrictly(plan.OutputChanges["prometheus_rule"].After, &rule); err != nil {
		t.Fatalf("prometheus_rule: %v", err)
	}
	names := map[string]bool{}
	for _, group := range rule.Spec.Groups {
		names[group.Name] = true
	}
	if len(names) != len(rule.Spec.Groups) || len(names) < 5 {
		t.Errorf("the groups of the PrometheusRule are %v", slices.Sorted(maps.Keys(names)))
	}
}
