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

// contract is the transport of every client in these tests. It compares each
// answer with the OpenAPI document, and each request that the service accepted.
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
		c.t.Errorf("%s %.100s answered %d, which is not as openapi.yaml says: %.1000v\n%.500s",
			r.Method, r.URL.EscapedPath(), answer.StatusCode, err, received)
	}
	return answer, nil
}

func (c *contract) check(r *http.Request, sent []byte, answer *http.Response, received []byte) error {
	documented := r.Clone(r.Context())
	documented.Body = io.NopCloser(bytes.NewReader(sent))
	if r.Method == http.MethodHead { // answered wherever GET is
		documented.Method = http.MethodGet
	}
	route, params, err := c.find.FindRoute(documented)
	if err != nil {
		return c.checkNowhere(answer, received)
	}
	for name, value := range params {
		if params[name], err = url.PathUnescape(value); err != nil {
			return err
		}
	}
	options := &openapi3filter.Options{
		IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
		// No decoder knows the formats of metrics, which promhttp's own tests cover.
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

// checkNowhere checks the answer where the document has no route: a problem.
func (c *contract) checkNowhere(answer *http.Response, received []byte) error {
	if answer.StatusCode < 400 {
		return errors.New("there is no such route")
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

// routesOf returns the rows of the document in the form of the route table.
func routesOf(doc *openapi3.T) (rows []string) {
	parameter := regexp.MustCompile(`\{(\w+)\}`)
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			rows = append(rows, method+" "+parameter.ReplaceAllString(path, ":$1"))
		}
	}
	return rows
}

func TestEveryRouteIsDocumentedAndEveryDocumentedRouteExists(t *testing.T) {
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

func TestTheDocumentIsServedAsItIs(t *testing.T) {
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

// TestTheDocumentKnowsEveryFieldOfARequest compares the document with the
// types that decode requests, in both directions.
func TestTheDocumentKnowsEveryFieldOfARequest(t *testing.T) {
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

// plain is the transport below the contract, for what the document leaves out.
func plain(transport http.RoundTripper) http.RoundTripper {
	if c, ok := transport.(*contract); ok {
		return c.next
	}
	return transport
}
