package handlers_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// TestMessagesRepeatAtMost60Bytes sends long texts in every place that a message
// repeats.
func TestMessagesRepeatAtMost60Bytes(t *testing.T) {
	s := start(t)
	euros := strings.Repeat("€", 80) // 240 bytes
	escaped := url.PathEscape(euros)
	letters := strings.Repeat("longer", 40)
	for i := range 2 {
		s.must("POST /deployments", fmt.Sprintf(`{"id": %q, "project_id": "%d%s", "first_commit_at": "@10:00"}`, euros, i, euros))
	}
	s.must("POST /incidents", fmt.Sprintf(`{"id": "linked", "project_id": "0%[1]s", "deployment_id": %[1]q, "started_at": "@11:00"}`, euros))
	s.must("POST /incidents", fmt.Sprintf(`{"id": "elsewhere", "project_id": "0%[1]s", "environment": %[1]q, "started_at": "@11:00"}`, euros))
	for _, c := range []step{
		{request: "GET /" + escaped},
		{request: "POST /deployments/" + letters + "/" + letters},
		{request: "GET /badge/" + letters + ".svg"},
		{request: letters + " /deployments"},
		{request: "POST /incidents", body: `{}`, headers: []string{"Content-Type: text/" + letters}},
		{request: "POST /incidents", body: `{}`, headers: []string{"Content-Encoding: " + letters}},
		{request: "POST /incidents", body: `{"` + letters + `": 1}`},
		{request: "POST /incidents", body: `{"` + euros + `": 1, "` + euros + `": 2}`},
		{request: "POST /incidents", body: `{"project_id": "shop", "started_at": "` + euros + `"}`},
		{request: "POST /incidents", body: `{"project_id": "shop", "started_at": "1969-12-31T00:00:00.` + strings.Repeat("0", 200) + `Z"}`},
		{request: "POST /incidents", body: `{"project_id": "shop", "environment": "` + letters + `", "deployment_id": "` + euros + `"}`},
		{request: "POST /incidents", body: `{"id": "linked", "project_id": "0` + euros + `", "deployment_id": "` + letters + `"}`},
		{request: "POST /incidents", body: `{"id": "elsewhere", "project_id": "0` + euros + `", "environment": "` + euros + `", "deployment_id": "` + euros + `"}`},
		{request: "POST /deployments/" + escaped + "/deployed", body: `{"id": "` + letters + `"}`},
		{request: "POST /deployments/" + escaped + "/deployed"},
		{request: "POST /deployments/" + letters + "/deployed", body: `{"project_id": "` + euros + `", "environment": "` + letters + `"}`},
		{request: "POST /incidents/" + letters + "/restored", body: `{"date": "` + letters + `"}`},
		{request: "GET /deployments/" + escaped},
		{request: "GET /incidents/" + escaped + "?project_id=" + escaped},
		{request: "GET /deployments?" + letters + "=1&" + escaped + "=2"},
		{request: "GET /deployments?limit=" + escaped + "&offset=" + letters + "&cursor=" + letters},
		{request: "GET /incidents?type=" + escaped},
		{request: "GET /incidents?filter=" + letters},
		{request: "GET /dora?tz=" + escaped + "&from=" + letters + "&to=" + escaped + "&interval=" + letters + "&bands=" + escaped + "&format=" + letters},
		{request: "GET /dora?window=" + escaped + "&group_by=" + escaped + "," + letters},
		{request: "GET /dora?from=0001-01-01T00:00:00." + strings.Repeat("0", 200) + "Z"},
		{request: "GET /dora/explain?metric=" + letters},
	} {
		got := s.send(c.request, c.body, c.headers...)
		p, err := readJSON[problem]([]byte(got.body))
		if err != nil || got.status < 400 || got.status >= 500 || len(p.Errors) == 0 {
			t.Errorf("%.80s %.200s: %v, %s", c.request, c.body, err, got)
		}
		sent := unescape(c.request) + c.body + strings.Join(c.headers, "") + strings.Repeat("0", 100) + euros
		if repeats(p, sent) {
			t.Errorf("%.80s %.200s repeats more than 60 bytes: %s", c.request, c.body, got)
		}
		if !strings.Contains(got.body, "…") && !strings.Contains(c.request, "metric=") && !strings.Contains(c.body, "1969") {
			t.Errorf("%.80s %.200s: no excerpt in %s", c.request, c.body, got)
		}
	}
}

// repeats reports whether a problem document repeats more than 60 bytes in a row of
// what was sent.
func repeats(p problem, sent string) bool {
	texts := []string{p.Title, p.Detail}
	for _, e := range p.Errors {
		texts = append(texts, e.Field, e.Message)
	}
	for _, text := range texts {
		// The quotes around an excerpt, and its ellipsis, do not come from the client.
		for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == '"' || r == '…' }) {
			for i := 61; i <= len(part); i++ {
				if strings.Contains(sent, part[i-61:i]) {
					return true
				}
			}
		}
	}
	return false
}

func unescape(request string) string {
	plain, err := url.PathUnescape(request)
	if err != nil {
		return request
	}
	return plain + request
}

// TestErrorsAreLimitedInNumber: each of a hundred thousand parameters would be one.
func TestErrorsAreLimitedInNumber(t *testing.T) {
	s := start(t)
	parameters := url.Values{}
	for i := range 1_000 {
		parameters.Set(fmt.Sprint("p", i), "1")
	}
	for _, query := range []string{parameters.Encode(), "group_by=" + strings.Repeat("x,", 10_000)} {
		got := s.get("/dora?" + query)
		p, err := readJSON[problem]([]byte(got.body))
		if err != nil || got.status != 400 || len(p.Errors) != 20 {
			t.Errorf("%.20s…: %d, %d errors, %d bytes, %v", query, got.status, len(p.Errors), len(got.body), err)
		}
	}
}
