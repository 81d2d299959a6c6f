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
)

// The figures of windows are thousands of series that seldom change. They are
// made once, in the form of both outputs, and added to each collection: asking
// the SDK to observe every one of them each time would make a scrape four times
// as slow.

// defaultWindowSeries bounds the series of the windows: some three hundred
// projects with three windows.
const defaultWindowSeries = 20_000

// windowsScope tells the figures of windows from what the SDK collects.
const windowsScope = meterName + "/windows"

// computed are the series of one computation. They are never changed.
type computed struct {
	at       time.Time
	event    int64                // the last there was
	families []*dto.MetricFamily  // in the order of their names
	metrics  []metricdata.Metrics // the same for a push
}

// owner is whose series they are.
type owner struct {
	scope                      db.Scope
	project, team, environment string
}

func (o owner) attributes() []attribute.KeyValue {
	attributes := []attribute.KeyValue{attribute.String("scope", string(o.scope)), attribute.String("environment", o.environment)}
	switch o.scope {
	case db.ScopeProject:
		attributes = append(attributes, attribute.String("project_id", o.project))
	case db.ScopeTeam:
		attributes = append(attributes, attribute.String("team_id", o.team))
	case db.ScopeAll:
	}
	return attributes
}

// point is one series of a gauge.
type point struct {
	gauge      string
	attributes attribute.Set
	value      float64
}

// newComputed turns figures into series: first those over all, then the teams
// and projects with the most deployments, until there are too many.
func newComputed(at time.Time, event int64, lengths []time.Duration, figures []db.DoraWindow, limit int) *computed {
	points, deployments := map[owner][]point{}, map[owner]int64{}
	for _, f := range figures {
		o := owner{f.Scope, f.Project, f.Team, f.Environment}
		if f.Length == lengths[0] {
			points[o] = openIncidents().points(points[o], f.Dora, o.attributes())
		}
		window := attribute.String("window", db.FormatWindow(f.Length))
		for _, g := range windowGauges() {
			points[o] = g.points(points[o], f.Dora, append(o.attributes(), window))
		}
		deployments[o] = max(deployments[o], f.Deployments)
	}
	owners := slices.SortedFunc(maps.Keys(points), func(a, b owner) int {
		if all := a.scope == db.ScopeAll; all != (b.scope == db.ScopeAll) {
			return map[bool]int{true: -1, false: 1}[all]
		}
		return cmp.Or(-cmp.Compare(deployments[a], deployments[b]),
			cmp.Compare(a.scope, b.scope), cmp.Compare(a.project, b.project),
			cmp.Compare(a.team, b.team), cmp.Compare(a.environment, b.environment))
	})
	shown, series, dropped := map[string][]point{}, 0, 0
	for _, o := range owners {
		if dropped > 0 || series+len(points[o]) > limit {
			dropped += len(points[o])
			continue
		}
		series += len(points[o])
		for _, p := range points[o] {
			shown[p.gauge] = append(shown[p.gauge], p)
		}
	}
	left := windowGauge{name: "dora_series_dropped", unit: "{series}", description: "Series of windows left out because there are too many."}
	shown[left.name] = []point{{gauge: left.name, value: float64(dropped)}}
	c := &computed{at: at, event: event}
	for _, g := range append(windowGauges(), openIncidents(), left) {
		if len(shown[g.name]) > 0 {
			c.families = append(c.families, g.family(shown[g.name]))
			c.metrics = append(c.metrics, g.metrics(shown[g.name]))
		}
	}
	slices.SortFunc(c.families, compareFamilies)
	return c
}

func compareFamilies(a, b *dto.MetricFamily) int { return cmp.Compare(a.GetName(), b.GetName()) }

// points adds the series of the gauge that there are.
func (g windowGauge) points(points []point, d db.Dora, attributes []attribute.KeyValue) []point {
	for _, r := range g.read(d) {
		own := slices.Clone(attributes)
		if r.quantile != "" {
			own = append(own, attribute.String("quantile", r.quantile))
		}
		points = append(points, point{g.name, attribute.NewSet(own...), r.value})
	}
	return points
}

func (g windowGauge) family(points []point) *dto.MetricFamily {
	name, kind := g.prometheusName(), dto.MetricType_GAUGE
	family := &dto.MetricFamily{Name: &name, Help: &g.description, Type: &kind}
	for _, p := range points {
		m := &dto.Metric{Gauge: &dto.Gauge{Value: &p.value}}
		for _, a := range p.attributes.ToSlice() { // in the order of their names
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

func (g windowGauge) metrics(points []point) metricdata.Metrics {
	var data metricdata.Gauge[float64]
	for _, p := range points {
		data.DataPoints = append(data.DataPoints, metricdata.DataPoint[float64]{Attributes: p.attributes, Value: p.value})
	}
	return metricdata.Metrics{Name: g.name, Unit: g.unit, Description: g.description, Data: data}
}

// windowsGatherer adds the figures of windows to a scrape.
type windowsGatherer struct {
	prometheus.Gatherer
	windows *windows
}

// Gather gathers and adds the figures.
func (g *windowsGatherer) Gather() ([]*dto.MetricFamily, error) {
	families, err := g.Gatherer.Gather()
	if g.windows == nil {
		return families, err
	}
	if c := g.windows.figures(context.Background()); c != nil {
		families = append(families, c.families...)
		slices.SortFunc(families, compareFamilies)
	}
	return families, err
}

// Produce gives the figures of windows to a push.
func (w *windows) Produce(ctx context.Context) ([]metricdata.ScopeMetrics, error) {
	c := w.figures(ctx)
	if c == nil {
		return nil, nil
	}
	now := w.store.Now()
	produced := metricdata.ScopeMetrics{Scope: instrumentation.Scope{Name: windowsScope}}
	for _, m := range c.metrics {
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
