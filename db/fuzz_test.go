package db

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db/dbtest"
)

// bytesPerCommand is how many bytes of fuzzed input make one command.
const bytesPerCommand = 6

// FuzzDo sends any sequence of commands to a store and to the model of it.
// Both must answer alike, and the same events must be there in the end. There
// are few names and few dates, so that commands repeat and contradict. Fuzz it
// with -fuzzminimizetime 0x: to minimize takes long with a database inside.
func FuzzDo(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 40 {
		seed := make([]byte, bytesPerCommand*60)
		for i := range seed {
			seed[i] = byte(r.Uint32())
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		now := dbtest.NewClock(dbtest.At("12:00"))
		s := openStore(t, filepath.Join(t.TempDir(), "em-metrics.db"), Options{Now: now.Now})
		m := &model{now: now.Now()}
		for len(input) >= bytesPerCommand {
			command := commandOf(input[:bytesPerCommand])
			input = input[bytesPerCommand:]
			outcomes, err := s.Do(context.Background(), command)
			var e *Error
			got, created := fine, err == nil && outcomes[0].Created
			if errors.As(err, &e) {
				got = e.Code
			} else if err != nil {
				t.Fatalf("%+v: %v", command, err)
			}
			if want, wantCreated := m.do(command); got != want || created != wantCreated {
				t.Fatalf("%T%+v: the store says %s, created %t; the model says %d, created %t",
					command, command, answer(outcomes, err), created, want, wantCreated)
			}
		}
		expectEvents(t, s, m.events)
	})
}

// commandOf makes a command of any bytes.
func commandOf(b []byte) Command {
	k := Key{Project: choose(b[1], "a", "b"), Environment: choose(b[1]>>1, "x", "y"), ID: choose(b[1]>>2, "1", "2")}
	ref := Ref{ID: k.ID, Project: choose(b[1]>>3, "", k.Project), Environment: choose(b[1]>>4, "", k.Environment)}
	one, two, three := dateOf(b[3], 8), dateOf(b[4], 2), dateOf(b[5], 2)
	switch b[0] % 8 {
	case 0:
		return StartDeployment{Key: k, FirstCommitAt: one, DeployStartAt: two, DeployedAt: three, Rework: b[2]&1 == 1}
	case 1:
		return StartDeployment{Key: k, FirstCommitAt: one}
	case 2:
		return FinishDeployment{Ref: ref, DeployedAt: one}
	case 3:
		return FinishDeployment{Ref: ref, DeployedAt: three, Create: &StartDeployment{Key: k, FirstCommitAt: one, DeployStartAt: two}}
	case 4:
		return RestoreIncident{Ref: incidentRef(b[2], ref), At: one}
	case 5:
		return FinishIncident{Ref: incidentRef(b[2], ref), At: one}
	}
	return OpenIncident{
		Key:            Key{k.Project, k.Environment, incidentRef(b[2], ref).ID},
		DeploymentID:   choose(b[1]>>3, "", "1", "2", "3"),
		AnyEnvironment: b[1]>>5&1 == 1,
		IdempotencyKey: choose(b[1]>>6, "", "", "k", "l"),
		StartedAt:      one, RestoredAt: two, FinishedAt: three,
	}
}

func incidentRef(b byte, ref Ref) Ref {
	ref.ID = choose(b, "", "1", "", "2", "", "incident_a_1", "incident_a_2", "incident_b_2")
	return ref
}

func choose(b byte, from ...string) string { return from[int(b)%len(from)] }

// dateOf is no date once in so many times, or else one of half an hour, of which the
// end is further in the future than is accepted.
func dateOf(b, none byte) time.Time {
	if b%none == 0 {
		return time.Time{}
	}
	return clock("11:38").Add(time.Duration(b/8) * time.Minute)
}
