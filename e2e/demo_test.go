package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

const year = 365 * day

// Within a minute of the start of Prometheus every panel of the demo has data, and
// panels over time have data of half a year ago. The test runs the steps of
// docker-compose.yml by hand.
func TestDemoHasAPast(t *testing.T) {
	t.Parallel()
	demo := loadCompose(t, []string{"demo"}).Services
	s := programtest.StartService(t, "CONFIG=../docs/sample-teams.json", "DEPLOYMENT_ENVIRONMENT="+*demo["em-metrics"].Environment["DEPLOYMENT_ENVIRONMENT"],
		"EM_METRICS_PRODUCTION_ENVIRONMENTS="+*demo["em-metrics"].Environment["EM_METRICS_PRODUCTION_ENVIRONMENTS"])
	dir := t.TempDir()
	here := strings.NewReplacer("/data/demo-history.txt", filepath.Join(dir, "history.txt"), "/prometheus", filepath.Join(dir, "data"))
	run := func(step string, more ...string) {
		var args []string
		for _, arg := range demo[step].Command {
			args = append(args, here.Replace(arg))
		}
		if _, stderr, code := s.Run(append(args, more...)...); code != 0 {
			t.Fatalf("the step %s ended with exit code %d\n%s", step, code, stderr)
		}
	}
	run("demo")
	run("demo-history", "-instance", s.Address)
	blocks := exec.CommandContext(t.Context(), demo["demo-blocks"].Entrypoint[0], "-c", here.Replace(demo["demo-blocks"].Command[0]))
	if output, err := blocks.CombinedOutput(); err != nil {
		t.Fatalf("the step demo-blocks: %v\n%s", err, output)
	}
	if err := os.Remove(filepath.Join(dir, "history.txt")); err != nil {
		t.Error(err)
	}
	p := startPrometheusIn(t, dir, repositoryConfig(t, "prometheus.yml", s), "--storage.tsdb.retention.time=400d")
	programtest.Eventually(t, time.Minute, func() error {
		var without []string
		for _, d := range readDashboards(t) {
			if d.UID != "em-metrics-self" { // which is about the process
				without = append(without, p.withoutPast(t, d)...)
			}
		}
		if len(without) > 0 {
			return fmt.Errorf("no data for\n%s", strings.Join(without, "\n"))
		}
		return nil
	})
	p.checkResets()
}

// withoutPast returns the queries that have no data, of half a year ago if they are
// over time, with any of the selected projects and bands.
func (s *server) withoutPast(t *testing.T, d dashboard) (without []string) {
	t.Helper()
	var left []*query
	for _, q := range d.queries(t) {
		if q.RefID != "unlinked" && // shown only where no incident is linked
			!strings.HasPrefix(q.where, "annotation") {
			left = append(left, q)
		}
	}
	for _, project := range []string{"", "storefront", "checkout", "billing"} {
		for _, bands := range []string{"2023", "2021"} {
			selected := selection{"environment": {"production"}, "window": {"90d"}, "bands": {bands}}
			if project != "" {
				selected["project"] = []string{project}
			}
			for _, v := range []string{"environment", "window", "bands", "project"} {
				if !slices.ContainsFunc(d.Templating.List, func(of variable) bool { return of.Name == v }) {
					delete(selected, v)
				}
			}
			c, err := d.variables(s, selected)
			if err != nil {
				return []string{fmt.Sprintf("%s: %v", d.Title, err)}
			}
			left = slices.DeleteFunc(left, func(q *query) bool { return s.hasPast(t, c, q) })
		}
	}
	for _, q := range left {
		without = append(without, d.Title+", "+q.where+": "+q.Expr)
	}
	return without
}

func (s *server) hasPast(t *testing.T, c values, q *query) bool {
	t.Helper()
	now := time.Now()
	when := span{now.Add(-year), now.Add(-year / 2)}
	target := q.target
	if strings.Contains(q.Expr, "dora:level") {
		target.Instant = true // recorded by rules, which have no past
	}
	samples, err := s.run(q.Expr, c, target, when, span{now.Add(-year), now}.step(q.points, q.interval, q.Interval))
	if err != nil {
		t.Error(err)
	}
	return samples > 0
}
