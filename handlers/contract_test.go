package handlers_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/em-metrics/em-metrics/handlers"
)

// contract is the transport of all clients in these tests. It validates each
// response, and each accepted request, against the OpenAPI document.
type contract struct {
	t    testing.TB
	next http.RoundTripper
	doc  *openapi3.T
	find routers.Router
}

var loadDocument = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(context.Background())
})

func newContract(t testing.TB, next http.RoundTripper) *contract {
	t.Helper()
	doc, err := loadDocument()
	if err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	find, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	return &contract{t, next, doc, find}
}

func (c *contract) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.Body != nil {
		var err error
		if sent, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	answer, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	received, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	_ = answer.Body.Close()
	answer.Body = io.NopCloser(bytes.NewReader(received))
	if err := c.check(r, sent, answer, received); err != nil {
		c.t.Errorf("%s %.100s: status %d does not match openapi.yaml: %.1000v\n%.500s",
			r.Method, r.URL.EscapedPath(), answer.StatusCode, err, received)
	}
	return answer, nil
}

func (c *contract) check(r *http.Request, sent []byte, answer *http.Response, received []byte) error {
	documented := r.Clone(r.Context())
	documented.Body = io.NopCloser(bytes.NewReader(sent))
	if r.Method == http.MethodHead { // served wherever GET is
		documented.Method = http.MethodGet
	}
	route, params, err := c.find.FindRoute(documented)
	if err != nil {
		return c.checkUndocumented(answer, received)
	}
	for name, value := range params {
		if params[name], err = url.PathUnescape(value); err != nil {
			return err
		}
	}
	options := &openapi3filter.Options{
		IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
		// The metrics formats have no decoder here; promhttp's own tests cover them.
		ExcludeResponseBody: r.Method == http.MethodHead || answer.StatusCode == http.StatusOK && route.Path == "/metrics",
	}
	request := &openapi3filter.RequestValidationInput{
		Request: documented, PathParams: params, Route: route, Options: options,
	}
	if answer.StatusCode < 300 {
		if err := openapi3filter.ValidateRequest(r.Context(), request); err != nil {
			return errors.Join(errors.New("the request was accepted"), err)
		}
	}
	return openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: request, Status: answer.StatusCode, Header: answer.Header,
		Body: io.NopCloser(bytes.NewReader(received)), Options: options,
	})
}

// checkUndocumented expects a problem document where the document has no route.
func (c *contract) checkUndocumented(answer *http.Response, received []byte) error {
	if answer.StatusCode < 400 {
		return errors.New("the route is not documented")
	}
	if answer.Request.Method == http.MethodHead {
		return nil
	}
	value, err := readJSON[any](received)
	if err != nil {
		return err
	}
	return c.doc.Components.Schemas["Problem"].Value.VisitJSON(value, openapi3.EnableJSONSchema2020())
}

// routesOf returns the document's routes in the form of [handlers.Routes].
func routesOf(doc *openapi3.T) (rows []string) {
	parameter := regexp.MustCompile(`\{(\w+)\}`)
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			rows = append(rows, method+" "+parameter.ReplaceAllString(path, ":$1"))
		}
	}
	return rows
}

func TestRoutesMatchTheOpenAPIDocument(t *testing.T) {
	doc, err := loadDocument()
	if err != nil {
		t.Fatal(err)
	}
	documented, served := routesOf(doc), handlers.Routes()
	slices.Sort(documented)
	slices.Sort(served)
	if !slices.Equal(documented, served) {
		t.Errorf("documented:\n%s\nserved:\n%s", strings.Join(documented, "\n"), strings.Join(served, "\n"))
	}
}

func TestOpenAPIDocumentIsServedUnchanged(t *testing.T) {
	want, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, prefix := range prefixes {
		got := start(t).get(prefix + "/openapi.yaml")
		if got.status != 200 || got.body != string(want) || got.header.Get("Content-Type") != "application/yaml" {
			t.Errorf("%s: %d %s, %d bytes", prefix, got.status, got.header.Get("Content-Type"), len(got.body))
		}
	}
}

// TestRequestFieldsMatchTheOpenAPIDocument compares the document with the
// types that decode requests, in both directions.
func TestRequestFieldsMatchTheOpenAPIDocument(t *testing.T) {
	doc, err := loadDocument()
	if err != nil {
		t.Fatal(err)
	}
	for name, request := range map[string]any{
		"DeploymentRequest": handlers.DeploymentRequest{}, "DeployedRequest": handlers.DeployedRequest{},
		"IncidentRequest": handlers.IncidentRequest{}, "IncidentDateRequest": handlers.IncidentDateRequest{},
	} {
		documented := slices.Sorted(maps.Keys(doc.Components.Schemas[name].Value.Properties))
		if decoded := jsonFields(request); !slices.Equal(documented, decoded) {
			t.Errorf("%s: documented %q, decoded %q", name, documented, decoded)
		}
	}
}

// plain returns the transport without the contract, for requests that are not
// documented.
func plain(transport http.RoundTripper) http.RoundTripper {
	if c, ok := transport.(*contract); ok {
		return c.next
	}
	return transport
}
