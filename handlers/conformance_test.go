package handlers_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db/dbtest"
	"github.com/em-metrics/em-metrics/db/dora"
)

// conformanceCase is a file NAME.expected.json of docs/conformance.
type conformanceCase struct {
	Title      string
	Now        time.Time
	Production dora.Environments
	Figures    []struct {
		Query    map[string]string
		Steps    []string
		Expected map[string]any
	}
}

// TestConformance sends each history of docs/conformance at the time that it names,
// and compares /dora with the figures that it must give.
func TestConformance(t *testing.T) {
	files, err := filepath.Glob("../docs/conformance/*.expected.json")
	if err != nil || len(files) < 18 {
		t.Fatal(len(files), "cases", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".expected.json")
		t.Run(name, func(t *testing.T) {
			c, err := readJSON[conformanceCase](readFile(t, file))
			if err != nil {
				t.Fatal(err)
			}
			s := start(t, func(o *setup) { o.Database.Now = dbtest.NewClock(c.Now).Now })
			s.production = c.Production
			for line := range strings.Lines(string(readFile(t, strings.Replace(file, ".expected.json", ".jsonl", 1)))) {
				s.report(line)
			}
			for _, f := range c.Figures {
				query := url.Values{}
				for name, value := range f.Query {
					query.Set(name, value)
				}
				answer := decoded(t, s.get("/dora?"+query.Encode()))
				for _, difference := range differences(fmt.Sprint(f.Query), dig(t, answer, "groups.0"), f.Expected) {
					t.Error(difference)
				}
				if len(f.Steps) == 0 {
					t.Errorf("%v: the figures are not explained", f.Query)
				}
			}
		})
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// report sends a line of a history, as em-metrics replay does.
func (s *service) report(line string) {
	s.t.Helper()
	fields, err := readJSON[map[string]any]([]byte(line))
	if err != nil {
		s.t.Fatal(line, err)
	}
	request := "POST /" + fields["kind"].(string) + "s"
	if fields["deployed_at"] != nil {
		request += "/" + url.PathEscape(fields["id"].(string)) + "/deployed"
		fields["create_if_not_exists"] = true
	}
	if at, aborted := fields["aborted_at"]; aborted {
		request += "/" + url.PathEscape(fields["id"].(string)) + "/aborted"
		fields["create_if_not_exists"], fields["date"] = true, at
		delete(fields, "aborted_at")
	}
	delete(fields, "kind")
	body, err := json.Marshal(fields)
	if err != nil {
		s.t.Fatal(err)
	}
	s.must(request, string(body))
}

// differences describes where a JSON value differs from the expected one, which may
// leave out members of objects. Numbers may differ by a millionth.
func differences(where string, got, expected any) []string {
	switch want := expected.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			break
		}
		var all []string
		for name, value := range want {
			if _, ok := object[name]; !ok {
				all = append(all, where+" has no "+name)
				continue
			}
			all = append(all, differences(where+"."+name, object[name], value)...)
		}
		slices.Sort(all)
		return all
	case float64:
		if number, ok := got.(float64); ok && math.Abs(number-want) <= 1e-6*math.Abs(want) {
			return nil
		}
	default:
		if got == want {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s is %v, want %v", where, got, expected)}
}
