package programtest

import (
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Metrics returns every series of /metrics, as `name{label="value"}`, with a
// histogram as its count and sum. It waits while the service replays its events.
// It sees values at once, because it is not a scraper.
func (s *Service) Metrics() map[string]float64 {
	s.t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(s.Get("/metrics")))
	if err != nil {
		s.t.Fatal(err)
	}
	values := map[string]float64{}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			add(values, name, m)
		}
	}
	return values
}

func add(values map[string]float64, name string, m *dto.Metric) {
	set := model.LabelSet{}
	for _, l := range m.GetLabel() {
		set[model.LabelName(l.GetName())] = model.LabelValue(l.GetValue())
	}
	labels := set.String()
	switch {
	case m.GetHistogram() != nil:
		values[name+"_count"+labels] = float64(m.GetHistogram().GetSampleCount())
		values[name+"_sum"+labels] = m.GetHistogram().GetSampleSum()
	case m.GetCounter() != nil:
		values[name+labels] = m.GetCounter().GetValue()
	case m.GetGauge() != nil:
		values[name+labels] = m.GetGauge().GetValue()
	}
}
