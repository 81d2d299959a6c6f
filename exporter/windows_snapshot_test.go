package exporter_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/exporter"
)

// The figures have no gap after a restart, however long it takes to compute them:
// those from before are shown until then, unless they are old.
func TestWindowsAfterRestart(t *testing.T) {
	r := newRig(t, exporter.Options{Windows: []time.Duration{week}, LabelSetLimit: 1, WindowPatience: time.Minute})
	r.deploy("shop", "1")
	r.deploy("beyond", "1")
	before := windowsOf(r)
	if len(before) == 0 {
		t.Fatal("there are no figures")
	}
	hide := func(after time.Duration) {
		r.stop()
		r.execute("ALTER TABLE deployments RENAME TO hidden") // so that they cannot be computed
		r.advance(after)
		r.start()
		r.catchUp()
	}
	show := func() { r.execute("ALTER TABLE hidden RENAME TO deployments") }
	hide(59 * time.Second)
	if got := windowsOf(r); !maps.Equal(got, before) {
		t.Errorf("after a restart:\n%v\nbefore:\n%v", got, before)
	}
	show()
	hide(time.Second)
	if got := windowsOf(r); len(got) > 0 {
		t.Errorf("after a minute there are old figures: %v", got)
	}
	show()
	r.deploy("shop", "2")
	r.expect("afterwards", false, map[string]float64{
		`dora_deployments{environment="production", project_id="shop", scope="project", window="7d"}`: 2,
	})
}

// windowsOf returns the figures of windows.
func windowsOf(r *rig) map[string]float64 {
	values := r.values(false)
	maps.DeleteFunc(values, func(name string, _ float64) bool { return !strings.HasPrefix(name, "dora_") })
	return values
}
