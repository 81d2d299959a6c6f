package exporter

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// CheckCollectorURL returns an error if the URL of a collector is not valid. The
// error never contains credentials.
func CheckCollectorURL(address string) error {
	u, err := url.Parse(address)
	if at := strings.LastIndex(address, "@"); at >= 0 {
		address = "…" + address[at:] // the part before it may contain a password
	}
	if err != nil || u.Host == "" {
		return fmt.Errorf("%q is not a URL with a scheme and a host, such as http://localhost:4318", address)
	}
	switch u.Scheme {
	case "http", "https":
		return nil
	case "grpc", "grpcs":
		if u.Path == "" || u.Path == "/" {
			return nil
		}
		return fmt.Errorf("%q has a path, which gRPC does not use: leave it out", address)
	}
	return fmt.Errorf("%q has the scheme %q: it must be http, https, grpc or grpcs", address, u.Scheme)
}

// newPushExporter creates the exporter for the URL of a collector: OTLP over
// HTTP, with the standard path if the URL has none, or OTLP over gRPC. The
// standard OTEL_EXPORTER_OTLP_* variables set headers, certificates and so on.
func newPushExporter(ctx context.Context, address string) (sdkmetric.Exporter, error) {
	if err := CheckCollectorURL(address); err != nil {
		return nil, err
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "grpc":
		return otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithEndpoint(u.Host), otlpmetricgrpc.WithInsecure())
	case "grpcs":
		return otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithEndpointURL("https://"+u.Host))
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/metrics"
	}
	return otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(u.String()))
}

// countingExporter counts failed pushes.
type countingExporter struct {
	sdkmetric.Exporter
	failures *atomic.Int64
}

// Export pushes the metrics and counts a failure.
func (e *countingExporter) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	if err := e.Exporter.Export(ctx, rm); err != nil {
		e.failures.Add(1)
		return fmt.Errorf("push metrics: %w", err)
	}
	return nil
}
