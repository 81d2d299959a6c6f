package rules_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/em-metrics/em-metrics/db/rules"
	"github.com/em-metrics/em-metrics/db/rules/rulestest"
)

// FuzzDo sends any sequence of commands to a state and to the model of it. Both
// must answer alike, and the same events must be there in the end.
func FuzzDo(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	for seed := range 60 {
		f.Add(rulestest.Seed(r, seed, 100))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		m := &model{now: rulestest.Noon()}
		s := rules.NewState(m.now, 0)
		for _, project := range []string{"a", "b"} {
			s.LoadNumbers(project, 0, numbers(len(input)))
		}
		for _, command := range rulestest.Commands(input) {
			outcomes, err := s.Do(command)
			var e *rules.Error
			got, created := fine, err == nil && outcomes[0].Created
			if errors.As(err, &e) {
				got = e.Code
			} else if err != nil {
				t.Fatalf("%+v: %v", command, err)
			}
			if want, wantCreated := m.do(command); got != want || created != wantCreated {
				t.Fatalf("%T%+v: got code %d, created %t, error %v; the model has code %d, created %t",
					command, command, got, created, err, want, wantCreated)
			}
		}
		var got []string
		for _, e := range s.Changes().Events {
			got = append(got, eventText(e))
		}
		if !slices.Equal(got, m.events) {
			t.Errorf("events:\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(m.events, "\n     "))
		}
	})
}

// numbers are 1 to n.
func numbers(n int) []int64 {
	list := make([]int64, n)
	for i := range list {
		list[i] = int64(i + 1)
	}
	return list
}
