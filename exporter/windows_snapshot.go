package exporter

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
)

// With millions of deployments in a window its figures take seconds to compute. So
// that the series have no gap after a restart, those of the last computation are
// saved when the exporter is shut down.

// savedWindows is a [windowSeries] as it is saved.
type savedWindows struct {
	At     time.Time    `json:"at"`
	Event  int64        `json:"event"`
	Gauges []savedGauge `json:"gauges"`
}

type savedGauge struct {
	Name   string       `json:"name"`
	Unit   string       `json:"unit"`
	Help   string       `json:"help"`
	Points []savedPoint `json:"points"`
}

type savedPoint struct {
	Labels map[string]string `json:"labels"`
	Value  float64           `json:"value"`
}

// layout names what the saved series mean.
func (w *windows) layout() string {
	return fmt.Sprintf("windows 1 %v %d %d", w.lengths, w.limit, w.fold.limit)
}

// save saves the latest series, if there are any.
func (w *windows) save(ctx context.Context) error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	latest := w.latest
	w.mu.Unlock()
	epoch, last := w.fold.position()
	if latest == nil || last.Seq == 0 {
		return nil
	}
	content, err := json.Marshal(latest.saved())
	if err == nil {
		content, err = compress(content)
	}
	if err == nil {
		err = w.store.SaveSnapshot(ctx, db.Snapshot{Layout: w.layout(), Epoch: epoch, Last: last, Content: content})
	}
	if err != nil {
		return fmt.Errorf("save the figures of windows: %w", err)
	}
	return nil
}

func (s *windowSeries) saved() savedWindows {
	saved := savedWindows{At: s.at, Event: s.event}
	for _, m := range s.metrics {
		gauge := savedGauge{Name: m.Name, Unit: m.Unit, Help: m.Description}
		data, _ := m.Data.(metricdata.Gauge[float64])
		for _, p := range data.DataPoints {
			labels := map[string]string{}
			for _, a := range p.Attributes.ToSlice() {
				labels[string(a.Key)] = a.Value.String()
			}
			gauge.Points = append(gauge.Points, savedPoint{labels, p.Value})
		}
		saved.Gauges = append(saved.Gauges, gauge)
	}
	return saved
}

// load returns the series that were saved, nil if there are none or they are too
// old to show.
func (w *windows) load(ctx context.Context) (*windowSeries, error) {
	epoch, _ := w.fold.position()
	content, err := w.store.LoadSnapshot(ctx, w.layout(), epoch)
	if err == nil && content != nil {
		content, err = decompress(content)
	}
	var saved savedWindows
	if err == nil && content != nil {
		err = json.Unmarshal(content, &saved)
	}
	if err != nil {
		return nil, fmt.Errorf("read the figures of windows that were saved: %w", err)
	}
	if age := w.store.Now().Sub(saved.At); age < 0 || age >= maxWindowAge {
		return nil, nil
	}
	s := &windowSeries{at: saved.At, event: saved.Event}
	for _, g := range saved.Gauges {
		points := make([]point, len(g.Points))
		for i, p := range g.Points {
			points[i] = point{attributesOf(p.Labels), p.Value}
		}
		s.add(dora.Gauge{Name: g.Name, Unit: g.Unit, Help: g.Help}, points)
	}
	s.sort()
	return s, nil
}

func attributesOf(labels map[string]string) attribute.Set {
	var set []attribute.KeyValue
	for name, value := range labels {
		if attribute.Key(name) == overflowLabel {
			set = append(set, overflowLabel.Bool(true))
			continue
		}
		set = append(set, attribute.String(name, value))
	}
	return attribute.NewSet(set...)
}
