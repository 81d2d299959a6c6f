package exporter

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/em-metrics/em-metrics/db/dora"
)

// The windows have thousands of series that seldom change. They are built once,
// in the form of both outputs, and added to each collection: a scrape would be
// four times as slow if the SDK observed each of them every time.

// defaultWindowSeries limits the series of the windows: enough for about two
// hundred and forty projects with four windows.
const defaultWindowSeries = 27_000

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
// series is about, or all projects beyond the label set limit.
type owner struct {
	scope dora.Scope
	dora.Labels
}

func (o owner) attributes() []attribute.KeyValue {
	scope, environment := attribute.String("scope", string(o.scope)), attribute.String("environment", o.Environment)
	switch o.scope {
	case dora.ScopeProject:
		return []attribute.KeyValue{scope, environment, attribute.String("project_id", o.Project)}
	case dora.ScopeTeam:
		return []attribute.KeyValue{scope, environment, attribute.String("team_id", o.Team)}
	case dora.ScopeOverflow:
		return []attribute.KeyValue{scope, overflowLabel.Bool(true)}
	default:
		return []attribute.KeyValue{scope, environment}
	}
}

// compareOwners sorts all projects first, then those beyond the label set limit,
// then by descending deployments in the longest window.
func compareOwners(totals map[owner][]dora.ScopeTotals) func(a, b owner) int {
	deployments := func(o owner) (n int64) {
		for _, t := range totals[o] {
			n = max(n, t.Deployments)
		}
		return n
	}
	order := map[dora.Scope]int{dora.ScopeAll: -2, dora.ScopeOverflow: -1}
	return func(a, b owner) int {
		return cmp.Or(cmp.Compare(order[a.scope], order[b.scope]), -cmp.Compare(deployments(a), deployments(b)),
			cmp.Compare(a.scope, b.scope), cmp.Compare(a.Project, b.Project),
			cmp.Compare(a.Team, b.Team), cmp.Compare(a.Environment, b.Environment))
	}
}

// point is the value of one series of a gauge.
type point struct {
	attributes attribute.Set
	value      float64
}

// newWindowSeries turns the totals of windows into series: first those of all
// projects, then those of the teams and projects with the most deployments, up
// to a limit. Shortest is the shortest window.
func newWindowSeries(at time.Time, event int64, shortest time.Duration, windows []dora.ScopeTotals, limit int) *windowSeries {
	kept := map[string][]point{}
	dropped := eachReading(windows, shortest, limit, func(o owner, g dora.Gauge, of readingLabels, value float64) {
		kept[g.Name] = append(kept[g.Name], point{attribute.NewSet(slices.Concat(o.attributes(), of.attributes())...), value})
	})
	s := &windowSeries{at: at, event: event}
	for _, f := range dora.Figures() {
		for _, g := range f.Gauges {
			s.add(g, kept[g.Name])
		}
	}
	s.add(droppedGauge(), []point{{value: float64(dropped)}})
	s.sort()
	return s
}

// droppedGauge returns the gauge of series that are left out.
func droppedGauge() dora.Gauge {
	return dora.Gauge{
		Name: "dora_series_dropped", Unit: "{series}", Help: "Series of windows left out because there are too many.",
	}
}

// readingLabels are the labels of a reading besides those of its owner. Both may be
// empty.
type readingLabels struct{ window, quantile string }

func (l readingLabels) attributes() (all []attribute.KeyValue) {
	if l.window != "" {
		all = append(all, attribute.String("window", l.window))
	}
	if l.quantile != "" {
		all = append(all, attribute.String("quantile", l.quantile))
	}
	return all
}

// eachReading visits the readings of every gauge in every window: first those of
// all projects, then those of the teams and projects with the most deployments, up
// to a limit. It returns how many are beyond the limit. Shortest is the shortest
// window.
func eachReading(windows []dora.ScopeTotals, shortest time.Duration, limit int,
	visit func(owner, dora.Gauge, readingLabels, float64),
) (dropped int) {
	totals := map[owner][]dora.ScopeTotals{}
	for _, t := range windows {
		o := owner{t.Scope, t.Labels}
		totals[o] = append(totals[o], t)
	}
	figures, series := dora.Figures(), 0
	for _, o := range slices.SortedFunc(maps.Keys(totals), compareOwners(totals)) {
		size := 0 // series are counted before they are made, because most may be dropped
		eachReadingOf(figures, totals[o], shortest, func(dora.Gauge, readingLabels, float64) { size++ })
		if dropped > 0 || series+size > limit {
			dropped += size
			continue
		}
		series += size
		eachReadingOf(figures, totals[o], shortest, func(g dora.Gauge, of readingLabels, value float64) { visit(o, g, of, value) })
	}
	return dropped
}

func (s *windowSeries) sort() { slices.SortFunc(s.families, compareFamilies) }

// eachReadingOf visits the readings of every gauge in the windows of an owner.
func eachReadingOf(figures []dora.Figure, windows []dora.ScopeTotals, shortest time.Duration,
	visit func(dora.Gauge, readingLabels, float64),
) {
	for _, t := range windows {
		window := dora.FormatWindow(t.Length)
		for _, f := range figures {
			of := readingLabels{window: window}
			if f.AtEnd() {
				if t.Length != shortest { // what is the same in every window is shown once
					continue
				}
				of.window = ""
			}
			value := f.Value(t.Totals)
			for _, g := range f.Gauges {
				if t.Scope == dora.ScopeOverflow && !g.IsCount() {
					continue
				}
				for _, r := range g.Read(value) {
					of.quantile = r.Quantile
					visit(g, of, r.Value)
				}
			}
		}
	}
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
			name, value := strings.ReplaceAll(string(a.Key), ".", "_"), a.Value.String()
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
