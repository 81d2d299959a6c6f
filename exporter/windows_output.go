package exporter

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
)

// The windows have thousands of series that seldom change. They are built once,
// in the form of both outputs, and added to each collection: a scrape would be
// four times as slow if the SDK observed each of them every time.

// defaultWindowSeries limits the series of the windows: enough for about three
// hundred projects with three windows.
const defaultWindowSeries = 20_000

// windowsScope is the instrumentation scope of the windows, which distinguishes
// them from what the SDK collects.
const windowsScope = meterName + "/windows"

// windowSeries are the series of one computation. They are immutable.
type windowSeries struct {
	at       time.Time
	event    int64                // the last one that was stored
	families []*dto.MetricFamily  // for a scrape, sorted by name
	metrics  []metricdata.Metrics // for a push
}

// owner is the project, the team, or all of them in one environment that a
// series is about.
type owner struct {
	scope db.Scope
	dora.Labels
}

func (o owner) attributes() []attribute.KeyValue {
	attributes := []attribute.KeyValue{attribute.String("scope", string(o.scope)), attribute.String("environment", o.Environment)}
	switch o.scope {
	case db.ScopeProject:
		attributes = append(attributes, attribute.String("project_id", o.Project))
	case db.ScopeTeam:
		attributes = append(attributes, attribute.String("team_id", o.Team))
	case db.ScopeAll:
	}
	return attributes
}

// compareOwners sorts all projects first, then by descending deployments.
func compareOwners(deployments map[owner]int64) func(a, b owner) int {
	return func(a, b owner) int {
		if all := a.scope == db.ScopeAll; all != (b.scope == db.ScopeAll) {
			return map[bool]int{true: -1, false: 1}[all]
		}
		return cmp.Or(-cmp.Compare(deployments[a], deployments[b]),
			cmp.Compare(a.scope, b.scope), cmp.Compare(a.Project, b.Project),
			cmp.Compare(a.Team, b.Team), cmp.Compare(a.Environment, b.Environment))
	}
}

// point is the value of one series of a gauge.
type point struct {
	gauge      string
	attributes attribute.Set
	value      float64
}

// newWindowSeries turns the totals of windows into series: first those of all
// projects, then those of the teams and projects with the most deployments, up
// to a limit. Shortest is the shortest window.
func newWindowSeries(at time.Time, event int64, shortest time.Duration, windows []db.ScopeTotals, limit int) *windowSeries {
	figures := dora.Figures()
	points, deployments := map[owner][]point{}, map[owner]int64{}
	for _, w := range windows {
		o := owner{w.Scope, w.Labels}
		window := attribute.String("window", dora.FormatWindow(w.Length))
		for _, f := range figures {
			switch {
			case !f.AtEnd():
				points[o] = appendPoints(points[o], f, w.Totals, append(o.attributes(), window))
			case w.Length == shortest: // once, because it is the same in every window
				points[o] = appendPoints(points[o], f, w.Totals, o.attributes())
			}
		}
		deployments[o] = max(deployments[o], w.Deployments)
	}
	kept, series, dropped := map[string][]point{}, 0, 0
	for _, o := range slices.SortedFunc(maps.Keys(points), compareOwners(deployments)) {
		if dropped > 0 || series+len(points[o]) > limit {
			dropped += len(points[o])
			continue
		}
		series += len(points[o])
		for _, p := range points[o] {
			kept[p.gauge] = append(kept[p.gauge], p)
		}
	}
	s := &windowSeries{at: at, event: event}
	for _, f := range figures {
		for _, g := range f.Gauges {
			s.add(g, kept[g.Name])
		}
	}
	s.add(dora.Gauge{
		Name: "dora_series_dropped", Unit: "{series}", Help: "Series of windows left out because there are too many.",
	}, []point{{value: float64(dropped)}})
	slices.SortFunc(s.families, compareFamilies)
	return s
}

// appendPoints appends the series of every gauge of a figure.
func appendPoints(points []point, f dora.Figure, t dora.Totals, attributes []attribute.KeyValue) []point {
	value := f.Value(t)
	for _, g := range f.Gauges {
		for _, r := range g.Read(value) {
			labels := slices.Clone(attributes)
			if r.Quantile != "" {
				labels = append(labels, attribute.String("quantile", r.Quantile))
			}
			points = append(points, point{g.Name, attribute.NewSet(labels...), r.Value})
		}
	}
	return points
}

// add adds a gauge to both outputs if it has any series.
func (s *windowSeries) add(g dora.Gauge, points []point) {
	if len(points) > 0 {
		s.families = append(s.families, family(g, points))
		s.metrics = append(s.metrics, metrics(g, points))
	}
}

func family(g dora.Gauge, points []point) *dto.MetricFamily {
	name, kind := g.FullName(), dto.MetricType_GAUGE
	family := &dto.MetricFamily{Name: &name, Help: &g.Help, Type: &kind}
	for _, p := range points {
		m := &dto.Metric{Gauge: &dto.Gauge{Value: &p.value}}
		for _, a := range p.attributes.ToSlice() { // sorted by name
			name, value := string(a.Key), a.Value.AsString()
			m.Label = append(m.Label, &dto.LabelPair{Name: &name, Value: &value})
		}
		family.Metric = append(family.Metric, m)
	}
	slices.SortFunc(family.Metric, func(a, b *dto.Metric) int { // as the registry sorts
		return cmp.Or(cmp.Compare(len(a.GetLabel()), len(b.GetLabel())),
			slices.CompareFunc(a.GetLabel(), b.GetLabel(), func(a, b *dto.LabelPair) int {
				return cmp.Compare(a.GetValue(), b.GetValue())
			}))
	})
	return family
}

func metrics(g dora.Gauge, points []point) metricdata.Metrics {
	var data metricdata.Gauge[float64]
	for _, p := range points {
		data.DataPoints = append(data.DataPoints, metricdata.DataPoint[float64]{Attributes: p.attributes, Value: p.value})
	}
	return metricdata.Metrics{Name: g.Name, Unit: g.Unit, Description: g.Help, Data: data}
}

func compareFamilies(a, b *dto.MetricFamily) int { return cmp.Compare(a.GetName(), b.GetName()) }

// windowsGatherer adds the series of the windows to a scrape.
type windowsGatherer struct {
	prometheus.Gatherer
	windows *windows
}

// Gather returns the families of the embedded gatherer and of the windows.
func (g *windowsGatherer) Gather() ([]*dto.MetricFamily, error) {
	families, err := g.Gatherer.Gather()
	if g.windows == nil {
		return families, err
	}
	if s := g.windows.collect(context.Background()); s != nil {
		families = append(families, s.families...)
		slices.SortFunc(families, compareFamilies)
	}
	return families, err
}

// Produce returns the series of the windows for a push.
func (w *windows) Produce(ctx context.Context) ([]metricdata.ScopeMetrics, error) {
	s := w.collect(ctx)
	if s == nil {
		return nil, nil
	}
	now := w.store.Now()
	produced := metricdata.ScopeMetrics{Scope: instrumentation.Scope{Name: windowsScope}}
	for _, m := range s.metrics {
		if data, ok := m.Data.(metricdata.Gauge[float64]); ok {
			data.DataPoints = slices.Clone(data.DataPoints)
			for i := range data.DataPoints {
				data.DataPoints[i].Time = now
			}
			m.Data = data
		}
		produced.Metrics = append(produced.Metrics, m)
	}
	return []metricdata.ScopeMetrics{produced}, nil
}
