package exporter

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/em-metrics/em-metrics/db"
)

// defaultWindowSeries bounds the series of the windows: some three hundred
// projects with three windows.
const defaultWindowSeries = 20_000

// windowsAge is how long figures are shown without an event: what slides out
// of a window, and what was corrected without one, shows by then.
const windowsAge = time.Minute

// defaultWindowPatience is about what the other series of a hundred projects
// take.
const defaultWindowPatience = 20 * time.Millisecond

// windowGauge is a row of the table of exact gauges. What is not ok is not
// exposed.
type windowGauge struct {
	name, unit, description string
	value                   func(d db.Dora) (value float64, ok bool)
}

// windowDuration is a row of the table of exact durations: a gauge for each of
// two quantiles, and one for how many samples they were computed from.
type windowDuration struct {
	name, of, description string
	distribution          func(d db.Dora) db.Distribution
}

func windowGauges() []windowGauge {
	count := func(of func(d db.Dora) int64) func(db.Dora) (float64, bool) {
		return func(d db.Dora) (float64, bool) { return float64(of(d)), true }
	}
	gauges := []windowGauge{
		{"dora.deployments", "{deployment}", "Deployments deployed in the window.",
			count(func(d db.Dora) int64 { return d.Deployments })},
		{"dora.deployments_per_day", "", "Deployments of the window divided by its days.",
			func(d db.Dora) (float64, bool) { return d.PerDay, true }},
		{"dora.deployment_days", "{day}", "Days of the window with a deployment, in UTC.",
			count(func(d db.Dora) int64 { return d.DeploymentDays })},
		{"dora.failed_deployments", "{deployment}", "Deployments of the window with an incident linked to them.",
			count(func(d db.Dora) int64 { return d.FailedDeployments })},
		{"dora.change_failure_ratio", "", "Failed deployments divided by deployments. Absent without a deployment.",
			func(d db.Dora) (float64, bool) { return d.ChangeFailureRatio.V, d.ChangeFailureRatio.Valid }},
		{"dora.rework_ratio", "", "Deployments marked as rework divided by deployments. Absent without a deployment.",
			func(d db.Dora) (float64, bool) { return d.ReworkRatio.V, d.ReworkRatio.Valid }},
		{"dora.incidents", "{incident}", "Incidents that started in the window.",
			count(func(d db.Dora) int64 { return d.Incidents })},
		{"dora.deployments_unfinished", "{deployment}", "Deployments that began in the window and were never deployed.",
			count(func(d db.Dora) int64 { return d.Unfinished })},
	}
	for _, duration := range windowDurations() {
		gauges = append(gauges, windowGauge{duration.name + "_samples", "{" + duration.of + "}",
			"How many samples the quantiles of " + duration.name + " have.",
			func(d db.Dora) (float64, bool) { return float64(duration.distribution(d).Samples), true }})
	}
	return gauges
}

func windowDurations() []windowDuration {
	return []windowDuration{
		{"dora.lead_time", "deployment", "Time from the first commit to being deployed, of deployments of the window.",
			func(d db.Dora) db.Distribution { return d.LeadTime }},
		{"dora.deployment_duration", "deployment", "Time from the start of a deployment to its end, of deployments of the window.",
			func(d db.Dora) db.Distribution { return d.DeploymentDuration }},
		{"dora.failed_deployment_recovery", "incident", "Duration of incidents linked to a deployment, of those restored in the window.",
			func(d db.Dora) db.Distribution { return d.FailedDeploymentRecovery }},
		{"dora.time_to_restore", "incident", "Duration of incidents, of those restored in the window.",
			func(d db.Dora) db.Distribution { return d.TimeToRestore }},
		{"dora.time_to_detect", "incident", "Time from a deployment to an incident linked to it, of those that started in the window.",
			func(d db.Dora) db.Distribution { return d.TimeToDetect }},
	}
}

// windows are the exact figures of the store as gauges. They are computed when
// they are collected, and kept until an event arrives or a minute passes.
//
// A collection waits for the computation as long as its patience lasts. Where
// the store holds so much that computing takes longer, it shows what it has and
// leaves the new figures to the next collection, so that a scrape is never slow.
type windows struct {
	store    *db.Store
	logger   *slog.Logger
	lengths  []time.Duration
	limit    int
	patience time.Duration

	gauges  []metric.Float64ObservableGauge // as windowGauges, then as windowDurations
	open    metric.Float64ObservableGauge
	dropped metric.Int64ObservableGauge

	closing context.Context // ends with close
	close   context.CancelFunc
	mu      sync.Mutex
	running chan struct{} // closed when the computation under way ends; nil: there is none
	latest  *computed     // nil: never, or the last one failed
	took    time.Duration // how long the last one took
}

// computed are the series of one computation. They are never changed.
type computed struct {
	at      time.Time
	event   int64 // the last there was
	points  []point
	dropped int // how many series the limit left out
}

// point is one series and its value.
type point struct {
	gauge metric.Float64ObservableGauge
	value float64
	with  []metric.ObserveOption
}

// observeWindows registers the gauges of the windows, if there are any.
func (e *Exporter) observeWindows(o Options) error {
	if len(o.Windows) == 0 {
		return nil
	}
	w := &windows{
		store: e.store, logger: o.Logger, limit: cmp.Or(o.WindowSeriesLimit, defaultWindowSeries),
		lengths:  slices.Compact(slices.Sorted(slices.Values(o.Windows))),
		patience: cmp.Or(o.WindowPatience, defaultWindowPatience),
	}
	w.closing, w.close = context.WithCancel(context.Background())
	if err := w.instrument(e.Meter()); err != nil {
		return fmt.Errorf("make the gauges of windows: %w", err)
	}
	observables := []metric.Observable{w.open, w.dropped}
	for _, g := range w.gauges {
		observables = append(observables, g)
	}
	if _, err := e.Meter().RegisterCallback(w.observe, observables...); err != nil {
		return fmt.Errorf("register the gauges of windows: %w", err)
	}
	e.windows = w
	return nil
}

func (w *windows) instrument(meter metric.Meter) (err error) {
	gauge := func(name, unit, description string) (g metric.Float64ObservableGauge) {
		if err == nil {
			g, err = meter.Float64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
		}
		return g
	}
	for _, g := range windowGauges() {
		w.gauges = append(w.gauges, gauge(g.name, g.unit, g.description))
	}
	for _, d := range windowDurations() {
		w.gauges = append(w.gauges, gauge(d.name, "s", d.description))
	}
	w.open = gauge("dora.incidents_open", "{incident}", "Incidents of which service is not restored.")
	if err == nil {
		w.dropped, err = meter.Int64ObservableGauge("dora.series_dropped", metric.WithUnit("{series}"),
			metric.WithDescription("Series of windows left out because there are too many."))
	}
	return err
}

// observe shows the figures. When they cannot be computed they are absent, and
// everything else is collected all the same.
func (w *windows) observe(ctx context.Context, observer metric.Observer) error {
	event, err := w.store.LastEvent(ctx)
	if err != nil {
		w.logger.ErrorContext(ctx, "no figures of windows", "error", err)
		return nil
	}
	w.mu.Lock()
	if w.running == nil && w.stale(event) {
		w.running = make(chan struct{})
		go w.compute(w.running)
	}
	running, first, hopeless := w.running, w.latest == nil, w.took > w.patience
	w.mu.Unlock()
	switch {
	case running == nil:
	case first: // there is nothing else to show
		wait(ctx, running, catchUpTimeout)
	case !hopeless:
		wait(ctx, running, w.patience)
	}
	w.mu.Lock()
	latest := w.latest
	w.mu.Unlock()
	if latest == nil {
		return nil
	}
	for _, p := range latest.points {
		observer.ObserveFloat64(p.gauge, p.value, p.with...)
	}
	observer.ObserveInt64(w.dropped, int64(latest.dropped))
	return nil
}

func wait(ctx context.Context, running <-chan struct{}, most time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	select {
	case <-running:
	case <-ctx.Done():
	}
}

// stale tells whether the figures have to be computed again.
func (w *windows) stale(event int64) bool {
	if w.latest == nil || event != w.latest.event {
		return true
	}
	age := w.store.Now().Sub(w.latest.at)
	return age < 0 || age >= windowsAge
}

// compute computes the figures anew and closes the channel when it has ended.
func (w *windows) compute(running chan struct{}) {
	start := time.Now()
	latest, err := w.read(w.closing)
	if err != nil && w.closing.Err() == nil {
		w.logger.Error("no figures of windows", "error", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.latest, w.took, w.running = latest, time.Since(start), nil
	close(running)
}

func (w *windows) read(ctx context.Context) (*computed, error) {
	// The last event is read first: one that arrives meanwhile is perhaps in
	// the figures, and makes them be computed again.
	event, err := w.store.LastEvent(ctx)
	if err != nil {
		return nil, err
	}
	now := w.store.Now()
	figures, err := w.store.DoraWindows(ctx, w.lengths)
	if err != nil {
		return nil, err
	}
	c := &computed{at: now, event: event}
	c.points, c.dropped = w.series(figures)
	return c, nil
}

// shutdown ends a computation under way. The store may be closed afterwards.
func (w *windows) shutdown() {
	if w == nil {
		return
	}
	w.close()
	w.mu.Lock()
	running := w.running
	w.mu.Unlock()
	if running != nil {
		<-running
	}
}

// owner is whose series they are.
type owner struct {
	scope                      db.Scope
	project, team, environment string
}

// series turns figures into series: first those over all, then the teams and
// projects with the most deployments, until there are too many.
func (w *windows) series(figures []db.DoraWindow) (shown []point, dropped int) {
	series, deployments := map[owner][]point{}, map[owner]int64{}
	for _, f := range figures {
		o := owner{f.Scope, f.Project, f.Team, f.Environment}
		series[o] = append(series[o], w.points(o, f)...)
		if f.Length == w.lengths[len(w.lengths)-1] {
			deployments[o] = f.Deployments
		}
	}
	owners := slices.SortedFunc(maps.Keys(series), func(a, b owner) int {
		if all := a.scope == db.ScopeAll; all != (b.scope == db.ScopeAll) {
			return map[bool]int{true: -1, false: 1}[all]
		}
		return cmp.Or(-cmp.Compare(deployments[a], deployments[b]),
			cmp.Compare(a.scope, b.scope), cmp.Compare(a.project, b.project),
			cmp.Compare(a.team, b.team), cmp.Compare(a.environment, b.environment))
	})
	for _, o := range owners {
		if dropped > 0 || len(shown)+len(series[o]) > w.limit {
			dropped += len(series[o])
			continue
		}
		shown = append(shown, series[o]...)
	}
	return shown, dropped
}

// points are the series of one owner and window.
func (w *windows) points(o owner, f db.DoraWindow) (points []point) {
	labels := []attribute.KeyValue{attribute.String("scope", string(o.scope)), attribute.String("environment", o.environment)}
	switch o.scope {
	case db.ScopeProject:
		labels = append(labels, attribute.String("project_id", o.project))
	case db.ScopeTeam:
		labels = append(labels, attribute.String("team_id", o.team))
	case db.ScopeAll:
	}
	with := func(more ...attribute.KeyValue) []metric.ObserveOption {
		set := attribute.NewSet(append(slices.Clone(labels), more...)...)
		return []metric.ObserveOption{metric.WithAttributeSet(set)}
	}
	if f.Length == w.lengths[0] {
		points = append(points, point{w.open, float64(f.OpenIncidents), with()})
	}
	window := attribute.String("window", db.FormatWindow(f.Length))
	plain := with(window)
	median, ninth := with(window, attribute.String("quantile", "0.5")), with(window, attribute.String("quantile", "0.9"))
	gauges := windowGauges()
	for i, g := range gauges {
		if value, ok := g.value(f.Dora); ok {
			points = append(points, point{w.gauges[i], value, plain})
		}
	}
	for i, duration := range windowDurations() {
		gauge, d := w.gauges[len(gauges)+i], duration.distribution(f.Dora)
		if d.Samples > 0 {
			points = append(points, point{gauge, d.P50.V.Seconds(), median}, point{gauge, d.P90.V.Seconds(), ninth})
		}
	}
	return points
}
