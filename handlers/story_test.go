package handlers_test

import (
	"strings"
	"testing"
)

// story is a sequence of requests. Each one that succeeds is immediately repeated,
// and all of them are repeated in order at the end, which must change nothing. Then
// the stored events and the metrics are compared.
type story struct {
	name    string
	setup   []func(*setup)
	steps   []step
	events  []string
	metrics []string
}

type step struct {
	request string // "POST /path"
	body    string // see service.send
	want    string // the response in words
	headers []string
	// once marks a request that is not a repetition when it is sent again.
	once bool
}

func tell(t *testing.T, stories []story) {
	for _, story := range stories {
		for _, prefix := range prefixes {
			t.Run(story.name+" at "+prefix+"/", func(t *testing.T) {
				s := start(t, story.setup...)
				for _, step := range story.steps {
					s.tell(prefix, step)
				}
				for _, step := range story.steps {
					if step.succeeds() && !step.once {
						s.repeat(prefix, step)
					}
				}
				compare(t, "events", s.events(), story.events)
				compare(t, "metrics", s.metrics(), story.metrics)
			})
		}
	}
}

func (st step) succeeds() bool { return strings.HasPrefix(st.want, "2") }

func (s *service) tell(prefix string, st step) {
	s.t.Helper()
	got := s.send(at(prefix, st.request), st.body, st.headers...)
	if got.String() != st.want {
		s.t.Errorf("%s %s\n got %s\nwant %s", st.request, st.body, got, st.want)
	}
	if !st.succeeds() || st.once {
		return
	}
	again := s.repeat(prefix, st)
	if again.body != got.body {
		s.t.Errorf("%s %s\nsent again got %s\nthe first time %s", st.request, st.body, again.body, got.body)
	}
}

// repeat sends a request that succeeded before.
func (s *service) repeat(prefix string, st step) answer {
	s.t.Helper()
	got := s.send(at(prefix, st.request), st.body, st.headers...)
	if got.status != 200 {
		s.t.Errorf("%s %s\nsent again got %s", st.request, st.body, got)
	}
	return got
}

// at inserts a prefix before the path of a request.
func at(prefix, request string) string { return strings.Replace(request, " ", " "+prefix, 1) }
