package exporter_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dbtest"
	"github.com/em-metrics/em-metrics/exporter"
)

// rig is a store with an exporter behind a real server, with a clock that the
// test controls. It can be restarted on the same file.
type rig struct {
	t        *testing.T
	path     string
	options  exporter.Options
	clock    *dbtest.Clock
	log      syncBuffer
	store    *db.Store
	exporter *exporter.Exporter
	server   *httptest.Server
}

// newRig creates a rig that has caught up.
func newRig(t *testing.T, o exporter.Options) *rig {
	t.Helper()
	r := &rig{t: t, path: filepath.Join(t.TempDir(), "events.db"), options: o, clock: dbtest.NewClock(noon)}
	r.options.Logger = slog.New(slog.NewTextHandler(&r.log, nil))
	r.start()
	r.catchUp()
	t.Cleanup(r.stop)
	return r
}

func (r *rig) start() {
	r.t.Helper()
	var err error
	if r.store, err = db.Open(context.Background(), r.path, db.Options{Now: r.now}); err != nil {
		r.t.Fatal(err)
	}
	if r.exporter, err = exporter.New(context.Background(), r.store, r.options); err != nil {
		r.t.Fatal(err)
	}
	r.server = httptest.NewServer(r.exporter.Handler())
}

func (r *rig) stop() {
	r.server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = r.exporter.Shutdown(ctx) // fails in tests where the collector is down
	if err := r.store.Close(); err != nil {
		r.t.Error(err)
	}
}

func (r *rig) restart() {
	r.t.Helper()
	r.stop()
	r.start()
	r.catchUp()
}

func (r *rig) catchUp() {
	r.t.Helper()
	if err := r.exporter.CatchUp(context.Background()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) now() time.Time                { return r.clock.Now() }
func (r *rig) advance(d time.Duration)       { r.clock.Advance(d) }
func (r *rig) ago(d time.Duration) time.Time { return r.now().Add(-d) }

func (r *rig) do(commands ...db.Command) {
	r.t.Helper()
	if _, err := r.store.Do(context.Background(), commands...); err != nil {
		r.t.Fatal(err)
	}
}

// deploy records a deployment that took ten minutes, with an hour of lead time.
func (r *rig) deploy(project, id string) {
	r.t.Helper()
	r.do(db.StartDeployment{
		Key:           db.Key{Project: project, Environment: "production", ID: id},
		FirstCommitAt: r.ago(time.Hour), DeployStartAt: r.ago(10 * time.Minute),
	}, db.FinishDeployment{Ref: db.Ref{ID: id, Project: project}})
}

// deployMany records deployments with an hour of lead time in one call.
func (r *rig) deployMany(project string, deployments int) {
	r.t.Helper()
	var commands []db.Command
	for n := range deployments {
		id := fmt.Sprint(n)
		commands = append(commands, db.StartDeployment{
			Key: db.Key{Project: project, Environment: "production", ID: id}, FirstCommitAt: r.ago(time.Hour),
		}, db.FinishDeployment{Ref: db.Ref{ID: id}})
	}
	r.do(commands...)
}

// open records an incident linked to the deployment.
func (r *rig) open(project, id, deployment string) {
	r.t.Helper()
	r.do(db.OpenIncident{Key: db.Key{Project: project, Environment: "production", ID: id}, DeploymentID: deployment})
}

// get requests /metrics, as a scraper or as any other client.
func (r *rig) get(scraper bool) (status int, body string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, r.server.URL, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if scraper {
		request.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", "10")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, string(content)
}

// values returns every series by "name{label="value", …}", a histogram as its
// count, its sum and the sum of its buckets.
func (r *rig) values(scraper bool) map[string]float64 {
	r.t.Helper()
	status, body := r.get(scraper)
	if status != http.StatusOK {
		r.t.Fatalf("/metrics answered %d: %s", status, body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	values := map[string]float64{}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			addValues(values, name, m)
		}
	}
	return values
}

func addValues(values map[string]float64, name string, m *dto.Metric) {
	labels := model.LabelSet{}
	for _, l := range m.GetLabel() {
		labels[model.LabelName(l.GetName())] = model.LabelValue(l.GetValue())
	}
	switch {
	case m.GetCounter() != nil:
		values[name+labels.String()] = m.GetCounter().GetValue()
	case m.GetGauge() != nil:
		values[name+labels.String()] = m.GetGauge().GetValue()
	case m.GetHistogram() != nil:
		values[name+"_count"+labels.String()] = float64(m.GetHistogram().GetSampleCount())
		values[name+"_sum"+labels.String()] = m.GetHistogram().GetSampleSum()
		for _, b := range m.GetHistogram().GetBucket() {
			values[name+"_buckets"+labels.String()] += float64(b.GetCumulativeCount())
		}
	}
}

// expect compares the given series.
func (r *rig) expect(when string, scraper bool, want map[string]float64) {
	r.t.Helper()
	got := r.values(scraper)
	for series, value := range want {
		if v, ok := got[series]; !ok || v != value {
			r.t.Errorf("%s: %s is %v (exported: %v), want %v", when, series, v, ok, value)
		}
	}
}

// shop is the label set of the project shop.
const shop = `{environment="production", project_id="shop"}`

// syncBuffer is a buffer that is safe for concurrent use.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements [io.Writer].
func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// String returns what has been written.
func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
