package ci_test

import (
	"maps"
	"testing"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/internal/ci"
	"github.com/em-metrics/em-metrics/cmd/em-metrics/internal/ci/citest"
)

func TestRead(t *testing.T) {
	if got := len(citest.Jobs()); got != ci.Systems {
		t.Errorf("%d systems are tested, want %d", got, ci.Systems)
	}
	for name, test := range citest.Jobs() {
		want := test.Want
		want.System = name
		if got := ci.Read(test.Variables); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
		again := maps.Clone(test.Variables)
		maps.Copy(again, test.Again)
		if got := ci.Read(again); got != want {
			t.Errorf("%s, run again: got %+v, want %+v", name, got, want)
		}
	}
	if got := ci.Read(map[string]string{"CI": "true", "GIT_COMMIT": "abc"}); got != (ci.Run{}) {
		t.Errorf("without a CI system: got %+v", got)
	}
}
