package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// alerting is the content of a file of alert rules for Grafana.
type alerting struct {
	Groups []struct {
		Folder string
		Rules  []struct {
			Condition string
			Data      []struct {
				RefID         string `yaml:"refId"`
				DatasourceUID string `yaml:"datasourceUid"`
				Model         struct {
					RefID      string `yaml:"refId"`
					Expr       string
					Expression string
				}
			}
		}
	}
}

// TestGrafanaAlerts evaluates the alert rule for Grafana while an alert of Prometheus
// fires.
func TestGrafanaAlerts(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../grafana/provisioning/alerting/em-metrics.yml")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(content, []byte("$")) {
		t.Error("Grafana would replace what follows a dollar sign by an environment variable")
	}
	var file alerting
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	rule := file.Groups[0].Rules[0]
	query, condition := rule.Data[0], rule.Data[1]
	if query.DatasourceUID != "em-metrics-prometheus" || condition.DatasourceUID != "__expr__" {
		t.Errorf("the data sources are %s and %s", query.DatasourceUID, condition.DatasourceUID)
	}
	if rule.Condition != condition.RefID || condition.Model.Expression != query.RefID || query.Model.RefID != query.RefID {
		t.Errorf("the condition %s does not lead to the query %s", rule.Condition, query.RefID)
	}

	rules := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(rules, []byte(`groups:
  - name: test
    rules:
      - alert: EmMetricsSomething
        expr: label_replace(vector(1), "project_id", "shop", "", "")
        labels: {severity: warning}
      - alert: EmMetricsPending
        expr: vector(1)
        for: 1h
      - alert: SomethingElse
        expr: vector(1)
`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startPrometheus(t, fmt.Sprintf("global: {evaluation_interval: 1s}\nrule_files: [%q]\n", rules))
	want := model.Metric{"alert": "EmMetricsSomething", "severity": "warning", "project_id": "shop"}
	programtest.Eventually(t, 30*time.Second, func() error {
		vector, err := s.query(query.Model.Expr)
		if err != nil {
			return err
		}
		if len(vector) != 1 || !maps.Equal(vector[0].Metric, want) {
			return fmt.Errorf("the alerts are %v, want %v", vector, want)
		}
		return nil
	})
}
