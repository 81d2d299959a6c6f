package exporter

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// errReplaying is the reason for a collection without the folded metrics: totals
// are complete or absent.
var errReplaying = errors.New("the events of a restored store are being replayed")

// outlet is one of the outputs of the fold. Instruments cannot be set back, so
// those of the fold belong to a provider of their own, which is replaced when the
// fold starts again; the outlet stays. It implements [sdkmetric.Producer].
type outlet struct {
	fold        *fold
	aggregation sdkmetric.AggregationSelector
	reader      *sdkmetric.ManualReader // of the current provider; fold.applying is held to use it
}

// addOutlet adds an output. All of them must be added before the instruments are
// created.
func (f *fold) addOutlet(aggregation sdkmetric.AggregationSelector) *outlet {
	o := &outlet{fold: f, aggregation: aggregation}
	f.outlets = append(f.outlets, o)
	return o
}

// newMeter returns the meter of a new provider, which all outlets read from now
// on.
func (f *fold) newMeter() metric.Meter {
	options := []sdkmetric.Option{
		sdkmetric.WithCardinalityLimit(0), // the fold has its own limit, which gives the same result after a restart
		sdkmetric.WithExemplarFilter(exemplar.AlwaysOffFilter),
	}
	for _, o := range f.outlets {
		o.reader = sdkmetric.NewManualReader(sdkmetric.WithAggregationSelector(o.aggregation))
		options = append(options, sdkmetric.WithReader(o.reader))
	}
	return sdkmetric.NewMeterProvider(options...).Meter(meterName)
}

// Produce returns the folded metrics.
func (o *outlet) Produce(ctx context.Context) ([]metricdata.ScopeMetrics, error) {
	leave, err := o.fold.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if o.fold.replaying {
		return nil, errReplaying
	}
	var collected metricdata.ResourceMetrics
	if err := o.reader.Collect(ctx, &collected); err != nil {
		return nil, fmt.Errorf("collect the folded metrics: %w", err)
	}
	o.fold.writeTotals(collected.ScopeMetrics)
	return collected.ScopeMetrics, nil
}
