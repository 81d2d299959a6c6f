package db

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// hold stops the writer until release is called, so that what is sent
// meanwhile becomes one batch. Its own call is refused and stores nothing; what
// it is given to do happens in the writer.
func hold(t *testing.T, s *Store, do ...func()) (release func()) {
	t.Helper()
	entered, released, answered := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := s.Do(context.Background(), StartDeployment{
			Key: key("hold/hold/hold"), FirstCommitAt: clock("08:00"),
			Team: func(string) string {
				close(entered)
				<-released
				for _, f := range do {
					f()
				}
				return ""
			},
		}, FinishDeployment{Ref: Ref{ID: "absent"}})
		answered <- err
	}()
	<-entered
	return func() {
		close(released)
		if err := <-answered; !HasCode(err, NotFound) {
			t.Error(err)
		}
	}
}

// send sends a call and returns when it is in the queue; answered waits for
// what it led to.
func send(ctx context.Context, s *Store, commands ...Command) (answered func() string) {
	before := len(s.writer.queue)
	got := make(chan string, 1)
	go func() {
		outcomes, err := s.Do(ctx, commands...)
		got <- answer(outcomes, err)
	}()
	for len(s.writer.queue) == before {
		runtime.Gosched()
	}
	return func() string { return <-got }
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestCommandsOfOneCallAreAllOrNone(t *testing.T) {
	s, _ := newStore(t)
	contradiction := start("web/prod/1", "07:00", "")
	const refusal = "conflict: the deployment already exists with different values; " +
		"first_commit_at is already recorded as 2026-03-04T08:00:00.000Z; send the same value or omit the field"

	outcomes, err := s.Do(t.Context(), start("web/prod/1", "08:00", ""), finish(Ref{ID: "1"}, ""), incident("web/prod/a", "1", ""))
	if err != nil || len(outcomes) != 3 || !outcomes[0].Created || outcomes[1].Created || !outcomes[2].Created {
		t.Fatal(outcomes, err)
	}
	stored := []string{
		"deployment_started web/prod/1 at 12:00",
		"deployment_deployed web/prod/1 at 12:00 lead 4h0m0s took 0s",
		"incident_started web/prod/a at 12:00 detected 0s",
		"change_failed web/prod/1 at 12:00",
	}
	expectEvents(t, s, stored)

	outcomes, err = s.Do(t.Context(), start("web/prod/2", "08:00", ""), restore(Ref{ID: "a"}, ""), contradiction)
	if expect(t, answer(outcomes, err), refusal); outcomes != nil {
		t.Error("outcomes of a refused call:", outcomes)
	}
	expectEvents(t, s, stored)
	if _, err := s.Deployment(t.Context(), Ref{ID: "2"}); !HasCode(err, NotFound) {
		t.Error("a deployment of a refused call is stored:", err)
	}
	if i, err := s.Incident(t.Context(), Ref{ID: "a"}); err != nil || !i.RestoredAt.IsZero() {
		t.Error("a refused call restored an incident:", i, err)
	}
	if outcomes, err := s.Do(t.Context(), start("web/prod/2", "08:00", "")); err != nil || !outcomes[0].Created {
		t.Error("after a refused call:", answer(outcomes, err))
	}
}

func TestRefusedCallLeavesTheOthersOfItsBatch(t *testing.T) {
	s, _ := newStore(t)
	release := hold(t, s)
	answers := []func() string{
		send(t.Context(), s, start("web/prod/1", "08:00", "")),
		send(t.Context(), s, finish(Ref{ID: "2"}, "")),
		send(t.Context(), s, start("web/prod/2", "08:00", ""), finish(Ref{ID: "3"}, "")),
		send(t.Context(), s, start("web/prod/2", "08:30", "")),
	}
	release()
	expect(t, answers[0](), "created web/prod/1 commit 08:00 start 12:00")
	expect(t, answers[1](), `not found: no such deployment; id "2" does not match any deployment`)
	expect(t, answers[2](), `not found: no such deployment; id "3" does not match any deployment`)
	expect(t, answers[3](), "created web/prod/2 commit 08:30 start 12:00")
	expectEvents(t, s, []string{"deployment_started web/prod/1 at 12:00", "deployment_started web/prod/2 at 12:00"})
}

func TestUnexpectedErrorFailsOnlyItsCall(t *testing.T) {
	boom := start("web/prod/2", "08:00", "")
	boom.Team = func(string) string { panic("boom") }
	for _, test := range []struct {
		name     string
		commands []Command
		want     string
	}{
		{"a panic", []Command{boom}, "unexpected: panic: boom"},
		{"a panic after another command", []Command{start("web/prod/4", "08:00", ""), boom}, "unexpected: panic: boom"},
		{"a constraint", []Command{start("web/prod/unwanted", "08:00", "")},
			"unexpected: write: write deployments: constraint failed: boom (1811)"},
		{"a constraint after another command", []Command{start("web/prod/4", "08:00", ""), start("web/prod/unwanted", "08:00", "")},
			"unexpected: write: write deployments: constraint failed: boom (1811)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := newStore(t)
			execute(t, visitor(t, s.Path()), `CREATE TRIGGER unwanted BEFORE INSERT ON deployments WHEN NEW.id = 'unwanted'
				BEGIN SELECT RAISE(ABORT, 'boom'); END`)
			release := hold(t, s)
			before := send(t.Context(), s, start("web/prod/1", "08:00", ""))
			refused := send(t.Context(), s, finish(Ref{ID: "9"}, ""))
			culprit := send(t.Context(), s, test.commands...)
			after := send(t.Context(), s, start("web/prod/3", "08:00", ""))
			release()
			expect(t, before(), "created web/prod/1 commit 08:00 start 12:00")
			expect(t, refused(), `not found: no such deployment; id "9" does not match any deployment`)
			answer, _, _ := strings.Cut(culprit(), "\n") // a panic has its stack below
			expect(t, answer, test.want)
			expect(t, after(), "created web/prod/3 commit 08:00 start 12:00")
			expectEvents(t, s, []string{"deployment_started web/prod/1 at 12:00", "deployment_started web/prod/3 at 12:00"})
			if !s.Writable() {
				t.Error("the store says it cannot be written to")
			}
		})
	}
}

// Whatever calls share a batch, each sees what the ones before it did.
func TestCommandsOfOneBatchSeeEachOther(t *testing.T) {
	s, _ := newStore(t)
	release := hold(t, s)
	answers := []func() string{
		send(t.Context(), s, start("web/prod/1", "08:00", "")),
		send(t.Context(), s, start("web/prod/1", "08:00", "")),
		send(t.Context(), s, incident("web/prod/incident_web_1", "1", "")),
		send(t.Context(), s, finish(Ref{ID: "1"}, "")),
		send(t.Context(), s, incident("web/prod/", "1", "11:59")),
		send(t.Context(), s, incident("web/prod/", "1", "11:59")),
		send(t.Context(), s, restore(Ref{ID: "incident_web_2"}, "")),
		send(t.Context(), s, start("web/staging/1", "08:00", "")),
		send(t.Context(), s, finish(Ref{ID: "1"}, "")),
	}
	release()
	for i, want := range []string{
		"created web/prod/1 commit 08:00 start 12:00",
		"known web/prod/1 commit 08:00 start 12:00",
		"created web/prod/incident_web_1 by 1 started 12:00",
		"known web/prod/1 commit 08:00 start 12:00 deployed 12:00",
		"created web/prod/incident_web_2 by 1 started 11:59",
		"known web/prod/incident_web_2 by 1 started 11:59",
		"known web/prod/incident_web_2 by 1 started 11:59 restored 12:00",
		"created web/staging/1 commit 08:00 start 12:00",
		`ambiguous: several deployments have this id; project_id must be one of: ` +
			`project_id "web" in environment "prod"; project_id "web" in environment "staging"`,
	} {
		expect(t, answers[i](), want)
	}
	expectEvents(t, s, []string{
		"deployment_started web/prod/1 at 12:00",
		"incident_started web/prod/incident_web_1 at 12:00",
		"change_failed web/prod/1 at 12:00",
		"deployment_deployed web/prod/1 at 12:00 lead 4h0m0s took 0s",
		"incident_started web/prod/incident_web_2 at 11:59 detected 0s",
		"incident_restored web/prod/incident_web_2 at 12:00 restored 1m0s",
		"deployment_started web/staging/1 at 12:00",
	})
}

func TestContextThatEnds(t *testing.T) {
	s, _ := newStore(t)
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := s.Do(ended, start("web/prod/1", "08:00", "")); !errors.Is(err, context.Canceled) {
		t.Error("ended before:", err)
	}

	release := hold(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	waiting := send(ctx, s, start("web/prod/2", "08:00", ""))
	cancel()
	expect(t, waiting(), "unexpected: wait for the commit: context canceled")
	release()

	release = hold(t, s)
	for range cap(s.writer.queue) {
		send(t.Context(), s, start("web/prod/3", "08:00", ""))
	}
	ctx, cancel = context.WithCancel(t.Context())
	full := make(chan error)
	go func() {
		_, err := s.Do(ctx, start("web/prod/4", "08:00", ""))
		full <- err
	}()
	cancel()
	if err := <-full; !errors.Is(err, context.Canceled) {
		t.Error("ended before there was room in the queue:", err)
	}
	release()
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	expectEvents(t, s, []string{"deployment_started web/prod/3 at 12:00"})
}

// Close while many write: every call is answered, what was acknowledged is
// stored, and what was refused is not.
func TestCloseAnswersEveryCall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "em-metrics.db")
	for round := range 5 {
		s := openStore(t, path, Options{})
		var (
			wg      sync.WaitGroup
			stored  sync.Map
			started = make(chan struct{}, 64)
		)
		for caller := range 64 {
			wg.Go(func() {
				for n := 0; ; n++ {
					id := fmt.Sprintf("%d-%d-%d", round, caller, n)
					_, err := s.Do(t.Context(), StartDeployment{Key: key("web/prod/" + id), FirstCommitAt: time.Now()})
					if err != nil {
						expect(t, answer(nil, err), "unavailable: the service is stopping")
						stored.Store(id, false)
						return
					}
					stored.Store(id, true)
					if n == 0 {
						started <- struct{}{}
					}
				}
			})
		}
		for range 64 {
			<-started
		}
		for range 2 {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
		again := openStore(t, path, Options{})
		stored.Range(func(id, want any) bool {
			_, err := again.Deployment(t.Context(), Ref{ID: id.(string)})
			if want == true && err != nil || want == false && !HasCode(err, NotFound) {
				t.Errorf("%s, acknowledged %t: %v", id, want, err)
			}
			return true
		})
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestManyCallersOfOneCommandCountOnce(t *testing.T) {
	s, _ := newStore(t)
	for _, command := range []Command{
		start("web/prod/1", "08:00", ""),
		FinishDeployment{Ref: Ref{ID: "1"}},
		FinishDeployment{Ref: Ref{ID: "2"}, Create: &StartDeployment{Key: key("web/prod/2"), FirstCommitAt: clock("08:00")}},
		incident("web/prod/a", "1", ""),
		under("k", incident("web/prod/", "1", "")),
		incident("web/prod/", "", "11:00"),
		restore(Ref{ID: "a"}, ""),
		closeIncident(Ref{ID: "a"}, ""),
	} {
		var wg sync.WaitGroup
		created := make(chan bool, 64)
		for range 64 {
			wg.Go(func() {
				outcomes, err := s.Do(t.Context(), command)
				if err != nil {
					t.Error(err)
					return
				}
				created <- outcomes[0].Created
			})
		}
		wg.Wait()
		close(created)
		n := 0
		for c := range created {
			if c {
				n++
			}
		}
		if n > 1 {
			t.Errorf("%T was created %d times", command, n)
		}
	}
	expectEvents(t, s, []string{
		"deployment_started web/prod/1 at 12:00",
		"deployment_deployed web/prod/1 at 12:00 lead 4h0m0s took 0s",
		"deployment_started web/prod/2 at 12:00",
		"deployment_deployed web/prod/2 at 12:00 lead 4h0m0s",
		"incident_started web/prod/a at 12:00 detected 0s",
		"change_failed web/prod/1 at 12:00",
		"incident_started web/prod/incident_web_2 at 12:00 detected 0s",
		"incident_started web/prod/incident_web_3 at 11:00",
		"incident_restored web/prod/a at 12:00 restored 0s",
		"incident_finished web/prod/a at 12:00",
	})
}

func TestEventsAreAppendOnly(t *testing.T) {
	s, _ := newStore(t)
	if _, err := s.Do(t.Context(), start("web/prod/1", "08:00", "")); err != nil {
		t.Fatal(err)
	}
	conn := visitor(t, s.Path())
	for _, statement := range []string{"UPDATE events SET kind = 'x'", "DELETE FROM events"} {
		if _, err := conn.ExecContext(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "events are append-only") {
			t.Errorf("%s: %v", statement, err)
		}
	}
	expectEvents(t, s, []string{"deployment_started web/prod/1 at 12:00"})
}
