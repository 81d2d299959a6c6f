package exporter_test

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// behaviour selects how a receiver answers a push.
type behaviour int

const (
	accept   behaviour = iota
	refuse             // connection refused
	fail               // 500, or the gRPC equivalent
	postpone           // 503, or the gRPC equivalent
	hang               // no answer until the client gives up
)

// series is the newest point received for a series.
type series struct {
	value       float64
	least, most float64 // of a histogram
	start       time.Time
	temporality metrics.AggregationTemporality
}

// receiver is a collector: a real OTLP server. It keeps the newest point of each
// series under its Prometheus name.
type receiver struct {
	collector.UnimplementedMetricsServiceServer
	t       *testing.T
	scheme  string // http or grpc
	address string
	stop    func()
	hanging chan struct{} // receives a value for each push that hangs

	mu        sync.Mutex
	behaviour behaviour
	paths     map[string]bool // paths requested
	resource  map[string]string
	series    map[string]series
}

func newReceiver(t *testing.T, scheme string) *receiver {
	t.Helper()
	r := &receiver{
		t: t, scheme: scheme, address: "127.0.0.1:0", hanging: make(chan struct{}, 100),
		paths: map[string]bool{}, resource: map[string]string{}, series: map[string]series{},
	}
	r.listen()
	t.Cleanup(func() { r.stop() })
	return r
}

func (r *receiver) url() string { return r.scheme + "://" + r.address }

// listen starts the server, on the previous address if there was one.
func (r *receiver) listen() {
	r.t.Helper()
	listener, err := net.Listen("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.address = listener.Addr().String()
	if r.scheme == "grpc" {
		server := grpc.NewServer()
		collector.RegisterMetricsServiceServer(server, r)
		go func() { _ = server.Serve(listener) }()
		r.stop = server.Stop
		return
	}
	server := &http.Server{Handler: r, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	r.stop = func() { _ = server.Close() }
}

// behave changes how later pushes are answered.
func (r *receiver) behave(b behaviour) {
	r.mu.Lock()
	before := r.behaviour
	r.behaviour = b
	r.mu.Unlock()
	switch {
	case b == refuse:
		r.stop()
	case before == refuse:
		r.listen()
	}
}

func (r *receiver) currentBehaviour() behaviour {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.behaviour
}

// ServeHTTP receives OTLP over HTTP.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := readBody(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch r.currentBehaviour() {
	case fail:
		w.WriteHeader(http.StatusInternalServerError)
		return
	case postpone:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case hang:
		r.hanging <- struct{}{}
		<-request.Context().Done()
		return
	default:
	}
	var push collector.ExportMetricsServiceRequest
	if err := proto.Unmarshal(body, &push); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.record(request.URL.Path, &push)
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func readBody(request *http.Request) ([]byte, error) {
	if request.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(request.Body)
	}
	z, err := gzip.NewReader(request.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// Export receives OTLP over gRPC.
func (r *receiver) Export(
	ctx context.Context, push *collector.ExportMetricsServiceRequest,
) (*collector.ExportMetricsServiceResponse, error) {
	switch r.currentBehaviour() {
	case fail:
		return nil, status.Error(codes.Internal, "internal error")
	case postpone:
		return nil, status.Error(codes.Unavailable, "try again later")
	case hang:
		r.hanging <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	default:
	}
	r.record("", push)
	return &collector.ExportMetricsServiceResponse{}, nil
}

func (r *receiver) record(path string, push *collector.ExportMetricsServiceRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paths[path] = true
	for _, resource := range push.GetResourceMetrics() {
		for _, a := range resource.GetResource().GetAttributes() {
			r.resource[a.GetKey()] = a.GetValue().GetStringValue()
		}
		for _, scope := range resource.GetScopeMetrics() {
			for _, m := range scope.GetMetrics() {
				r.recordMetric(m)
			}
		}
	}
}

func (r *receiver) recordMetric(m *metrics.Metric) {
	name := strings.ReplaceAll(m.GetName(), ".", "_")
	for _, p := range m.GetSum().GetDataPoints() {
		r.series[name+"_total"+labelsOf(p.GetAttributes())] = series{
			value: float64(p.GetAsInt()), start: unixNano(p.GetStartTimeUnixNano()), temporality: m.GetSum().GetAggregationTemporality(),
		}
	}
	if m.GetUnit() == "s" {
		name += "_seconds"
	}
	for _, p := range m.GetHistogram().GetDataPoints() {
		s := series{start: unixNano(p.GetStartTimeUnixNano()), temporality: m.GetHistogram().GetAggregationTemporality()}
		s.least, s.most = p.GetMin(), p.GetMax()
		var cumulative, buckets uint64
		for _, n := range p.GetBucketCounts() {
			cumulative += n
			buckets += cumulative
		}
		for suffix, value := range map[string]float64{
			"_count": float64(p.GetCount()), "_sum": p.GetSum(), "_buckets": float64(buckets),
		} {
			s.value = value
			r.series[name+suffix+labelsOf(p.GetAttributes())] = s
		}
	}
}

func unixNano(nanoseconds uint64) time.Time { return time.Unix(0, int64(nanoseconds)).UTC() } //nolint:gosec // a time

func labelsOf(attributes []*common.KeyValue) string {
	set := model.LabelSet{}
	for _, a := range attributes {
		value := a.GetValue().GetStringValue()
		if a.GetValue().GetBoolValue() {
			value = "true"
		}
		set[model.LabelName(strings.ReplaceAll(a.GetKey(), ".", "_"))] = model.LabelValue(value)
	}
	return set.String()
}

// received returns the newest point of each series.
func (r *receiver) received() map[string]series {
	r.mu.Lock()
	defer r.mu.Unlock()
	copied := map[string]series{}
	for name, s := range r.series {
		copied[name] = s
	}
	return copied
}

// expect compares the given series.
func (r *receiver) expect(when string, want map[string]float64) {
	r.t.Helper()
	got := r.received()
	for name, value := range want {
		if s, ok := got[name]; !ok || s.value != value {
			r.t.Errorf("%s: %s was pushed as %v (pushed: %v), want %v", when, name, s.value, ok, value)
		}
	}
}
