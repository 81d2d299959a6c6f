package handlers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
)

// A badge is computed again once its readers may not keep it any longer.
func TestBadgesAreKeptForTheirMaxAge(t *testing.T) {
	s := aDay(t)
	const badge = "/badge/deployment_frequency.svg?window=1d"
	expect := func(path, value, maxAge string) {
		t.Helper()
		a := s.get(path)
		if !strings.Contains(a.body, ": "+value+`"`) || a.header.Get("Cache-Control") != "max-age="+maxAge {
			t.Errorf("%s: %s, %s; want %s and max-age=%s", path, a.body, a.header.Get("Cache-Control"), value, maxAge)
		}
	}
	expect(badge, "3 a day", "300")
	s.must("POST /deployments/9/deployed", `{"create_if_not_exists": true, "project_id": "shop", "first_commit_at": "@08:00", "deployed_at": "@11:00"}`)
	s.now.Advance(100 * time.Second)
	expect(badge, "3 a day", "200")
	expect(badge+"&project_id=shop", "3 a day", "300") // another badge
	s.production = dora.Environments{"staging"}
	expect(badge, "1 a day", "300")
	s.production = nil
	s.now.Advance(200 * time.Second)
	expect(badge, "4 a day", "300")
}
